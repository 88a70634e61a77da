//! Rules that no linter knows.

use std::{fs, path::Path};

use bailiwick_tests::targets::root;

/// Every file of ours with this ending below a folder.
pub(crate) fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, ending: &str, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).expect("a folder").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir()
                && !["target", "node_modules", "build", ".git", ".tools", ".wrangler", "data"]
                    .contains(&name.as_str())
            {
                walk(&path, ending, into);
            } else if name.ends_with(ending) {
                let relative = path.strip_prefix(root()).expect("below the root").display().to_string();
                into.push((relative, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    assert!(!found.is_empty(), "{folder} has no {ending}");
    found.sort();
    found
}

#[test]
fn core_depends_on_no_platform_and_knows_no_target() {
    let manifest = fs::read_to_string(root().join("core/Cargo.toml")).expect("a manifest");
    for banned in ["tokio", "sqlx", "axum", "worker", "reqwest", "getrandom", "js-sys", "wasm-bindgen"] {
        assert!(!manifest.lines().any(|line| line.starts_with(banned)), "core depends on {banned}");
    }
    for (path, text) in files("core/src", ".rs") {
        for banned in [
            "cfg(target",
            "target_arch",
            "target_family",
            "std::fs",
            "std::net::Tcp",
            "std::thread",
            "std::env",
            "SystemTime",
            "Instant::now",
            "thread_rng",
            "allow(clippy::disallowed",
            "expect(clippy::disallowed",
        ] {
            assert!(!text.contains(banned), "{path} contains {banned}; the core has ports for that");
        }
    }
}

#[test]
fn edge_and_native_depend_on_core_and_core_on_neither() {
    let manifest = |name: &str| fs::read_to_string(root().join(name).join("Cargo.toml")).expect("a manifest");
    let depends =
        |on: &str, of: &str| manifest(of).lines().any(|line| line.split(['.', ' ', '=']).next() == Some(on));
    assert!(depends("bailiwick-core", "edge") && depends("bailiwick-core", "native"));
    assert!(!depends("bailiwick", "core") && !depends("bailiwick-edge", "core"));
    assert!(!depends("bailiwick", "edge") && !depends("bailiwick-edge", "native"));
}

#[test]
fn sql_stands_in_the_catalogue_only() {
    for (path, text) in files("core/src", ".rs") {
        let others =
            ["access/checks.rs", "access/stored_answers.rs", "kernel/sql/mod.rs", "kernel/sql/example.rs"];
        if path.contains("/repository/") || others.iter().any(|file| path.ends_with(file)) {
            continue;
        }
        for word in ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM"] {
            assert!(
                !text.contains(&format!("\"{word}")),
                "{path} contains SQL; it belongs into the catalogue"
            );
        }
        let binds = text.contains(".bind(") && !path.contains("/access/");
        assert!(!binds, "{path} binds a statement itself; a scope does that");
    }
}

#[test]
fn repositories_name_no_status_no_url_and_no_header() {
    for (path, text) in files("core/src/repository", ".rs") {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for said in ["StatusCode", "HeaderName", "/v1/", "use http::", "http::answer", "header::"] {
                assert!(!line.contains(said), "{path} has {said}: the route's type of reply gives that");
            }
        }
    }
}

#[test]
fn files_can_be_held_in_the_head() {
    for folder in ["core", "edge", "native", "tests"] {
        for (path, text) in files(folder, ".rs") {
            // Tests in the file do not count.
            let lines = text.lines().take_while(|line| !line.contains("#[cfg(test)]")).count();
            assert!(lines <= 500, "{path} has {lines} lines");
            let documented =
                text.lines().find(|line| !line.is_empty()).is_some_and(|line| line.starts_with("//!"));
            assert!(documented, "{path} does not open with what it is for");
        }
    }
}

#[test]
fn the_newest_migration_is_the_one_that_the_code_needs() {
    let number =
        |name: &str| name.rsplit('/').next().and_then(|name| name.split('_').next()?.parse::<i64>().ok());
    for tree in ["migrations/sqlite", "migrations/postgres"] {
        let all = files(tree, ".sql");
        let numbers: Vec<_> = all.iter().filter_map(|(path, _)| number(path)).collect();
        let newest = *numbers.last().expect("a migration");
        assert_eq!(newest, bailiwick_core::NEEDED_SCHEMA_VERSION, "{tree}");
        assert_eq!(numbers, (1..=newest).collect::<Vec<_>>(), "{tree}");
    }
}

#[test]
fn lock_files_carry_no_download_addresses() {
    let lock = fs::read_to_string(root().join("package-lock.json")).expect("a lock");
    assert!(!lock.contains("\"resolved\""), "omit-lockfile-registry-resolved=true belongs into .npmrc");
}

#[test]
fn the_tests_that_the_page_on_isolation_names_are_there() {
    let page = fs::read_to_string(root().join("docs/ISOLATION.md")).expect("the page");
    let mut sources = files("tests", ".rs");
    sources.extend(files("core/src", ".rs"));
    let mut named = 0;
    for name in page.split('`').skip(1).step_by(2).filter(|name| name.contains("::")) {
        let (module, test) = name.split_once("::").expect("it has one");
        let wanted = if test == "*" { format!("{module}::") } else { format!("fn {test}(") };
        let found = sources.iter().any(|(path, text)| {
            text.contains(&wanted) || (test == "*" && (path.contains(&format!("/{module}"))))
        });
        assert!(found, "docs/ISOLATION.md names {name}, which is not there");
        named += 1;
    }
    assert!(named >= 25, "{named}");
}

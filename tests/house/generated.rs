//! Generated files are what their generators make. `UPDATE=1 cargo test -p bailiwick-tests --test house generated`
//! writes them anew.

use std::collections::BTreeSet;

use bailiwick::ports::assets::Embedded;
use bailiwick_core::{
    config::{self, Config},
    definition::{
        decide::Refusal,
        document::{Definition, Guard},
        finding::{FindingCode, Severity},
        standard::STANDARD,
    },
    diagram, openapi, site,
};
use bailiwick_tests::targets::root;

fn assert_generated(path: &str, content: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, content).expect("a file that can be written");
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stored == content,
        "{path} is stale: UPDATE=1 cargo test -p bailiwick-tests --test house generated"
    );
}

#[test]
fn openapi() {
    let document = openapi::document();
    assert_generated("core/openapi.json", &format!("{document:#}\n"));
    assert_generated("site/openapi.json", &document.to_string());
}

#[test]
fn workflow() {
    assert_generated("site/workflow.svg", &diagram::svg());
}

#[test]
fn documents_of_workflows() {
    assert_generated("docs/workflows/standard.json", STANDARD);
    assert_generated("docs/workflows/schema.json", &format!("{:#}\n", openapi::workflow_schema()));
}

/// The page of workflows explains all that can be found, refused and written; its first workflow is sound.
#[test]
fn the_page_of_workflows() {
    let page = std::fs::read_to_string(root().join("docs/WORKFLOWS.md")).expect("the page");
    let codes = FindingCode::ALL.iter().map(|code| code.as_str());
    let guards = Guard::ALL.iter().map(|guard| guard.as_str());
    for word in codes.chain(guards).chain(Refusal::ALL.iter().map(|refusal| refusal.as_str())) {
        assert!(page.contains(&format!("`{word}`")), "docs/WORKFLOWS.md does not explain {word}");
    }
    let mut documents =
        page.split("```json\n").skip(1).filter_map(|part| part.split_once("```").map(|(json, _)| json));
    let first = documents.next().expect("a workflow");
    let found = Definition::read(first.as_bytes()).expect("a document").findings();
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:?}");
}

/// What the core asks for is what the binary has and what the edge is given.
#[test]
fn the_files_of_the_site_are_those_that_are_served() {
    let stored = std::fs::read_dir(root().join("site")).expect("a folder").flatten();
    let mut stored: BTreeSet<_> =
        stored.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    // Building the Worker puts it there.
    stored.remove(site::SCALAR.name);
    let named = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(stored, named(site::files().map(|file| file.name).collect()));
    assert_eq!(stored, named(Embedded::names().collect()));
}

/// The tag of the reference's script is its version.
#[test]
fn the_references_script_is_of_the_version_that_the_core_names() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let version = site::SCALAR.version().expect("a version");
    let entry = format!("name = \"scalar_api_reference\"\nversion = \"{version}\"");
    assert!(lock.contains(&entry), "core/src/api/site.rs names {version}");
}

#[test]
fn configuration() {
    assert_generated("docs/CONFIGURATION.md", &config::documentation());
}

/// On the edge the limits are the bindings', and refusals quote the settings.
#[test]
fn the_workers_rate_limits_are_the_settings_defaults() {
    let wrangler = std::fs::read_to_string(root().join("wrangler.toml")).expect("wrangler.toml");
    let defaults = Config::read(|_| None).expect("defaults");
    for (binding, setting) in [
        ("RATE_LIMIT_BY_REQUESTS", "RATE_LIMIT"),
        ("RATE_LIMIT_BY_ACCOUNT", "RATE_LIMIT_ACCOUNT"),
        ("RATE_LIMIT_BY_ADDRESS", "RATE_LIMIT_ADDRESS"),
    ] {
        let (_, rest) = wrangler.split_once(&format!("name = \"{binding}\"")).expect("the binding");
        let simple = rest.lines().find(|line| line.starts_with("simple = ")).expect("its limit");
        let default =
            Config::SETTINGS.iter().find(|found| found.name == setting).expect("the setting").default;
        let (limit, period) = (default.expect("a default"), defaults.rate_limit_period.as_secs());
        assert_eq!(simple, format!("simple = {{ limit = {limit}, period = {period} }}"), "{binding}");
    }
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    fn references(value: &serde_json::Value, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                into.extend(members.get("$ref").and_then(|value| value.as_str()).map(str::to_owned));
                members.values().for_each(|value| references(value, into));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }
    let document = openapi::document();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 100);
    for reference in all {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    assert!(!document.to_string().contains("x-optional"), "a marker of the generator is left");
}

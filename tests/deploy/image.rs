//! The image: what builds it, what is in it, and how it behaves. No engine runs where these tests do, so the binary is run
//! as the image would: in a root that has its libraries and nothing else, read-only, as its user.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use bailiwick_tests::{
    ports::Port,
    provided,
    targets::{binary, client},
    until,
};

use crate::{are_settings, file, run, tool};

/// What Debian's packages `libc6` and `libgcc-s1` have, which the image's base has.
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];

fn instructions(of: &str) -> Vec<String> {
    let joined = file("Dockerfile").replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix(&format!("{of} ")));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_linter_finds_nothing() {
    run(tool("hadolint").args(["--failure-threshold", "style", "Dockerfile"]));
}

#[test]
fn it_is_built_by_the_compiler_of_this_checkout() {
    let toolchain = file("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a version");
    let stages = instructions("FROM");
    assert_eq!(stages[0], format!("rust:{}-bookworm AS build", version.trim_matches('"')));
    // The C library that it is linked to is at least as new as the one that it was built with.
    assert_eq!(stages.last().map(String::as_str), Some("debian:12-slim"));
}

#[test]
fn the_context_has_what_is_copied_and_no_more() {
    let ignored = file(".dockerignore");
    let allowed: Vec<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignored.lines().any(|line| line == "*"), "only what is named gets in");
    let mut copied = Vec::new();
    for copy in instructions("COPY").iter().filter(|copy| !copy.starts_with("--from")) {
        let words: Vec<_> = copy.split(' ').collect();
        copied.extend(words[..words.len() - 1].iter().map(|word| (*word).to_owned()));
    }
    for source in &copied {
        let is_in = |name: &&&str| source == **name || source.starts_with(&format!("{name}/"));
        assert!(allowed.iter().any(|name| is_in(&name)), "{source} is copied and does not get in");
        assert!(bailiwick_tests::targets::root().join(source).exists(), "there is no {source}");
    }
    for name in allowed {
        assert!(copied.iter().any(|source| source.starts_with(name)), "{name} gets in and is not copied");
    }
    // Every crate of the workspace has its manifest in the layer of dependencies.
    let manifest = file("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("members");
    for member in serde_json::from_str::<Vec<String>>(members).expect("a list") {
        assert!(copied.contains(&format!("{member}/Cargo.toml")), "{member}");
    }
}

/// The settings that the image has.
fn environment() -> Vec<(String, String)> {
    let all = instructions("ENV").join(" ");
    let pairs = all.split(' ').filter_map(|pair| pair.split_once('='));
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    are_settings(pairs.iter().map(|(name, _)| name.as_str()));
    pairs
}

/// The libraries that the binary is linked to.
fn libraries() -> Vec<PathBuf> {
    let linked = run(Command::new("ldd").arg(binary()));
    let lines = linked.lines().filter(|line| !line.contains("linux-vdso"));
    lines
        .map(|line| {
            let path = line.split_whitespace().find(|word| word.starts_with('/')).expect("a path");
            let known = LIBRARIES
                .iter()
                .any(|name| path.rsplit('/').next().is_some_and(|file| file.starts_with(name)));
            assert!(known, "the image does not have {path}");
            path.into()
        })
        .collect()
}

/// The binary in a root as the image's.
fn contained(data: &Path, bind: &str) -> Command {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent"]);
    command.args(["--uid", "65532", "--gid", "65532", "--clearenv", "--proc", "/proc", "--dev", "/dev"]);
    for library in libraries() {
        command.arg("--ro-bind").arg(fs::canonicalize(&library).expect("a file")).arg(&library);
    }
    command.arg("--ro-bind").arg(binary()).arg("/usr/local/bin/bailiwick");
    command.arg("--bind").arg(data).args(["/data", "--remount-ro", "/"]);
    for (name, value) in environment() {
        let value = if name == "BIND" { bind } else { value.as_str() };
        command.args(["--setenv", &name, value]);
    }
    command.arg("/usr/local/bin/bailiwick");
    command
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn it_serves_with_nothing_around_it_and_says_whether_it_is_ready() {
    assert_eq!(instructions("USER"), ["65532:65532"]);
    assert_eq!(instructions("VOLUME"), ["/data"]);
    let check = instructions("HEALTHCHECK").concat();
    let check = check.split("CMD ").nth(1).expect("a command");
    let check: Vec<String> = serde_json::from_str(check).expect("no shell, which it need not have");
    assert_eq!(check[0], "/usr/local/bin/bailiwick");

    let data = tempfile::tempdir().expect("a directory");
    let reserved = Port::reserve();
    let port = reserved.number();
    let bind = format!("0.0.0.0:{port}");
    let healthy = || {
        let output = contained(data.path(), &bind)
            .args(&check[1..])
            .output()
            .expect("bwrap; scripts/setup installs it");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = healthy();
    assert!(code == Some(1) && said.contains("There is no answer from 127.0.0.1"), "{code:?}: {said}");

    let server = contained(data.path(), &bind)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(data.path().join("log")).expect("a file"))
        .spawn();
    let server = Ended(server.expect("bwrap"));
    until("the health check succeeds", || async { provided(healthy(), |(code, _)| *code == Some(0)) }).await;
    // What it writes is in its volume, and it looks up no name of who it is.
    let account = serde_json::json!({ "email": "a@example.com", "name": "A", "password": "correct horse" });
    let url = format!("http://127.0.0.1:{port}/v1/auth/register");
    let answer = client().post(url).json(&account).send().await.expect("an answer");
    assert_eq!(answer.status(), 201, "{}", fs::read_to_string(data.path().join("log")).expect("a log"));
    let kept: Vec<_> =
        ["bailiwick.db", "bailiwick.db.jwt-secret"].map(|name| data.path().join(name).exists()).into();
    assert_eq!(kept, [true, true]);
    drop(server);
    until("nobody answers", || async { provided(healthy(), |(code, _)| *code == Some(1)) }).await;
}

//! Generators that take the description as it is: openapi-generator finds nothing to object to in it and makes clients in four
//! languages, openapi-python-client leaves nothing out, and the README's tour goes through a client in Python.

use std::path::{Path, PathBuf};

use bailiwick_tests::targets::{self, Target, root};
use tokio::{process::Command, sync::OnceCell};

use crate::{run, tour_against};

const DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/generators");

/// A tool of those that `tests/generators/requirements.txt` names. They find one another, and the Java that came with them.
fn tool(name: &str) -> Command {
    let folder = root().join(".tools/generators/bin");
    let mut path = vec![folder.clone()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(folder.join(name));
    command.current_dir(root()).env("PATH", std::env::join_paths(path).expect("a path"));
    command
}

/// Has openapi-generator make a client, and returns where it is.
async fn generated(language: &str) -> PathBuf {
    let directory = Path::new(DIRECTORY).join(language);
    let mut generator = tool("openapi-generator-cli");
    generator.args([
        "generate",
        "-i",
        "core/openapi.json",
        "-g",
        language,
        "--package-name",
        "bailiwick_client",
        "-o",
    ]);
    run(generator.arg(&directory)).await;
    directory
}

#[tokio::test]
async fn openapi_generator_validates_it() {
    let printed = run(tool("openapi-generator-cli").args(["validate", "-i", "core/openapi.json"])).await;
    assert!(printed.contains("No validation issues detected."), "{printed}");
}

#[tokio::test]
async fn openapi_generator_makes_clients() {
    for (language, module) in
        [("typescript-fetch", "apis/TasksApi.ts"), ("rust", "src/apis/tasks_api.rs"), ("go", "api_tasks.go")]
    {
        let module = generated(language).await.join(module);
        assert!(module.is_file(), "{} is missing", module.display());
    }
}

#[tokio::test]
async fn openapi_python_client_leaves_nothing_out() {
    let mut generator = tool("openapi-python-client");
    generator.args(["generate", "--path", "core/openapi.json", "--overwrite", "--output-path"]);
    let printed = run(generator.arg(Path::new(DIRECTORY).join("openapi-python-client"))).await;
    assert!(!printed.contains("arning"), "{printed}");
}

/// Has a client in Python take the README's tour.
async fn take(target: Target) {
    static CLIENT: OnceCell<PathBuf> = OnceCell::const_new();
    let client = CLIENT.get_or_init(|| generated("python")).await;
    let mut python = tool("python");
    python.arg("tests/client/tour.py").arg(&target.url).env("PYTHONPATH", client);
    tour_against(target, &mut python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_takes_the_tour_on_native_sqlite() {
    take(targets::native_sqlite(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_takes_the_tour_on_edge_d1() {
    take(targets::edge_d1(&[]).await).await;
}

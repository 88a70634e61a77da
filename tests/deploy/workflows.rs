//! The workflows of GitHub Actions: linted, and in the order that upgrades need.

use crate::{file, run, text, tool, yaml};

const WORKFLOWS: [&str; 3] = ["ci", "deploy-worker", "release"];

fn path(name: &str) -> String {
    format!(".github/workflows/{name}.yml")
}

#[test]
fn linters_find_nothing() {
    for name in WORKFLOWS {
        // No look into what `run` says by other programs that may or may not be there.
        run(tool("actionlint").args(["-no-color", "-shellcheck=", "-pyflakes="]).arg(path(name)));
        run(tool("check-jsonschema").args(["--builtin-schema", "vendor.github-workflows", &path(name)]));
    }
    let there =
        std::fs::read_dir(bailiwick_tests::targets::root().join(".github/workflows")).expect("a folder");
    assert_eq!(there.count(), WORKFLOWS.len(), "one is not linted");
}

#[test]
fn no_more_rights_than_are_needed() {
    for name in WORKFLOWS {
        let [workflow] = <[_; 1]>::try_from(yaml(&file(&path(name)))).expect("one document");
        assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }), "{name}");
        for (job, body) in workflow["jobs"].as_object().expect("jobs") {
            assert!(body["timeout-minutes"].is_number(), "{name}: {job} may run for hours");
            for step in body["steps"].as_array().expect("steps") {
                if step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/checkout@")) {
                    assert_eq!(step["with"]["persist-credentials"], false, "{name}: {job}");
                }
                // What somebody else can choose is no part of a script.
                let script = step["run"].as_str().unwrap_or_default();
                assert!(!script.contains("${{"), "{name}: {job}: {script}");
            }
        }
    }
}

#[test]
fn the_schema_is_there_before_the_code_that_needs_it() {
    let [workflow] = <[_; 1]>::try_from(yaml(&file(&path("deploy-worker")))).expect("one document");
    let steps = workflow["jobs"]["deploy"]["steps"].as_array().expect("steps");
    let place = |wanted: &str| {
        let found =
            steps.iter().position(|step| step["run"].as_str().is_some_and(|run| run.starts_with(wanted)));
        found.unwrap_or_else(|| panic!("{wanted} is no step"))
    };
    assert!(place("npx wrangler d1 migrations apply DB --remote") < place("npx wrangler deploy"));
    assert_eq!(text(&workflow, "/jobs/deploy/environment"), "production");
    assert_eq!(workflow["concurrency"]["cancel-in-progress"], false);
}

#[test]
fn ci_is_what_it_is_on_any_machine() {
    assert!(file(&path("ci")).contains(" .ci/run\n"));
}

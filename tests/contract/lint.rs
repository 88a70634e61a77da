//! Linters: no error, no warning, not even a hint.

use crate::{npm, run};

#[tokio::test]
async fn spectral() {
    let arguments =
        ["lint", "core/openapi.json", "--ruleset", "tests/contract/spectral.yaml", "--fail-severity", "hint"];
    run(npm("spectral").args(arguments)).await;
}

#[tokio::test]
async fn redocly() {
    run(npm("redocly").args(["lint", "core/openapi.json", "--config", "tests/contract/redocly.yaml"])).await;
}

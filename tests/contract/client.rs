//! A client in TypeScript, generated from the description: it compiles under the strictest rules, and the README's tour
//! goes through it.

use std::path::Path;

use bailiwick_tests::targets::{self, root};
use tokio::sync::OnceCell;

use crate::{npm, run, tour_against};

/// Where it is made: beside nothing else, and below `node_modules`.
const DIRECTORY: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/client");

/// Generates the types and compiles the tour, once.
async fn tour() -> &'static Path {
    static MADE: OnceCell<()> = OnceCell::const_new();
    let directory = Path::new(DIRECTORY);
    MADE.get_or_init(|| async {
        std::fs::create_dir_all(directory).expect("a directory");
        for file in ["tour.ts", "tsconfig.json", "package.json"] {
            std::fs::copy(root().join("tests/client").join(file), directory.join(file)).expect(file);
        }
        let types = directory.join("api.ts");
        run(npm("openapi-typescript").arg("core/openapi.json").arg("--output").arg(types)).await;
        run(npm("tsc").arg("--project").arg(directory)).await;
    })
    .await;
    directory
}

async fn take(target: targets::Target) {
    let mut node = tokio::process::Command::new(root().join("node_modules/.bin/node"));
    node.arg(tour().await.join("tour.js")).env("BAILIWICK", &target.url);
    tour_against(target, &mut node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_sqlite() {
    take(targets::native_sqlite(&[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_d1() {
    take(targets::edge_d1(&[]).await).await;
}

//! Each target does what the description says, whatever it is sent: schemathesis makes requests out of the description,
//! right and wrong ones, alone and in a row, and holds the answers to it.
//!
//! `CONTRACT_EXAMPLES` has it make more of each operation than it does as a rule, `CONTRACT_SEED` plays a run again: each
//! tells its seed.

use bailiwick::verify::samples::{import_head, import_rows};
use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id},
    provider::Provider,
    targets::{self, More, Target, root},
};
use serde_json::json;
use tokio::process::Command;

use crate::run_against;

/// What requests need to be there, that they cannot make themselves.
async fn stage(target: &Target, provider: &Provider) -> String {
    let tenant = Tenant::create(target).await;
    let mut deliveries = Vec::new();
    for _ in 0..20 {
        deliveries.push(tenant.dead_delivery().await);
    }
    let mut resets = Vec::new();
    for _ in 0..20 {
        resets.push(Actor::register(target, "forgetful").await.reset().await);
    }
    let imported = new_id();
    let stage = json!({
        "url": target.url,
        "owner": tenant.owner.email,
        "member": tenant.member.id,
        "password": PASSWORD,
        "tenant": tenant.id,
        // The file of an import is the same for each tenant but for its id, in whose place another one is put.
        "import": { "tenant": imported, "head": import_head(&imported), "rows": import_rows(&imported) },
        "slug": tenant.slug,
        "public_project": tenant.public_project().await,
        "notification": tenant.notification(&tenant.owner.id).await,
        "deliveries": deliveries,
        "resets": resets,
        "provider": provider.control,
    });
    stage.to_string()
}

/// Fuzzes a target that is started with settings. It has an identity provider of its own, for as long as this lasts.
async fn fuzz(start: impl AsyncFnOnce(&More) -> Target) {
    let provider = Provider::start().await;
    let settings = provider.settings().map(|(name, value)| (name, &*value.leak()));
    let target = start(&settings).await;
    let stage = stage(&target, &provider).await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(root().join(".tools/venv/bin/schemathesis"));
    command
        .current_dir(root())
        .env("CONTRACT_STAGE", stage)
        .env("HYPOTHESIS_STORAGE_DIRECTORY", directory.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(["--config-file", "tests/contract/schemathesis.toml", "run", "core/openapi.json"])
        .args(["--url", &target.url]);
    if let Ok(seed) = std::env::var("CONTRACT_SEED") {
        command.args(["--seed", &seed]);
    }
    if let Ok(examples) = std::env::var("CONTRACT_EXAMPLES") {
        command.args(["--max-examples", &examples]);
    }
    let name = target.name;
    eprintln!("{name}:\n{}", run_against(target, &mut command).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn native_sqlite() {
    fuzz(targets::native_sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_postgres() {
    fuzz(targets::native_postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_d1() {
    fuzz(targets::edge_d1).await;
}

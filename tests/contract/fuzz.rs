//! Each target does what the description says, whatever it is sent: schemathesis makes requests out of the description,
//! right and wrong ones, alone and in a row, and holds the answers to it.
//!
//! `CONTRACT_SECONDS` lets it go on for longer than it does as a rule, `CONTRACT_SEED` plays a run again: each tells its seed.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant},
    provider::Provider,
    targets::{self, More, Target, root},
};
use serde_json::json;
use tokio::process::Command;

use crate::run_against;

/// Nobody is asked to come later.
const SETTINGS: &More =
    &[("RATE_LIMIT", "1000000"), ("RATE_LIMIT_ACCOUNT", "1000000"), ("RATE_LIMIT_ADDRESS", "1000000")];

/// What requests need to be there, that they cannot make themselves.
async fn stage(target: &Target) -> String {
    let tenant = Tenant::create(target).await;
    let mut deliveries = Vec::new();
    for _ in 0..20 {
        deliveries.push(tenant.dead_delivery().await);
    }
    let mut resets = Vec::new();
    for _ in 0..20 {
        resets.push(Actor::register(target, "forgetful").await.reset().await);
    }
    let stage = json!({
        "url": target.url,
        "owner": tenant.owner.email,
        "member": tenant.member.id,
        "password": PASSWORD,
        "tenant": tenant.id,
        "schema_version": bailiwick_core::repository::NEEDED_SCHEMA_VERSION,
        "slug": tenant.slug,
        "public_project": tenant.public_project().await,
        "notification": tenant.notification(&tenant.owner.id).await,
        "deliveries": deliveries,
        "resets": resets,
        "provider": Provider::shared().control,
    });
    stage.to_string()
}

async fn fuzz(target: Target) {
    let stage = stage(&target).await;
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
    if let Ok(seconds) = std::env::var("CONTRACT_SECONDS") {
        command.args(["--max-time", &seconds, "--max-examples", "1000"]);
    }
    let name = target.name;
    eprintln!("{name}:\n{}", run_against(target, &mut command).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn native_sqlite() {
    fuzz(targets::native_sqlite(SETTINGS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn native_postgres() {
    fuzz(targets::native_postgres(SETTINGS).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_d1() {
    fuzz(targets::edge_d1(SETTINGS).await).await;
}

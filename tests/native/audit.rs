//! `bailiwick audit verify`; and what becomes of the chain when servers are killed, or share a database.

use bailiwick_tests::{backdoor::Backdoor, provided, targets::native, until};
use serde_json::json;

use crate::instance::{Instance, postgres, sqlite};

const UNSEALED: &str = "SELECT count(*) FROM activity WHERE seq IS NULL";

/// Runs the command: what it says of each tenant, and its refusal if it is none of success.
async fn verify(database: &str, arguments: &[&str]) -> (Vec<String>, Result<(), String>) {
    let mut command = native(database);
    let output = command.args(["audit", "verify"]).args(arguments).output().await.expect("it runs");
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let mut lines: Vec<_> = said(output.stdout).lines().map(str::to_owned).collect();
    match output.status.code() {
        Some(0) => (lines, Ok(())),
        // It has found what it looked for, and says so in the end.
        Some(1) => {
            let found = lines.pop().expect("a line");
            (lines, Err(found))
        }
        Some(2 | 3) => (lines, Err(said(output.stderr))),
        other => panic!("{other:?}"),
    }
}

/// What a line says at its end.
fn head(line: &str) -> &str {
    line.rsplit_once("head ").unwrap_or_else(|| panic!("no head in {line}")).1
}

async fn all_sealed(backdoor: &Backdoor) {
    let none = async || provided(backdoor.count(UNSEALED).await, |left| *left == 0);
    until("everything to be sealed", none).await;
}

async fn project(instance: &Instance, token: &str) {
    instance.post(token, "/v1/projects", &json!({ "name": "P" })).await.expect(201);
}

async fn the_command_finds_what_was_done(database: &str, backdoor: &Backdoor) {
    let instance = Instance::start(database, &[]).await;
    let (_, owner) = instance.register("owner@example.com", None).await;
    instance.post(&owner, "/v1/tenants", &json!({ "slug": "acme", "name": "Acme" })).await.expect(201);
    for _ in 0..4 {
        project(&instance, &owner).await;
    }
    all_sealed(backdoor).await;
    let (lines, done) = verify(database, &[]).await;
    assert_eq!(done, Ok(()));
    assert!(lines[0].starts_with("acme: ok, 1 entries, 0 not sealed yet, head 1:"), "{lines:?}");
    assert!(lines[1].starts_with("default: ok, 5 entries, 0 not sealed yet, head 5:"), "{lines:?}");
    let (noted, of_acme) = (head(&lines[1]).to_owned(), head(&lines[0]).to_owned());
    let noted = ["--tenant", "default", "--head", &noted];
    assert_eq!(verify(database, &noted).await.1, Ok(()));
    let (lines, done) = verify(database, &["--tenant", "acme"]).await;
    assert_eq!((lines.len(), head(&lines[0]), done), (1, &*of_acme, Ok(())));
    for (arguments, word) in [
        (&["--tenant", "nosuch"][..], "nosuch"),
        (&["--tenant", "No Slug"], "TENANT"),
        (&["--tenant", "acme", "--head", "1"], "HEAD"),
        (&["--head", &of_acme], "--tenant"),
    ] {
        let (lines, refused) = verify(database, arguments).await;
        let refused = refused.expect_err("it is refused");
        assert!(lines.is_empty() && refused.contains(word), "{arguments:?}: {refused}");
    }

    // Whatever is done to one tenant's log, the others have their line all the same.
    let place = |seq: i64| format!("slug = 'default') AND seq = {seq}");
    let of = "tenant_id = (SELECT id FROM tenants WHERE";
    let id = &backdoor.sql(&format!("SELECT id FROM activity WHERE {of} {}", place(3))).await[0][0];
    let id = id.as_deref().expect("an id");
    let broken = |lines: &[String], refused: Result<(), String>, what: &str| {
        let refused = refused.expect_err("it does not hold");
        assert!(refused.contains("1 do not stand as they were written"), "{refused}");
        assert!(lines[0].starts_with("acme: ok, 1 entries"), "{lines:?}");
        assert!(lines[1].starts_with(&format!("default: BROKEN, {what}")), "{lines:?}");
    };
    backdoor.sql(&format!("UPDATE activity SET action = 'project.deleted' WHERE {of} {}", place(3))).await;
    let (lines, refused) = verify(database, &[]).await;
    broken(&lines, refused, &format!("entry 3 was altered ({id}), 2 entries before it hold"));
    backdoor.sql(&format!("UPDATE activity SET action = 'project.created' WHERE {of} {}", place(3))).await;
    assert_eq!(verify(database, &[]).await.1, Ok(()));
    backdoor.sql(&format!("DELETE FROM activity WHERE {of} {}", place(5))).await;
    assert_eq!(verify(database, &[]).await.1, Ok(()));
    let (lines, refused) = verify(database, &noted).await;
    assert!(lines[0].contains("entry 5 is missing") && refused.is_err(), "{lines:?}");
    backdoor.sql(&format!("DELETE FROM activity WHERE {of} {}", place(2))).await;
    let (lines, refused) = verify(database, &[]).await;
    broken(&lines, refused, "entry 2 is missing, 1 entries before it hold");
    instance.kill().await;
}

#[tokio::test]
async fn the_command_finds_what_was_done_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    the_command_finds_what_was_done(&database, &backdoor).await;
}

#[tokio::test]
async fn the_command_finds_what_was_done_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    the_command_finds_what_was_done(&database, &backdoor).await;
}

/// A server that is killed when it has answered and not yet sealed.
async fn a_killed_server_leaves_nothing_out(database: &str, backdoor: &Backdoor) {
    let (mut owner, mut entries, mut left_behind) = (String::new(), 0, 0);
    for round in 0..10 {
        let instance = Instance::start(database, &[]).await;
        if owner.is_empty() {
            owner = instance.register("owner@example.com", None).await.1;
            entries += 1;
        }
        // The server pauses after it has sealed the first of them.
        for _ in 0..5 {
            project(&instance, &owner).await;
            entries += 1;
        }
        instance.kill().await;
        let unsealed = backdoor.count(UNSEALED).await;
        let (lines, done) = verify(database, &[]).await;
        assert_eq!(done, Ok(()), "{lines:?}");
        assert!(lines[0].contains(&format!(", {unsealed} not sealed yet, ")), "{lines:?}");
        left_behind += i32::from(unsealed > 0);
        if left_behind == 3 {
            break;
        }
        assert!(round < 9, "it was never killed in time");
    }
    // Nobody writes any more: the next one finds them by itself.
    let instance = Instance::start(database, &[]).await;
    all_sealed(backdoor).await;
    let (lines, done) = verify(database, &[]).await;
    assert_eq!(done, Ok(()));
    assert!(lines[0].starts_with(&format!("default: ok, {entries} entries, 0 not")), "{lines:?}");
    instance.kill().await;
}

#[tokio::test]
async fn a_killed_server_leaves_nothing_out_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    a_killed_server_leaves_nothing_out(&database, &backdoor).await;
}

#[tokio::test]
async fn a_killed_server_leaves_nothing_out_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    a_killed_server_leaves_nothing_out(&database, &backdoor).await;
}

/// Each seals what it has written itself, and what it finds: they are at it at the same time.
async fn instances_that_share_a_tenant_keep_its_chain_whole(database: &str, backdoor: &Backdoor) {
    let (one, two, three) = tokio::join!(
        Instance::start(database, &[]),
        Instance::start(database, &[]),
        Instance::start(database, &[])
    );
    let (_, owner) = one.register("owner@example.com", None).await;
    let instances = [&one, &two, &three];
    let writers = instances.iter().flat_map(|instance| [instance, instance]).map(async |instance| {
        for _ in 0..25 {
            project(instance, &owner).await;
        }
    });
    futures::future::join_all(writers).await;
    all_sealed(backdoor).await;
    let (lines, done) = verify(database, &[]).await;
    assert_eq!(done, Ok(()), "{lines:?}");
    assert!(lines[0].starts_with("default: ok, 151 entries, 0 not"), "{lines:?}");
}

#[tokio::test]
async fn instances_that_share_a_tenant_keep_its_chain_whole_on_sqlite() {
    let (_directory, database, backdoor) = sqlite().await;
    instances_that_share_a_tenant_keep_its_chain_whole(&database, &backdoor).await;
}

#[tokio::test]
async fn instances_that_share_a_tenant_keep_its_chain_whole_on_postgres() {
    let (_postgres, database, backdoor) = postgres().await;
    instances_that_share_a_tenant_keep_its_chain_whole(&database, &backdoor).await;
}

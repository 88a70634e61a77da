//! What is broken off goes on where it was, and nobody sees anything of it before it is done. What changes while it is
//! read is read again.

use std::{fs::File, path::Path};

use bailiwick::transfer::{self, Failure, Side, Wanted};
use bailiwick_tests::{actors::Tenant, provided, targets, until};
use serde_json::json;

use crate::{
    file::{Export, SMALL, Size},
    place::Place,
};

/// More than is sent at once.
const SEVERAL: Size = Size { tasks: 1_000, ..SMALL };

/// Imports, and is broken off after so many rows.
async fn broken_off(side: &Side, path: &Path, after: u64) {
    let (sent, wait) = tokio::sync::oneshot::channel();
    let mut sent = Some(sent);
    let mut told = |rows| {
        if rows >= after
            && let Some(sent) = sent.take()
        {
            let _ = sent.send(());
        }
    };
    let wanted = Wanted::default();
    tokio::select! {
        done = transfer::import(side, path, &wanted, &mut told) => panic!("it came to an end: {done:?}"),
        _ = wait => {}
    }
}

async fn goes_on(target: targets::Target) {
    let mut place = Place::remote(target);
    let directory = tempfile::tempdir().expect("a directory");
    let (path, file) = (directory.path().join("file.ndjson"), Export::make("resumed", SEVERAL));
    file.write(&path);
    place.admit_owner(&file).await;
    let Place::Remote { target, token } = &place else { panic!("it is remote") };
    let side = Side::remote(&target.url, token.clone()).expect("a URL");
    broken_off(&side, &path, 300).await;
    // Nobody sees anything of it, whoever asks and how.
    let owner = bailiwick_tests::actors::Actor {
        token: Some(token.clone()),
        ..bailiwick_tests::actors::Actor::anonymous(target)
    };
    owner.get("/v1/tenant").tenant(file.tenant()).send().await.problem(403, "not_a_member");
    owner.get("/v1/tenant").slug("resumed").send().await.problem(403, "not_a_member");
    owner.get("/v1/catalog/projects").tenant(file.tenant()).send().await.problem(404, "tenant_not_found");
    assert_eq!(owner.get("/v1/tenants").send().await.expect(200).body["data"], json!([]));
    for table in ["tenants", "projects", "tasks", "memberships"] {
        let column = if table == "tenants" { "id" } else { "tenant_id" };
        let sql = format!("SELECT count(*) FROM {table} WHERE {column} = '{}'", file.tenant());
        assert_eq!(target.backdoor.count(&sql).await, 0, "{table}");
    }
    // Another file of the same tenant does not mix with it.
    let other = Export {
        head: {
            let mut head = file.head.clone();
            head["exported_at"] = json!("2030-01-01T00:00:00.000Z");
            head
        },
        ..file.clone()
    };
    let there = directory.path().join("other.ndjson");
    other.write(&there);
    let failure: Failure =
        transfer::import(&side, &there, &Wanted::default(), &mut |_| {}).await.expect_err("it is another");
    assert_eq!(failure.code, "conflict");
    let brought = transfer::import(&side, &path, &Wanted::default(), &mut |_| {}).await.expect("it goes on");
    assert!(brought.before >= 300 && brought.before < brought.rows, "{brought:?}");
    let read = place.export("resumed", directory.path()).await;
    assert_eq!(read.of("tasks"), file.of("tasks"));
    assert_eq!(read.rows.len(), file.rows.len() + 1);
    place.end().await;
}

#[tokio::test]
async fn what_is_broken_off_goes_on_natively() {
    goes_on(targets::native_sqlite(&[]).await).await;
}

#[tokio::test]
async fn what_is_broken_off_goes_on_at_the_edge() {
    goes_on(targets::edge_d1(&[]).await).await;
}

#[tokio::test]
async fn every_change_shows_in_the_mark() {
    let lasting = targets::native_sqlite(&[]).await.lasting();
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let owner = &tenant.owner;
    let mark = async || {
        until("all entries to have their place", async || {
            let first = owner.get("/v1/admin/export").tenant(&tenant.id).send().await.expect(200);
            provided(first, |first| first.body["pending"] == 0).map(|first| first.text_at("/mark"))
        })
        .await
    };
    let project = tenant.project("approved", None).await;
    let task = tenant.task(&project, "todo").await;
    let notification = tenant.notification(&owner.id).await;
    let invitation = tenant.invitation().await;
    let mut marks = vec![mark().await, mark().await];
    assert_eq!(marks.pop(), marks.first().cloned(), "nothing was changed");
    for (method, path, body) in [
        ("PATCH", format!("/v1/projects/{project}"), json!({ "name": "Another" })),
        ("PATCH", format!("/v1/tasks/{task}"), json!({ "title": "Another" })),
        ("POST", format!("/v1/tasks/{task}/comments"), json!({ "body": "More" })),
        ("POST", format!("/v1/notifications/{notification}/read"), json!({})),
        ("PATCH", "/v1/notifications/preferences".to_owned(), json!({ "muted": ["approved"] })),
        ("PATCH", "/v1/tenant/config".to_owned(), json!({ "email_sender_name": "Another" })),
        ("PATCH", format!("/v1/members/{}", tenant.viewer.id), json!({ "role": "member" })),
        ("PATCH", "/v1/me".to_owned(), json!({ "name": "Another" })),
        ("DELETE", format!("/v1/invitations/{invitation}"), json!({})),
        ("DELETE", format!("/v1/tasks/{task}"), json!({})),
    ] {
        let ask = owner.ask(method.parse().expect("a method"), &path).tenant(&tenant.id);
        let ask = if body == json!({}) { ask } else { ask.json(&body) };
        let done = ask.send().await;
        assert!((200..300).contains(&done.status), "{path}: {done:?}");
        marks.push(mark().await);
        let last = marks.len() - 1;
        assert!(!marks[..last].contains(&marks[last]), "{method} {path} does not show");
    }
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_while_it_is_read_is_read_again() {
    let lasting = targets::native_sqlite(&[]).await.lasting();
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    let project = tenant.project("approved", None).await;
    let token = tenant.owner.token.clone().expect("a token");
    let side = Side::remote(&target.url, token).expect("a URL");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("busy.ndjson");
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).expect("a file");
    // Between two parts of the first reading, and only then, somebody writes.
    let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<()>();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let (owner, id) = (tenant.owner.clone(), tenant.id.clone());
    tokio::spawn(async move {
        while asked.recv().await.is_some() {
            let new = json!({ "title": "One more" });
            let path = format!("/v1/projects/{project}/tasks");
            owner.post(&path).tenant(&id).json(&new).send().await.expect(201);
            done.send(()).expect("it waits");
        }
    });
    let mut parts = 0;
    let mut told = |_| {
        parts += 1;
        if parts == 8 {
            ask.send(()).expect("it listens");
            tokio::task::block_in_place(|| wait.recv()).expect("it was written");
        }
    };
    let written = transfer::export(&side, &tenant.slug, false, &mut file, &mut told).await;
    assert_eq!(written.expect("it is quiet in the end").again, 1);
    let read = Export::read(&path);
    assert_eq!(read.of("tasks").len(), 1);
    assert_eq!(read.of("activity").iter().filter(|entry| entry["action"] == "task.created").count(), 1);
    target.stop().await;
}

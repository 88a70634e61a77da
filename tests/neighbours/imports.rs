//! Imports that come to nothing. What has arrived of one goes in pieces, so that others write in between, and whoever is cut off
//! leaves nothing that could be gone on with.

use bailiwick::verify::samples::{import_head, import_rows};
use bailiwick_tests::{
    actors::{Tenant, new_id, unique},
    backdoor::Backdoor,
};
use serde_json::json;

use super::{
    Case, Place,
    retention::{AT_ONCE, worker},
    rows::{LONG_AGO, insert},
    worker::{Work, Worker},
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("imports::what_nobody_goes_on_with_goes_oldest_first", oldest_first),
        Case::new("imports::what_nobody_goes_on_with_goes_in_pieces", in_pieces),
        Case::new("imports::an_end_is_made_in_pieces", ended),
        Case::new("imports::an_end_that_was_cut_off_is_an_end", cut_off),
    ]
}

/// More rows than two pieces have.
const MANY: usize = 2 * AT_ONCE + AT_ONCE / 2;

/// An import of so many rows that nobody goes on with, whose rows are not there.
pub(crate) async fn import(backdoor: &Backdoor, rows: usize) -> String {
    let id = new_id();
    let into = "imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at)";
    insert(backdoor, into, &[format!("('{id}', '{id}', '{{}}', {rows}, '', {LONG_AGO}, {LONG_AGO})")]).await;
    id
}

/// The rows of one, from the first on.
async fn arrive(backdoor: &Backdoor, tenant: &str, user: &str, count: usize) {
    let row = |line| format!("('{tenant}', '{user}', {line}, 'tasks', 'tasks {}', '{{}}')", new_id());
    let rows: Vec<_> = (0..count).map(row).collect();
    insert(backdoor, "import_rows (tenant_id, user_id, line, kind, name, content)", &rows).await;
}

async fn arrived(backdoor: &Backdoor, tenant: &str) -> i64 {
    backdoor.count(&format!("SELECT count(*) FROM import_rows WHERE tenant_id = '{tenant}'")).await
}

/// How many there are with which nobody goes on.
pub(crate) async fn forgotten(worker: &Worker) -> i64 {
    worker.backdoor.count(&format!("SELECT count(*) FROM imports WHERE updated_at = {LONG_AGO}")).await
}

async fn oldest_first(place: &'static Place) {
    let worker = worker(place).await;
    for _ in 0..2 {
        import(&worker.backdoor, 20_000).await;
    }
    for _ in 0..3 {
        import(&worker.backdoor, 0).await;
    }
    for left in [4, 3, 0] {
        let turned = worker.round(Work::Prune, 0).await;
        assert_eq!(forgotten(worker).await, left);
        assert!(turned.is_none_or(|turned| turned.more));
    }
}

async fn in_pieces(place: &'static Place) {
    let worker = worker(place).await;
    let id = import(&worker.backdoor, MANY).await;
    arrive(&worker.backdoor, &id, &id, MANY).await;
    for left in [MANY - AT_ONCE, MANY - 2 * AT_ONCE] {
        let turned = worker.round(Work::Prune, 0).await;
        assert_eq!(arrived(&worker.backdoor, &id).await, i64::try_from(left).expect("a number"));
        assert_eq!(forgotten(worker).await, 1);
        assert!(turned.is_none_or(|turned| turned.more));
    }
    worker.round(Work::Prune, 0).await;
    assert_eq!((arrived(&worker.backdoor, &id).await, forgotten(worker).await), (0, 0));
}

/// Somebody's import, of which so many rows have arrived, and what it was begun with.
async fn begun(tenant: &Tenant<'_>, count: usize) -> (String, serde_json::Value) {
    let (actor, backdoor) = (&tenant.owner, &tenant.owner.target.backdoor);
    let mut head = import_head(&new_id());
    head["slug"] = json!(unique("moved"));
    let import = actor.post("/v1/imports").json(&head).send().await.expect(200).text_at("/tenant_id");
    arrive(backdoor, &import, &actor.id, count).await;
    backdoor.sql(&format!("UPDATE imports SET next_line = {count} WHERE tenant_id = '{import}'")).await;
    (import, head)
}

async fn ended(place: &'static Place) {
    let tenant = Tenant::create(&place.target).await;
    let mut batches = Vec::new();
    for count in [AT_ONCE, MANY] {
        let (import, _) = begun(&tenant, count).await;
        let path = format!("/v1/imports/{import}");
        let answer = tenant.owner.delete(&path).send().await.expect(204);
        let timing = answer.header("server-timing").expect("DEBUG_TIMING is on");
        let number = timing.split("batches: ").nth(1).and_then(|text| text.split('"').next());
        batches.push(number.and_then(|text| text.parse::<u64>().ok()).expect("a number"));
        assert_eq!(arrived(&place.target.backdoor, &import).await, 0);
        tenant.owner.delete(&path).send().await.expect(404);
    }
    assert_eq!(batches[1], batches[0] + 2, "a piece more for each thousand rows");
}

async fn cut_off(place: &'static Place) {
    let tenant = Tenant::create(&place.target).await;
    let (actor, backdoor) = (&tenant.owner, &place.target.backdoor);
    let (import, head) = begun(&tenant, MANY).await;
    // As after the first piece of an end.
    for sql in [
        format!("UPDATE imports SET placed = -1, digest = '' WHERE tenant_id = '{import}'"),
        format!("DELETE FROM import_rows WHERE tenant_id = '{import}' AND line < {AT_ONCE}"),
    ] {
        backdoor.sql(&sql).await;
    }
    let path = format!("/v1/imports/{import}");
    let rows = json!({ "first": MANY, "rows": import_rows(&import) });
    actor.post(&format!("{path}/rows")).json(&rows).send().await.expect(404);
    let totals = json!({ "rows": MANY, "sha256": "0".repeat(64) });
    actor.post(&format!("{path}/finish")).json(&totals).send().await.expect(404);
    actor.delete(&path).send().await.expect(404);
    // The same may be begun again at once, and begins anew.
    let anew = actor.post("/v1/imports").json(&head).send().await.expect(200);
    assert_eq!((&anew.body["tenant_id"], &anew.body["next"]), (&json!(import), &json!(0)));
    assert_eq!(arrived(backdoor, &import).await, 0);
    actor.delete(&path).send().await.expect(204);
}

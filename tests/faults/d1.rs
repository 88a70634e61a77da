//! What D1 answers when something is wrong with it, by its list of errors, thrown in front of a real D1 and behind it: a read
//! is asked again where that helps, a write only if it surely was not done, or if its key keeps it from being done twice.

use bailiwick_tests::{
    actors::{Tenant, unique},
    backdoor::Backdoor,
    client::Answer,
    targets::{Target, edge_d1},
};
use serde_json::{Value, json};

/// Of these a restart, a move or the network is the cause.
const PASSING: [&str; 4] = [
    "D1 DB reset because its code was updated.",
    "Internal error while starting up D1 DB storage caused object to be reset.",
    "Network connection lost.",
    "Internal error in D1 DB storage caused object to be reset.",
];
/// It did not get there.
const UNREACHED: &str = "Cannot resolve D1 DB due to transient issue on remote node.";
/// There is too much to do.
const TOO_MUCH: [&str; 5] = [
    "D1 DB is overloaded. Requests queued for too long.",
    "D1 DB is overloaded. Too many requests queued.",
    "D1 DB storage operation exceeded timeout which caused object to be reset.",
    "D1 DB's isolate exceeded its memory limit and was reset.",
    "D1 DB exceeded its CPU time limit and was reset.",
];
const FULL: [&str; 2] =
    ["Exceeded maximum DB size.", "Your account has exceeded D1's maximum account storage limit."];

/// Has the next batches with a statement like this fail with an error, before or after they were run.
async fn fail(target: &Target, like: &str, error: &str, after: bool, times: usize) {
    let fault = json!({ "like": like, "error": format!("D1_ERROR: {error}"), "after": after });
    faults(target, &vec![fault; times]).await;
}

/// Sets the faults; returns how many of those before have befallen nothing.
async fn faults(target: &Target, faults: &[Value]) -> u64 {
    let Backdoor::Edge(http, control, _) = &target.backdoor else { panic!("it is the edge") };
    let answer = http.post(format!("{control}/faults")).json(&json!({ "faults": faults })).send().await;
    let answer: Value = answer.expect("an answer").json().await.expect("JSON");
    answer["left"].as_u64().expect("a number")
}

/// How many batches have failed, of so many that were to.
async fn befallen(target: &Target, of: u64) -> u64 {
    of - faults(target, &[]).await
}

const READ: &str = "FROM projects";
const WRITE: &str = "INSERT INTO projects";

async fn read(tenant: &Tenant<'_>) -> Answer {
    tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await
}

async fn write(tenant: &Tenant<'_>, name: &str, key: Option<&str>) -> Answer {
    let ask = tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&json!({ "name": name }));
    match key {
        Some(key) => ask.header("idempotency-key", key).send().await,
        None => ask.send().await,
    }
}

async fn made(target: &Target, name: &str) -> i64 {
    target.backdoor.count(&format!("SELECT count(*) FROM projects WHERE name = '{name}'")).await
}

pub(crate) async fn what_d1_answers_is_judged() {
    let lasting = edge_d1(&[]).await.lasting();
    let target = lasting.get();
    let tenant = Tenant::create(target).await;
    for error in PASSING.into_iter().chain([UNREACHED]) {
        // A read does not notice one, and is refused after two.
        fail(target, READ, error, false, 1).await;
        read(&tenant).await.expect(200);
        assert_eq!(befallen(target, 1).await, 1, "{error}");
        fail(target, READ, error, false, 3).await;
        read(&tenant).await.problem(503, "unavailable");
        assert_eq!(befallen(target, 3).await, 2, "{error}");
    }
    for error in TOO_MUCH {
        // Asking again would make it worse.
        fail(target, READ, error, false, 2).await;
        read(&tenant).await.problem(503, "unavailable");
        assert_eq!(befallen(target, 2).await, 1, "{error}");
    }
    for error in PASSING.into_iter().chain(TOO_MUCH) {
        for after in [false, true] {
            // A write without a key is left alone: it was made or it was not, and that is not guessed.
            let name = unique("plain");
            fail(target, WRITE, error, after, 2).await;
            write(&tenant, &name, None).await.problem(503, "unavailable");
            assert_eq!(befallen(target, 2).await, 1, "{error}");
            assert_eq!(made(target, &name).await, i64::from(after), "{error}");
            // With a key it is made, once, whatever became of the first attempt, and the client does not notice.
            let name = unique("keyed");
            fail(target, WRITE, error, after, 1).await;
            write(&tenant, &name, Some(&name)).await.expect(201);
            assert_eq!(befallen(target, 1).await, 1, "{error}");
            assert_eq!(made(target, &name).await, 1, "{error}");
        }
        // Where it goes on failing, it is tried twice, and can be asked for again.
        let name = unique("failing");
        fail(target, WRITE, error, false, 3).await;
        write(&tenant, &name, Some(&name)).await.problem(503, "unavailable");
        assert_eq!(befallen(target, 3).await, 2, "{error}");
        write(&tenant, &name, Some(&name)).await.expect(201);
        assert_eq!(made(target, &name).await, 1, "{error}");
    }
    // What did not get there may be sent again by anybody.
    let name = unique("unreached");
    fail(target, WRITE, UNREACHED, false, 1).await;
    write(&tenant, &name, None).await.expect(201);
    assert_eq!((befallen(target, 1).await, made(target, &name).await), (1, 1));
    for error in FULL {
        fail(target, WRITE, error, false, 2).await;
        let answer = write(&tenant, "no room", None).await.problem(503, "unavailable");
        assert!(answer.text_at("/detail").contains("no room left"), "{answer:?}");
        assert_eq!(befallen(target, 2).await, 1, "{error}");
        read(&tenant).await.expect(200);
    }
    // What is wrong with a statement is nobody's fault but ours.
    fail(target, READ, "no such column: x: SQLITE_ERROR", false, 2).await;
    read(&tenant).await.problem(500, "internal_error");
    assert_eq!(befallen(target, 2).await, 1);
    eprintln!(
        "figures: D1: {} kinds of errors, before and after the batch: each write made as often as it was acknowledged",
        PASSING.len() + TOO_MUCH.len() + FULL.len() + 1
    );
    target.stop().await;
}

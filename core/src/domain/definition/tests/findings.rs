//! Every finding, by a document that has nothing else wrong.

use serde_json::{Value, json};

use super::read;
use crate::domain::definition::finding::{FindingCode, Severity};

/// A small workflow in which everything has a place.
fn sound() -> Value {
    json!({
        "key": "small", "name": "Small",
        "roles": [{ "key": "client", "name": "Client" }],
        "statuses": [
            { "key": "open", "name": "Open", "category": "draft", "tasks": "open", "initial": true },
            { "key": "checked", "name": "Checked", "category": "review", "tasks": "open" },
            { "key": "closed", "name": "Closed", "category": "done", "tasks": "read_only" },
        ],
        "transitions": [
            { "key": "check", "name": "Check", "from": ["open"], "to": "checked", "who": [{ "role": "member" }] },
            { "key": "close", "name": "Close", "from": ["checked"], "to": "closed",
              "approvals": { "votes": 1, "of": [{ "role": "manager" }, { "roles": ["client"] }], "reject_to": "open" } },
        ],
        "holds": [{
            "key": "deposit", "name": "Deposit", "blocks": ["close"], "amount": "none",
            "placed_by": [{ "role": "manager" }], "released_by": [{ "role": "manager" }],
        }],
        "examples": [{
            "name": "Checking", "given": { "status": "open" }, "when": { "role": "member", "transition": "check" },
            "then": { "status": "checked" },
        }],
    })
}

/// A change of the small workflow, and what is then found, where.
struct Flaw {
    code: FindingCode,
    at: &'static str,
    set: Vec<(&'static str, Value)>,
}

fn flaw(code: FindingCode, at: &'static str, set: Vec<(&'static str, Value)>) -> Flaw {
    Flaw { code, at, set }
}

fn flaws() -> Vec<Flaw> {
    use FindingCode as Code;
    let person = "11111111-1111-4111-8111-111111111111";
    let status = |key: &str| json!({ "key": key, "name": key, "category": "done", "tasks": "open" });
    let way = |key: &str, from: &str, to: &str| json!({ "key": key, "name": key, "from": [from], "to": to, "who": [{ "role": "owner" }] });
    vec![
        flaw(Code::InitialStatus, "/statuses", vec![("/statuses/0/initial", json!(false))]),
        flaw(Code::InitialStatus, "/statuses", vec![("/statuses/1/initial", json!(true))]),
        flaw(
            Code::KeyRepeated,
            "/transitions/1/key",
            vec![("/transitions/1/key", json!("check")), ("/holds/0/blocks", json!(["check"]))],
        ),
        flaw(Code::NameRepeated, "/statuses/1/name", vec![("/statuses/1/name", json!("OPEN"))]),
        flaw(Code::NameRepeated, "/statuses/1/name", vec![("/statuses/1/name", json!("Op\u{200b}en "))]),
        flaw(Code::NameRepeated, "/statuses/1/name", vec![("/statuses/1/name", json!("\u{ff2f}pen"))]),
        flaw(
            Code::UnknownStatus,
            "/transitions/0/from/1",
            vec![("/transitions/0/from", json!(["open", "lost"]))],
        ),
        flaw(Code::UnknownStatus, "/transitions/0/to", vec![("/transitions/0/to", json!("lost"))]),
        flaw(
            Code::UnknownStatus,
            "/transitions/1/approvals/reject_to",
            vec![("/transitions/1/approvals/reject_to", json!("lost"))],
        ),
        flaw(
            Code::UnknownStatus,
            "/examples/0/given/status",
            vec![("/examples/0/given/status", json!("lost"))],
        ),
        flaw(
            Code::UnknownStatus,
            "/examples/0/then/status",
            vec![("/examples/0/then/status", json!("lost"))],
        ),
        flaw(Code::UnknownTransition, "/holds/0/blocks/0", vec![("/holds/0/blocks", json!(["lose"]))]),
        flaw(
            Code::UnknownTransition,
            "/examples/0/when",
            vec![("/examples/0/when/transition", json!("lose"))],
        ),
        flaw(
            Code::UnknownRole,
            "/transitions/0/who/0/roles/0",
            vec![("/transitions/0/who/0/roles", json!(["king"]))],
        ),
        flaw(
            Code::UnknownRole,
            "/holds/0/released_by/0/roles/0",
            vec![("/holds/0/released_by/0/roles", json!(["king"]))],
        ),
        flaw(
            Code::UnknownHold,
            "/transitions/0/effects/place_holds/0",
            vec![("/transitions/0/effects", json!({ "place_holds": ["bond"] }))],
        ),
        flaw(Code::UnknownHold, "/examples/0/given", vec![("/examples/0/given/holds", json!(["bond"]))]),
        flaw(Code::Unreachable, "/statuses/3", vec![("/statuses/3", status("island"))]),
        flaw(
            Code::Endless,
            "/statuses/3",
            vec![
                ("/statuses/3", status("here")),
                ("/statuses/4", status("there")),
                ("/transitions/2", way("in", "open", "here")),
                ("/transitions/3", way("to", "here", "there")),
                ("/transitions/4", way("fro", "there", "here")),
            ],
        ),
        flaw(Code::LeadsNowhere, "/transitions/0/from", vec![("/transitions/0/from", json!([]))]),
        flaw(
            Code::LeadsNowhere,
            "/transitions/0/to",
            vec![("/transitions/0/from", json!(["open", "checked"]))],
        ),
        flaw(
            Code::LeadsNowhere,
            "/transitions/1/approvals/reject_to",
            vec![("/transitions/1/approvals/reject_to", json!("checked"))],
        ),
        flaw(
            Code::TransitionRepeated,
            "/transitions/2",
            vec![
                ("/transitions/2", way("again", "open", "checked")),
                ("/transitions/2/who/0/role", json!("member")),
            ],
        ),
        flaw(Code::Repeated, "/transitions/0/from/1", vec![("/transitions/0/from", json!(["open", "open"]))]),
        flaw(
            Code::Repeated,
            "/transitions/0/guards/1",
            vec![("/transitions/0/guards", json!(["comment", "comment"]))],
        ),
        flaw(Code::Nobody, "/transitions/0/who", vec![("/transitions/0/who", json!([]))]),
        flaw(
            Code::Nobody,
            "/transitions/1/approvals/of",
            vec![
                ("/transitions/1/approvals/of", json!([])),
                ("/transitions/0/who/1", json!({ "roles": ["client"] })),
            ],
        ),
        flaw(
            Code::WhoAndApprovals,
            "/transitions/1/approvals",
            vec![("/transitions/1/who", json!([{ "role": "member" }]))],
        ),
        flaw(
            Code::GuardOfVotes,
            "/transitions/1/guards/0",
            vec![("/transitions/1/guards", json!(["revision"]))],
        ),
        flaw(
            Code::Votes,
            "/transitions/1/approvals/votes",
            vec![("/transitions/1/approvals/votes", json!(0))],
        ),
        flaw(
            Code::Votes,
            "/transitions/1/approvals/rejections",
            vec![("/transitions/1/approvals/rejections", json!(21))],
        ),
        flaw(
            Code::TooFewPeople,
            "/transitions/1/approvals/of",
            vec![
                ("/transitions/1/approvals/of", json!([{ "people": [person], "roles": ["client"] }])),
                ("/transitions/1/approvals/votes", json!(2)),
                ("/transitions/1/approvals/owner_override", json!(true)),
            ],
        ),
        flaw(
            Code::NoExclusion,
            "/transitions/0/single_manager_exception",
            vec![("/transitions/0/single_manager_exception", json!(true))],
        ),
        flaw(Code::BlocksNothing, "/holds/0/blocks", vec![("/holds/0/blocks", json!([]))]),
        flaw(Code::NeverReleased, "/holds/0/released_by", vec![("/holds/0/released_by", json!([]))]),
        flaw(
            Code::NeverReleased,
            "/holds/0/released_by",
            vec![
                ("/holds/0/released_by", json!([])),
                ("/transitions/1/effects", json!({ "release_holds": ["deposit"] })),
            ],
        ),
        flaw(Code::NeverPlaced, "/holds/0", vec![("/holds/0/placed_by", json!([]))]),
        flaw(
            Code::NeverResolved,
            "/holds/0/resolved_by",
            vec![("/holds/0/disputed_by", json!([{ "roles": ["client"] }]))],
        ),
        flaw(Code::Expiry, "/holds/0/on_expiry", vec![("/holds/0/on_expiry", json!("refund"))]),
        flaw(Code::Expiry, "/holds/0/on_expiry", vec![("/holds/0/expires_after_minutes", json!(5))]),
        flaw(
            Code::Expiry,
            "/transitions/1/approvals/expires_after_minutes",
            vec![("/transitions/1/approvals/expires_after_minutes", json!(0))],
        ),
        flaw(
            Code::LockedOut,
            "/statuses/1",
            vec![("/transitions/1/approvals/of", json!([{ "roles": ["client"] }]))],
        ),
        flaw(Code::SingleManager, "/statuses/1", vec![("/transitions/1/approvals/votes", json!(2))]),
        flaw(Code::SingleManager, "/statuses/1", vec![("/transitions/1/not", json!(["submitter"]))]),
        flaw(Code::Unfinished, "/statuses/2", vec![("/statuses/2/category", json!("active"))]),
        flaw(
            Code::NotReadOnly,
            "/statuses/2",
            vec![("/statuses/2/category", json!("archived")), ("/statuses/2/tasks", json!("no_new"))],
        ),
        flaw(
            Code::NotReadOnly,
            "/statuses/2",
            vec![
                ("/statuses/2/category", json!("archived")),
                ("/statuses/2/content_editable_by", json!("owner")),
            ],
        ),
        flaw(Code::RoleUnused, "/roles/1", vec![("/roles/1", json!({ "key": "king", "name": "King" }))]),
        flaw(Code::NoExamples, "/examples", vec![("/examples", json!([]))]),
        flaw(Code::ExampleIncomplete, "/examples/0/then", vec![("/examples/0/then", json!({}))]),
        flaw(Code::ExampleIncomplete, "/examples/0/when", vec![("/examples/0/when/approve", json!("close"))]),
        flaw(Code::ExampleFails, "/examples/0/then", vec![("/examples/0/when/role", json!("viewer"))]),
        flaw(
            Code::ExampleFails,
            "/examples/0/then",
            vec![("/examples/0/then", json!({ "refused": "on_hold" }))],
        ),
    ]
}

/// Sets a value; the member or the next item of a list is added if it is missing.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer");
    match document.pointer_mut(parent) {
        Some(Value::Array(items)) => {
            let index: usize = last.parse().expect("an index");
            if index == items.len() { items.push(value) } else { items[index] = value }
        }
        Some(parent) => parent[last] = value,
        None => panic!("nothing at {parent}"),
    }
}

#[test]
fn each_flaw_is_found_where_it_is_and_nothing_else() {
    assert_eq!(read(&sound().to_string()).findings(), []);
    for Flaw { code, at, set: changes } in flaws() {
        let mut document = sound();
        for (pointer, value) in &changes {
            set(&mut document, pointer, value.clone());
        }
        let found = read(&document.to_string()).findings();
        let found: Vec<_> = found.iter().map(|finding| (finding.code, finding.pointer.as_str())).collect();
        assert!(found.contains(&(code, at)), "{changes:?}: {found:?}");
        assert!(found.iter().all(|(other, _)| *other == code), "{changes:?}: {found:?}");
    }
}

#[test]
fn there_is_a_flaw_for_each_code_and_a_sentence_for_each_finding() {
    let flaws = flaws();
    for code in FindingCode::ALL {
        assert!(flaws.iter().any(|flaw| flaw.code == *code), "{code:?}");
    }
    let mut document = sound();
    set(&mut document, "/statuses/2/category", json!("active"));
    let found = read(&document.to_string()).findings();
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].detail.ends_with('.'));
}

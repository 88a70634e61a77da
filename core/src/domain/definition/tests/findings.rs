//! Every finding, by a document that has nothing else wrong.

use serde_json::{Map, Value, json};

use super::read;
use crate::domain::definition::{
    document::Definition,
    finding::{FindingCode, FindingCode as Code, Severity},
};

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
            { "key": "check", "name": "Check", "from": ["open"], "to": "checked", "who": [{ "role": "member" }],
              "effects": { "set_submitter": true } },
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

/// A code, where it is found, and the changes of the small workflow that make it so: places and values.
const FLAWS: &[(FindingCode, &str, &str)] = &[
    (Code::InitialStatus, "/statuses", r#"{"/statuses/0/initial": false}"#),
    (Code::InitialStatus, "/statuses", r#"{"/statuses/1/initial": true}"#),
    (
        Code::KeyRepeated,
        "/transitions/1/key",
        r#"{"/transitions/1/key": "check", "/holds/0/blocks": ["check"]}"#,
    ),
    (Code::NameRepeated, "/statuses/1/name", r#"{"/statuses/1/name": "OPEN"}"#),
    (Code::NameRepeated, "/statuses/1/name", r#"{"/statuses/1/name": "Op\u200ben "}"#),
    (Code::NameRepeated, "/statuses/1/name", r#"{"/statuses/1/name": "\uff2fpen"}"#),
    (Code::UnknownStatus, "/transitions/0/from/1", r#"{"/transitions/0/from": ["open", "lost"]}"#),
    (Code::UnknownStatus, "/transitions/0/to", r#"{"/transitions/0/to": "lost"}"#),
    (
        Code::UnknownStatus,
        "/transitions/1/approvals/reject_to",
        r#"{"/transitions/1/approvals/reject_to": "lost"}"#,
    ),
    (Code::UnknownStatus, "/examples/0/given/status", r#"{"/examples/0/given/status": "lost"}"#),
    (Code::UnknownStatus, "/examples/0/then/status", r#"{"/examples/0/then/status": "lost"}"#),
    (Code::UnknownTransition, "/holds/0/blocks/0", r#"{"/holds/0/blocks": ["lose"]}"#),
    (Code::UnknownTransition, "/examples/0/when", r#"{"/examples/0/when/transition": "lose"}"#),
    (Code::UnknownRole, "/transitions/0/who/0/roles/0", r#"{"/transitions/0/who/0/roles": ["king"]}"#),
    (Code::UnknownRole, "/holds/0/released_by/0/roles/0", r#"{"/holds/0/released_by/0/roles": ["king"]}"#),
    (
        Code::UnknownHold,
        "/transitions/0/effects/place_holds/0",
        r#"{"/transitions/0/effects": {"place_holds": ["bond"]}}"#,
    ),
    (Code::UnknownHold, "/examples/0/given/holds", r#"{"/examples/0/given/holds": ["bond"]}"#),
    (
        Code::Unreachable,
        "/statuses/3",
        r#"{"/statuses/3": {"key": "x", "name": "X", "category": "done", "tasks": "open"}}"#,
    ),
    (
        Code::Endless,
        "/statuses/3",
        r#"{
        "/statuses/3": {"key": "x", "name": "X", "category": "draft", "tasks": "open"},
        "/statuses/4": {"key": "y", "name": "Y", "category": "draft", "tasks": "open"},
        "/transitions/2": {"key": "in", "name": "In", "from": ["open"], "to": "x", "who": [{"role": "owner"}]},
        "/transitions/3": {"key": "to", "name": "To", "from": ["x"], "to": "y", "who": [{"role": "owner"}]},
        "/transitions/4": {"key": "fro", "name": "Fro", "from": ["y"], "to": "x", "who": [{"role": "owner"}]}
    }"#,
    ),
    (Code::LeadsNowhere, "/transitions/0/from", r#"{"/transitions/0/from": []}"#),
    (Code::LeadsNowhere, "/transitions/0/to", r#"{"/transitions/0/from": ["open", "checked"]}"#),
    (
        Code::LeadsNowhere,
        "/transitions/1/approvals/reject_to",
        r#"{"/transitions/1/approvals/reject_to": "checked"}"#,
    ),
    (
        Code::TransitionRepeated,
        "/transitions/2",
        r#"{"/transitions/2":
        {"key": "again", "name": "Again", "from": ["open"], "to": "checked", "who": [{"role": "member"}]}
    }"#,
    ),
    (Code::Repeated, "/transitions/0/from/1", r#"{"/transitions/0/from": ["open", "open"]}"#),
    (Code::Repeated, "/transitions/0/guards/1", r#"{"/transitions/0/guards": ["comment", "comment"]}"#),
    (Code::Nobody, "/transitions/0/who", r#"{"/transitions/0/who": []}"#),
    (
        Code::Nobody,
        "/transitions/1/approvals/of",
        r#"{"/transitions/0/who/1": {"roles": ["client"]}, "/transitions/1/approvals/of": []}"#,
    ),
    (Code::WhoAndApprovals, "/transitions/1/approvals", r#"{"/transitions/1/who": [{"role": "member"}]}"#),
    (Code::GuardOfVotes, "/transitions/1/guards/0", r#"{"/transitions/1/guards": ["revision"]}"#),
    (Code::Votes, "/transitions/1/approvals/votes", r#"{"/transitions/1/approvals/votes": 0}"#),
    (Code::Votes, "/transitions/1/approvals/rejections", r#"{"/transitions/1/approvals/rejections": 21}"#),
    (
        Code::TooFewPeople,
        "/transitions/1/approvals/of",
        r#"{
        "/transitions/1/approvals/of": [{"people": ["11111111-1111-4111-8111-111111111111"], "roles": ["client"]}],
        "/transitions/1/approvals/votes": 2, "/transitions/1/approvals/owner_override": true
    }"#,
    ),
    (
        Code::NoExclusion,
        "/transitions/0/single_manager_exception",
        r#"{"/transitions/0/single_manager_exception": true}"#,
    ),
    (Code::BlocksNothing, "/holds/0/blocks", r#"{"/holds/0/blocks": []}"#),
    (Code::NeverReleased, "/holds/0/released_by", r#"{"/holds/0/released_by": []}"#),
    (
        Code::NeverReleased,
        "/holds/0/released_by",
        r#"{
        "/holds/0/released_by": [], "/transitions/1/effects": {"release_holds": ["deposit"]}
    }"#,
    ),
    (Code::NeverPlaced, "/holds/0", r#"{"/holds/0/placed_by": []}"#),
    (Code::NeverResolved, "/holds/0/resolved_by", r#"{"/holds/0/disputed_by": [{"roles": ["client"]}]}"#),
    (Code::Expiry, "/holds/0/on_expiry", r#"{"/holds/0/on_expiry": "refund"}"#),
    (Code::Expiry, "/holds/0/on_expiry", r#"{"/holds/0/expires_after_minutes": 5}"#),
    (
        Code::Expiry,
        "/transitions/1/approvals/expires_after_minutes",
        r#"{"/transitions/1/approvals/expires_after_minutes": 0}"#,
    ),
    (Code::LockedOut, "/statuses/1", r#"{"/transitions/1/approvals/of": [{"roles": ["client"]}]}"#),
    (Code::SingleManager, "/statuses/1", r#"{"/transitions/1/approvals/votes": 2}"#),
    (
        Code::SingleManager,
        "/statuses/1",
        r#"{
        "/transitions/1/not": ["submitter"], "/transitions/1/approvals/of": [{"role": "manager"}], "/roles": []
    }"#,
    ),
    (Code::Unfinished, "/statuses/2", r#"{"/statuses/2/category": "active"}"#),
    (
        Code::NotReadOnly,
        "/statuses/2",
        r#"{"/statuses/2/category": "archived", "/statuses/2/tasks": "no_new"}"#,
    ),
    (
        Code::NotReadOnly,
        "/statuses/2",
        r#"{"/statuses/2/category": "archived", "/statuses/2/content_editable_by": "owner"}"#,
    ),
    (Code::RoleUnused, "/roles/1", r#"{"/roles/1": {"key": "king", "name": "King"}}"#),
    (Code::NoExamples, "/examples", r#"{"/examples": []}"#),
    (Code::ExampleIncomplete, "/examples/0/then", r#"{"/examples/0/then": {}}"#),
    (Code::ExampleIncomplete, "/examples/0/when", r#"{"/examples/0/when/approve": "close"}"#),
    (Code::ExampleFails, "/examples/0/then", r#"{"/examples/0/when/role": "viewer"}"#),
    (Code::ExampleFails, "/examples/0/then", r#"{"/examples/0/then": {"refused": "on_hold"}}"#),
    (Code::InitialStatus, "/statuses", r#"{"/statuses/0/category": "done"}"#),
    (Code::UnknownRole, "/examples/0/when/roles", r#"{"/examples/0/when/roles": ["king"]}"#),
    (Code::NobodyIs, "/transitions/1/not", r#"{"/transitions/1/not": ["last_approver"]}"#),
    (
        Code::NobodyIs,
        "/transitions/0/who/1/relations",
        r#"{"/transitions/0/who/1": {"relations": ["last_approver"]}}"#,
    ),
    (
        Code::NobodyIs,
        "/holds/0/released_by/0/relations",
        r#"{"/holds/0/released_by/0/relations": ["last_approver"]}"#,
    ),
    (
        Code::Contradiction,
        "/transitions/0",
        r#"{
        "/transitions/0/who/1": {"relations": ["creator"]}, "/transitions/0/not": ["creator", "submitter"]
    }"#,
    ),
    (
        Code::Contradiction,
        "/transitions/0",
        r#"{"/transitions/0/not": ["assignee"], "/transitions/0/guards": ["no_open_tasks"]}"#,
    ),
    (
        Code::Contradiction,
        "/transitions/0",
        r#"{
        "/transitions/0/who/1": {"relations": ["assignee"]}, "/transitions/0/guards": ["no_open_tasks"]
    }"#,
    ),
    (
        Code::Contradiction,
        "/statuses/1/tasks",
        r#"{"/statuses/1/tasks": "read_only", "/transitions/1/guards": ["no_open_tasks"]}"#,
    ),
    (
        Code::LeadsNowhere,
        "/transitions/1/approvals/reject_to",
        r#"{"/transitions/1/approvals/reject_to": "closed"}"#,
    ),
    (
        Code::TransitionRepeated,
        "/transitions/2",
        r#"{"/transitions/2":
        {"key": "alone", "name": "Alone", "from": ["checked"], "to": "closed", "who": [{"roles": ["client"]}, {"role": "manager"}]}
    }"#,
    ),
    (
        Code::NoExclusion,
        "/transitions/0/single_manager_exception",
        r#"{
        "/transitions/0/single_manager_exception": true, "/transitions/0/not": ["creator"]
    }"#,
    ),
    (
        Code::TooFewPeople,
        "/transitions/1/approvals/of",
        r#"{
        "/transitions/1/approvals": {"votes": 2, "rejections": 2, "reject_to": "open", "owner_override": true, "of": [
            {"relations": ["creator", "submitter"]}, {"roles": ["client"], "people": ["11111111-1111-4111-8111-111111111111"]}
        ]}, "/transitions/1/approvals/votes": 3
    }"#,
    ),
    // The only one that releases it is behind the project when it is placed.
    (
        Code::NeverReleased,
        "/holds/0/released_by",
        r#"{
        "/holds/0/released_by": [], "/transitions/0/effects/release_holds": ["deposit"],
        "/transitions/1/approvals/reject_to": "done", "/statuses/3": {"key": "done", "name": "Done", "category": "done", "tasks": "open"}
    }"#,
    ),
    // It asks for what it would bring about.
    (
        Code::NeverReleased,
        "/holds/0/released_by",
        r#"{
        "/holds/0/released_by": [], "/holds/0/placed_by": [], "/transitions/0/effects/place_holds": ["deposit"],
        "/transitions/2": {"key": "free", "name": "Free", "from": ["checked"], "to": "open", "who": [{"role": "owner"}],
            "guards": ["no_hold"], "effects": {"release_holds": ["deposit"]}}
    }"#,
    ),
    // A refund is no release.
    (
        Code::NeverReleased,
        "/holds/0/released_by",
        r#"{
        "/holds/0/released_by": [], "/holds/0/refunded_by": [{"role": "owner"}], "/holds/0/must_be_released": true
    }"#,
    ),
    (Code::ExampleImpossible, "/examples/0/given/managers", r#"{"/examples/0/given/managers": 0}"#),
    (
        Code::ExampleImpossible,
        "/examples/0/when/relations",
        r#"{"/examples/0/when/relations": ["assignee"]}"#,
    ),
    (
        Code::ExampleImpossible,
        "/examples/0/given/holds",
        r#"{
        "/examples/0/given/holds": ["deposit"], "/examples/0/given/released": ["deposit"]
    }"#,
    ),
    (Code::ExampleImpossible, "/examples/0/given/disputed", r#"{"/examples/0/given/disputed": ["deposit"]}"#),
    (Code::ExampleImpossible, "/examples/0/when/disputer", r#"{"/examples/0/when/disputer": true}"#),
    (
        Code::ExampleImpossible,
        "/examples/0/when/override_votes",
        r#"{
        "/examples/0/when": {"role": "owner", "approve": "close", "override_votes": true}
    }"#,
    ),
    (
        Code::ExampleImpossible,
        "/examples/0/given",
        r#"{
        "/examples/0/given/approvals": 1, "/examples/0/when": {"role": "owner", "approve": "close"}
    }"#,
    ),
];

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

/// The small workflow with changes: places and values.
fn changed(changes: &str) -> Definition {
    let mut document = sound();
    for (pointer, value) in serde_json::from_str::<Map<String, Value>>(changes).expect("an object") {
        set(&mut document, &pointer, value);
    }
    read(&document.to_string())
}

#[test]
fn each_flaw_is_found_where_it_is_and_nothing_else() {
    assert_eq!(read(&sound().to_string()).findings(), []);
    for (code, at, changes) in FLAWS {
        let found = changed(changes).findings();
        let found: Vec<_> = found.iter().map(|finding| (&finding.code, finding.pointer.as_str())).collect();
        assert!(found.contains(&(code, at)), "{changes}: {found:?}");
        assert!(found.iter().all(|(other, _)| *other == code), "{changes}: {found:?}");
    }
}

/// Changes with which the small workflow stays sound.
const SOUND: &[&str] = &[
    // A hold may end by itself, by a refund, or by a transition that lies ahead.
    r#"{"/holds/0/released_by": [], "/holds/0/expires_after_minutes": 60, "/holds/0/on_expiry": "release"}"#,
    r#"{"/holds/0/released_by": [], "/holds/0/refunded_by": [{"role": "owner"}]}"#,
    r#"{
        "/holds/0/released_by": [], "/holds/0/placed_by": [], "/transitions/0/effects/place_holds": ["deposit"],
        "/transitions/2": {"key": "free", "name": "Free", "from": ["checked"], "to": "open", "who": [{"role": "owner"}],
            "effects": {"release_holds": ["deposit"]}}
    }"#,
    // What is done may be taken up again.
    r#"{"/transitions/2": {"key": "reopen", "name": "Reopen", "from": ["closed"], "to": "open", "who": [{"role": "member"}]}}"#,
    // Members are left who did not submit it.
    r#"{"/transitions/0/not": ["submitter"]}"#,
    r#"{"/transitions/1/approvals/of/0/role": "manager", "/transitions/1/not": ["submitter"],
        "/transitions/1/approvals/of": [{"role": "manager"}], "/transitions/1/single_manager_exception": true, "/roles": []}"#,
];

#[test]
fn what_only_looks_like_a_flaw_is_none() {
    for changes in SOUND {
        assert_eq!(changed(changes).findings(), [], "{changes}");
    }
}

#[test]
fn there_is_a_flaw_for_each_code_and_a_sentence_for_each_finding() {
    for code in FindingCode::ALL {
        assert!(FLAWS.iter().any(|(flaw, ..)| flaw == code), "{code:?}");
    }
    let mut document = sound();
    set(&mut document, "/statuses/2/category", json!("active"));
    let found = read(&document.to_string()).findings();
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].detail.ends_with('.'));
}

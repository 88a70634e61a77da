//! Moving projects: what the matrix does not show.

use bailiwick_tests::{actors::Tenant, targets::Target};
use futures::future::join_all;
use serde_json::{Value, json};

crate::cases!("transitions":
    the_whole_way,
    a_refusal_says_what_is_allowed,
    what_i_may_do_now_and_why_not_the_rest,
    of_two_at_once_exactly_one_wins,
    history_is_paged_and_its_cursor_fits_one_project,
    a_single_manager_may_approve_what_they_submitted,
);

async fn the_whole_way(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let created =
        tenant.member.post("/v1/projects").tenant(&tenant.id).json(&json!({ "name": "P" })).send().await;
    let path = format!("/v1/projects/{}/transitions", created.expect(201).text_at("/id"));
    let steps = [
        (&tenant.member, "submitted", None),
        (&tenant.manager, "rejected", Some("Too \u{1F4B8}\nexpensive")),
        (&tenant.member, "draft", None),
        (&tenant.member, "submitted", None),
        (&tenant.manager, "approved", None),
        (&tenant.member, "in_progress", None),
        (&tenant.manager, "completed", None),
        (&tenant.manager, "in_progress", Some("Not quite")),
        (&tenant.owner, "completed", None),
        (&tenant.owner, "archived", None),
    ];
    for (index, (actor, to, comment)) in steps.iter().enumerate() {
        let request = json!({ "to": to, "comment": comment, "revision": 1 });
        let moved = actor.post(&path).tenant(&tenant.id).json(&request).send().await.expect(200);
        assert_eq!((&moved.body["status"], &moved.body["version"]), (&json!(to), &json!(index + 2)));
        assert_eq!(moved.body["submitted_by"], tenant.member.id);
    }
    let journey = tenant.viewer.get(&format!("{path}?limit=100")).tenant(&tenant.id).send().await.expect(200);
    assert_eq!((&journey.body["status"], &journey.body["transitions"]), (&json!("archived"), &json!([])));
    let history = journey.body["data"].as_array().expect("a list");
    assert_eq!(history.len(), steps.len());
    for move_ in history {
        let (actor, _, comment) = steps
            .iter()
            .find(|(actor, to, comment)| {
                move_["to"] == *to && move_["comment"] == json!(comment) && move_["actor_id"] == actor.id
            })
            .unwrap_or_else(|| panic!("nobody did {move_}"));
        assert_eq!((&move_["actor_id"], &move_["comment"]), (&json!(actor.id), &json!(comment)));
    }
}

async fn a_refusal_says_what_is_allowed(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("draft", None).await;
    let ask = tenant.owner.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id);
    let refused = ask.json(&json!({ "to": "completed" })).send().await.problem(409, "transition_not_allowed");
    assert_eq!((&refused.body["from"], &refused.body["to"]), (&json!("draft"), &json!("completed")));
    assert_eq!(refused.body["allowed"], json!(["submitted", "archived"]));
}

async fn what_i_may_do_now_and_why_not_the_rest(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let project = tenant.project("submitted", Some(&tenant.manager.id)).await;
    let path = format!("/v1/projects/{project}/transitions");
    let outlook = async |actor: &bailiwick_tests::actors::Actor<'_>| {
        let journey = actor.get(&path).tenant(&tenant.id).send().await.expect(200);
        let list = journey.body["transitions"].as_array().expect("a list").clone();
        list.iter()
            .map(|line| (line["to"].clone(), line["allowed"].clone(), line["refusal"].clone()))
            .collect::<Vec<_>>()
    };
    let line = |to: &str, refusal: Option<&str>| (json!(to), json!(refusal.is_none()), json!(refusal));
    assert_eq!(
        outlook(&tenant.manager).await,
        [line("draft", None), line("approved", Some("four_eyes")), line("rejected", None)]
    );
    assert_eq!(
        outlook(&tenant.owner).await,
        [line("draft", None), line("approved", None), line("rejected", None)]
    );
    assert_eq!(
        outlook(&tenant.member).await,
        [
            line("draft", Some("not_the_submitter")),
            line("approved", Some("insufficient_role")),
            line("rejected", Some("insufficient_role"))
        ]
    );
}

async fn of_two_at_once_exactly_one_wins(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for _ in 0..5 {
        let project = tenant.project("submitted", Some(&tenant.member.id)).await;
        let path = format!("/v1/projects/{project}/transitions");
        let ask = |to: &'static str| {
            let body = json!({ "to": to, "comment": "at once", "revision": 1 });
            tenant.manager.post(&path).tenant(&tenant.id).json(&body).send()
        };
        let answers = join_all(["approved", "rejected", "approved", "rejected"].map(ask)).await;
        let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        for answer in &answers {
            let lost =
                answer.status == 409 && ["conflict", "transition_not_allowed"].contains(&answer.code());
            assert!(answer.status == 200 || lost, "{answer:?}");
        }
        let journey = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
        assert_eq!(journey.body["status"], won[0].body["status"]);
        assert_eq!(journey.body["data"].as_array().map(Vec::len), Some(1), "{journey:?}");
    }
}

async fn history_is_paged_and_its_cursor_fits_one_project(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (one, two) = (tenant.project("draft", None).await, tenant.project("draft", None).await);
    for project in [&one, &two] {
        for to in ["submitted", "draft", "submitted"] {
            let ask = tenant.member.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id);
            ask.json(&json!({ "to": to })).send().await.expect(200);
        }
    }
    let read = |project: &str, query: &str| {
        tenant.viewer.get(&format!("/v1/projects/{project}/transitions?{query}")).tenant(&tenant.id).send()
    };
    let first = read(&one, "limit=2").await.expect(200);
    assert_eq!(first.body["data"].as_array().map(Vec::len), Some(2));
    let cursor = first.text_at("/next_cursor");
    let second = read(&one, &format!("limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!(
        (second.body["data"].as_array().map(Vec::len), &second.body["next_cursor"]),
        (Some(1), &Value::Null)
    );
    read(&two, &format!("limit=2&cursor={cursor}")).await.problem(400, "invalid_cursor");
}

async fn a_single_manager_may_approve_what_they_submitted(target: &'static Target) {
    // Who could not approve it either: who is suspended, and who cannot log in.
    for suspends in [true, false] {
        let tenant = Tenant::create(target).await;
        let project = tenant.project("submitted", Some(&tenant.owner.id)).await;
        let approve = || {
            let ask = tenant.owner.post(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id);
            ask.json(&json!({ "to": "approved", "revision": 1 })).send()
        };
        approve().await.problem(409, "four_eyes");
        if suspends {
            tenant.set(&tenant.manager, "status", "suspended").await;
        } else {
            let id = &tenant.manager.id;
            let disable = format!("UPDATE users SET disabled_at = created_at WHERE id = '{id}'");
            target.backdoor.sql(&disable).await;
        }
        approve().await.expect(200);
    }
}

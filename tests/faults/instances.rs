//! Two instances on one database: what one key or one state admits once is done once, whichever instance is asked.

use std::collections::BTreeSet;

use bailiwick_tests::{
    client::Answer,
    instance::{Instance, postgres},
    targets::client,
};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::{load::office, setting, times};

async fn two(database: &str) -> [Instance; 2] {
    let settings = [setting("RATE_LIMIT", "0")];
    let (one, two) = tokio::join!(Instance::start(database, &settings), Instance::start(database, &settings));
    [one, two]
}

/// An answer; one that only says that there were too many at once is asked for again.
async fn settled<F: Future<Output = Answer>>(ask: impl Fn() -> F) -> Answer {
    loop {
        let answer = ask().await;
        if answer.status != 503 {
            return answer;
        }
    }
}

pub(crate) async fn one_key_on_two_instances_is_done_once() {
    let (_postgres, database, backdoor) = postgres().await;
    let instances = two(&database).await;
    let (owner, _) = office(&instances[0]).await;
    let (http, rounds) = (client(), times(20, 200));
    let mut replayed = 0;
    for round in 0..rounds {
        let body = json!({ "name": format!("project-{round}") });
        let (http, owner, body) = (&http, &owner, &body);
        let asking = (0..6).map(|place| {
            let instance = &instances[place % 2];
            settled(move || {
                let ask = instance.ask(http, owner, Method::POST, "/v1/projects").json(body);
                ask.header("idempotency-key", &format!("key-{round}")).send()
            })
        });
        let answers: Vec<_> = join_all(asking).await.into_iter().map(|answer| answer.expect(201)).collect();
        let bodies: BTreeSet<_> = answers.iter().map(|answer| answer.text.as_str()).collect();
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        let fresh = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
        assert_eq!(fresh, 1, "one did it");
        replayed += answers.len() - fresh;
    }
    let made = backdoor.count("SELECT count(*) FROM projects WHERE name LIKE 'project-%'").await;
    assert_eq!(made, i64::from(rounds));
    eprintln!(
        "figures: {rounds} keys, each on two instances 6 times at once: {made} made, {replayed} replayed"
    );
}

pub(crate) async fn one_state_on_two_instances_is_changed_once() {
    let (_postgres, database, _backdoor) = postgres().await;
    let instances = two(&database).await;
    let (owner, project) = office(&instances[0]).await;
    let (http, rounds) = (client(), times(20, 200));
    let path = format!("/v1/projects/{project}");
    let mut tag = instances[1].get(&owner, &path).await.expect(200).header("etag").expect("a tag").to_owned();
    for round in 0..rounds {
        let (http, owner, path, seen) = (&http, &owner, &path, &tag);
        let asking = (0..6).map(|place| {
            let instance = &instances[place % 2];
            settled(move || {
                let body = json!({ "description": format!("round {round}, by {place}") });
                instance.ask(http, owner, Method::PATCH, path).header("if-match", seen).json(&body).send()
            })
        });
        let mut changed = Vec::new();
        for answer in join_all(asking).await {
            if answer.status == 200 {
                changed.push(answer.header("etag").expect("a tag").to_owned());
            } else {
                answer.problem(412, "precondition_failed");
            }
        }
        assert_eq!(changed.len(), 1, "one changed it");
        tag = changed.remove(0);
    }
    // The other instance sees what the last one left.
    for instance in &instances {
        let found = instance.get(&owner, &path).await.expect(200);
        assert_eq!(found.header("etag"), Some(&*tag));
        assert_eq!(found.body["version"], rounds + 1);
    }
    eprintln!("figures: {rounds} states, each changed on two instances 6 times at once: {rounds} changes");
}

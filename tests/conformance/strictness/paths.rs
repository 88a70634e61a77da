//! Ids in paths: what is none, or none that is there, is not found.

use bailiwick::verify::matrix::placeholders;
use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::targets::Target;
use futures::future::join_all;

use super::Stage;
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("strictness::paths::what_is_no_id_is_not_found", no_ids)]
}

async fn no_ids(target: &'static Target) {
    let stage = Stage::set(target).await;
    let has_ids = |route: &&Route| placeholders(route.path).any(|name| name.ends_with("_id"));
    let routes = ROUTES.iter().filter(has_ids);
    let samples = stage.samples(routes).await;
    let before = target.backdoor.snapshot(&stage.tenant.id).await;
    for good in &samples {
        let route = good.route;
        for place in 0..good.ids.len() {
            let id = &good.ids[place];
            let all = [
                "1".to_owned(),
                "null".to_owned(),
                id.replace('-', ""),
                format!("%7B{id}%7D"),
                format!("{{{id}}}"),
                format!("urn:uuid:{id}"),
                format!("{id}%20"),
                format!("%20{id}"),
                format!("{id}%00"),
                format!("{}%00", &id[..35]),
                format!("{}%ff", &id[..35]),
                format!("{}\u{ff11}", &id[..35]),
                format!("{id}%2F..%2F{id}"),
                format!("{id};x=y"),
                "x".repeat(2000),
                "00000000-0000-0000-0000-000000000000".to_owned(),
                "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
            ];
            let asks = all.iter().map(async |wrong| {
                let mut sample = good.clone();
                sample.ids[place].clone_from(wrong);
                (wrong, stage.ask(route, &sample.path()).maybe(sample.body.as_ref()).send().await)
            });
            for (wrong, answer) in join_all(asks).await {
                assert_eq!(
                    (answer.status, answer.code()),
                    (404, "not_found"),
                    "{route:?} {wrong}: {answer:?}"
                );
            }
        }
    }
    assert_eq!(target.backdoor.snapshot(&stage.tenant.id).await, before, "what was refused left traces");
    // Ids are read in either case.
    for good in &samples {
        let route = good.route;
        let mut shouted = good.clone();
        for id in &mut shouted.ids {
            *id = id.to_uppercase();
        }
        let answer = stage.ask(route, &shouted.path()).maybe(shouted.body.as_ref()).send().await;
        assert_eq!(answer.status, good.success, "{route:?}: {answer:?}");
    }
}

//! Who is told of what, by which way: everybody whom it concerns, and nobody else.

mod exceptions;

use std::collections::BTreeSet;

use bailiwick_tests::{
    actors::{Actor, Tenant},
    outbox::{CHANNELS, KINDS},
    targets::Target,
};
use serde_json::{Value, json};

/// Every kind by every way, and what the table does not show.
pub(crate) fn cases() -> Vec<crate::Case> {
    let mut all = exceptions::cases();
    for kind in KINDS {
        for channel in CHANNELS {
            let name = format!("recipients::{kind}_by_{channel}");
            all.push(crate::Case::new(name, move |target| reaches(target, kind, channel)));
        }
    }
    all
}

/// Everybody about a tenant, those among them who must never be told.
struct Cast<'t> {
    tenant: Tenant<'t>,
    /// Managers, once.
    out: [Actor<'t>; 3],
    /// Another tenant.
    other: Tenant<'t>,
}

impl<'t> Cast<'t> {
    async fn gather(target: &'t Target) -> Self {
        let tenant = Tenant::create(target).await;
        let other = Tenant::create(target).await;
        let (suspended, removed, disabled) = tokio::join!(
            Actor::register(target, "suspended"),
            Actor::register(target, "removed"),
            Actor::register(target, "disabled"),
        );
        for manager in [&suspended, &removed, &disabled] {
            tenant.admit(manager, "manager").await;
        }
        tenant.set(&suspended, "status", "suspended").await;
        tenant.remove(&removed).await;
        let disable = format!("UPDATE users SET disabled_at = created_at WHERE id = '{}'", disabled.id);
        target.backdoor.sql(&disable).await;
        Self { tenant, out: [suspended, removed, disabled], other }
    }

    fn everybody(&self) -> Vec<&Actor<'t>> {
        [&self.tenant, &self.other]
            .into_iter()
            .flat_map(|tenant| [&tenant.owner, &tenant.manager, &tenant.member, &tenant.viewer])
            .chain(&self.out)
            .collect()
    }

    /// Does what people are told of in this kind. Returns who is to be told, in which words, and of what.
    async fn provoke(&self, kind: &str) -> (Vec<&Actor<'t>>, &'static str, String) {
        let tenant = &self.tenant;
        let Tenant { owner, manager, member, viewer, .. } = tenant;
        // The owner has created it, the member has submitted it.
        let moves = async |by, from, to, comment| {
            let project = tenant.project(from, Some(&member.id)).await;
            tenant.transition(by, &project, to, comment).await;
            project
        };
        match kind {
            "submitted" => {
                let project = moves(member, "draft", "submitted", None).await;
                (vec![owner, manager], "member submitted \u{201c}A project\u{201d}", project)
            }
            "approved" => {
                let project = moves(manager, "submitted", "approved", None).await;
                (vec![owner, member], "manager approved \u{201c}A project\u{201d}", project)
            }
            "rejected" => {
                let project = moves(manager, "submitted", "rejected", Some("Why?")).await;
                (vec![owner, member], "manager rejected \u{201c}A project\u{201d}", project)
            }
            // The submitter acts, and so is not told.
            "started" => {
                let project = moves(member, "approved", "in_progress", None).await;
                (vec![owner], "member started \u{201c}A project\u{201d}", project)
            }
            "completed" => {
                let project = moves(manager, "in_progress", "completed", None).await;
                (vec![owner, member], "manager completed \u{201c}A project\u{201d}", project)
            }
            "task_assigned" => {
                let task = tenant.assign(manager, "Sweep", viewer).await;
                (vec![viewer], "manager assigned you \u{201c}Sweep\u{201d}", task)
            }
            "mentioned" => {
                let project = tenant.project("in_progress", None).await;
                let task = tenant.task(&project, "todo").await;
                let [manager_name, self_name] =
                    [manager, member].map(|actor| actor.email.split('@').next().unwrap_or_default());
                let outsiders: String = self
                    .out
                    .iter()
                    .chain([&self.other.owner])
                    .map(|actor| format!(" @{}", actor.id))
                    .collect();
                let body = format!("@{manager_name}, @{}: see @{self_name},{outsiders}.", viewer.id);
                comment(tenant, member, &task, &body).await;
                (vec![manager, viewer], "member mentioned you on \u{201c}A task\u{201d}", task)
            }
            "role_changed" => {
                patch_member(tenant, viewer, &json!({ "role": "manager" })).await;
                (vec![viewer], "owner changed your role to manager", viewer.id.clone())
            }
            other => panic!("nobody knows how to provoke {other}"),
        }
    }
}

async fn comment(tenant: &Tenant<'_>, by: &Actor<'_>, task: &str, body: &str) -> String {
    let ask = by.post(&format!("/v1/tasks/{task}/comments")).tenant(&tenant.id);
    ask.json(&json!({ "body": body })).send().await.expect(201).text_at("/id")
}

async fn patch_member(tenant: &Tenant<'_>, who: &Actor<'_>, patch: &Value) {
    let ask = tenant.owner.patch(&format!("/v1/members/{}", who.id)).tenant(&tenant.id);
    ask.json(patch).send().await.expect(200);
}

async fn reaches(target: &'static Target, kind: &'static str, channel: &'static str) {
    let cast = Cast::gather(target).await;
    let tenant = &cast.tenant;
    let webhook = tenant.webhook().await;
    let others_webhook = cast.other.webhook().await;
    for tenant in [tenant, &cast.other] {
        tenant.send_by(&KINDS, &[]).await;
        tenant.send_by(&[kind], &[channel]).await;
    }
    let (told, title, subject) = cast.provoke(kind).await;
    let ids: BTreeSet<_> = told.iter().map(|actor| actor.id.clone()).collect();
    let deliveries = tenant.settled().await;
    let about_it = |told: &Value| {
        assert_eq!((&told["kind"], &told["title"]), (&json!(kind), &json!(title)));
        assert_eq!(told["subject_id"], subject);
    };

    let in_app: Vec<_> = if channel == "in_app" { ids.iter().cloned().collect() } else { Vec::new() };
    let in_app: Vec<_> = in_app.into_iter().map(|id| (id, kind.to_owned())).collect();
    assert_eq!(tenant.told().await, in_app);
    assert_eq!((cast.other.told().await, cast.other.deliveries().await), (vec![], vec![]));
    assert_eq!(others_webhook.count(), 0);
    match channel {
        "in_app" => {
            for actor in &told {
                let list = actor.get("/v1/notifications").tenant(&tenant.id).send().await.expect(200);
                assert_eq!(list.body["data"].as_array().map(Vec::len), Some(1), "{list:?}");
                about_it(&list.body["data"][0]);
            }
            assert_eq!((deliveries.len(), webhook.count()), (0, 0));
        }
        "email" => {
            let recipients: BTreeSet<_> =
                deliveries.iter().filter_map(|delivery| delivery["recipient_id"].as_str()).collect();
            assert_eq!((recipients, deliveries.len()), (ids.iter().map(String::as_str).collect(), ids.len()));
            for delivery in &deliveries {
                assert_eq!((&delivery["state"], &delivery["channel"]), (&json!("sent"), &json!("email")));
                about_it(delivery);
            }
            for actor in cast.everybody() {
                let subjects: Vec<_> =
                    target.mailbox.mails(&actor.email).into_iter().map(|mail| mail.subject).collect();
                let expected = if ids.contains(&actor.id) { vec![title.to_owned()] } else { vec![] };
                assert_eq!(subjects, expected, "{}", actor.email);
            }
            assert_eq!(webhook.count(), 0);
        }
        _ => {
            let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
            about_it(delivery);
            assert_eq!((&delivery["state"], &delivery["channel"]), (&json!("sent"), &json!("slack")));
            assert_eq!((&delivery["recipient_id"], &delivery["address"]), (&Value::Null, &Value::Null));
            let messages = webhook.messages();
            let [(said, names)] = messages.as_slice() else { panic!("{messages:?}") };
            assert_eq!(said.lines().next(), Some(title));
            let mut told: Vec<_> =
                told.iter().map(|actor| actor.email.split('-').next().unwrap_or_default()).collect();
            told.sort_unstable();
            assert_eq!(*names, told);
            assert!(cast.everybody().iter().all(|actor| target.mailbox.mails(&actor.email).is_empty()));
        }
    }
}

//! What cases about notifications and deliveries have in common: a tenant's configuration, its webhook, its outbox.

use serde_json::{Value, json};

use crate::{
    actors::{Actor, Tenant},
    client::Answer,
    provided,
    receivers::{
        Receivers,
        http::{Behaviour, Received, Receiver},
    },
};

/// All ways to tell people.
pub const CHANNELS: [&str; 3] = ["in_app", "email", "slack"];

/// The kinds of notifications that a tenant chooses channels for.
pub const KINDS: [&str; 8] = [
    "submitted",
    "approved",
    "rejected",
    "started",
    "completed",
    "task_assigned",
    "mentioned",
    "role_changed",
];

/// The incoming webhook of one tenant.
#[derive(Debug)]
pub struct Webhook {
    /// Its path: whoever knows it can use it.
    pub path: String,
    /// Where it is.
    pub receiver: Receiver,
}

impl Webhook {
    /// The whole URL.
    pub fn url(&self) -> String {
        self.receiver.url(&self.path)
    }

    /// What it does with the next requests; after them it answers 200.
    pub fn behave(&self, first: impl IntoIterator<Item = Behaviour>) {
        self.receiver.behave(&self.path, first);
    }

    /// What it does with every request from now on.
    pub fn always(&self, behaviour: Behaviour) {
        self.receiver.always(&self.path, behaviour);
    }

    /// What has come.
    pub fn received(&self) -> Vec<Received> {
        self.receiver.received(&self.path)
    }

    /// How much has come.
    pub fn count(&self) -> usize {
        self.receiver.count(&self.path)
    }

    /// How many of the requests are over.
    pub fn ended(&self) -> usize {
        self.receiver.ended(&self.path)
    }

    /// The messages that have come: what they say, and the names of those whom it is for, in alphabetical order.
    pub fn messages(&self) -> Vec<(String, Vec<String>)> {
        let split = |text: String| {
            let (said, names) = text.rsplit_once("\nFor ").unwrap_or_else(|| panic!("for whom? {text}"));
            let mut names: Vec<_> = names.split(", ").map(str::to_owned).collect();
            names.sort_unstable();
            (said.to_owned(), names)
        };
        self.texts().into_iter().map(split).collect()
    }

    /// The texts of the messages that have come.
    pub fn texts(&self) -> Vec<String> {
        let text = |received: Received| {
            assert_eq!(received.method, "POST");
            assert_eq!(received.header("content-type"), Some("application/json"));
            let text = received.body["text"].as_str().expect("a text").to_owned();
            assert_eq!(received.body, json!({ "text": text }));
            text
        };
        self.received().into_iter().map(text).collect()
    }
}

impl Tenant<'_> {
    /// Changes the configuration.
    pub async fn configure(&self, patch: &Value) -> Answer {
        self.owner.patch("/v1/tenant/config").tenant(&self.id).json(patch).send().await
    }

    /// Has these kinds sent by these ways.
    pub async fn send_by(&self, kinds: &[&str], channels: &[&str]) {
        let chosen: serde_json::Map<_, _> =
            kinds.iter().map(|kind| ((*kind).to_owned(), json!(channels))).collect();
        self.configure(&json!({ "channels": chosen })).await.expect(200);
    }

    /// Gives the tenant a webhook of its own.
    pub async fn webhook(&self) -> Webhook {
        let path = format!("/services/T0/B0/secret-of-{}", self.slug);
        let webhook = Webhook { path, receiver: Receivers::shared().http.clone() };
        self.configure(&json!({ "slack_webhook_url": webhook.url() })).await.expect(200);
        webhook
    }

    /// The deliveries, newest first.
    pub async fn deliveries(&self) -> Vec<Value> {
        let listed = self.owner.get("/v1/admin/deliveries?limit=100").tenant(&self.id).send().await;
        listed.expect(200).body["data"].as_array().expect("a list").clone()
    }

    /// The deliveries, as soon as none waits any more.
    pub async fn settled(&self) -> Vec<Value> {
        let what = format!("nothing of {} is pending", self.slug);
        let pending = |delivery: &Value| delivery["state"] == "pending";
        self.owner
            .target
            .until(&what, || async {
                provided(self.deliveries().await, |deliveries| !deliveries.iter().any(pending))
            })
            .await
    }

    /// The newest delivery, as soon as it is as expected.
    pub async fn delivery(&self, what: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let look = || async {
            let newest = self.deliveries().await.into_iter().next();
            newest.ok_or(Value::Null).and_then(|newest| provided(newest, &expected))
        };
        self.owner.target.until(&format!("{what}, in {}", self.slug), look).await
    }

    /// Has a delivery that was given up tried anew.
    pub async fn retry(&self, delivery: &Value) -> Answer {
        let id = delivery["id"].as_str().expect("an id");
        self.owner.post(&format!("/v1/admin/deliveries/{id}/retry")).tenant(&self.id).send().await
    }

    /// Moves a project.
    pub async fn transition(&self, by: &Actor<'_>, project: &str, to: &str, comment: Option<&str>) {
        let path = format!("/v1/projects/{project}/transitions");
        let request = json!({ "to": to, "comment": comment, "revision": 1 });
        by.post(&path).tenant(&self.id).json(&request).send().await.expect(200);
    }

    /// Creates a task in a new project and assigns it; returns its id.
    pub async fn assign(&self, by: &Actor<'_>, title: &str, to: &Actor<'_>) -> String {
        let project = self.project("in_progress", None).await;
        let task = json!({ "title": title, "assignee_id": to.id });
        let path = format!("/v1/projects/{project}/tasks");
        by.post(&path).tenant(&self.id).json(&task).send().await.expect(201).text_at("/id")
    }

    /// Invites somebody as a member; returns the token.
    pub async fn invite(&self, by: &Actor<'_>, email: &str) -> String {
        let invitation = json!({ "email": email, "role": "member" });
        let ask = by.post("/v1/invitations").tenant(&self.id).json(&invitation);
        ask.send().await.expect(201).text_at("/token")
    }

    /// Whom the tenant's list of notifications is for, and of which kind they are.
    pub async fn told(&self) -> Vec<(String, String)> {
        let sql = format!(
            "SELECT recipient_id, kind FROM notifications WHERE tenant_id = '{}' ORDER BY 1, 2",
            self.id
        );
        let rows = self.owner.target.backdoor.sql(&sql).await;
        rows.into_iter()
            .map(|row| {
                let mut cells = row.into_iter().map(|cell| cell.expect("a value"));
                (cells.next().expect("a recipient"), cells.next().expect("a kind"))
            })
            .collect()
    }
}

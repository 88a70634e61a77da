//! Files as somebody may bring them in over HTTP: a tenant, its people, and what these have left in it.

use bailiwick::verify::samples::import_head;
use bailiwick_core::transfer::{Digest, canonical};
use bailiwick_tests::{
    actors::{Actor, new_id},
    client::Answer,
};
use serde_json::{Value, json};

pub(super) const THEN: &str = "2026-01-01T00:00:00.000Z";

/// A file with a tenant, whose owner somebody here is, and what others have left in it.
pub(super) struct File {
    pub(super) head: Value,
    pub(super) rows: Vec<Value>,
}

impl File {
    pub(super) fn row(&mut self, table: &str, mut row: Value) {
        for (name, value) in [("created_at", json!(THEN)), ("updated_at", json!(THEN)), ("version", json!(1))]
        {
            row[name] = value;
        }
        self.rows.push(json!({ "table": table, "row": row }));
    }

    /// Of people that are an id, an address and a name each.
    pub(super) fn new(owner: &Actor<'_>, people: &[(&str, &str, &str)]) -> Self {
        let tenant = new_id();
        let mut this = Self { head: import_head(&tenant), rows: Vec::new() };
        let all: Vec<_> =
            [(owner.id.as_str(), owner.email.as_str(), "Owner")].iter().chain(people).copied().collect();
        for (id, email, name) in &all {
            this.row("users", person(id, email, name));
        }
        this.row(
            "tenants",
            json!({ "id": tenant, "slug": this.head["slug"], "name": "Sample", "created_by": null, "config": {} }),
        );
        for (id, ..) in &all {
            this.row(
                "memberships",
                membership(&new_id(), id, if *id == owner.id { "owner" } else { "manager" }),
            );
        }
        if let Some((id, ..)) = people.first() {
            let (project, task) = (new_id(), new_id());
            let row = json!({
                "id": project, "name": "A project", "description": "", "status": "submitted", "visibility": "private",
                "created_by": id, "submitted_by": id, "revision": 1,
            });
            this.row("projects", row);
            let row = json!({
                "id": task, "project_id": project, "title": "A task", "description": "", "status": "todo",
                "priority": "normal", "assignee_id": id, "due_on": null, "created_by": id,
            });
            this.row("tasks", row);
            let row = json!({ "id": new_id(), "task_id": task, "author_id": id, "body": "Look.", "edited_at": null });
            this.row("comments", row);
        }
        this
    }

    pub(super) fn first(&self, table: &str) -> &Value {
        &self.rows.iter().find(|row| row["table"] == table).expect("a row")["row"]
    }

    pub(super) async fn begin(&self, actor: &Actor<'_>) -> Answer {
        actor.post("/v1/imports").json(&self.head).send().await
    }

    pub(super) async fn add(&self, actor: &Actor<'_>) -> Answer {
        let path = format!("/v1/imports/{}/rows", self.head["tenant_id"].as_str().expect("an id"));
        actor.post(&path).json(&json!({ "first": 0, "rows": self.rows })).send().await
    }

    pub(super) async fn finish(&self, actor: &Actor<'_>) -> Answer {
        let path = format!("/v1/imports/{}/finish", self.head["tenant_id"].as_str().expect("an id"));
        let digest =
            self.rows.iter().fold(Digest::of_head(&self.head), |digest, row| digest.and(&canonical(row)));
        let totals = json!({ "rows": self.rows.len(), "sha256": digest.as_str() });
        actor.post(&path).json(&totals).send().await
    }

    /// Brings all of it in, and returns the id of the tenant.
    pub(super) async fn bring(&self, actor: &Actor<'_>) -> String {
        self.begin(actor).await.expect(200);
        self.add(actor).await.expect(200);
        self.finish(actor).await.expect(200).text_at("/id")
    }
}

pub(super) fn person(id: &str, email: &str, name: &str) -> Value {
    json!({
        "id": id, "email": email, "imported_email": null, "name": name, "password_hash": null, "disabled_at": null,
    })
}

pub(super) fn membership(id: &str, user: &str, role: &str) -> Value {
    json!({
        "id": id, "user_id": user, "role": role, "status": "active", "muted": [], "imported_at": null,
        "imported_id": null,
    })
}

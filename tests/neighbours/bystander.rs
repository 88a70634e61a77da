//! Somebody who works in a tenant of their own, and what their requests cost.

use bailiwick_tests::{
    actors::{Actor, Tenant},
    backdoor::Backdoor,
    provided,
    targets::Target,
};
use reqwest::Method;
use serde_json::{Value, json};

/// What became of a request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    what: &'static str,
    /// How much of the database it visited, if that was counted.
    visited: u64,
    /// Batches that it asked the database for.
    batches: u64,
    /// What was answered, where that is always the same.
    text: Option<String>,
}

/// Somebody's tenant, and what is in it for good.
pub(crate) struct Bystander {
    pub(crate) tenant: Tenant<'static>,
    project: String,
    task: String,
}

/// How a request is made.
#[derive(Clone, Copy)]
enum Counted {
    Yes,
    No,
}

impl Bystander {
    pub(crate) async fn make(target: &'static Target) -> Self {
        let tenant = Tenant::create(target).await;
        let owner = &tenant.owner;
        let post = async |path: &str, body: Value| {
            owner.post(path).tenant(&tenant.id).json(&body).send().await.expect(201).text_at("/id")
        };
        let project =
            post("/v1/projects", json!({ "name": "Bridge", "description": "Over the river" })).await;
        let tasks = format!("/v1/projects/{project}/tasks");
        let mut task = String::new();
        for number in 0..5 {
            task = post(&tasks, json!({ "title": format!("Pier {number}") })).await;
        }
        post(&format!("/v1/tasks/{task}/comments"), json!({ "body": "It holds" })).await;
        // As of somebody who has been here for a while: it is measured what they store.
        target.backdoor.measured(&tenant.id, None).await;
        Self { tenant, project, task }
    }

    async fn ask(
        &self,
        counted: Counted,
        what: &'static str,
        (method, path): (Method, String),
        body: Option<Value>,
        all: &mut Vec<Seen>,
    ) -> Value {
        let steady = what.starts_with("GET") && !what.ends_with("..");
        let mut ask = self.tenant.owner.ask(method, &path).tenant(&self.tenant.id).maybe(body.as_ref());
        if matches!(counted, Counted::Yes) {
            ask = ask.header("x-fault", "count");
        }
        let answer = ask.send().await;
        assert!((200..300).contains(&answer.status), "a bystander's {what} is refused: {answer:?}");
        let number = |name: &str| answer.header(name).and_then(|text| text.parse().ok()).unwrap_or_default();
        let batches = answer
            .header("server-timing")
            .and_then(|timing| timing.split("batches: ").nth(1)?.split('"').next()?.parse().ok());
        all.push(Seen {
            what,
            visited: number("x-visited"),
            batches: batches.expect("DEBUG_TIMING is on"),
            text: steady.then(|| answer.text.clone()),
        });
        answer.body
    }

    /// What somebody does in a day: all of it is undone in the end, but for what the activity tells of it.
    async fn work(&self, counted: Counted) -> Vec<Seen> {
        let (project, task) = (&self.project, &self.task);
        let mut all = Vec::new();
        let reads: [(&'static str, String); 16] = [
            ("GET project", format!("/v1/projects/{project}")),
            ("GET projects", "/v1/projects?limit=100".to_owned()),
            ("GET projects by words", "/v1/projects?q=bri".to_owned()),
            ("GET tasks of project", format!("/v1/projects/{project}/tasks")),
            ("GET tasks", "/v1/tasks?limit=100".to_owned()),
            ("GET tasks by words", "/v1/tasks?q=pier".to_owned()),
            ("GET task", format!("/v1/tasks/{task}")),
            ("GET comments", format!("/v1/tasks/{task}/comments")),
            ("GET transitions", format!("/v1/projects/{project}/transitions")),
            ("GET members", "/v1/members".to_owned()),
            ("GET catalogue", "/v1/catalog/projects".to_owned()),
            ("GET notifications", "/v1/notifications".to_owned()),
            ("GET unread", "/v1/notifications/unread_count".to_owned()),
            ("GET tenant", "/v1/tenant".to_owned()),
            ("GET me", "/v1/me".to_owned()),
            ("GET activity ..", "/v1/admin/activity".to_owned()),
        ];
        for (what, path) in reads {
            self.ask(counted, what, (Method::GET, path), None, &mut all).await;
        }
        let id = |made: &Value| made["id"].as_str().expect("an id").to_owned();
        let new = json!({ "name": "Tunnel", "description": "Under the river" });
        let made =
            self.ask(counted, "POST project", (Method::POST, "/v1/projects".to_owned()), Some(new), &mut all);
        let project = format!("/v1/projects/{}", id(&made.await));
        let (tasks, new) = (format!("{project}/tasks"), json!({ "title": "Dig" }));
        let made = self.ask(counted, "POST task", (Method::POST, tasks), Some(new), &mut all).await;
        let task = format!("/v1/tasks/{}", id(&made));
        let (comments, new) = (format!("{task}/comments"), json!({ "body": "It is deep" }));
        let made = self.ask(counted, "POST comment", (Method::POST, comments.clone()), Some(new), &mut all);
        let comment = format!("{comments}/{}", id(&made.await));
        let done = json!({ "status": "done" });
        self.ask(counted, "PATCH task", (Method::PATCH, task.clone()), Some(done), &mut all).await;
        self.ask(counted, "DELETE comment", (Method::DELETE, comment), None, &mut all).await;
        self.ask(counted, "DELETE task", (Method::DELETE, task), None, &mut all).await;
        self.ask(counted, "DELETE project", (Method::DELETE, project), None, &mut all).await;
        all
    }

    /// Works, whatever others do meanwhile: nothing is refused, and what is read is what it was before.
    pub(crate) async fn works(&self, before: &[Seen]) {
        let now = self.work(Counted::No).await;
        assert_eq!(now.len(), before.len());
        for (now, before) in now.iter().zip(before) {
            assert_eq!(now.text, before.text, "a bystander's {}", now.what);
            assert!(now.batches <= before.batches, "a bystander's {now:?}, before {before:?}");
        }
    }

    /// What its requests cost, each at the most, after some that have filled what is remembered from one to the next.
    pub(crate) async fn costs(&self) -> Vec<Seen> {
        // The activity has a page, and its entries are sealed.
        for _ in 0..3 {
            self.work(Counted::No).await;
        }
        let unsealed =
            format!("SELECT count(*) FROM activity WHERE tenant_id = '{}' AND seq IS NULL", self.tenant.id);
        let target = self.tenant.owner.target;
        let sealed = async || provided(target.backdoor.count(&unsealed).await, |count| *count == 0);
        target.until("a bystander's entries to be sealed", sealed).await;
        let mut most = self.work(Counted::Yes).await;
        for _ in 0..4 {
            for (most, now) in most.iter_mut().zip(self.work(Counted::Yes).await) {
                most.visited = most.visited.max(now.visited);
                most.batches = most.batches.max(now.batches);
                assert_eq!(most.text, now.text, "{}", now.what);
            }
        }
        assert!(most.iter().all(|seen| seen.visited > 0), "nothing was counted: {most:?}");
        most
    }

    /// Works alone again, and visits no more than before.
    pub(crate) async fn visits_no_more(&self, after: &str, before: &[Seen]) {
        let mut now = self.work(Counted::Yes).await;
        let excessive = |now: &[Seen]| {
            let pairs = now.iter().zip(before);
            let more = pairs.filter(|(now, before)| now.visited > self.allowed(before));
            more.map(|(now, before)| format!("{}: {} after {}", now.what, now.visited, before.visited))
                .collect::<Vec<_>>()
        };
        // Now and then something else is counted as well: at the edge a batch of the background that ends meanwhile, on SQLite the
        // index of words putting parts of itself together. What is a request's own is there each time.
        for _ in 0..5 {
            if excessive(&now).is_empty() {
                break;
            }
            for (least, again) in now.iter_mut().zip(self.work(Counted::Yes).await) {
                least.visited = least.visited.min(again.visited);
            }
        }
        let more = excessive(&now);
        assert!(more.is_empty(), "a bystander's requests visit more after {after}: {more:?}");
    }

    /// Natively on SQLite and at the edge no more than those few steps or rows by which a statement sees that another one's begin
    /// where the tenant's own end. The index of words is one for all tenants and consists of a few
    /// parts, each of which has to be looked into. And Postgres chooses its plans by what there is in all tables together, so
    /// it may choose another one; none goes through what one tenant has heaped up.
    fn allowed(&self, Seen { what, visited, .. }: &Seen) -> u64 {
        let words = ["words", "POST project", "POST task", "PATCH task", "DELETE task", "DELETE project"];
        match self.tenant.owner.target.backdoor {
            Backdoor::Postgres(_) => 2 * visited + 100,
            Backdoor::Sqlite(_) if words.iter().any(|word| what.contains(word)) => visited + 400,
            Backdoor::Sqlite(_) | Backdoor::Edge(..) => visited + 4,
        }
    }
}

/// What requests cost all together, to be told.
pub(crate) fn sum(all: &[Seen]) -> (u64, u64) {
    (all.iter().map(|seen| seen.visited).sum(), all.iter().map(|seen| seen.batches).sum())
}

/// Whom the bystander has nothing to do with.
pub(crate) async fn analyse(target: &Target) {
    // As Postgres does by itself, some time after much was written.
    if target.postgres.is_some() {
        target.backdoor.sql("ANALYZE").await;
    }
}

/// Nobody in particular, for what takes no account.
pub(crate) fn nobody(target: &'static Target) -> Actor<'static> {
    Actor::anonymous(target)
}

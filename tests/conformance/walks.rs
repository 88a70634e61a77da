//! Walks from page to page while others write: what was in the list all the time, at the same place, is seen exactly
//! once, and nothing twice.
//!
//! Chance draws what is written, and where the walk is meanwhile. A failure tells its seed; `PROPERTY_SEED=..` plays
//! that one again.

use std::{collections::BTreeMap, env};

use bailiwick_tests::{actors::Tenant, client::Ask, targets::Target};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::property::draw::Draw;

crate::cases!("walks":
    projects_newest_first,
    projects_oldest_first,
    projects_last_changed_first,
    projects_by_name,
    tasks_newest_first,
    tasks_soonest_first,
    tasks_most_urgent_first,
    tasks_latest_first,
    tasks_least_urgent_first,
    tasks_that_a_search_finds,
);

/// Walks of each case.
const WALKS: usize = 3;
/// What is there before a walk begins.
const ITEMS: usize = 24;

/// What a walk goes through.
#[derive(Clone, Copy)]
struct List {
    /// The last part of the collection's path: `projects` or `tasks`.
    kind: &'static str,
    /// What is asked for beside the size of a page.
    query: &'static str,
    /// The field by which the list is ordered, if it can change.
    key: Option<&'static str>,
}

async fn projects_newest_first(target: &'static Target) {
    walks(target, List { kind: "projects", query: "", key: None }).await;
}

async fn projects_oldest_first(target: &'static Target) {
    walks(target, List { kind: "projects", query: "order=-created_at&", key: None }).await;
}

async fn projects_last_changed_first(target: &'static Target) {
    walks(target, List { kind: "projects", query: "order=updated_at&", key: Some("name") }).await;
}

async fn projects_by_name(target: &'static Target) {
    walks(target, List { kind: "projects", query: "order=-name&", key: Some("name") }).await;
}

async fn tasks_latest_first(target: &'static Target) {
    walks(target, List { kind: "tasks", query: "order=-due_on&", key: Some("due_on") }).await;
}

async fn tasks_least_urgent_first(target: &'static Target) {
    walks(target, List { kind: "tasks", query: "order=-priority&", key: Some("priority") }).await;
}

async fn tasks_newest_first(target: &'static Target) {
    walks(target, List { kind: "tasks", query: "order=created_at&", key: None }).await;
}

async fn tasks_soonest_first(target: &'static Target) {
    walks(target, List { kind: "tasks", query: "order=due_on&", key: Some("due_on") }).await;
}

async fn tasks_most_urgent_first(target: &'static Target) {
    walks(target, List { kind: "tasks", query: "order=priority&", key: Some("priority") }).await;
}

async fn tasks_that_a_search_finds(target: &'static Target) {
    walks(target, List { kind: "tasks", query: "q=Walked+thing&", key: None }).await;
}

async fn walks(target: &'static Target, list: List) {
    let given = env::var("PROPERTY_SEED").ok().and_then(|text| text.parse().ok());
    let mut seeds = Draw::new(given.unwrap_or_else(|| Uuid::now_v7().as_u64_pair().1), "");
    for round in 0..WALKS {
        let seed = if round == 0 && given.is_some() { given.unwrap_or_default() } else { seeds.number() };
        let walk = Walk::start(target, list, seed).await;
        if let Err(wrong) = walk.walk().await {
            panic!("{}: {wrong}; again: PROPERTY_SEED={seed}", target.name);
        }
    }
}

/// What is known of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It has been there from the start, and where it is now.
    Stays,
    /// It came later, went, or left the list for a while.
    Passes,
    /// It was given another place in the order.
    Moves,
}

struct Walk {
    tenant: Tenant<'static>,
    list: List,
    draw: Draw,
    /// The path under which items are made.
    making: String,
    fates: BTreeMap<String, Fate>,
    made: usize,
}

impl Walk {
    async fn start(target: &'static Target, list: List, seed: u64) -> Self {
        let tenant = Tenant::create(target).await;
        let making = match list.kind {
            "projects" => "/v1/projects".to_owned(),
            _ => format!("/v1/projects/{}/tasks", tenant.project("approved", None).await),
        };
        let draw = Draw::new(seed, "");
        let mut walk = Self { tenant, list, draw, making, fates: BTreeMap::new(), made: 0 };
        let new: Vec<_> = (0..ITEMS).map(|_| walk.new_item()).collect();
        for made in join_all(new.into_iter().map(Ask::send)).await {
            walk.fates.insert(made.expect(201).text_at("/id"), Fate::Stays);
        }
        walk
    }

    /// One that the list has, whatever is asked for.
    fn new_item(&mut self) -> Ask {
        self.made += 1;
        let name = format!("Walked {} thing", self.made);
        let new = match self.list.kind {
            "projects" => json!({ "name": name }),
            _ => json!({ "title": name, "due_on": self.day(), "priority": self.priority() }),
        };
        self.tenant.member.post(&self.making).tenant(&self.tenant.id).json(&new)
    }

    /// Few days, so that many have the same.
    fn day(&mut self) -> Option<String> {
        let day = self.draw.below(4);
        (day > 0).then(|| format!("2030-01-0{day}"))
    }

    fn priority(&mut self) -> &'static str {
        self.draw.of(["low", "normal", "high", "urgent"])
    }

    /// Something that somebody does, and to what.
    fn next_write(&mut self) -> (Ask, Option<(String, Fate)>) {
        let known: Vec<_> = self.fates.keys().cloned().collect();
        let id = self.draw.one(&known).expect("there are some");
        let path = format!("/v1/{}/{id}", self.list.kind);
        let (what, day, priority) = (self.draw.below(10), self.day(), self.priority());
        let (tenant, member) = (&self.tenant, &self.tenant.member);
        let change = |to: Value| member.patch(&path).tenant(&tenant.id).json(&to);
        let name = if self.list.kind == "projects" { "name" } else { "title" };
        match what {
            0..=3 => (self.new_item(), None),
            4..=5 => (tenant.manager.delete(&path).tenant(&tenant.id), Some((id, Fate::Passes))),
            6..=7 => {
                // It is found by the same words still.
                let same = change(json!({ name: "Thing that was walked, and was renamed" }));
                (same, (name == "name" && self.list.key.is_some()).then_some((id, Fate::Moves)))
            }
            8 if self.list.query.starts_with("q=") => {
                (change(json!({ name: "Left the list" })), Some((id, Fate::Passes)))
            }
            _ => match self.list.key {
                Some("name") => (change(json!({ "description": "More about it" })), Some((id, Fate::Moves))),
                Some("due_on") => (change(json!({ "due_on": day })), Some((id, Fate::Moves))),
                Some(_) => (change(json!({ "priority": priority })), Some((id, Fate::Moves))),
                None => (change(json!({ "description": "More about it" })), None),
            },
        }
    }

    async fn walk(mut self) -> Result<(), String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let size = 1 + self.draw.below(5);
            let path = format!("/v1/{}?{}limit={size}{cursor}", self.list.kind, self.list.query);
            let page = self.tenant.viewer.get(&path).tenant(&self.tenant.id);
            // Some is written while the page is read, and some between pages.
            let writes: Vec<_> = (0..self.draw.below(4)).map(|_| self.next_write()).collect();
            let (asks, touched): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
            let (page, done) = tokio::join!(page.send(), join_all(asks.into_iter().map(Ask::send)));
            for (answer, touched) in done.into_iter().zip(touched) {
                if answer.status == 201 {
                    self.fates.insert(answer.text_at("/id"), Fate::Passes);
                } else if ![200, 204, 404, 409].contains(&answer.status) {
                    return Err(format!("{answer:?}"));
                }
                if let Some((id, fate)) = touched {
                    let known = self.fates.entry(id).or_insert(fate);
                    *known = if *known == Fate::Stays { fate } else { *known };
                }
            }
            let page = page.expect(200);
            for item in page.body["data"].as_array().expect("a list") {
                *seen.entry(item["id"].as_str().expect("an id").to_owned()).or_default() += 1;
            }
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        for (id, fate) in &self.fates {
            let times = seen.get(id).copied().unwrap_or_default();
            let right = match (fate, self.list.key) {
                (Fate::Stays, _) => times == 1,
                // Where the order goes by what changed, it may come again at its new place, or have been there before.
                (Fate::Moves, _) | (Fate::Passes, Some(_)) => true,
                (Fate::Passes, None) => times <= 1,
            };
            if !right {
                return Err(format!("{id} ({fate:?}) was seen {times} times among {seen:?}"));
            }
        }
        let stayed = self.fates.values().filter(|fate| **fate == Fate::Stays).count();
        if stayed < 3 { Err(format!("only {stayed} stayed: the walk shows nothing")) } else { Ok(()) }
    }
}

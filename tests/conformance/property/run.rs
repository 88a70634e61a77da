//! Playing a sequence of steps against a target and the model, and making one that fails shorter.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use bailiwick_tests::{client::Answer, targets::Target};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    draw::Draw,
    operations,
    plan::{Done, Naming, Plan, Request},
    scan::{is_an_id, tokens},
    world::{World, new_run},
};

/// So long it is tried to make a sequence shorter that fails.
const SHRINKING: Duration = Duration::from_secs(90);

/// How a sequence went.
#[derive(Debug, Default)]
pub(super) struct Score {
    pub(super) steps: usize,
    /// Those that succeeded.
    pub(super) done: usize,
}

/// Where a sequence failed, and why.
#[derive(Debug)]
pub(super) struct Failure {
    /// Steps that were taken, the failing one among them.
    pub(super) taken: usize,
    /// What was asked, and what came.
    pub(super) story: Vec<String>,
    pub(super) why: String,
}

/// The seeds of the steps of a sequence.
pub(super) fn sequence(seed: u64, steps: usize) -> Vec<u64> {
    let mut draw = Draw::new(seed, "");
    (0..steps).map(|_| draw.number()).collect()
}

/// Plays a sequence in tenants of its own.
pub(super) async fn play(target: &'static Target, seed: u64, steps: &[u64]) -> Result<Score, Failure> {
    let run = new_run();
    let mut world = World::create(target, &run, seed).await;
    let mut play = Play { score: Score::default(), story: Vec::new(), open: Vec::new() };
    for (at, step) in steps.iter().enumerate() {
        let mut draw = Draw::new(*step, format!("{run}-{at}"));
        let plan = operations::draw(&world, &mut draw);
        play.story.push(format!("{}", plan.request));
        play.score.steps += 1;
        if let Err(why) = play.step(&mut world, plan).await {
            return Err(Failure { taken: at + 1, story: play.story, why });
        }
    }
    match play.unknown_ids(&world).await {
        Ok(()) => Ok(play.score),
        Err(why) => Err(Failure { taken: steps.len(), story: play.story, why }),
    }
}

/// Looks for a shorter sequence that fails, too.
pub(super) async fn shrink(target: &'static Target, seed: u64, steps: &[u64], first: Failure) -> Failure {
    let (mut shortest, mut failure) = (steps[..first.taken].to_vec(), first);
    let (began, mut chunk) = (Instant::now(), shortest.len() / 2);
    while chunk > 0 {
        let mut end = shortest.len();
        while end > 0 && began.elapsed() < SHRINKING {
            let start = end.saturating_sub(chunk);
            let mut shorter = shortest.clone();
            shorter.drain(start..end);
            if let Err(found) = play(target, seed, &shorter).await {
                shorter.truncate(found.taken);
                (shortest, failure) = (shorter, found);
            }
            end = start.min(shortest.len());
        }
        chunk /= 2;
    }
    failure
}

/// An id that was seen and that the model does not know: who saw it, in which tenants they were, and where.
struct Open {
    id: String,
    inside: BTreeSet<usize>,
    place: usize,
}

struct Play {
    score: Score,
    story: Vec<String>,
    open: Vec<Open>,
}

impl Play {
    async fn step(&mut self, world: &mut World, plan: Plan) -> Result<(), String> {
        let Plan { request, verdict, even_so, shown_again } = plan;
        let before = world.inside(request.scene.caller);
        let answer = ask(world, &request).await;
        let came = format!("  {} {}", answer.status, answer.text.chars().take(600).collect::<String>());
        self.story.push(came);
        let everything = std::iter::once(&*answer.text)
            .chain(answer.headers.values().filter_map(|value| value.to_str().ok()));
        for text in everything {
            let secret = |token: &&String| Some(*token) != shown_again.as_ref() && text.contains(*token);
            if let Some(token) = world.shown.iter().find(secret) {
                return Err(format!("it shows a token that was shown before: {token}"));
            }
        }
        match verdict {
            Err((status, code)) => {
                if (answer.status, answer.code()) != (status, code) {
                    return Err(format!("the model has {status} {code}"));
                }
                if let Some((user, session)) = even_so {
                    world.users[user].sessions[session].good = false;
                }
            }
            Ok(Done { status, settle }) => {
                if answer.status != status {
                    return Err(format!("the model has {status}"));
                }
                self.score.done += 1;
                settle(world, &answer)?;
            }
        }
        let after = world.inside(request.scene.caller);
        self.scan(world, &request, &answer, &before.union(&after).copied().collect())
    }

    /// Looks for what whoever asked may not see.
    fn scan(
        &mut self,
        world: &World,
        request: &Request,
        answer: &Answer,
        inside: &BTreeSet<usize>,
    ) -> Result<(), String> {
        let public = if request.catalogue { world.named(&request.scene.naming) } else { None };
        for token in tokens(answer) {
            let own = request.scene.caller.is_some_and(|user| world.users[user].own.contains(&token));
            let theirs = inside.iter().any(|tenant| world.tenants[*tenant].knows.contains(&token));
            if own || theirs || public.is_some_and(|tenant| shows(world, tenant, &token)) {
                continue;
            }
            let owner = world.tenants.iter().find(|tenant| tenant.knows.contains(&token));
            let known = owner.is_some() || world.users.iter().any(|user| user.own.contains(&token));
            if known || !is_an_id(&token) {
                let of = owner.map_or("no tenant of theirs", |tenant| &tenant.slug);
                return Err(format!("it has {token} in it, of {of}"));
            }
            self.open.push(Open { id: token, inside: inside.clone(), place: self.story.len() - 1 });
        }
        Ok(())
    }

    /// What the model does not know the ids of (members, entries, deliveries) the database knows.
    async fn unknown_ids(&self, world: &World) -> Result<(), String> {
        let mut owners: HashMap<String, usize> = HashMap::new();
        let backdoor = &world.target.backdoor;
        for table in backdoor.tables_with_ids().await {
            for (at, tenant) in world.tenants.iter().enumerate() {
                let sql = format!("SELECT id FROM {table} WHERE tenant_id = '{}'", tenant.id);
                owners.extend(backdoor.sql(&sql).await.into_iter().flatten().flatten().map(|id| (id, at)));
            }
        }
        for Open { id, inside, place } in &self.open {
            // What is no longer there was somebody's who has gone, or a tenant's.
            if owners.get(id).is_some_and(|owner| !inside.contains(owner)) {
                let (asked, came) = (&self.story[place - 1], &self.story[*place]);
                return Err(format!("{id} is of a tenant of others, and it was seen here:\n{asked}\n{came}"));
            }
        }
        Ok(())
    }
}

/// Whether the tenant shows this to anybody.
fn shows(world: &World, tenant: usize, token: &str) -> bool {
    let mut shown = world.tenants[tenant].projects.iter().filter(|(_, project)| project.shown());
    shown.any(|(id, project)| id == token || project.name == token || project.description == token)
}

/// Sends a request. Of a list it asks for the further pages, too, and puts them together.
async fn ask(world: &World, request: &Request) -> Answer {
    let mut answer = send(world, request, &request.path).await;
    while let Some(cursor) = answer.body["next_cursor"].as_str().map(str::to_owned) {
        let path = format!("{}&cursor={cursor}", request.path);
        let mut next = send(world, request, &path).await;
        if next.status != 200 {
            return next;
        }
        let mut data = answer.body["data"].take();
        if let (Some(data), Some(more)) = (data.as_array_mut(), next.body["data"].as_array_mut()) {
            data.append(more);
        }
        next.body["data"] = data;
        next.text = format!("{}{}", answer.text, next.text);
        answer = next;
    }
    answer
}

async fn send(world: &World, request: &Request, path: &str) -> Answer {
    let ask = world.actor(request.scene.caller).ask(request.method.clone(), path);
    let ask = match &request.scene.naming {
        Naming::Nothing => ask,
        Naming::Id(id) => ask.tenant(id),
        Naming::Slug(slug) => ask.slug(slug),
        Naming::Both(id, slug) => ask.tenant(id).slug(slug),
        Naming::Twice(one, other) => ask.tenant(one).tenant(other),
    };
    let body: Option<&Value> = request.body.as_ref();
    // Ids that the service makes up for requests would be ids that nobody knows.
    ask.header("x-request-id", "step").maybe(body).send().await
}

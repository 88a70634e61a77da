//! Whether a tenant keeps another one from working: one sends the most expensive requests, at a gentle rate, while a
//! member of the other works. A refusal is a violation; the times are reported for information.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bailiwick_core::{
    ports::Clock,
    routes::{ROUTES, Route},
};
use http::Method;
use serde_json::{Value, json};

use super::{
    Run,
    people::Party,
    report::{Matrix, Neighbours, Violation},
    samples::Thing,
};
use crate::client::{Ask, Reply};
use crate::{ports::system::SystemClock, verify::samples::Ground};

/// The number of the bystander's requests, without the neighbour and beside it.
pub(super) const REQUESTS: usize = 100;
/// The bystander's pause before each.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// The neighbour's pause before each of its own, of which one runs at a time.
const GENTLY: Duration = Duration::from_millis(250);
/// How often the neighbour creates 100 tasks at once. They have to be removed in the end.
const BULKS: usize = 5;

/// A request of the bystander.
struct Work {
    route: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// Whether the neighbour is active.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nobody,
    /// It is; and whether the bystander was asked to wait while it was not.
    Neighbour {
        limited: bool,
    },
}

impl Run {
    /// Tries it, with the owner of a tenant as the bystander. The neighbour gets a tenant of its own.
    pub(super) async fn neighbours(&self, party: &Party) -> Result<(), String> {
        let begun = SystemClock.elapsed();
        let neighbour = self.found('c', &format!("neighbour-{}", self.mark)).await?;
        let project = self.thing(Thing::Project, &neighbour, &neighbour.owner).await?;
        let task = self.thing(Thing::TaskOf(&project, 0), &neighbour, &neighbour.owner).await?;
        let works = self.works(party).await?;
        let (mut alone, limited) = self.work(party, &works, Beside::Nobody).await?;
        let dear = AtomicUsize::new(0);
        let (mut beside, _) = tokio::select! {
            biased;
            worked = self.work(party, &works, Beside::Neighbour { limited }) => worked?,
            ended = self.press(&neighbour, &project, &task, &dear) => match ended? {},
        };
        self.compared(Neighbours {
            dear: dear.load(Ordering::Relaxed),
            alone: percentiles(&mut alone),
            beside: percentiles(&mut beside),
            seconds: SystemClock.elapsed().saturating_sub(begun).as_secs(),
        });
        Ok(())
    }

    /// The bystander's requests, in turns.
    async fn works(&self, party: &Party) -> Result<Vec<Work>, String> {
        let project = self.thing(Thing::Project, party, &party.owner).await?;
        let task = self.thing(Thing::TaskOf(&project, 0), party, &party.owner).await?;
        let of_task = format!("/v1/tasks/{task}");
        let work = |route, method, path: &str, body| Work { route, method, path: path.to_owned(), body };
        Ok(vec![
            work("projects::get", Method::GET, &format!("/v1/projects/{project}"), None),
            work("tasks::list_of_project", Method::GET, &format!("/v1/projects/{project}/tasks"), None),
            work("tasks::update", Method::PATCH, &of_task, Some(json!({ "title": "It is at work" }))),
            work("tasks::list", Method::GET, "/v1/tasks?q=work", None),
            work(
                "comments::create",
                Method::POST,
                &format!("{of_task}/comments"),
                Some(json!({ "body": "It is at work" })),
            ),
        ])
    }

    /// Works: the time of each request, and whether one was limited because of the bystander's own requests.
    async fn work(
        &self,
        party: &Party,
        works: &[Work],
        beside: Beside,
    ) -> Result<(Vec<Duration>, bool), String> {
        self.client.log_in(&party.owner).await?;
        let (mut times, mut limited) = (Vec::with_capacity(REQUESTS), false);
        for work in works.iter().cycle().take(REQUESTS) {
            tokio::time::sleep(PAUSE).await;
            let ask = Ask { body: work.body.as_ref(), ..Ask::new(&work.method, &work.path) };
            let begun = SystemClock.elapsed();
            let answer = self.client.at_once(&party.owner, &ask.tenant(&party.id)).await;
            times.push(SystemClock.elapsed().saturating_sub(begun));
            if let Some(route) = ROUTES.iter().find(|route| route.name == work.route) {
                self.checked(Matrix::Neighbours, route);
                limited |= self.judge(work, route, answer, beside).await?;
            }
        }
        Ok((times, limited))
    }

    /// Whether an answer says that the caller itself has sent too many requests.
    async fn judge(
        &self,
        work: &Work,
        route: &'static Route,
        answer: Result<(Reply, Option<u64>), String>,
        beside: Beside,
    ) -> Result<bool, String> {
        let got = match answer {
            Ok((reply, _)) if (200..300).contains(&reply.status) => return Ok(false),
            // This is the caller's own limit, whatever others send.
            Ok((reply, Some(seconds)))
                if reply.status == 429 && beside != (Beside::Neighbour { limited: false }) =>
            {
                self.client.wait(seconds, &reply).await?;
                return Ok(true);
            }
            Ok((reply, _)) => reply.summary(),
            Err(silent) => silent,
        };
        if beside == Beside::Nobody {
            return Err(format!(
                "{} {} in the caller's own tenant is refused: {got}.",
                work.method, work.path
            ));
        }
        self.violated(Violation {
            matrix: Matrix::Neighbours,
            route: route.name,
            request: format!("{} {}", work.method, work.path),
            who: "an owner, while another tenant asks for the dearest that there is".to_owned(),
            expected: "what came without the other tenant".to_owned(),
            got,
        });
        Ok(false)
    }

    /// Sends the most expensive requests, one after the other. The answers do not matter.
    async fn press(
        &self,
        party: &Party,
        project: &str,
        task: &str,
        dear: &AtomicUsize,
    ) -> Result<Infallible, String> {
        let text = |length: usize| "neighbours work ".repeat(length / 16);
        let new = json!({ "op": "create", "title": text(200), "description": text(2000) });
        let bulk = json!({ "operations": vec![new; 100] });
        let comment = json!({ "body": text(10_000) });
        let (tasks, comments) =
            (format!("/v1/projects/{project}/tasks/bulk"), format!("/v1/tasks/{task}/comments"));
        let all = [
            (Method::POST, &*tasks, Some(&bulk)),
            (Method::GET, "/v1/tasks?q=work&limit=100", None),
            (Method::GET, "/v1/admin/export", None),
            (Method::GET, "/v1/admin/activity?limit=100", None),
            (Method::GET, "/v1/admin/activity/verify", None),
            (Method::POST, &*comments, Some(&comment)),
        ];
        for (number, (method, path, body)) in all.iter().cycle().enumerate() {
            if *path == tasks && number / all.len() >= BULKS {
                continue;
            }
            let ask = Ask { body: *body, ..Ask::new(method, path) };
            self.client.ask(Some(&party.owner), &ask.tenant(&party.id)).await?;
            dear.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(GENTLY).await;
        }
        Err("There is nothing dear to ask for.".to_owned())
    }
}

/// The median and the 99th percentile, in milliseconds.
fn percentiles(times: &mut [Duration]) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|part| {
        let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    })
}

//! The events in the projects of the demo, with their actors and times.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};

use crate::{
    dispatch::App,
    kernel::{
        time::Timestamp,
        values::{Email, enumerations::Role},
    },
    ports::Clock,
    seed::{client::Inside, demo::VIEWERS},
};

const fn days(count: usize) -> Duration {
    Duration::from_hours(24 * count as u64)
}

/// How long ago the people join; the first project begins the day after.
pub(super) const BEGINS: Duration = days(91);

/// A clock that is behind another one.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// By this many milliseconds.
    behind: Arc<AtomicU64>,
}

/// The clock, and the one that it is behind.
struct Behind(Past, Arc<dyn Clock>);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        self.1.now().minus(Duration::from_millis(self.0.behind.load(Ordering::Relaxed)))
    }

    fn elapsed(&self) -> Duration {
        self.1.elapsed()
    }
}

impl Past {
    /// A clock, and the product with it. Its sessions last as long as the story, and hardly longer.
    pub(super) fn of(app: &Arc<App>) -> Result<(Self, Arc<App>), String> {
        let past = Self { behind: Arc::default() };
        let clock = Arc::new(Behind(past.clone(), app.services.ports.clock.clone()));
        let mut config = app.services.config.clone();
        (config.token_ttl, config.refresh_ttl) = (BEGINS + days(1), BEGINS + days(1));
        let app = app.services.by_clock(config, clock).and_then(App::on);
        Ok((past, app.map_err(|sentences| sentences.join(" "))?))
    }

    /// Sets how long ago it is.
    pub(super) fn set(&self, ago: Duration) {
        let millis = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        self.behind.store(millis, Ordering::Relaxed);
    }
}

/// A person with an access token.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) email: Email,
    pub(super) role: Role,
    pub(super) inside: Inside,
}

/// Tasks: title, priority, status while the project is open.
const TASKS: &[(&str, &str, &str)] = &[
    ("Agree on the scope", "high", "done"),
    ("Ask for three offers", "normal", "done"),
    ("Write the brief", "normal", "in_progress"),
    ("Book the site visit", "low", "todo"),
    ("Check the budget with finance", "urgent", "in_progress"),
    ("Get the permit", "high", "blocked"),
    ("Tell the neighbours", "normal", "todo"),
    ("Plan the first week", "normal", "todo"),
];

const COMMENTS: &[&str] = &[
    "I have asked, and they will answer by Thursday.",
    "The second offer is the better one, but it does not include delivery.",
    "Blocked until the permit is there. I called twice.",
    "Done on my side; please have a look.",
];

/// The ways to each state: the role of each person, and the new status.
type Moves = &'static [(Role, &'static str)];
/// The whole way. Unfinished projects have gone a part of it.
const WAY: Moves = &[
    (Role::Member, "submitted"),
    (Role::Manager, "approved"),
    (Role::Member, "in_progress"),
    (Role::Manager, "completed"),
    (Role::Owner, "archived"),
];
const DRAFT: Moves = WAY.split_at(0).0;
const SUBMITTED: Moves = WAY.split_at(1).0;
const APPROVED: Moves = WAY.split_at(2).0;
const IN_PROGRESS: Moves = WAY.split_at(3).0;
const COMPLETED: Moves = WAY.split_at(4).0;
const ARCHIVED: Moves = WAY;
const REJECTED: Moves = &[(Role::Member, "submitted"), (Role::Manager, "rejected")];
/// Twenty projects go these ways, one after the other; most are unfinished.
const WAYS: &[Moves] = &[
    IN_PROGRESS,
    DRAFT,
    SUBMITTED,
    IN_PROGRESS,
    COMPLETED,
    REJECTED,
    IN_PROGRESS,
    APPROVED,
    ARCHIVED,
    SUBMITTED,
];

/// An action in a project.
#[derive(Clone, Copy)]
enum Deed {
    Create,
    AddTasks,
    Comment(usize),
    /// Gives a task a status.
    Work(usize, &'static str),
    Move(Role, &'static str),
}

/// The number of tasks of a project.
fn task_count(index: usize) -> usize {
    2 + index * 5 % (TASKS.len() - 1)
}

/// The actions in a project, each with its age in days. The further a project has come, the longer ago it began.
fn deeds(index: usize) -> Vec<(usize, Deed)> {
    let moves = WAYS[index % WAYS.len()];
    let begun = match moves.len() {
        0 | 1 => 4 + index % 9,
        2 => 20 + index % 9,
        far => 6 + far * 15 + index * 7 % 10,
    };
    let mut deeds = vec![(begun, Deed::Create), (begun - 1, Deed::AddTasks)];
    let at = [begun - 2, begun.saturating_sub(5), begun.saturating_sub(7), begun * 3 / 10, begun * 3 / 20];
    deeds.extend(moves.iter().zip(at).map(|((role, to), day)| (day, Deed::Move(*role, to))));
    if moves.len() >= IN_PROGRESS.len() {
        let over = moves.len() > IN_PROGRESS.len();
        for nth in 0..task_count(index) {
            let status = if over { "done" } else { TASKS[(index + nth) % TASKS.len()].2 };
            if status != "todo" {
                deeds.push((begun - 8 - nth * 3, Deed::Work(nth, status)));
            }
        }
    }
    deeds.extend((0..index % 3).map(|nth| (begun.saturating_sub(3 + nth * 2).max(1), Deed::Comment(nth))));
    deeds
}

/// A project that exists, and its tasks, each with its assignee.
struct Made<'a> {
    path: String,
    tasks: Vec<(String, &'a Person)>,
}

/// Performs the actions in a tenant's projects, from the oldest on, and reports each project as it begins. Returns the
/// number of tasks.
pub(super) async fn tell(
    app: &App,
    past: &Past,
    people: &[Person],
    projects: &[&str],
    begun: &mut impl FnMut(),
) -> Result<usize, String> {
    let mut all = Vec::new();
    for index in 0..projects.len() {
        for (place, (day, deed)) in deeds(index).into_iter().enumerate() {
            // At some hour of the day.
            let minutes = (index * 37 + place * 61) % 480;
            all.push((days(day) + Duration::from_mins(minutes as u64), index, deed));
        }
    }
    all.sort_by_key(|(ago, ..)| std::cmp::Reverse(*ago));
    let mut made: Vec<_> = projects.iter().map(|_| Made { path: String::new(), tasks: Vec::new() }).collect();
    for (ago, index, deed) in all {
        past.set(ago);
        if let Deed::Create = deed {
            begun();
        }
        act(app, people, (index, projects[index]), &mut made[index], deed).await?;
    }
    Ok(made.iter().map(|made| made.tasks.len()).sum())
}

/// Performs the next action in a project.
async fn act<'a>(
    app: &App,
    people: &'a [Person],
    (index, name): (usize, &str),
    made: &mut Made<'a>,
    deed: Deed,
) -> Result<(), String> {
    let of = |role: Role, nth: usize| {
        let of: Vec<_> = people.iter().filter(|person| person.role == role).collect();
        of.get(nth % of.len().max(1)).copied().ok_or_else(|| format!("There is no {}.", role.as_str()))
    };
    let send = async |person: &Person, method: Method, path: &str, body: Value| {
        let answer = person.inside.ask(method, path, &body).await;
        answer.map_err(|(_, why)| format!("{path} does not take {body}: {why}"))
    };
    let Made { path, tasks } = made;
    match deed {
        Deed::Create => {
            let visibility = if index.is_multiple_of(3) { "public" } else { "private" };
            let description = format!(
                "{name}: what it takes, who does it, and until when. See the tasks for where it stands."
            );
            let new = json!({ "name": name, "description": description, "visibility": visibility });
            let project = send(of(Role::Member, index)?, Method::POST, "/v1/projects", new).await?;
            *path = format!("/v1/projects/{}", project["id"].as_str().unwrap_or_default());
        }
        Deed::AddTasks => {
            let assignee = |nth: usize| &people[(index + nth * 3) % (people.len() - VIEWERS)];
            let new = |nth: usize| {
                let (title, priority, _) = TASKS[(index + nth) % TASKS.len()];
                let due = app.services.now().plus(days(4 + nth * 9)).date();
                json!({
                    "op": "create", "title": title, "priority": priority, "assignee_id": assignee(nth).id, "due_on": due,
                })
            };
            let operations = json!({ "operations": (0..task_count(index)).map(new).collect::<Vec<_>>() });
            let path = format!("{path}/tasks/bulk");
            let answer = send(of(Role::Manager, index)?, Method::POST, &path, operations).await?;
            let results = answer["results"].as_array().into_iter().flatten().enumerate();
            let id = |result: &Value| result["task"]["id"].as_str().unwrap_or_default().to_owned();
            tasks.extend(results.map(|(nth, result)| (id(result), assignee(nth))));
        }
        Deed::Comment(nth) => {
            let comment = json!({ "body": COMMENTS[(index + nth) % COMMENTS.len()] });
            let path = format!("/v1/tasks/{}/comments", tasks[nth].0);
            send(of(Role::Member, index + nth)?, Method::POST, &path, comment).await?;
        }
        Deed::Work(nth, status) => {
            let (task, person) = &tasks[nth];
            send(person, Method::PATCH, &format!("/v1/tasks/{task}"), json!({ "status": status })).await?;
        }
        Deed::Move(role, to) => {
            let wanted = match to {
                "rejected" => json!({ "to": to, "comment": "Not this year: the budget is spent." }),
                _ => json!({ "to": to, "revision": 1 }),
            };
            send(of(role, index)?, Method::POST, &format!("{path}/transitions"), wanted).await?;
        }
    }
    Ok(())
}

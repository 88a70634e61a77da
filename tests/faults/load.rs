//! Clients that write without rest and keep account of what they were told. Each write makes five tasks in one request;
//! every other one has an `Idempotency-Key` and is repeated until it is acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bailiwick_tests::{
    backdoor::Backdoor,
    client::{Answer, Ask},
    instance::Instance,
    provided,
    targets::keeping_client,
    until,
};
use reqwest::Method;
use serde_json::json;
use tokio::{task::JoinHandle, time::Instant};

/// Tasks of one write.
const TASKS: usize = 5;

/// What the clients were told.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Writes that were acknowledged, by the title of their tasks.
    pub(crate) acknowledged: BTreeSet<String>,
    /// Of those, who came under a key: they are there exactly once.
    pub(crate) keyed: BTreeSet<String>,
    /// Answers by status.
    pub(crate) statuses: BTreeMap<u16, usize>,
    /// Requests that got no answer.
    pub(crate) unanswered: usize,
    /// Refusals that are not as they should be.
    pub(crate) faulty: Vec<String>,
    /// The longest that an answer took.
    pub(crate) longest: Duration,
}

struct Shared {
    url: Mutex<String>,
    owner: String,
    project: String,
    done: AtomicBool,
    next: AtomicUsize,
    tally: Mutex<Tally>,
}

/// The clients, at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// The owner of the default tenant and a project in it, on a fresh database: the owner's token, the project's id.
pub(crate) async fn office(instance: &Instance) -> (String, String) {
    let (_, owner) = instance.register("owner@example.com", None).await;
    let project = instance.post(&owner, "/v1/projects", &json!({ "name": "P" })).await.expect(201);
    (owner, project.text_at("/id"))
}

impl Load {
    /// Sets so many to work, on a fresh database.
    pub(crate) async fn begin(instance: &Instance, clients: usize) -> Self {
        let (owner, project) = office(instance).await;
        Self::by(instance.url.clone(), owner, project, clients)
    }

    /// Sets so many to work, in the name of an owner.
    pub(crate) fn by(url: String, owner: String, project: String, clients: usize) -> Self {
        let shared = Arc::new(Shared {
            url: Mutex::new(url),
            owner,
            project,
            done: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            tally: Mutex::default(),
        });
        let workers = (0..clients).map(|_| tokio::spawn(work(shared.clone()))).collect();
        Self { shared, workers }
    }

    /// Where they send their requests from now on.
    pub(crate) fn point_to(&self, url: &str) {
        url.clone_into(&mut self.shared.url.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What they have been told so far.
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.shared.tally()
    }

    /// Waits until more was acknowledged than there is now.
    pub(crate) async fn goes_on(&self) {
        let before = self.tally().acknowledged.len();
        until("writes go on", || async {
            let tally = self.tally();
            let said = (tally.acknowledged.len(), tally.statuses.clone(), tally.unanswered);
            provided(said, |(acknowledged, ..)| *acknowledged > before)
        })
        .await;
    }

    /// The owner's token.
    pub(crate) fn owner(&self) -> &str {
        &self.shared.owner
    }

    /// Lets them finish what they have begun, and returns what they were told.
    pub(crate) async fn end(self) -> Tally {
        self.shared.done.store(true, Ordering::Relaxed);
        for worker in self.workers {
            worker.await.expect("no panic");
        }
        std::mem::take(&mut *self.shared.tally())
    }
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn work(shared: Arc<Shared>) {
    let http = keeping_client();
    while !shared.done.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let (mark, keyed) = (format!("write-{number}"), number.is_multiple_of(2));
        let body = json!({ "operations": vec![json!({ "op": "create", "title": mark }); TASKS] });
        let path = format!("/v1/projects/{}/tasks/bulk", shared.project);
        loop {
            let url = shared.url.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut ask = Ask::new(&http, Method::POST, &url, &path)
                .header("authorization", &format!("Bearer {}", shared.owner))
                .json(&body);
            if keyed {
                ask = ask.header("idempotency-key", &mark);
            }
            let begun = Instant::now();
            let answer = ask.try_send().await;
            if shared.tally().takes(&mark, keyed, answer, begun.elapsed()) || !keyed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Tally {
    /// Notes an answer, and says whether it is an acknowledgement.
    fn takes(
        &mut self,
        mark: &str,
        keyed: bool,
        answer: Result<Answer, reqwest::Error>,
        took: Duration,
    ) -> bool {
        let Ok(answer) = answer else {
            self.unanswered += 1;
            return false;
        };
        self.longest = self.longest.max(took);
        *self.statuses.entry(answer.status).or_default() += 1;
        match answer.status {
            200 => {
                self.acknowledged.insert(mark.to_owned());
                if keyed {
                    self.keyed.insert(mark.to_owned());
                }
                return true;
            }
            503 if answer.header("retry-after").is_some() && answer.code() != "" => {}
            _ => self.faulty.push(format!("{answer:?}")),
        }
        false
    }

    /// Compares it with what is in the database, and returns how many writes are there: each acknowledged one is, and none
    /// is half there or twice.
    pub(crate) async fn check(&self, backdoor: &Backdoor) -> usize {
        assert!(self.faulty.is_empty(), "{:?}", self.faulty);
        let sql = "SELECT t.title, count(DISTINCT t.id), count(a.id) FROM tasks t LEFT JOIN activity a \
             ON a.tenant_id = t.tenant_id AND a.entity_id = t.id AND a.action = 'task.created' GROUP BY t.title";
        let mut there = BTreeSet::new();
        for row in backdoor.sql(sql).await {
            let mut cells = row.into_iter().map(|cell| cell.expect("a value"));
            let mark = cells.next().expect("a title");
            let counts: Vec<_> = cells.map(|count| count.parse::<usize>().expect("a number")).collect();
            assert_eq!(counts, [TASKS, TASKS], "{mark} is half there, or twice");
            there.insert(mark);
        }
        let lost: Vec<_> = self.acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let keys = backdoor.count("SELECT count(*) FROM idempotency_keys").await;
        assert_eq!(usize::try_from(keys), Ok(self.keyed.len()), "each key has its answer, and no other one");
        there.len()
    }
}

/// That the activity of the default tenant is whole, once all of it is sealed.
pub(crate) async fn chain_is_whole(instance: &Instance, owner: &str) {
    until("all activity is sealed", || async {
        let found = instance.get(owner, "/v1/admin/activity/verify").await.expect(200);
        assert_eq!(found.body["valid"], true, "{found:?}");
        provided(found, |found| found.body["pending"] == 0)
    })
    .await;
}

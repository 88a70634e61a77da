//! The matrices of isolation, run against any deployment from the outside: every route called by everybody, and every
//! place of an id tried with another tenant's. The suite runs the same matrices ([`matrix`], [`samples`]) with a back
//! door to the database beside them.

pub mod matrix;
pub mod plan;
pub mod report;
pub mod samples;

mod neighbours;
mod people;
mod roles;
mod stock;
mod swap;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bailiwick_core::{
    ports::{Clock, Entropy},
    routes::Route,
};
use http::Method;
use serde_json::Value;

use self::{
    people::Party,
    plan::Plan,
    report::{Matrix, Neighbours, Report, Violation},
    samples::Sample,
};
use crate::client::{Ask, Client, Credentials, Person, Reply};
use crate::ports::system::{SystemClock, SystemEntropy};

/// The progress of a run.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// It begins, with this plan.
    Begins(Plan),
    /// One more check is done.
    Checked,
    /// The tenants and accounts are being removed.
    Removes,
}

/// Receives the progress of a run.
pub type Listener = Box<dyn Fn(Progress) + Send + Sync>;

/// The tenants, accounts and findings of one run.
struct Run {
    client: Client,
    document: &'static Value,
    /// Identifies what belongs to this run.
    mark: String,
    kept: Mutex<HashMap<String, String>>,
    /// Owners and slugs of the tenants.
    tenants: Mutex<Vec<(Credentials, String)>>,
    accounts: Mutex<Vec<Credentials>>,
    report: Mutex<Report>,
    listener: Listener,
}

/// Runs the matrices against a deployment, and tries noisy neighbours if `neighbours` is set, in tenants and with
/// accounts that it makes and removes. It stops early when `stop` is done, and removes them all the same.
///
/// # Errors
/// Sentences, if the matrices could not be completed: the reason, and the tenants and accounts that are left.
pub async fn verify(
    url: &str,
    neighbours: bool,
    listener: Listener,
    stop: impl Future<Output = ()>,
) -> Result<Report, Vec<String>> {
    let run = Run::new(url, listener).map_err(|sentence| vec![sentence])?;
    let outcome = tokio::select! {
        outcome = run.matrices(neighbours) => outcome,
        () = stop => Err("It was broken off.".to_owned()),
    };
    run.clean_up().await;
    let Run { client, report, .. } = run;
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    (report.waited, report.sent) = (client.waited(), client.sent());
    match outcome {
        Ok(()) => Ok(report),
        Err(sentence) => Err(std::iter::once(sentence).chain(report.leftovers()).collect()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A text that nobody can guess.
fn random() -> Result<String, String> {
    let mut bytes = [0; 12];
    SystemEntropy.fill(&mut bytes).map_err(|_| "The system has no randomness.".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An id that nothing has.
fn new_id() -> Result<String, String> {
    let mut chance = [0; 10];
    SystemEntropy.fill(&mut chance).map_err(|_| "The system has no randomness.".to_owned())?;
    let now = u64::try_from(SystemClock.now().unix_millis()).unwrap_or_default();
    // Of the version that the service makes: an import refuses others earlier.
    Ok(uuid::Builder::from_unix_timestamp_millis(now, &chance).into_uuid().to_string())
}

impl Run {
    fn new(url: &str, listener: Listener) -> Result<Self, String> {
        let client = Client::new(url)?;
        let report = Mutex::new(Report { url: client.base().to_owned(), ..Report::default() });
        let (kept, tenants, accounts) = (Mutex::default(), Mutex::default(), Mutex::default());
        let document = matrix::description();
        Ok(Self { client, document, mark: random()?, kept, tenants, accounts, report, listener })
    }

    async fn matrices(&self, neighbours: bool) -> Result<(), String> {
        self.same_routes().await?;
        let plan = self.plan(neighbours).await?;
        locked(&self.report).plan = plan;
        (self.listener)(Progress::Begins(plan));
        let mine = self.found('a', &format!("own-{}", self.mark)).await?;
        let planted = self.planted();
        let mut other = self.found('b', &planted).await?;
        self.populate(&mut other, &planted).await?;
        self.swap(&mine, &other).await?;
        self.roles(&other).await?;
        if neighbours { self.neighbours(&mine).await } else { Ok(()) }
    }

    /// Checks that the deployment has the routes that this binary knows.
    async fn same_routes(&self) -> Result<(), String> {
        let served = self.client.send(None, &Ask::new(&Method::GET, "/openapi.json")).await?;
        let operations = |document: &Value| -> BTreeSet<String> {
            let paths = document["paths"].as_object().into_iter().flatten();
            let named = |(path, item): (&String, &Value)| {
                let methods = item.as_object().into_iter().flatten();
                methods.map(|(method, _)| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
            };
            paths.flat_map(named).collect()
        };
        let (theirs, ours) = (operations(&served.body), operations(self.document));
        let base = self.client.base();
        if theirs.is_empty() {
            return Err(format!(
                "{base} does not look like Bailiwick: /openapi.json gives {}.",
                served.summary()
            ));
        }
        let differing: Vec<_> = theirs.symmetric_difference(&ours).take(3).map(String::as_str).collect();
        if differing.is_empty() {
            return Ok(());
        }
        let differing = differing.join(", ");
        Err(format!("{base} has other routes than this binary ({differing}): use the binary of its version."))
    }

    /// The mark in the name of everything of the other tenant.
    fn planted(&self) -> String {
        format!("planted-{}", self.mark)
    }

    /// The secret that nobody is ever shown.
    fn secret(&self) -> String {
        format!("secret-{}", self.mark)
    }

    /// The label in the names of a tenant's things.
    fn label(&self, party: &Party) -> String {
        if party.others.is_some() { self.planted() } else { format!("own-{}", self.mark) }
    }

    fn kept(&self, key: &str) -> Option<String> {
        locked(&self.kept).get(key).cloned()
    }

    fn keep(&self, key: String, thing: &str) {
        locked(&self.kept).insert(key, thing.to_owned());
    }

    /// Notes that a request has used its things up.
    fn used(&self, sample: &Sample) {
        locked(&self.kept).retain(|_, kept| !sample.ids.contains(kept));
    }

    fn registered(&self, account: Credentials) {
        locked(&self.accounts).push(account);
    }

    fn founded(&self, owner: &Person, slug: &str) {
        let credentials = Credentials { email: owner.email.clone(), password: owner.password.clone() };
        locked(&self.tenants).push((credentials, slug.to_owned()));
    }

    fn checked(&self, matrix: Matrix, route: &Route) {
        *locked(&self.report).checks.entry((matrix, route.name)).or_default() += 1;
        (self.listener)(Progress::Checked);
    }

    fn compared(&self, neighbours: Neighbours) {
        locked(&self.report).neighbours = Some(neighbours);
    }

    fn violated(&self, violation: Violation) {
        locked(&self.report).violations.push(violation);
    }

    /// Whether an answer contains a secret.
    fn leaks(&self, reply: &Reply) -> Option<&'static str> {
        reply.text.contains(&self.secret()).then_some("the secret of a webhook")
    }

    /// Whether an answer reveals the other tenant.
    fn tells(&self, reply: &Reply, other: &Party) -> Option<&'static str> {
        let told = [
            (&*self.planted(), "a name of the other tenant's"),
            (&other.slug, "the other tenant's slug"),
            (&other.id, "the other tenant's id"),
            (&other.owner.id, "the other owner's id"),
            (&other.owner.email, "the other owner's address"),
        ];
        told.into_iter()
            .find(|(text, _)| reply.text.contains(*text))
            .map(|(_, what)| what)
            .or_else(|| self.leaks(reply))
    }

    /// Removes the tenants, and then the accounts, which own nothing any more.
    async fn clean_up(&self) {
        (self.listener)(Progress::Removes);
        let tenants = std::mem::take(&mut *locked(&self.tenants));
        for (owner, slug) in tenants {
            if self.remove(&owner, &slug).await.is_err() {
                locked(&self.report).left.push(slug);
            }
        }
        let accounts = std::mem::take(&mut *locked(&self.accounts));
        for account in accounts {
            if self.delete(&account).await.is_err() {
                locked(&self.report).accounts.push(account.email);
            }
        }
    }

    async fn remove(&self, owner: &Credentials, slug: &str) -> Result<(), String> {
        let token = self.log_in(owner).await?.text_at("access_token")?;
        let path = format!("/v1/tenant?confirm={slug}");
        let ask = Ask { tenant_slug: Some(slug), ..Ask::new(&Method::DELETE, &path) };
        let gone = self.client.send(Some(&token), &ask).await?;
        // The second attempt does not find it any more.
        match (gone.status, gone.code()) {
            (204, _) | (403, "not_a_member") => Ok(()),
            _ => Err(gone.summary()),
        }
    }

    async fn delete(&self, account: &Credentials) -> Result<(), String> {
        let session = self.log_in(account).await?;
        // It was never registered, or is deleted.
        if (session.status, session.code()) == (401, "invalid_credentials") {
            return Ok(());
        }
        let token = session.text_at("access_token")?;
        let gone = self.client.send(Some(&token), &Ask::new(&Method::DELETE, "/v1/me")).await?;
        if gone.status == 204 { Ok(()) } else { Err(gone.summary()) }
    }

    /// Logs a person in, whatever has become of their session.
    async fn log_in(&self, Credentials { email, password }: &Credentials) -> Result<Reply, String> {
        let credentials = serde_json::json!({ "email": email, "password": password });
        self.client.send(None, &Ask::new(&Method::POST, "/v1/auth/login").body(&credentials)).await
    }
}

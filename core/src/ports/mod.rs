//! The ports that an adapter implements so that the product can run somewhere: a database, a clock, randomness,
//! hashing, the verification of signatures, requests to other services, the served files.
//!
//! The traits are plain (`-> impl Future + Send`); the core keeps them behind erased twins, so that it is compiled
//! once and not once for every adapter.

pub(crate) mod hold;
pub mod limit;
pub(crate) mod meter;
pub mod public_key;
pub mod trace;

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use uuid::Uuid;

pub use crate::ports::public_key::PublicKey;
use crate::{
    kernel::{
        password::{HashJob, HashOutcome},
        sql::{Statement, rows::Rows},
        time::Timestamp,
    },
    ports::limit::{ClientAddress, Limit},
};

/// A boxed future, as the erased ports return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A database that runs batches of statements.
pub trait Database: Send + Sync + 'static {
    /// Runs the statements in order, in one serialisable transaction, and returns the rows of each.
    ///
    /// Either everything is committed or nothing. A driver retries by itself a batch that the engine aborted only
    /// because of serialisation, and a batch that surely did not reach the engine.
    ///
    /// # Errors
    /// See [`DatabaseError`]. After [`DatabaseError::Unavailable`] a write may or may not have been committed.
    fn batch(
        &self,
        statements: &[Statement],
    ) -> impl Future<Output = Result<Vec<Rows>, DatabaseError>> + Send;
}

/// Why a batch was not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseError {
    /// The statement at this place of the batch did not touch the number of rows that it was expected to.
    Unmet(usize),
    /// A uniqueness constraint was violated, named as Postgres names it by default: `users_email_key`. (Those of
    /// primary keys have no common name; nobody expects them to be violated.)
    Unique(String),
    /// A foreign key or check constraint was violated.
    Constraint(String),
    /// Concurrent transactions kept this one from being serialised, also after retries.
    Contention,
    /// The engine cannot be reached, has no free connection, or did not answer in time.
    Unavailable(String),
    /// There is no room left to write in. Nothing was written; reading may well work.
    Full(String),
    /// Anything else: a bug, or a schema that does not fit.
    Internal(String),
}

impl DatabaseError {
    /// Reads SQLite's message of a violated constraint, which D1 passes on.
    ///
    /// `UNIQUE constraint failed: users.email` becomes `Unique("users_email_key")`. `None` if the message is of
    /// another kind.
    pub fn from_sqlite_constraint(message: &str) -> Option<Self> {
        if let Some((_, columns)) = message.split_once("UNIQUE constraint failed: ") {
            let columns = columns.split(": ").next().unwrap_or(columns).trim();
            let mut key = String::new();
            for (index, column) in columns.split(", ").enumerate() {
                let (table, column) = column.split_once('.').unwrap_or(("", column));
                if index == 0 {
                    key.push_str(table);
                }
                key.push('_');
                key.push_str(column);
            }
            key.push_str("_key");
            return Some(Self::Unique(key));
        }
        ["FOREIGN KEY constraint failed", "CHECK constraint failed", "NOT NULL constraint failed"]
            .iter()
            .any(|kind| message.contains(kind))
            .then(|| Self::Constraint(message.to_owned()))
    }
}

/// The time of day.
pub trait Clock: Send + Sync + 'static {
    /// Now, in whole milliseconds.
    fn now(&self) -> Timestamp;

    /// The time since a moment that stays fixed while the process runs, as exactly as the platform has it.
    fn elapsed(&self) -> Duration;
}

/// Randomness fit for keys.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    ///
    /// # Errors
    /// The source has no randomness; the request fails with 503.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// The system's source of randomness failed.
#[derive(Clone, Copy, Debug)]
pub struct EntropyError;

/// Runs password hashing, which takes a processor for a quarter of a second.
pub trait Hasher: Send + Sync + 'static {
    /// Runs the job without delaying other requests, as far as the platform can. Where jobs wait, addresses take turns,
    /// so that no client waits behind all the jobs of another.
    ///
    /// # Errors
    /// [`Overloaded`] if too many jobs are waiting already.
    fn run(
        &self,
        client: Option<ClientAddress>,
        job: HashJob,
    ) -> impl Future<Output = Result<HashOutcome, Overloaded>> + Send;
}

/// Verifies signatures of an identity provider. (The service verifies its own signatures itself.)
pub trait Verifier: Send + Sync + 'static {
    /// Whether it is the key's signature of the message, by the key's algorithm, in the form of RFC 7518:
    /// RSASSA-PKCS1-v1_5 with SHA-256, ECDSA on P-256 with SHA-256 (both numbers, 64 bytes), or Ed25519. An invalid key
    /// has signed nothing.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> impl Future<Output = bool> + Send;
}

/// Too much work of this kind is waiting.
#[derive(Clone, Copy, Debug)]
pub struct Overloaded;

/// A request to another service. Neither its URL nor its headers print: they may hold secrets.
#[derive(Clone)]
pub struct HttpRequest {
    /// The receiver, in a word that may be logged.
    pub to: &'static str,
    /// The method.
    pub method: Method,
    /// The URL. It has passed the guard of [`crate::kernel::outbound`].
    pub url: String,
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// The timeout of the whole exchange.
    pub timeout: Duration,
    /// Whether its host may have a private address.
    pub trusted: bool,
    /// The maximum number of bytes of the answer's body; a longer answer is a failure. 0 if the body is not read.
    pub read: usize,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRequest({} {} ..)", self.method, self.to)
    }
}

/// The answer of another service.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Seconds that `Retry-After` asks to wait, if it is there.
    pub retry_after: Option<u64>,
    /// The body; empty if it is not read.
    pub body: Bytes,
}

/// The reason why another service gave no answer, in words that hold no secret.
#[derive(Clone, Debug)]
pub struct HttpFailure(pub String);

/// Requests to other services.
pub trait HttpClient: Send + Sync + 'static {
    /// Sends a request. Redirects are not followed. A name that leads to a private address is refused unless the
    /// request is trusted, as far as the platform shows addresses.
    ///
    /// # Errors
    /// No answer came, or not in time.
    fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpFailure>> + Send;
}

/// An email, ready to be sent. None of its text prints: it may hold the token of an invitation.
#[derive(Clone)]
pub struct Email {
    /// The same for every attempt, so that a receiver recognises an email that it has already.
    pub id: Uuid,
    /// The name of the sender.
    pub from_name: String,
    /// The address of the sender.
    pub from: String,
    /// The address for replies, if not the sender's.
    pub reply_to: Option<String>,
    /// The address of the recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", self.id)
    }
}

/// The reason why something was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// It may work later, but not before this many seconds if a number is given. The reason holds no secret.
    Later(String, Option<u64>),
    /// It will never work. The reason holds no secret.
    Never(String),
}

/// Sends emails in the platform's own ways: to the console, or by SMTP. (By an HTTP API the core does it itself.)
pub trait Mailer: Send + Sync + 'static {
    /// Hands an email over to be delivered.
    ///
    /// # Errors
    /// The email was not accepted.
    fn send(&self, email: Email) -> impl Future<Output = Result<(), SendFailure>> + Send;
}

/// Counts requests, for each limit and key apart.
///
/// Each limit admits as many in a `RATE_LIMIT_PERIOD` as it is configured to. The method is up to the platform: a
/// window that begins again, or one that slides.
pub trait RateLimiter: Send + Sync + 'static {
    /// Counts one more request.
    ///
    /// # Errors
    /// There were too many requests. This one was not counted.
    fn take(&self, limit: Limit, key: &str) -> impl Future<Output = Result<(), Wait>> + Send;
}

/// The files of `site/`, as they are in the checkout: pages for people, what those load, and the description of the API.
pub trait Assets: Send + Sync + 'static {
    /// The bytes of a file, by its name. Only names of [`crate::api::site::files`] are asked for:
    /// [streamed](crate::http::answer::Streamed) files are not.
    ///
    /// # Errors
    /// The file cannot be read.
    fn read(&self, name: &'static str) -> impl Future<Output = Result<Bytes, AssetFailure>> + Send;
}

/// The reason why a file of `site/` cannot be read, for the log.
#[derive(Clone, Debug)]
pub struct AssetFailure(pub String);

/// Seconds after which it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

/// The ports of one adapter. They are taken apart once, by [`App::new`](crate::App::new), which shuts the database in.
#[derive(Clone)]
pub struct Ports {
    database: Arc<dyn ErasedDatabase>,
    platform: Platform,
}

/// The ports of an adapter without the database, which only scopes reach.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) http: Arc<dyn ErasedHttpClient>,
    pub(crate) mailer: Arc<dyn ErasedMailer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) hasher: Arc<dyn ErasedHasher>,
    pub(crate) limiter: Arc<dyn ErasedRateLimiter>,
    pub(crate) verifier: Arc<dyn ErasedVerifier>,
    pub(crate) assets: Arc<dyn ErasedAssets>,
}

impl Ports {
    /// Takes an adapter's implementations.
    #[expect(clippy::too_many_arguments, reason = "one of each port, and none is mistaken for another")]
    pub fn new(
        database: impl Database,
        clock: impl Clock,
        entropy: impl Entropy,
        hasher: impl Hasher,
        verifier: impl Verifier,
        http: impl HttpClient,
        mailer: impl Mailer,
        limiter: impl RateLimiter,
        assets: impl Assets,
    ) -> Self {
        let platform = Platform {
            http: Arc::new(http),
            mailer: Arc::new(mailer),
            clock: Arc::new(clock),
            entropy: Arc::new(entropy),
            hasher: Arc::new(hasher),
            limiter: Arc::new(limiter),
            verifier: Arc::new(verifier),
            assets: Arc::new(assets),
        };
        Self { database: Arc::new(database), platform }
    }

    pub(crate) fn into_parts(self) -> (Arc<dyn ErasedDatabase>, Platform) {
        (self.database, self.platform)
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ports")
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Platform")
    }
}

pub(crate) trait ErasedDatabase: Send + Sync {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> BoxFuture<'a, Result<Vec<Rows>, DatabaseError>>;
}

impl<D: Database> ErasedDatabase for D {
    fn batch<'a>(&'a self, statements: &'a [Statement]) -> BoxFuture<'a, Result<Vec<Rows>, DatabaseError>> {
        Box::pin(Database::batch(self, statements))
    }
}

pub(crate) trait ErasedHasher: Send + Sync {
    fn run(
        &self,
        client: Option<ClientAddress>,
        job: HashJob,
    ) -> BoxFuture<'_, Result<HashOutcome, Overloaded>>;
}

impl<H: Hasher> ErasedHasher for H {
    fn run(
        &self,
        client: Option<ClientAddress>,
        job: HashJob,
    ) -> BoxFuture<'_, Result<HashOutcome, Overloaded>> {
        Box::pin(Hasher::run(self, client, job))
    }
}

pub(crate) trait ErasedRateLimiter: Send + Sync {
    fn take<'a>(&'a self, limit: Limit, key: &'a str) -> BoxFuture<'a, Result<(), Wait>>;
}

impl<L: RateLimiter> ErasedRateLimiter for L {
    fn take<'a>(&'a self, limit: Limit, key: &'a str) -> BoxFuture<'a, Result<(), Wait>> {
        Box::pin(RateLimiter::take(self, limit, key))
    }
}

pub(crate) trait ErasedAssets: Send + Sync {
    fn read(&self, name: &'static str) -> BoxFuture<'_, Result<Bytes, AssetFailure>>;
}

impl<A: Assets> ErasedAssets for A {
    fn read(&self, name: &'static str) -> BoxFuture<'_, Result<Bytes, AssetFailure>> {
        Box::pin(Assets::read(self, name))
    }
}

pub(crate) trait ErasedVerifier: Send + Sync {
    fn verify<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, bool>;
}

impl<V: Verifier> ErasedVerifier for V {
    fn verify<'a>(
        &'a self,
        key: &'a PublicKey,
        message: &'a [u8],
        signature: &'a [u8],
    ) -> BoxFuture<'a, bool> {
        Box::pin(Verifier::verify(self, key, message, signature))
    }
}

pub(crate) trait ErasedHttpClient: Send + Sync {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpFailure>>;
}

impl<C: HttpClient> ErasedHttpClient for C {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpFailure>> {
        Box::pin(HttpClient::send(self, request))
    }
}

pub(crate) trait ErasedMailer: Send + Sync {
    fn send(&self, email: Email) -> BoxFuture<'_, Result<(), SendFailure>>;
}

impl<M: Mailer> ErasedMailer for M {
    fn send(&self, email: Email) -> BoxFuture<'_, Result<(), SendFailure>> {
        Box::pin(Mailer::send(self, email))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_constraints_get_the_names_postgres_gives() {
        let read = DatabaseError::from_sqlite_constraint;
        assert_eq!(
            read("UNIQUE constraint failed: users.email"),
            Some(DatabaseError::Unique("users_email_key".to_owned()))
        );
        assert_eq!(
            read(
                "D1_ERROR: UNIQUE constraint failed: memberships.tenant_id, memberships.user_id: SQLITE_CONSTRAINT"
            ),
            Some(DatabaseError::Unique("memberships_tenant_id_user_id_key".to_owned()))
        );
        assert!(matches!(read("FOREIGN KEY constraint failed"), Some(DatabaseError::Constraint(_))));
        assert_eq!(read("no such table: t"), None);
    }
}

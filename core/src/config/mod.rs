//! Configuration: one struct, the same names on every target. Environment variables and flags natively, vars and
//! secrets on the edge.

pub(crate) mod values;

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

pub use crate::config::values::{
    BcryptCost, EmailProvider, ForwardedHeader, Grace, JwtKeys, JwtSecret, LogFormat, Most, PageUrl,
    Registration, Secret,
};
use crate::{
    config::values::JwtKey,
    http::cors::Cors,
    kernel::{
        outbound::{self, Origins},
        values::Email,
    },
};

/// The allowed values of `RATE_LIMIT_PERIOD`: refusals have it in whole seconds, counters hold at most 100 years.
const RATE_LIMIT_PERIODS: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(36_500 * 24);

/// The targets on which a setting has a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On every target.
    Everywhere,
    /// Natively only; the platform has its own way on the edge.
    Native,
}

/// The facts about a setting besides its value.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name of the environment variable, var or secret.
    pub name: &'static str,
    /// The targets on which it has a meaning.
    pub scope: Scope,
    /// The value if none is given.
    pub default: Option<&'static str>,
    /// Its description.
    pub help: &'static [&'static str],
}

/// A type that a setting can have.
trait Parse: Sized {
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $scope:ident $field:ident: $type:ty = $name:literal $(or $default:literal)?;)+) => {
        /// All settings, read and checked.
        #[derive(Clone, Debug)]
        pub struct Config { $($(#[doc = $help])+ pub $field: $type,)+ }

        impl Config {
            /// All settings there are, in the order of the documentation.
            pub const SETTINGS: &'static [Setting] = &[$(Setting {
                name: $name,
                scope: Scope::$scope,
                default: settings!(@default $($default)?),
                help: &[$($help),+],
            }),+];

            /// Reads the settings through a look-up by name; an empty value is the same as none.
            ///
            /// # Errors
            /// One sentence for each invalid value.
            pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
                let mut faults = Vec::new();
                $(let $field = read::<$type>($name, settings!(@default $($default)?), &lookup, &mut faults);)+
                match ($($field,)+) {
                    ($(Some($field),)+) if faults.is_empty() => Ok(Self { $($field,)+ }),
                    _ => Err(faults),
                }
            }
        }
    };
    (@default) => { None };
    (@default $default:literal) => { Some($default) };
}

settings! {
    /// The address and port to listen on.
    Native bind: SocketAddr = "BIND" or "127.0.0.1:8080";
    /// The address and port of a second listener, for Prometheus and orchestrators: `/metrics`, `/healthz`, `/readyz`.
    /// They need no authentication, so choose an address that the public cannot reach. Off if it is not set.
    Native admin_bind: Option<SocketAddr> = "ADMIN_BIND";
    /// `sqlite://PATH` (created if missing) or `postgres://USER:PASSWORD@HOST/DATABASE`.
    Native database_url: Secret = "DATABASE_URL" or "sqlite://data/bailiwick.db";
    /// The maximum number of connections to the database.
    Native database_connections: u32 = "DATABASE_CONNECTIONS" or "16";
    /// How long a request waits for a free connection. After that the answer is 503.
    Native database_wait: Duration = "DATABASE_WAIT" or "3s";
    /// How long one statement may run before the database cancels it, on Postgres and on SQLite.
    Native database_statement_timeout: Duration = "DATABASE_STATEMENT_TIMEOUT" or "5s";
    /// Whether statements are prepared once for each connection to Postgres. Turn it off behind a proxy that changes
    /// connections and does not track prepared statements, such as PgBouncer before 1.21 with transaction pooling.
    Native database_prepared: bool = "DATABASE_PREPARED" or "true";
    /// The key that signs tokens: at least 32 bytes, the same on all instances. If it is not set, embedded SQLite
    /// generates a key and keeps it beside the database.
    Everywhere jwt_secret: Option<JwtSecret> = "JWT_SECRET";
    /// Several named keys, to replace keys without logging anybody out: `2026-12:SECRET,2026-11:SECRET`. The first key
    /// signs, all keys verify. `JWT_SECRET` beside it verifies tokens that were signed without a name.
    Everywhere jwt_keys: JwtKeys = "JWT_KEYS";
    /// How long an access token is valid.
    Everywhere token_ttl: Duration = "TOKEN_TTL" or "15m";
    /// How long a session can be renewed after its last renewal.
    Everywhere refresh_ttl: Duration = "REFRESH_TTL" or "30d";
    /// How long the previous refresh token still works after a renewal. In this time it returns the same session's
    /// tokens again, for two tabs that renew at once or an answer that got lost. After that, and for any older token,
    /// its use ends the session. `0` ends the session at once.
    Everywhere refresh_grace: Grace = "REFRESH_GRACE" or "10s";
    /// The URL of an identity provider's keys (its `jwks_uri`). The service then accepts the provider's tokens beside
    /// its own. It must be https, or http on this machine. It needs `JWT_ISSUER` and `JWT_AUDIENCE`.
    Everywhere jwks_url: Option<String> = "JWKS_URL";
    /// The provider's exact name for itself: the `iss` of its tokens.
    Everywhere jwt_issuer: Option<String> = "JWT_ISSUER";
    /// The required audience of the provider's tokens, their `aud`: the client's id for ID tokens, the API's name for
    /// access tokens.
    Everywhere jwt_audience: Option<String> = "JWT_AUDIENCE";
    /// The age at which the provider's keys are fetched again. While that fails, the old keys work for 12 times as long.
    Everywhere jwks_max_age: Duration = "JWKS_MAX_AGE" or "1h";
    /// For unknown keys, the service asks the provider at most 4 times in this time.
    Everywhere jwks_cooldown: Duration = "JWKS_COOLDOWN" or "1m";
    /// The work factor of password hashes: 2^cost rounds, 4 to 16. Below 10 is for tests only.
    Everywhere bcrypt_cost: BcryptCost = "BCRYPT_COST" or "12";
    /// The number of passwords hashed at the same time. 0 means half the processors, at least one.
    Native hash_concurrency: usize = "HASH_CONCURRENCY" or "0";
    /// The number of passwords that may wait to be hashed. Above that the answer is 503.
    Native hash_queue: usize = "HASH_QUEUE" or "64";
    /// Who may register: `open` (anybody), `invited` (people with an invitation) or `closed` (nobody). Three groups get
    /// an account in any case: people whom an identity provider admits, people created with `bailiwick user create`,
    /// and the members of a tenant that the operator imports, who can then reset the password that they never had.
    Everywhere registration: Registration = "REGISTRATION" or "open";
    /// Whether the first user who registers becomes the owner of the tenant `default`.
    Everywhere claim_default_tenant: bool = "CLAIM_DEFAULT_TENANT" or "true";
    /// The number of requests in a `RATE_LIMIT_PERIOD` for one user or API key, and for one address without
    /// authentication. Above that the answer is 429. 0 means no limit. On the edge this must be the number in
    /// `wrangler.toml`.
    Everywhere rate_limit: u32 = "RATE_LIMIT" or "1200";
    /// The number of attempts in that time to register, log in, renew tokens, accept an invitation, or change or reset
    /// a password with one account.
    Everywhere rate_limit_account: u32 = "RATE_LIMIT_ACCOUNT" or "10";
    /// The number of such attempts from one address.
    Everywhere rate_limit_address: u32 = "RATE_LIMIT_ADDRESS" or "100";
    /// The period of the three limits, from `1s` to `36500d`. On the edge this must be the period in `wrangler.toml`;
    /// Cloudflare supports `10s` and `1m`.
    Everywhere rate_limit_period: Duration = "RATE_LIMIT_PERIOD" or "1m";
    /// The proxies in front of the server whose `FORWARDED_HEADER` is trusted, as addresses or networks, separated by
    /// commas: `10.0.0.0/8,::1`. By default no proxy is trusted.
    Native trusted_proxies: String = "TRUSTED_PROXIES";
    /// The header in which these proxies name the client: `x-forwarded-for` or `forwarded` (RFC 7239). The server
    /// ignores the other header, because a proxy that does not write it passes on whatever the client sent.
    Native forwarded_header: ForwardedHeader = "FORWARDED_HEADER" or "x-forwarded-for";
    /// The origins whose pages may read answers in a browser, separated by commas: `https://app.example.com`. `*`
    /// allows every origin.
    Everywhere cors_origins: Cors = "CORS_ORIGINS";
    /// How long an invitation is valid.
    Everywhere invitation_ttl: Duration = "INVITATION_TTL" or "7d";
    /// Whether the answer to a new invitation contains its token. Without it, only the email has the token: accepting
    /// proves access to the mailbox, and the inviting person cannot accept in its name. If it is not set: only while
    /// `EMAIL_PROVIDER` is `console`, because no email is delivered then.
    Everywhere invitation_token_in_response: Option<bool> = "INVITATION_TOKEN_IN_RESPONSE";
    /// How long a password can be reset after the request.
    Everywhere password_reset_ttl: Duration = "PASSWORD_RESET_TTL" or "1h";
    /// The page of your application that accepts invitations, with `{token}` in place of the token:
    /// `https://app.example.com/join#{token}`. Emails then contain this URL; otherwise they contain only the token.
    Everywhere invitation_url: Option<PageUrl> = "INVITATION_URL";
    /// The page of your application that sets a new password, in the same form: `https://app.example.com/reset#{token}`.
    Everywhere password_reset_url: Option<PageUrl> = "PASSWORD_RESET_URL";
    /// The maximum number of members of a tenant. `bailiwick tenant limits` sets other values of this and the next five
    /// limits for one tenant.
    Everywhere limit_members: Most = "LIMIT_MEMBERS" or "2000";
    /// The maximum number of a tenant's invitations that are neither accepted nor revoked.
    Everywhere limit_invitations: Most = "LIMIT_INVITATIONS" or "500";
    /// The maximum number of a tenant's API keys.
    Everywhere limit_api_keys: Most = "LIMIT_API_KEYS" or "200";
    /// The maximum number of a tenant's deliveries that wait to be sent. A delivery above it is dead at once, and can
    /// be retried.
    Everywhere limit_pending_deliveries: Most = "LIMIT_PENDING_DELIVERIES" or "5000";
    /// The maximum number of a tenant's emails within 24 hours. An email above it is dead at once, and can be retried.
    Everywhere limit_emails_a_day: Most = "LIMIT_EMAILS_A_DAY" or "5000";
    /// The approximate maximum of bytes that a tenant stores ([what counts](ISOLATION.md#what-a-tenant-may-have)).
    /// Above it, texts cannot be added until something is deleted.
    Everywhere limit_stored_bytes: Most = "LIMIT_STORED_BYTES" or "1000000000";
    /// The maximum number of tenants that one account owns.
    Everywhere limit_tenants: Most = "LIMIT_TENANTS" or "100";
    /// The maximum number of unfinished imports of one account.
    Everywhere limit_imports: Most = "LIMIT_IMPORTS" or "100";
    /// How emails are sent: `console` writes them to the log, including tokens (for development), `smtp` (native only)
    /// sends them through `SMTP_URL`, `http` posts them as JSON to `EMAIL_API_URL`.
    Everywhere email_provider: EmailProvider = "EMAIL_PROVIDER" or "console";
    /// The sender address of emails.
    Everywhere email_from: Email = "EMAIL_FROM" or "bailiwick@localhost";
    /// The SMTP server: `smtp://USER:PASSWORD@HOST:PORT`; `smtps://` for TLS from the start; `?tls=required` for
    /// STARTTLS. A path is the name in the greeting: `smtp://HOST/mail.example.com`.
    Native smtp_url: Option<Secret> = "SMTP_URL";
    /// The URL of the email API. It receives `from`, `to`, `reply_to`, `subject` and `text` as JSON, the format of Resend.
    Everywhere email_api_url: Option<Secret> = "EMAIL_API_URL";
    /// The key of the email API, sent as `Authorization: Bearer`.
    Everywhere email_api_key: Option<Secret> = "EMAIL_API_KEY";
    /// Additional origins for the webhooks of tenants, separated by commas:
    /// `https://mattermost.example.com,http://127.0.0.1:9000`. Without it, only https URLs of Slack are allowed.
    Everywhere outbound_allow: Origins = "OUTBOUND_ALLOW";
    /// How long a request to another service may take.
    Everywhere outbound_timeout: Duration = "OUTBOUND_TIMEOUT" or "10s";
    /// The number of attempts before a delivery is dead.
    Everywhere outbox_attempts: u32 = "OUTBOX_ATTEMPTS" or "10";
    /// The pause after the first failed attempt. It doubles after each further one, up to `OUTBOX_BACKOFF_MAX`, and is
    /// shortened at random by up to a half.
    Everywhere outbox_backoff: Duration = "OUTBOX_BACKOFF" or "5s";
    /// The longest pause between attempts.
    Everywhere outbox_backoff_max: Duration = "OUTBOX_BACKOFF_MAX" or "1h";
    /// How long an instance has a delivery for itself. After that, another instance tries it. It must be longer than
    /// `OUTBOUND_TIMEOUT`.
    Everywhere outbox_lease: Duration = "OUTBOX_LEASE" or "1m";
    /// How long a delivery is kept after it was sent or became dead. `36500d` is a hundred years.
    Everywhere outbox_retention: Duration = "OUTBOX_RETENTION" or "90d";
    /// How long a notification is kept after it was read. Unread notifications are kept.
    Everywhere notification_retention: Duration = "NOTIFICATION_RETENTION" or "365d";
    /// How often the server looks for deliveries that are due again, and for activity that is not sealed yet. New
    /// deliveries and activity do not wait for it.
    Native outbox_interval: Duration = "OUTBOX_INTERVAL" or "5s";
    /// How long a request may take. After that the answer is 503.
    Native request_timeout: Duration = "REQUEST_TIMEOUT" or "30s";
    /// How long a client may take to send the head of a request, to start the next request on an open connection, and
    /// to read more of an answer. After that the connection is closed.
    Native client_timeout: Duration = "CLIENT_TIMEOUT" or "15s";
    /// The maximum number of client connections, within the limit of open files. Further connections wait until others
    /// end. 0 means no limit.
    Native max_connections: usize = "MAX_CONNECTIONS" or "10000";
    /// The maximum number of client connections from one address (of IPv6, its first 64 bits). Further ones are closed
    /// at once. `TRUSTED_PROXIES` have no such limit. 0 means no limit.
    Native max_connections_of_address: usize = "MAX_CONNECTIONS_OF_ADDRESS" or "1000";
    /// How long `/readyz` answers 503 after SIGTERM while all other requests are served as before, so that a load
    /// balancer can move its traffic. Without it the server starts to stop at once.
    Native shutdown_delay: Option<Duration> = "SHUTDOWN_DELAY";
    /// How long requests in progress may take to finish after SIGTERM and `SHUTDOWN_DELAY`.
    Native shutdown_grace: Duration = "SHUTDOWN_GRACE" or "30s";
    /// The format of the log: `pretty` for people, `json` for machines.
    Native log_format: LogFormat = "LOG_FORMAT" or "pretty";
    /// The level of the log: `error`, `warn`, `info`, `debug`, or directives such as `info,bailiwick=debug`.
    Native log_level: String = "LOG_LEVEL" or "info";
    /// The collector that receives traces, by OTLP over HTTP: `http://collector:4318`, to which `/v1/traces` is added.
    /// Off if it is not set.
    Native otlp_endpoint: Option<Secret> = "OTLP_ENDPOINT";
    /// Additional headers for the export of traces: `authorization=Bearer KEY,x-team=blue`.
    Native otlp_headers: Option<Secret> = "OTLP_HEADERS";
    /// The sampling of traces that begin here: one of this number is exported. Traces that begin elsewhere are exported
    /// if their `traceparent` marks them as sampled. 0 exports only the latter.
    Native otlp_one_in: u32 = "OTLP_ONE_IN" or "1";
    /// Whether each answer reports its cost in the header `Server-Timing`: the time, and the batches of the database.
    Everywhere debug_timing: bool = "DEBUG_TIMING" or "false";
    /// For tests of the service itself: obey the header `X-Fault`. `panic` panics; `panic-after` panics when all is
    /// done; `hold URL` asks an origin of `OUTBOUND_ALLOW` whether to continue between reading and writing; `count`
    /// (native only) reports in `X-Visited` how much of the database was read. Never use it in production.
    Everywhere fault_injection: bool = "FAULT_INJECTION" or "false";
}

fn read<T: Parse>(
    name: &str,
    default: Option<&str>,
    lookup: impl Fn(&str) -> Option<String>,
    faults: &mut Vec<String>,
) -> Option<T> {
    let given = lookup(name).filter(|text| !text.is_empty());
    let text = given.as_deref().or(default).unwrap_or_default();
    T::parse(text).map_err(|fault| faults.push(format!("{name}: {fault}"))).ok()
}

impl Parse for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Parse for bool {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("expected true or false.".to_owned()),
        }
    }
}

impl Parse for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:8080.".to_owned())
    }
}

macro_rules! parse_numbers {
    ($($type:ty),+) => {$(
        impl Parse for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| "expected a whole number.".to_owned())
            }
        }
    )+};
}

parse_numbers!(u32, usize);

impl Parse for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        let fault = || "expected a time of at least a millisecond, such as 500ms, 30s, 15m or 1h.".to_owned();
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| fault())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            _ => return Err(fault()),
        };
        match number.checked_mul(millis) {
            None | Some(0) => Err(fault()),
            Some(millis) => Ok(Self::from_millis(millis)),
        }
    }
}

impl<T: Parse> Parse for Option<T> {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::parse(text).map(Some) }
    }
}

impl Parse for Cors {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl Parse for Origins {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl Parse for Email {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|_| {
            "expected an email address that mail can be sent to, such as bailiwick@example.com.".to_owned()
        })
    }
}

impl Config {
    /// Whether there is a key to sign tokens with.
    pub fn has_key(&self) -> bool {
        self.keys().next().is_some()
    }

    /// The keys, the one that signs first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = JwtKey> {
        let unnamed = self.jwt_secret.iter().map(|secret| JwtKey { id: None, secret: secret.clone() });
        self.jwt_keys.0.iter().cloned().chain(unnamed)
    }

    /// Whether who makes an invitation is shown its token.
    pub fn shows_invitation_tokens(&self) -> bool {
        self.invitation_token_in_response.unwrap_or(self.email_provider == EmailProvider::Console)
    }

    /// What an operator should know of it at the start, if it does.
    pub fn invitation_tokens_shown(&self) -> Option<&'static str> {
        let by_hand = self.invitation_token_in_response.is_some();
        self.shows_invitation_tokens().then_some(if by_hand {
            "INVITATION_TOKEN_IN_RESPONSE is on: who invites an address can accept in its name"
        } else {
            "No mail is configured (EMAIL_PROVIDER is console), so who makes an invitation is shown its token, and can accept \
             in the name of its address; INVITATION_TOKEN_IN_RESPONSE says otherwise"
        })
    }

    /// Whether a trace that begins here, whose first span has this random id, is recorded.
    pub(crate) fn samples(&self, span: u64) -> bool {
        self.otlp_endpoint.is_some() && span.checked_rem(self.otlp_one_in.into()) == Some(0)
    }

    /// What settings say only together.
    ///
    /// # Errors
    /// One sentence for each thing that does not fit.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        match (self.email_provider, &self.email_api_url) {
            (EmailProvider::Http, None) => {
                faults.push("EMAIL_API_URL: it is not set, but EMAIL_PROVIDER is http.".to_owned());
            }
            (EmailProvider::Http, Some(url)) if !outbound::is_plain(url.expose()) => {
                faults
                    .push("EMAIL_API_URL: expected a URL such as https://api.example.com/emails.".to_owned());
            }
            _ => {}
        }
        if self.email_provider == EmailProvider::Smtp && self.smtp_url.is_none() {
            faults.push("SMTP_URL: it is not set, but EMAIL_PROVIDER is smtp.".to_owned());
        }
        let provider = [
            ("JWKS_URL", &self.jwks_url),
            ("JWT_ISSUER", &self.jwt_issuer),
            ("JWT_AUDIENCE", &self.jwt_audience),
        ];
        if provider.iter().any(|(_, value)| value.is_some()) {
            let missing = provider.iter().filter(|(_, value)| value.is_none());
            faults.extend(missing.map(|(name, _)| {
                format!("{name}: it is not set; JWKS_URL, JWT_ISSUER and JWT_AUDIENCE go together.")
            }));
        }
        if self.jwks_url.as_ref().is_some_and(|url| !outbound::is_private_way(url)) {
            faults.push("JWKS_URL: expected an https URL, or one of http://127.0.0.1.".to_owned());
        }
        if self.otlp_endpoint.as_ref().is_some_and(|url| !outbound::is_plain(url.expose())) {
            faults.push("OTLP_ENDPOINT: expected a URL such as http://collector:4318.".to_owned());
        }
        if self.outbox_lease <= self.outbound_timeout {
            faults.push("OUTBOX_LEASE: expected more than OUTBOUND_TIMEOUT.".to_owned());
        }
        if !RATE_LIMIT_PERIODS.contains(&self.rate_limit_period) {
            faults.push("RATE_LIMIT_PERIOD: expected a time from 1s to 36500d.".to_owned());
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// The settings as a page of documentation.
pub fn documentation() -> String {
    use std::fmt::Write as _;

    let mut page = String::from(
        "# Configuration\n\n\
         Generated from `core/src/config/mod.rs`; do not edit. Natively each setting is an environment variable and a\n\
         flag (`TOKEN_TTL` is `--token-ttl`; the flag wins); on the edge it is a var or a secret. Times are written\n\
         `500ms`, `30s`, `15m`, `1h`, `7d`. A wrong value stops the start with one sentence for each.\n\n\
         For development, settings may stand in a file `.env` of the working directory, as `NAME=VALUE`. The environment\n\
         wins over it. Put a value with a `$` or a backslash in single quotes. (`docker compose` reads the same file.)\n\n\
         | setting | default | where | what it does |\n|---|---|---|---|\n",
    );
    for setting in Config::SETTINGS {
        let default = setting.default.map_or_else(String::new, |default| format!("`{default}`"));
        let scope = match setting.scope {
            Scope::Everywhere => "everywhere",
            Scope::Native => "native",
        };
        let help: String = setting.help.concat().trim().replace('|', "\\|");
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| `{}` | {default} | {scope} | {help} |", setting.name);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        let config = Config::read(|_| None).unwrap();
        assert_eq!(config.token_ttl, Duration::from_mins(15));
        assert!(config.jwt_secret.is_none());
    }

    #[test]
    fn every_wrong_value_gets_its_sentence_and_no_secret_is_repeated() {
        let faults = Config::read(|name| match name {
            "BIND" => Some("nowhere".to_owned()),
            "JWT_SECRET" => Some("hunter2".to_owned()),
            "TOKEN_TTL" => Some("0s".to_owned()),
            _ => None,
        })
        .unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.contains("hunter2")));
    }

    #[test]
    fn limits_are_of_a_second_or_more() {
        let with = |period: &'static str| {
            Config::read(|name| (name == "RATE_LIMIT_PERIOD").then(|| period.to_owned()))
                .and_then(|config| config.check())
        };
        assert_eq!((with("1s"), with("36500d")), (Ok(()), Ok(())));
        for period in ["999ms", "36501d"] {
            let expected = "RATE_LIMIT_PERIOD: expected a time from 1s to 36500d.";
            assert_eq!(with(period), Err(vec![expected.to_owned()]));
        }
    }

    #[test]
    fn an_identity_provider_is_configured_as_a_whole() {
        let check = |url: &'static str, issuer: &'static str, audience: &'static str| {
            let config = Config::read(|name| match name {
                "JWKS_URL" => Some(url.to_owned()),
                "JWT_ISSUER" => Some(issuer.to_owned()),
                "JWT_AUDIENCE" => Some(audience.to_owned()),
                _ => None,
            });
            config.unwrap().check().err().map_or(0, |faults| faults.len())
        };
        assert_eq!(check("", "", ""), 0);
        for good in
            ["https://id.example.com/jwks", "http://127.0.0.1:9/jwks", "http://[::1]:9/", "http://localhost/"]
        {
            assert_eq!(check(good, "i", "a"), 0, "{good}");
        }
        for bad in ["http://id.example.com/jwks", "http://10.0.0.1/jwks", "ftp://127.0.0.1/", "nonsense"] {
            assert_eq!(check(bad, "i", "a"), 1, "{bad}");
        }
        assert_eq!(check("https://id.example.com/jwks", "", ""), 2);
        assert_eq!(check("", "i", ""), 2);
    }

    #[test]
    fn secrets_do_not_print() {
        let config = Config::read(|name| match name {
            "JWT_SECRET" => Some("0123456789abcdef0123456789abcdef".to_owned()),
            "JWT_KEYS" => Some("k:0123456789abcdef0123456789abcdef".to_owned()),
            "DATABASE_URL" => Some("postgres://u:hunter2@h/d".to_owned()),
            _ => None,
        })
        .unwrap();
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("0123456789"));
    }
}

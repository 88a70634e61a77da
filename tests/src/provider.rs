//! A real OpenID provider: oidc-provider, which all targets of this process share. Who logs in there does so by its own
//! flow; tokens as no provider makes them are signed with its keys, too.

use std::sync::OnceLock;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    actors::{Actor, unique},
    process::Process,
    receivers::on_its_own,
    targets::{Target, client, root, start},
};

/// Whom its tokens are for.
pub const AUDIENCE: &str = "bailiwick";

/// The provider.
#[derive(Debug)]
pub struct Provider {
    /// Its name for itself.
    pub issuer: String,
    /// Where it is told what to do.
    pub control: String,
    http: reqwest::Client,
    /// Ends with this process, which is the other end of its input.
    _process: Process,
}

/// Somebody who has an account at the provider.
#[derive(Clone, Debug)]
pub struct Person {
    /// The provider's name for them.
    pub subject: String,
    /// Their address.
    pub email: String,
    /// Whether the provider has verified it.
    pub verified: bool,
}

impl Person {
    /// Somebody new.
    pub fn new(name: &str) -> Self {
        let subject = unique(name);
        Self { email: format!("{subject}@idp.example"), subject, verified: true }
    }

    /// What the provider tells of them.
    pub fn claims(&self) -> Value {
        json!({ "sub": self.subject, "email": self.email, "email_verified": self.verified, "name": "A person" })
    }
}

impl Provider {
    /// Starts one, which ends when this is dropped.
    pub async fn start() -> Self {
        let mut command = Command::new(root().join("node_modules/.bin/node"));
        command.current_dir(root()).arg("tests/oidc/serve.mjs");
        let (process, line) = start(&mut command, "\"control\"").await;
        let ready: Value = serde_json::from_str(&line).expect("one line of JSON");
        let text = |name: &str| ready[name].as_str().expect("an address").to_owned();
        Self { issuer: text("issuer"), control: text("control"), http: client(), _process: process }
    }

    /// The one that all targets of this process share. It lives on a runtime of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Provider> = OnceLock::new();
        SHARED.get_or_init(|| on_its_own(Self::start))
    }

    /// The settings of a target that takes its tokens. Unknown keys are soon asked for again.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        [
            ("JWKS_URL", format!("{}/jwks", self.issuer)),
            ("JWT_ISSUER", self.issuer.clone()),
            ("JWT_AUDIENCE", AUDIENCE.to_owned()),
            ("JWKS_COOLDOWN", "100ms".to_owned()),
        ]
    }

    async fn control(&self, path: &str, body: &Value) -> Value {
        let asking = self.http.post(format!("{}{path}", self.control)).body(body.to_string()).send();
        let answer = asking.await.expect("an answer").text().await.expect("a text");
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("the provider's control says {answer}"))
    }

    async fn log_in(&self, client: &str, person: &Person, id: bool) -> Value {
        self.control("/token", &json!({ "client": client, "account": person.claims(), "id": id })).await
    }

    /// An access token, signed with this algorithm, after a login.
    pub async fn access_token(&self, algorithm: &str, person: &Person) -> String {
        text(&self.log_in(algorithm, person, false).await, "access_token")
    }

    /// An ID token after a login.
    pub async fn id_token(&self, person: &Person) -> String {
        text(&self.log_in(AUDIENCE, person, true).await, "id_token")
    }

    /// Any token, signed by somebody with something of this algorithm.
    pub async fn sign(&self, by: &str, algorithm: &str, header: &Value, claims: &Value) -> String {
        let body = json!({ "by": by, "alg": algorithm, "header": header, "claims": claims });
        text(&self.control("/sign", &body).await, "token")
    }

    /// The name of its present key for this algorithm.
    pub async fn key(&self, algorithm: &str) -> String {
        let keys = self.control("/keys", &json!({})).await;
        let keys = keys["keys"].as_array().expect("keys");
        let key = keys.iter().find(|key| key["alg"] == algorithm).expect("one of each");
        text(key, "kid")
    }

    /// Restarts it with new keys, beside which it shows the old ones or does not.
    pub async fn rotate(&self, keep: bool) {
        self.control("/rotate", &json!({ "keep": keep })).await;
    }

    /// Has it tell its keys no more, or again.
    pub async fn outage(&self, on: bool) {
        self.control("/outage", &json!({ "on": on })).await;
    }

    /// Somebody as an actor: the access token is the provider's.
    pub async fn actor<'t>(&self, target: &'t Target, person: &Person) -> Actor<'t> {
        let token = self.access_token("ES256", person).await;
        let mut actor = Actor { token: Some(token), email: person.email.clone(), ..Actor::anonymous(target) };
        actor.id = actor.get("/v1/me").send().await.expect(200).text_at("/id");
        actor
    }
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}

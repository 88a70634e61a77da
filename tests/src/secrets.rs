//! Secrets, taken through everything that takes some: what a log must not tell.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    actors::unique,
    client::{Answer, Ask},
    receivers::http::Receiver,
};

/// Somebody with secrets of their own.
struct Bearer<'a> {
    http: &'a Client,
    url: &'a str,
    /// What has been sent or was answered, and what it is.
    secrets: Vec<(&'static str, String)>,
}

impl Bearer<'_> {
    /// A text that is sent and must not be told.
    fn secret(&mut self, what: &'static str, text: String) -> String {
        self.secrets.push((what, text.clone()));
        text
    }

    fn made(&mut self, what: &'static str) -> String {
        self.secret(what, unique("zq-marker"))
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Value) -> Answer {
        let mut ask = Ask::new(self.http, method, self.url, path);
        if !token.is_empty() {
            ask = ask.header("authorization", &format!("Bearer {token}"));
        }
        ask.json(&body).send().await
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, token, body).await
    }
}

/// Registers, logs in, makes keys, invites, configures a webhook that is sent to, and fails at each: returns what was
/// secret of it, with what it is.
pub async fn spill(http: &Client, url: &str, receiver: &Receiver) -> Vec<(&'static str, String)> {
    let mut one = Bearer { http, url, secrets: Vec::new() };
    let email = format!("{}@example.com", one.made("an address"));
    let (name, password) = (one.made("a name"), one.made("a password"));
    let account = json!({ "email": email, "name": name, "password": password });
    one.post("/v1/auth/register", "", account.clone()).await.expect(201);
    one.post("/v1/auth/register", "", account).await.expect(409);
    let wrong = one.made("a wrong password");
    one.post("/v1/auth/login", "", json!({ "email": email, "password": wrong })).await.expect(401);
    let session = one.post("/v1/auth/login", "", json!({ "email": email, "password": password })).await;
    let session = session.expect(200);
    let old = one.secret("a refresh token", session.text_at("/refresh_token"));
    one.secret("an access token", session.text_at("/access_token"));
    let session = one.post("/v1/auth/refresh", "", json!({ "refresh_token": old })).await.expect(200);
    one.secret("a refresh token", session.text_at("/refresh_token"));
    let token = one.secret("an access token", session.text_at("/access_token"));

    // What is no request, too: in the path, the query, headers, and bodies that cannot be read.
    let (path, query) = (one.made("a path"), one.made("a query"));
    one.ask(Method::GET, &format!("/v1/{path}?access_token={query}"), &token, json!({})).await.expect(404);
    let forged = one.made("a token that is none");
    one.ask(Method::GET, "/v1/me", &forged, json!({})).await.expect(401);
    let field = one.made("a field");
    one.post("/v1/tenants", &token, json!({ (field): 1 })).await.expect(422);
    let broken = one.made("a broken body");
    let ask = Ask::new(http, Method::POST, url, "/v1/tenants").raw("application/json", format!("{{{broken}"));
    ask.header("authorization", &format!("Bearer {token}")).send().await.expect(400);

    // A tenant, whose owner tells a webhook, and members by email.
    let slug = unique("spill");
    one.post("/v1/tenants", &token, json!({ "slug": slug, "name": "Spill" })).await.expect(201);
    let inside = async |method, path: &str, token: &str, body: Value| {
        let ask = Ask::new(http, method, url, path).slug(&slug).json(&body);
        ask.header("authorization", &format!("Bearer {token}")).send().await
    };
    let hook = format!("/services/{}", one.made("a webhook"));
    let config =
        json!({ "slack_webhook_url": receiver.url(&hook), "channels": { "submitted": ["slack", "email"] } });
    inside(Method::PATCH, "/v1/tenant/config", &token, config).await.expect(200);
    let key = json!({ "name": one.made("a key's name"), "role": "member" });
    let key = inside(Method::POST, "/v1/api-keys", &token, key).await.expect(201).text_at("/key");
    let key = one.secret("an API key", key);
    let guest = format!("{}@example.com", one.made("an invited address"));
    let invitation = json!({ "email": guest, "role": "manager" });
    let invitation = inside(Method::POST, "/v1/invitations", &token, invitation).await.expect(201);
    let invitation = one.secret("an invitation's token", invitation.text_at("/token"));
    let password = one.made("a password");
    let account =
        json!({ "email": guest, "name": "Guest", "password": password, "invitation_token": invitation });
    one.post("/v1/auth/register", "", account).await.expect(201);
    let project = json!({ "name": one.made("a project's name"), "description": one.made("a description") });
    let project = inside(Method::POST, "/v1/projects", &key, project).await.expect(201).text_at("/id");
    let comment = one.made("a comment");
    let submit = json!({ "to": "submitted", "comment": comment });
    inside(Method::POST, &format!("/v1/projects/{project}/transitions"), &key, submit).await.expect(200);
    receiver.wait_for(&hook, 1).await;
    let next = one.made("a new password");
    let change = json!({ "current_password": wrong, "new_password": next });
    one.post("/v1/me/password", &token, change).await.expect(422);
    one.post("/v1/auth/password-reset", "", json!({ "email": guest })).await.expect(204);
    let made_up = one.secret("a reset's token that is none", "zqMarker".repeat(8));
    let reset = json!({ "token": made_up, "new_password": one.made("a new password") });
    one.post("/v1/auth/password-reset/confirm", "", reset).await.expect(403);
    one.secrets
}

//! The providers: an incoming webhook of Slack, emails by an HTTP API, emails in the platform's own ways.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use uuid::Uuid;

use crate::{
    access::services::Services,
    config::values::EmailProvider,
    domain::tenant_config::TenantConfig,
    kernel::{
        json,
        outbound::Permit,
        values::{email::sendable, enumerations::Channel},
    },
    ports::{BoxFuture, Email, HttpRequest, SendFailure, meter::Meter},
};

/// A message that is to be sent.
pub(super) struct Message {
    /// The same for every attempt.
    pub(super) id: Uuid,
    pub(super) tenant_name: String,
    pub(super) config: TenantConfig,
    /// The recipient's address, where there is one recipient.
    pub(super) address: Option<String>,
    pub(super) title: String,
    pub(super) body: String,
}

/// A way to send messages.
pub(super) trait NotificationProvider: Send + Sync {
    /// Hands a message over to be delivered.
    fn send<'a>(
        &'a self,
        services: &'a Services,
        meter: &'a Meter,
        message: Message,
    ) -> BoxFuture<'a, Result<(), SendFailure>>;
}

/// The provider of a channel; `None` for the channel that needs none, because its rows are the notifications.
pub(super) fn provider(services: &Services, channel: Channel) -> Option<&'static dyn NotificationProvider> {
    match (channel, services.config.email_provider) {
        (Channel::InApp, _) => None,
        (Channel::Slack, _) => Some(&Slack),
        (Channel::Email, EmailProvider::Http) => Some(&EmailApi),
        (Channel::Email, EmailProvider::Console | EmailProvider::Smtp) => Some(&PlatformEmail),
    }
}

/// An incoming webhook (<https://api.slack.com/messaging/webhooks>).
struct Slack;

impl NotificationProvider for Slack {
    fn send<'a>(
        &'a self,
        services: &'a Services,
        meter: &'a Meter,
        message: Message,
    ) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move {
            let Some(url) = &message.config.slack_webhook_url else {
                return Err(SendFailure::Never("the tenant has no Slack webhook".to_owned()));
            };
            let lines = [&message.title, &message.body].map(|text| escape(text));
            let text = lines.join("\n");
            let body = json::object(vec![("text", text.trim_end().into())]).to_string();
            let permit = services.config.outbound_allow.permit(url.expose(), Some(Channel::Slack.hosts()));
            // It was permitted when it was configured; the operator may allow other URLs by now.
            let permit =
                permit.map_err(|refusal| SendFailure::Never(format!("the URL was refused: {refusal}")))?;
            let trust = Trust::Tenant(permit);
            Post { to: "slack", url: url.expose(), trust, headers: Vec::new(), body }
                .send(services, meter)
                .await
        })
    }
}

/// Escapes the three characters that are special to Slack.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An email API that takes JSON.
struct EmailApi;

impl NotificationProvider for EmailApi {
    fn send<'a>(
        &'a self,
        services: &'a Services,
        meter: &'a Meter,
        message: Message,
    ) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move {
            let Some(url) = &services.config.email_api_url else {
                return Err(SendFailure::Later("EMAIL_API_URL is not set".to_owned(), None));
            };
            let email = compose(services, message)?;
            let body = json::object(vec![
                ("from", format!("{} <{}>", quoted(&email.from_name), email.from).into()),
                ("to", vec![email.to].into()),
                ("reply_to", email.reply_to.into()),
                ("subject", email.subject.into()),
                ("text", email.text.into()),
            ]);
            let mut headers = vec![("idempotency-key", email.id.to_string())];
            if let Some(key) = &services.config.email_api_key {
                headers.push(("authorization", format!("Bearer {}", key.expose())));
            }
            let (url, body) = (url.expose(), body.to_string());
            Post { to: "email", url, trust: Trust::Operator, headers, body }.send(services, meter).await
        })
    }
}

/// A display name as RFC 5322, section 3.2.4, quotes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The console, or SMTP, as the platform is configured.
struct PlatformEmail;

impl NotificationProvider for PlatformEmail {
    fn send<'a>(
        &'a self,
        services: &'a Services,
        meter: &'a Meter,
        message: Message,
    ) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move { meter.mail(&services.ports, compose(services, message)?).await })
    }
}

fn compose(services: &Services, message: Message) -> Result<Email, SendFailure> {
    let Message { id, tenant_name, config, address, title, body } = message;
    let to = address.ok_or_else(|| SendFailure::Never("it has no address".to_owned()))?;
    let from_name = config.email_sender_name.map_or(tenant_name, |name| name.as_str().to_owned());
    let sendable = |address: &str| sendable(address).into_owned();
    Ok(Email {
        id,
        from_name,
        from: sendable(services.config.email_from.as_str()),
        reply_to: config.email_reply_to.map(|address| sendable(address.as_str())),
        to: sendable(&to),
        text: if body.is_empty() { title.clone() } else { body },
        subject: title,
    })
}

/// The origin of the URL.
#[derive(Clone, Copy)]
enum Trust {
    /// The operator, who is trusted, and may have made a mistake and correct it.
    Operator,
    /// A tenant, whose URL was permitted.
    Tenant(Permit),
}

/// A request with JSON to a receiver of messages.
struct Post<'a> {
    /// The receiver, for traces.
    to: &'static str,
    url: &'a str,
    trust: Trust,
    /// The headers besides `Content-Type`.
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Post<'_> {
    /// Sends it, and decides by the answer whether a failure is permanent.
    async fn send(self, services: &Services, meter: &Meter) -> Result<(), SendFailure> {
        let Self { to, url, trust, mut headers, body } = self;
        headers.push(("content-type", "application/json".to_owned()));
        let timeout: Duration = services.config.outbound_timeout;
        let request = HttpRequest {
            to,
            method: Method::POST,
            url: url.to_owned(),
            headers,
            body: Bytes::from(body),
            timeout,
            trusted: match trust {
                Trust::Operator => true,
                Trust::Tenant(permit) => permit.trusted,
            },
            read: 0,
        };
        let response = meter
            .send(&services.ports, request)
            .await
            .map_err(|failure| SendFailure::Later(failure.0, None))?;
        let answered = format!("it was answered {}", response.status);
        match (response.status, trust) {
            (200..=299, _) => Ok(()),
            // The status says that it may work later; or it will, once the operator has corrected the key or the address.
            (408 | 425 | 429 | 500.., _) | (401 | 403 | 404 | 405, Trust::Operator) => {
                Err(SendFailure::Later(answered, response.retry_after))
            }
            _ => Err(SendFailure::Never(answered)),
        }
    }
}

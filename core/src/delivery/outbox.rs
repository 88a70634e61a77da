//! The outbox: deliveries are written in the batch of the change that they report, and sent after it, at least once.
//! Mails about forgotten passwords, which belong to no tenant, go the same way.
//!
//! A sender claims due deliveries, which also sets the time when they are due again: if the sender vanishes, another
//! one continues then. A claim that has passed to another sender settles nothing.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, future::join_all};
use uuid::Uuid;

use crate::{
    access::{scopes::background::BackgroundScope, services::Services},
    delivery::providers::{Message, provider},
    domain::{notice::plain, tenant_config::TenantConfig},
    http::problem::{Problem, Result},
    kernel::{
        sql::rows::DecodeError,
        values::{
            InvitationId, TenantId,
            enumerations::{Channel, DeliveryState, NotificationKind},
        },
    },
    ports::{SendFailure, meter::Meter, trace::Trace},
    repository::{
        deliveries::{self, Claimed, Content, Settlement, Ticket},
        resets,
    },
};

/// Attempts beyond `OUTBOX_ATTEMPTS` that a delivery gets if they are never settled: each ended with its process. That
/// may be chance a few times, but not for ever.
const UNSETTLED_AT_MOST: i64 = 20;

/// The sender of mails that belong to no tenant.
const PRODUCT: &str = "Bailiwick";

/// The result of one round through the outbox.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// The attempts.
    pub attempts: Vec<Attempt>,
    /// Whether there was anything to send: then more may be due.
    pub more: bool,
}

impl Round {
    /// The number of attempts with this result.
    pub fn count(&self, state: DeliveryState) -> usize {
        self.attempts.iter().filter(|attempt| attempt.state == state).count()
    }
}

/// An attempt to send a delivery, as an adapter may want to log it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The id of the delivery or of the password reset.
    pub id: Uuid,
    /// The tenant of the delivery, if there is one.
    pub tenant: Option<TenantId>,
    /// The channel; `None` if it could not be read.
    pub channel: Option<Channel>,
    /// The result: sent, to be tried again, or given up.
    pub state: DeliveryState,
    /// The reason of a failure.
    pub error: Option<String>,
    /// The trace of the cause; a trace of its own if that is not known.
    pub trace: Option<Trace>,
    /// How long it took.
    pub took: Duration,
    /// The steps, where traces are exported.
    #[cfg(feature = "spans")]
    pub steps: Vec<crate::ports::trace::Step>,
}

/// A message that is to be sent.
enum Errand {
    Delivery(Ticket, Result<Content, DecodeError>),
    Reset(resets::Claimed),
}

impl Errand {
    /// Its id, its tenant, and the number of this attempt.
    fn about(&self) -> (Uuid, Option<TenantId>, i64) {
        match self {
            Self::Delivery(ticket, _) => (ticket.id.0, Some(ticket.tenant_id), ticket.attempts),
            Self::Reset(mail) => (mail.id.0, None, mail.attempts),
        }
    }

    /// Its channel, if that could be read, and the trace of its cause, if that is known.
    fn way(&self) -> (Option<Channel>, Option<&str>) {
        match self {
            Self::Delivery(_, Ok(content)) => (Some(content.channel), content.trace.as_deref()),
            Self::Delivery(_, Err(_)) => (None, None),
            Self::Reset(_) => (Some(Channel::Email), None),
        }
    }

    async fn send(&self, services: &Services, meter: &Meter) -> Result<(), SendFailure> {
        match self {
            Self::Delivery(ticket, Ok(content)) => send(services, meter, ticket, content).await,
            // Another version wrote it; an instance that can read it may be about to start.
            Self::Delivery(_, Err(error)) => {
                Err(SendFailure::Later(format!("it cannot be read here: {}", error.0), None))
            }
            Self::Reset(mail) => send_reset(services, meter, mail).await,
        }
    }

    async fn settle(&self, scope: &BackgroundScope<'_>, settlement: &Settlement) -> Result<()> {
        match self {
            Self::Delivery(ticket, _) => deliveries::settle(scope, ticket, settlement).await,
            Self::Reset(mail) => {
                let again = settlement.state == DeliveryState::Pending;
                resets::settle(scope, mail, again.then_some(settlement.due)).await
            }
        }
    }
}

/// Sends at most `at_once` due messages, of which tenants' deliveries have at least a half.
pub(crate) async fn round(scope: &BackgroundScope<'_>, at_once: u32) -> Result<Round> {
    let lease = scope.services().config.outbox_lease;
    let mails = resets::claim(scope, lease, at_once / 2).await?;
    let left = at_once.saturating_sub(u32::try_from(mails.len()).unwrap_or(at_once));
    let claimed = deliveries::claim(scope, lease, left).await?;
    let deliveries = claimed.into_iter().map(|Claimed { ticket, content }| Errand::Delivery(ticket, content));
    let errands: Vec<_> = mails.into_iter().map(Errand::Reset).chain(deliveries).collect();
    let mut round = Round { more: !errands.is_empty(), ..Round::default() };
    // An attempt that panics does not end the others, where the platform allows it.
    let attempts = errands.into_iter().map(|errand| AssertUnwindSafe(attempt(scope, errand)).catch_unwind());
    for attempt in join_all(attempts).await {
        let panicked = |_| Err(Problem::internal("an attempt to send something panicked"));
        round.attempts.push(attempt.unwrap_or_else(panicked)?);
    }
    Ok(round)
}

/// Tries to send one message, and notes the result.
async fn attempt(scope: &BackgroundScope<'_>, errand: Errand) -> Result<Attempt> {
    let services = scope.services();
    let begun = services.ports.clock.elapsed();
    let ((id, tenant, attempts), (channel, cause)) = (errand.about(), errand.way());
    let trace = services.trace_following(cause);
    let meter = services.meter(trace);
    let scope = scope.with(&meter);
    let most = i64::from(services.config.outbox_attempts);
    let outcome = if attempts > most + UNSETTLED_AT_MOST {
        Err(SendFailure::Never("no attempt came to an end".to_owned()))
    } else {
        errand.send(services, &meter).await
    };
    let now = services.now();
    let settlement = match outcome {
        Ok(()) => Settlement { state: DeliveryState::Sent, due: now, error: None, sent_at: Some(now) },
        Err(SendFailure::Later(error, wait)) if attempts < most => {
            let due = now.plus(pause(services, attempts, wait));
            Settlement { state: DeliveryState::Pending, due, error: Some(error), sent_at: None }
        }
        Err(SendFailure::Never(error) | SendFailure::Later(error, _)) => {
            Settlement { state: DeliveryState::Dead, due: now, error: Some(error), sent_at: None }
        }
    };
    // A message that was sent and not settled is sent again, so a failed settlement is tried once more.
    if errand.settle(&scope, &settlement).await.is_err() {
        errand.settle(&scope, &settlement).await?;
    }
    Ok(Attempt {
        id,
        tenant,
        channel,
        state: settlement.state,
        error: settlement.error,
        trace,
        took: services.ports.clock.elapsed().saturating_sub(begun),
        #[cfg(feature = "spans")]
        steps: meter.steps(),
    })
}

async fn send(
    services: &Services,
    meter: &Meter,
    ticket: &Ticket,
    content: &Content,
) -> Result<(), SendFailure> {
    // Former members get no more messages of the tenant.
    if content.recipient_id.is_some() && content.recipient_status.is_none() {
        return Err(SendFailure::Never("the recipient is no longer an active member".to_owned()));
    }
    let Some(provider) = provider(services, content.channel) else {
        return Err(SendFailure::Never("the channel has no provider".to_owned()));
    };
    let mut body = content.body.clone();
    let mut tenant_name = content.tenant_name.as_str().to_owned();
    let mut config = TenantConfig::read(content.config.clone());
    if content.kind == NotificationKind::Invitation {
        let (tenant, id) = (ticket.tenant_id, InvitationId(content.subject_id));
        let token = content
            .token_hash
            .as_ref()
            .and_then(|digest| services.tokens.invitation_again(tenant, id, digest));
        let gone = || SendFailure::Never("the invitation is no longer open".to_owned());
        let token = token.ok_or_else(gone)?;
        let way_in = match &services.config.invitation_url {
            Some(page) => format!("Accept the invitation here:\n\n{}", page.with(token.expose())),
            None => format!("This is the token of the invitation:\n\n{}", token.expose()),
        };
        body = format!("{body}\n\n{way_in}\n");
        // It goes to a stranger: the sender's name is reduced to plain text like the message.
        let sender = config.email_sender_name.take();
        tenant_name = plain(sender.as_ref().map_or(&tenant_name, |name| name.as_str()));
    }
    let message = Message {
        id: ticket.id.0,
        tenant_name,
        config,
        address: content.address.clone(),
        title: content.title.clone(),
        body,
    };
    provider.send(services, meter, message).await
}

/// Sends the mail with the token that resets a forgotten password.
async fn send_reset(services: &Services, meter: &Meter, mail: &resets::Claimed) -> Result<(), SendFailure> {
    let token = services.tokens.reset_again(mail.id, &mail.token_hash);
    let token = token.ok_or_else(|| SendFailure::Never("the key of its token is gone".to_owned()))?;
    let Some(provider) = provider(services, Channel::Email) else {
        return Err(SendFailure::Never("the channel has no provider".to_owned()));
    };
    let way_in = match &services.config.password_reset_url {
        Some(page) => format!("Set another one here:\n\n{}", page.with(token.expose())),
        None => format!("This is the token that sets another one:\n\n{}", token.expose()),
    };
    let message = Message {
        id: mail.id.0,
        tenant_name: PRODUCT.to_owned(),
        config: TenantConfig::default(),
        address: Some(mail.email.as_str().to_owned()),
        title: "Reset your password".to_owned(),
        body: format!(
            "Somebody, probably you, has forgotten the password of your account. {way_in}\n\nIt is good once, and not \
             for long. If it was not you, there is nothing to do: your password is what it was.\n"
        ),
    };
    provider.send(services, meter, message).await
}

/// The pause before the next attempt; not less than the receiver asks for, within a day.
fn pause(services: &Services, attempts: i64, asked: Option<u64>) -> Duration {
    let mut random = [0; 4];
    // Without randomness the pause is not shortened.
    let _ = services.ports.entropy.fill(&mut random);
    let own = backoff(services, attempts, u32::from_be_bytes(random));
    asked.map_or(own, |seconds| own.max(Duration::from_secs(seconds.min(24 * 60 * 60))))
}

/// The pause after this many attempts: it doubles, up to a limit, and is shortened at random by up to a half, so that
/// messages that failed together are not retried together.
fn backoff(services: &Services, attempts: i64, random: u32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(30);
    let whole =
        services.config.outbox_backoff.saturating_mul(1 << doublings).min(services.config.outbox_backoff_max);
    whole.mul_f64(1.0 - f64::from(random) / f64::from(u32::MAX) / 2.0)
}

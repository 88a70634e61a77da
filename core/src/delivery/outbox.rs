//! The outbox: deliveries are written in the batch of the change that they tell of, and sent after it, at least once. Mails
//! about forgotten passwords, which are of no tenant, go the same way.
//!
//! Whoever sends claims what is due, which also sets the time when it is due again: should they vanish, another one
//! goes on then. A claim that has passed to another one settles nothing.

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

/// Attempts beyond `OUTBOX_ATTEMPTS` that a delivery gets if they are never settled: each ended with the process that
/// made it. That may be chance a few times, but not for ever.
const UNSETTLED_AT_MOST: i64 = 20;

/// Who sends mails that are no tenant's.
const PRODUCT: &str = "Bailiwick";

/// What came of looking through the outbox once.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// What was tried.
    pub attempts: Vec<Attempt>,
    /// Whether there was anything to send: then more may be due.
    pub more: bool,
}

impl Round {
    /// How many attempts ended so.
    pub fn count(&self, state: DeliveryState) -> usize {
        self.attempts.iter().filter(|attempt| attempt.state == state).count()
    }
}

/// An attempt to send a delivery, as an adapter may want to log it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The delivery, or the reset of a password that it is about.
    pub id: Uuid,
    /// The tenant whose it is, if it is one's.
    pub tenant: Option<TenantId>,
    /// By which way; `None` if that could not be read.
    pub channel: Option<Channel>,
    /// What became of it: sent, to be tried again, or given up.
    pub state: DeliveryState,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// The trace of what caused it; one of its own if that is not known.
    pub trace: Option<Trace>,
    /// How long it took.
    pub took: Duration,
    /// What it consisted of, where traces are exported.
    #[cfg(feature = "spans")]
    pub steps: Vec<crate::ports::trace::Step>,
}

/// What is to be sent.
enum Errand {
    Delivery(Ticket, Result<Content, DecodeError>),
    Reset(resets::Claimed),
}

impl Errand {
    /// Its id, the tenant whose it is, and which attempt this is.
    fn about(&self) -> (Uuid, Option<TenantId>, i64) {
        match self {
            Self::Delivery(ticket, _) => (ticket.id.0, Some(ticket.tenant_id), ticket.attempts),
            Self::Reset(mail) => (mail.id.0, None, mail.attempts),
        }
    }

    /// By which way it goes, if that could be read, and the trace of what caused it, if that is known.
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
            // Another version wrote it; one that can read it may be on its way.
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

/// Sends what is due, up to a number, of which tenants' deliveries always have at least a half.
pub(crate) async fn round(scope: &BackgroundScope<'_>, at_once: u32) -> Result<Round> {
    let lease = scope.services().config.outbox_lease;
    let mails = resets::claim(scope, lease, at_once / 2).await?;
    let left = at_once.saturating_sub(u32::try_from(mails.len()).unwrap_or(at_once));
    let claimed = deliveries::claim(scope, lease, left).await?;
    let deliveries = claimed.into_iter().map(|Claimed { ticket, content }| Errand::Delivery(ticket, content));
    let errands: Vec<_> = mails.into_iter().map(Errand::Reset).chain(deliveries).collect();
    let mut round = Round { more: !errands.is_empty(), ..Round::default() };
    // One that panics takes no other one with it, where the platform allows it.
    let attempts = errands.into_iter().map(|errand| AssertUnwindSafe(attempt(scope, errand)).catch_unwind());
    for attempt in join_all(attempts).await {
        let panicked = |_| Err(Problem::internal("an attempt to send something panicked"));
        round.attempts.push(attempt.unwrap_or_else(panicked)?);
    }
    Ok(round)
}

/// Tries to send one, and notes what came of it.
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
    // What was sent and not settled is sent again, so a database that is away for a moment is asked once more.
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
    // Who is no longer in the tenant is told nothing more of it.
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
        // It goes to a stranger: who sends it is as plain as what it says.
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

/// The mail that brings the token by which a forgotten password is reset.
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

/// How long to wait before the next attempt; not less than the receiver asks for, within a day.
fn pause(services: &Services, attempts: i64, asked: Option<u64>) -> Duration {
    let mut random = [0; 4];
    // Without randomness nothing is cut off the pause.
    let _ = services.ports.entropy.fill(&mut random);
    let own = backoff(services, attempts, u32::from_be_bytes(random));
    asked.map_or(own, |seconds| own.max(Duration::from_secs(seconds.min(24 * 60 * 60))))
}

/// The pause after so many attempts: it doubles, up to a limit, and is cut short at random by up to a half, so that
/// what failed together is not tried again together.
fn backoff(services: &Services, attempts: i64, random: u32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(30);
    let whole =
        services.config.outbox_backoff.saturating_mul(1 << doublings).min(services.config.outbox_backoff_max);
    whole.mul_f64(1.0 - f64::from(random) / f64::from(u32::MAX) / 2.0)
}

//! The outbox: deliveries are written in the batch of the change that they tell of, and sent after it, at least once.
//!
//! Whoever sends claims what is due, which also sets the time when it is due again: should they vanish, another one
//! goes on then. A claim that has passed to another one settles nothing.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, future::join_all};

use super::providers::{Message, provider};
use crate::{
    dispatch::{App, Courier, Meter},
    ports::SendFailure,
    problem::{Problem, Result},
    repository::deliveries::{self, Claimed, Content, Settlement, Ticket},
    tenant_config::TenantConfig,
    trace::Trace,
    values::{Channel, DeliveryId, DeliveryState, InvitationId, NotificationKind, TenantId},
};

/// Attempts beyond `OUTBOX_ATTEMPTS` that a delivery gets if they are never settled: each ended with the process that
/// made it. That may be chance a few times, but not for ever.
const UNSETTLED_AT_MOST: i64 = 20;

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
    /// The delivery.
    pub id: DeliveryId,
    /// The tenant whose it is.
    pub tenant: TenantId,
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
    pub steps: Vec<crate::trace::Step>,
}

/// Sends what is due, up to a number.
pub(crate) async fn round(courier: &Courier<'_>, at_once: u32) -> Result<Round> {
    let claimed = deliveries::claim(courier, courier.app().config.outbox_lease, at_once).await?;
    let mut round = Round { more: !claimed.is_empty(), ..Round::default() };
    // One that panics takes no other one with it, where the platform allows it.
    let attempts =
        claimed.into_iter().map(|delivery| AssertUnwindSafe(attempt(courier, delivery)).catch_unwind());
    for attempt in join_all(attempts).await {
        let panicked = |_| Err(Problem::internal("an attempt to send something panicked"));
        round.attempts.push(attempt.unwrap_or_else(panicked)?);
    }
    Ok(round)
}

/// Tries to send one, and notes what came of it.
async fn attempt(courier: &Courier<'_>, Claimed { ticket, content }: Claimed) -> Result<Attempt> {
    let app = courier.app();
    let (begun, cause) = (app.ports.clock.elapsed(), content.as_ref().ok());
    let channel = cause.map(|content| content.channel);
    let trace = Trace::following(app, cause.and_then(|content| content.trace.as_deref()));
    let meter = Meter::begin(app, trace);
    let courier = courier.with(&meter);
    let most = i64::from(app.config.outbox_attempts);
    let outcome = match content {
        _ if ticket.attempts > most + UNSETTLED_AT_MOST => {
            Err(SendFailure::Never("no attempt came to an end".to_owned()))
        }
        // Another version wrote it; one that can read it may be on its way.
        Err(error) => Err(SendFailure::Later(format!("it cannot be read here: {}", error.0), None)),
        Ok(content) => send(app, &meter, &ticket, content).await,
    };
    let now = app.now();
    let settlement = match outcome {
        Ok(()) => Settlement { state: DeliveryState::Sent, due: now, error: None, sent_at: Some(now) },
        Err(SendFailure::Later(error, wait)) if ticket.attempts < most => {
            let due = now.plus(pause(app, ticket.attempts, wait));
            Settlement { state: DeliveryState::Pending, due, error: Some(error), sent_at: None }
        }
        Err(SendFailure::Never(error) | SendFailure::Later(error, _)) => {
            Settlement { state: DeliveryState::Dead, due: now, error: Some(error), sent_at: None }
        }
    };
    // What was sent and not settled is sent again, so a database that is away for a moment is asked once more.
    if deliveries::settle(&courier, &ticket, &settlement).await.is_err() {
        deliveries::settle(&courier, &ticket, &settlement).await?;
    }
    Ok(Attempt {
        id: ticket.id,
        tenant: ticket.tenant_id,
        channel,
        state: settlement.state,
        error: settlement.error,
        trace,
        took: app.ports.clock.elapsed().saturating_sub(begun),
        #[cfg(feature = "spans")]
        steps: meter.steps(),
    })
}

async fn send(app: &App, meter: &Meter, ticket: &Ticket, content: Content) -> Result<(), SendFailure> {
    // Who is no longer in the tenant is told nothing more of it.
    if content.recipient_id.is_some() && content.recipient_status.is_none() {
        return Err(SendFailure::Never("the recipient is no longer an active member".to_owned()));
    }
    let Some(provider) = provider(app, content.channel) else {
        return Err(SendFailure::Never("the channel has no provider".to_owned()));
    };
    let mut body = content.body;
    if content.kind == NotificationKind::Invitation {
        let (tenant, id) = (ticket.tenant_id, InvitationId(content.subject_id));
        let token = content.token_hash.and_then(|digest| app.tokens.invitation_again(tenant, id, &digest));
        let gone = || SendFailure::Never("the invitation is no longer open".to_owned());
        let token = token.ok_or_else(gone)?;
        body = format!("{body}\n\nThis is the token of the invitation:\n\n{}\n", token.expose());
    }
    let message = Message {
        id: ticket.id.0,
        tenant_name: content.tenant_name.as_str().to_owned(),
        config: TenantConfig::read(content.config),
        address: content.address,
        title: content.title,
        body,
    };
    provider.send(app, meter, message).await
}

/// How long to wait before the next attempt; not less than the receiver asks for, within a day.
fn pause(app: &App, attempts: i64, asked: Option<u64>) -> Duration {
    let mut random = [0; 4];
    // Without randomness nothing is cut off the pause.
    let _ = app.ports.entropy.fill(&mut random);
    let own = backoff(app, attempts, u32::from_be_bytes(random));
    asked.map_or(own, |seconds| own.max(Duration::from_secs(seconds.min(24 * 60 * 60))))
}

/// The pause after so many attempts: it doubles, up to a limit, and is cut short at random by up to a half, so that
/// what failed together is not tried again together.
fn backoff(app: &App, attempts: i64, random: u32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(30);
    let whole = app.config.outbox_backoff.saturating_mul(1 << doublings).min(app.config.outbox_backoff_max);
    whole.mul_f64(1.0 - f64::from(random) / f64::from(u32::MAX) / 2.0)
}

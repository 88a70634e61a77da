//! The outbox: deliveries are written in the batch of the change that they tell of, and sent after it, at least once.
//!
//! Whoever sends claims what is due, which also sets the time when it is due again: should they vanish, another one
//! goes on then. A claim that has passed to another one settles nothing.

use std::time::Duration;

use futures_util::future::join_all;

use super::providers::{Message, provider};
use crate::{
    dispatch::{App, Courier},
    ports::SendFailure,
    problem::Result,
    repository::deliveries::{self, Claimed, Settlement},
    tenant_config::TenantConfig,
    values::{DeliveryState, InvitationId, NotificationKind},
};

/// Attempts beyond `OUTBOX_ATTEMPTS` that a delivery gets if they are never settled: each ended with the process that
/// made it. That may be chance a few times, but not for ever.
const UNSETTLED_AT_MOST: i64 = 20;

/// What came of looking through the outbox once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Deliveries that were sent.
    pub sent: usize,
    /// Deliveries that are to be tried again.
    pub postponed: usize,
    /// Deliveries that were given up.
    pub dead: usize,
    /// Whether more may be due already.
    pub more: bool,
}

/// Sends what is due, up to a number.
pub(crate) async fn round(courier: &Courier<'_>, at_once: u32) -> Result<Round> {
    let app = courier.app();
    let claimed = deliveries::claim(courier, app.config.outbox_lease, at_once.into()).await?;
    let more = claimed.len() == at_once as usize;
    let mut round = Round { more, ..Round::default() };
    for state in join_all(claimed.into_iter().map(|delivery| attempt(courier, delivery))).await {
        match state? {
            DeliveryState::Sent => round.sent += 1,
            DeliveryState::Pending => round.postponed += 1,
            DeliveryState::Dead => round.dead += 1,
        }
    }
    Ok(round)
}

/// Tries to send one, and notes what came of it.
async fn attempt(courier: &Courier<'_>, delivery: Claimed) -> Result<DeliveryState> {
    let app = courier.app();
    let (tenant, id, attempts, claim) = (delivery.tenant_id, delivery.id, delivery.attempts, delivery.claim);
    let most = i64::from(app.config.outbox_attempts);
    let outcome = if attempts > most + UNSETTLED_AT_MOST {
        Err(SendFailure::Never("no attempt came to an end".to_owned()))
    } else {
        send(app, delivery).await
    };
    let now = app.now();
    let settlement = match outcome {
        Ok(()) => Settlement { state: DeliveryState::Sent, due: now, error: None, sent_at: Some(now) },
        Err(SendFailure::Never(error)) => {
            Settlement { state: DeliveryState::Dead, due: now, error: Some(error), sent_at: None }
        }
        Err(SendFailure::Later(error, _)) if attempts >= most => {
            Settlement { state: DeliveryState::Dead, due: now, error: Some(error), sent_at: None }
        }
        Err(SendFailure::Later(error, wait)) => {
            let mut random = [0; 4];
            app.ports.entropy.fill(&mut random)?;
            let pause = backoff(app, attempts, u32::from_be_bytes(random));
            let pause = wait.map_or(pause, |wait| pause.max(Duration::from_secs(wait.min(24 * 60 * 60))));
            Settlement {
                state: DeliveryState::Pending,
                due: now.plus(pause),
                error: Some(error),
                sent_at: None,
            }
        }
    };
    let state = settlement.state;
    deliveries::settle(courier, tenant, id, claim, settlement).await?;
    Ok(state)
}

async fn send(app: &App, delivery: Claimed) -> Result<(), SendFailure> {
    // Who is no longer in the tenant is told nothing more of it.
    if delivery.recipient_id.is_some() && delivery.recipient_status.is_none() {
        return Err(SendFailure::Never("the recipient is no longer an active member".to_owned()));
    }
    let Some(provider) = provider(app, delivery.channel) else {
        return Err(SendFailure::Never("the channel has no provider".to_owned()));
    };
    let mut body = delivery.body;
    if delivery.kind == NotificationKind::Invitation {
        let token = app.tokens.invitation(delivery.tenant_id, InvitationId(delivery.subject_id));
        body = format!("{body}\n\nThis is the token of the invitation:\n\n{}\n", token.expose());
    }
    let message = Message {
        id: delivery.id.0,
        tenant_name: delivery.tenant_name.as_str().to_owned(),
        config: TenantConfig::read(delivery.config),
        address: delivery.address,
        title: delivery.title,
        body,
    };
    provider.send(app, message).await
}

/// The pause after so many attempts: it doubles, up to a limit, and is cut short at random by up to a half, so that
/// what failed together is not tried again together.
fn backoff(app: &App, attempts: i64, random: u32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(30);
    let whole = app.config.outbox_backoff.saturating_mul(1 << doublings).min(app.config.outbox_backoff_max);
    whole.mul_f64(1.0 - f64::from(random) / f64::from(u32::MAX) / 2.0)
}

//! The outbox in the background: behind a response, and by the cron trigger.

use bailiwick_core::{App, Round};
use serde_json::json;
use worker::console_error;

/// Behind a response. The platform ends what goes on 30 seconds after it, and a round may take as long as
/// `OUTBOUND_TIMEOUT`, 10 seconds by default. What is cut off is due again when its claim ends.
pub(crate) const BEHIND_A_RESPONSE: u32 = 2;

/// By the cron trigger. An invocation may ask D1 1000 times (on the free plan, whose processor time does not suffice for
/// a password's hash, 50 times), and a round of 6 deliveries has 9 statements: one to look, two to claim, one to settle
/// each. What is left over has the next minute.
pub(crate) const BY_CRON: u32 = 60;

/// The requests of an invocation that may wait for an answer at the same time. More would queue in the platform while
/// their time runs out.
const AT_ONCE: u32 = 6;

/// Sends what is due, in so many rounds at the most.
pub(crate) async fn drain(app: &App, rounds: u32) {
    for _ in 0..rounds {
        match app.deliver(AT_ONCE).await {
            Ok(Round { more: true, .. }) => {}
            Ok(_) => return,
            // What was claimed is due again when the claim ends.
            Err(problem) => {
                let internal = problem.internal_text().unwrap_or(problem.code.as_str());
                console_error!("{}", json!({ "background": "outbox", "internal": internal }));
                return;
            }
        }
    }
}

//! What is done behind the requests: it finds its work without reading what waits, and does it in pieces.

use super::super::{Case, rows};

/// Rows of one piece of a deleted tenant, each with what refers to it, which is looked for.
const PIECE: u32 = 2 * 400;

/// The same of what has words in the index.
const WORDS: u32 = 7 * 400;

/// A step for each tenant that has anything waiting.
const TURNS: u32 = 500;

pub(super) const ALL: &[Case] = &[
    rows("chain::HEAD", "", 1),
    rows("chain::UNSEALED", "50", 52),
    rows("chain::SEAL", "@pending, 999999999, 'h'", 3),
    rows("chain::COUNT_UNSEALED", "1000", 1_005),
    rows("chain::LINKS", "1, 502, 1048576", 2 * 510),
    rows("chain::WAITING", "20, @start", 50),
    rows("deliveries::DUE", "@now", TURNS),
    rows("deliveries::CLAIM", "@now, @new, @future, 16, 8", 3 * TURNS),
    rows("deliveries::CLAIMED", "@claim, @now", 60),
    rows("deliveries::DEPTH", "1000", 5_000),
    rows("stored_answers::PRUNE", "@now, 1000", 5_000),
    rows("stored_answers::PRUNE_OF_ACCOUNTS", "@now, 1000", 5_000),
    rows("removal::MARK", "@now", 2),
    rows("removal::COMMENTS", "300", PIECE),
    rows("removal::TASKS", "300", WORDS),
    rows("removal::PROJECTS", "300", WORDS),
    rows("removal::NOTIFICATIONS", "300", PIECE),
    rows("removal::DELIVERIES", "300", PIECE),
    rows("removal::INVITATIONS", "300", PIECE),
    rows("removal::ACTIVITY", "300", PIECE),
    rows("removal::API_KEYS", "300", PIECE),
    rows("removal::ANSWERS", "300", PIECE),
    rows("removal::LIMITS", "", 6),
    rows("removal::SIZE", "", 3),
    rows("removal::MEMBERSHIPS", "300", PIECE),
    rows("removal::ONLY", "", 20),
    rows("removal::LAST", "", 20),
    rows("removal::RENEW", "", 20),
    rows("removal::CLOSED", "", 3),
    rows("removal::THERE", "", 2),
    rows("resets::DUE", "@now", 2),
    rows("giving_up::FORGET", "@now, 1000", 7_000),
    rows("giving_up::ROWS", "@now, 1000", 7_000),
    rows("giving_up::IMPORTS", "@now, 1000", 7_000),
    rows("removal::LEFT", "20, @start", 3),
    rows("resets::CLAIM", "@now, @new, @future, 8", 40),
    rows("resets::CLAIMED", "@claim, @now", 4),
    rows("resets::PRUNE", "@future, 1000", 5_000),
    rows("retention::DELIVERIES", "@now, 1000", 5_000),
    rows("retention::NOTIFICATIONS", "@now, 1000", 5_000),
    rows("retention::SLUGS", "@now, 1000", 5_000),
    rows("sizes::KNOWN", "100", 4),
    rows("sizes::PROJECTS", "@start, 500", 510),
    rows("sizes::TASKS", "@start, 500", 510),
    rows("sizes::COMMENTS", "@start, 500", 510),
    rows("sizes::NOTIFICATIONS", "@start, 500", 510),
    rows("sizes::DELIVERIES", "@start, 500", 510),
    rows("sizes::ACTIVITY", "@start, 500", 510),
    rows("sizes::PUT", "2, 0, 0, 0, @now, 0, @start, 0, 0, 0", 10),
    rows("sizes::UNDER_WAY", "20, @start", 25),
    rows("search::WAITING_PROJECTS", "20, @start", 50),
    rows("search::WAITING_TASKS", "20, @start", 50),
];

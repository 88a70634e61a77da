//! What there is of something that is limited. It is counted no further than the limit, which is a hundred here.

use super::super::{Case, rows};

const MOST: u32 = 110;

pub(super) const ALL: &[Case] = &[
    rows("quotas::MEMBERS", "100", MOST),
    rows("quotas::INVITATIONS", "100", MOST),
    rows("quotas::API_KEYS", "100", MOST),
    rows("quotas::OUTBOX", "100, @past, 100", 2 * MOST),
    rows("quotas::IMPORTS", "@user, 100", 3),
    rows("quotas::TENANTS", "@user, 100", 3),
    rows("quotas::USED_MEMBERS", "100", MOST),
    rows("quotas::USED_INVITATIONS", "100", MOST),
    rows("quotas::USED_API_KEYS", "100", MOST),
    rows("quotas::USED_PENDING", "100", MOST),
    rows("quotas::STORED", "100", 3),
    rows("quotas::USED_STORED", "100", 3),
    rows("quotas::USED_EMAILS", "100, @past", MOST),
    rows("quotas::PUT", "'members', 10", 2),
    rows("quotas::DROP", "'members'", 2),
    rows("quotas::OWN", "", 6),
];

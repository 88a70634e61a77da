//! The much that goes with an account. The database is vacuumed behind it and makes plans for all arguments anew, so it comes last:
//! otherwise planning a statement would be counted with one heap and not with another.

use super::super::{Case, own};

pub(super) const ALL: &[Case] = &[
    own("account_deletion::UNASSIGN", "@user, @now", "Each of their tasks is left without assignee."),
    own("account_deletion::REVOKE_OF_INVITER", "@user, @now", "Each that they made and that is open ends."),
    own("account_deletion::SESSIONS", "@user", "Each of their sessions ends."),
    own("account_deletion::ANSWERS", "@user", "Each answer of theirs that is kept goes."),
];

//! The budgets. A statement has a line here, or more where its arguments make a difference, before it can be merged.

mod accounts;
mod background;
mod deletion;
mod moved;
mod people;
mod quotas;
mod work;

use super::Case;

pub(super) const ALL: &[&[Case]] =
    &[accounts::ALL, background::ALL, moved::ALL, people::ALL, quotas::ALL, work::ALL, deletion::ALL];

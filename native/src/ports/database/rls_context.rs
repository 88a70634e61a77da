//! The rows to which row-level security restricts a transaction: what a statement needs, and how to get there.

use bailiwick_core::sql::{Reach, Statement, Value};
use uuid::Uuid;

use super::roles::{APP, SPANNING};

/// The restriction of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RlsContext {
    /// No tenant: as every transaction begins.
    Nothing,
    /// This one.
    Tenant(Uuid),
    /// All.
    Spanning,
}

impl RlsContext {
    /// The restriction that a statement needs; `None` if it reaches no tenant's rows. A tenant's statement without its
    /// tenant is restricted to nothing, and finds nothing.
    pub(super) fn needed(statement: &Statement) -> Option<Self> {
        match (statement.sql.reach, statement.arguments.first()) {
            (Reach::Global, _) => None,
            (Reach::Spanning, _) => Some(Self::Spanning),
            (Reach::Tenant, Some(Value::Uuid(Some(tenant)))) => Some(Self::Tenant(*tenant)),
            (Reach::Tenant, _) => Some(Self::Nothing),
        }
    }

    /// The statements that change it into another until the transaction ends. `SET` is cheaper than `set_config`, and a
    /// UUID cannot inject anything.
    pub(super) fn turned_into(self, other: Self) -> String {
        let role = match (self, other) {
            (_, Self::Spanning) => return format!("SET LOCAL ROLE {SPANNING}"),
            (Self::Spanning, _) => format!("SET LOCAL ROLE {APP}; "),
            _ => String::new(),
        };
        let tenant = match other {
            Self::Tenant(tenant) => tenant.to_string(),
            _ => String::new(),
        };
        format!("{role}SET LOCAL bailiwick.tenant = '{tenant}'")
    }
}

//! To whose rows Postgres holds a transaction: what a statement needs, and how to get there from what stands.

use bailiwick_core::sql::{Reach, Statement, Value};
use uuid::Uuid;

use super::roles::{APP, SPANNING};

/// What row-level security holds a transaction to.
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
    /// What a statement is to be held to; `None` if it reaches no tenant's rows. A tenant's statement that lacks its
    /// tenant is held to nothing, and finds nothing.
    pub(super) fn needed(statement: &Statement) -> Option<Self> {
        match (statement.sql.reach, statement.arguments.first()) {
            (Reach::Global, _) => None,
            (Reach::Spanning, _) => Some(Self::Spanning),
            (Reach::Tenant, Some(Value::Uuid(Some(tenant)))) => Some(Self::Tenant(*tenant)),
            (Reach::Tenant, _) => Some(Self::Nothing),
        }
    }

    /// The statements that turn it into another until the transaction ends. `SET` is cheaper than `set_config`, and a
    /// UUID cannot carry anything else in.
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

//! Who may call a route.

use crate::{
    auth::token::Bearer,
    kernel::values::enumerations::Role::{self, Owner},
};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Anyone; the route shows the public part of the tenant that the request names.
    AnyoneInTenant,
    /// Any authenticated user, but no API key.
    SignedIn,
    /// Active members of the tenant that the request names, with this role or a higher one, and their API keys.
    Member(Role),
    /// The same, but API keys need the role owner: for routes that decide who has access.
    InPerson(Role),
}

impl Access {
    /// The lowest sufficient role in the tenant; `None` if the rule asks for no membership.
    pub(crate) fn least(self, bearer: Option<&Bearer>) -> Option<Role> {
        let key = bearer.is_some_and(|bearer| bearer.key().is_some());
        match self {
            Self::Public | Self::AnyoneInTenant | Self::SignedIn => None,
            Self::InPerson(_) if key => Some(Owner),
            Self::Member(least) | Self::InPerson(least) => Some(least),
        }
    }
}

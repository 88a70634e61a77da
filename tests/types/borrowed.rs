//! A scope is of those for whom it was opened: another one's bearer cannot be put in their place.

use bailiwick_core::{AccountScope, TenantScope};

fn in_somebody_elses_name(scope: TenantScope, other: TenantScope) -> TenantScope {
    TenantScope { bearer: other.bearer, ..scope }
}

fn to_somebody_elses_account(account: AccountScope, other: AccountScope) -> AccountScope {
    AccountScope { user: other.user, ..account }
}

fn main() {}

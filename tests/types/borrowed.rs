//! A door that is open stays open for whom it was opened: another one's bearer cannot be put in their place.

use bailiwick_core::{Account, TenantScope};

fn in_somebody_elses_name(scope: TenantScope, other: TenantScope) -> TenantScope {
    TenantScope { bearer: other.bearer, ..scope }
}

fn to_somebody_elses_account(account: Account, other: Account) -> Account {
    Account { user: other.user, ..account }
}

fn main() {}

//! A door that is open does not lead elsewhere: whom it is for cannot be changed.

use bailiwick_core::{
    Account, TenantScope, Visitor,
    values::{TenantId, UserId},
};

fn into_another_tenant(scope: TenantScope, tenant: TenantId) -> TenantScope {
    TenantScope { tenant, ..scope }
}

fn in_somebody_elses_name(scope: TenantScope, user: UserId) -> TenantScope {
    TenantScope { user, ..scope }
}

fn to_another_tenants_catalogue(visitor: Visitor, tenant: TenantId) -> Visitor {
    Visitor { tenant, ..visitor }
}

fn to_somebody_elses_account(account: Account, user: UserId) -> Account {
    Account { user, ..account }
}

fn main() {}

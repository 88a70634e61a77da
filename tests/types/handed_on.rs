//! A door that is open does not lead elsewhere: whom it is for cannot be changed.

use bailiwick_core::{TenantScope, Visitor, values::TenantId};

fn into_another_tenant(scope: TenantScope, tenant: TenantId) -> TenantScope {
    TenantScope { tenant, ..scope }
}

fn to_another_tenants_catalogue(visitor: Visitor, tenant: TenantId) -> Visitor {
    Visitor { tenant, ..visitor }
}

fn main() {}

//! A scope leads nowhere else: its tenant cannot be changed.

use bailiwick_core::{TenantScope, PublicTenantScope, values::TenantId};

fn into_another_tenant(scope: TenantScope, tenant: TenantId) -> TenantScope {
    TenantScope { tenant, ..scope }
}

fn to_another_tenants_catalogue(scope: PublicTenantScope, tenant: TenantId) -> PublicTenantScope {
    PublicTenantScope { tenant, ..scope }
}

fn main() {}

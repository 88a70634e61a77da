//! Access to a tenant's data is opened by an access rule, and by nobody else.

use bailiwick_core::{TenantScope, access::scopes};

fn from_nothing() -> TenantScope {
    TenantScope {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = TenantScope::open;
    let _: TenantScope = by_default();
}

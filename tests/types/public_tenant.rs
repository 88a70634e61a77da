//! Access to what a tenant shows in public is opened by an access rule, and by nobody else.

use bailiwick_core::{PublicTenantScope, access::scopes};

fn from_nothing() -> PublicTenantScope {
    PublicTenantScope {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = PublicTenantScope::open;
    let _: PublicTenantScope = by_default();
}

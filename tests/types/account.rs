//! Access to the caller's own account is opened by an access rule, and by nothing else.

use bailiwick_core::{AccountScope, access::scopes};

fn from_nothing() -> AccountScope {
    AccountScope {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = AccountScope::open;
    let _: AccountScope = by_default();
}

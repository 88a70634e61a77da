//! Access to one's own account is opened by an access rule, and by nobody else.

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

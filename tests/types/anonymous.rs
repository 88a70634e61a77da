//! The way to signing in is opened by an access rule, and by nobody else.

use bailiwick_core::{AnonymousScope, access::scopes};

fn from_nothing() -> AnonymousScope {
    AnonymousScope {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = AnonymousScope::open;
    let _: AnonymousScope = by_default();
}

//! Access to one's own account is opened by the dispatcher, and by nobody else.

use bailiwick_core::{Account, dispatch::Pass};

fn from_nothing() -> Account {
    Account {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = Account::open;
    let _: Account = by_default();
}

//! Access to what a tenant shows in public is opened by the dispatcher, and by nobody else.

use bailiwick_core::{Visitor, dispatch::Pass};

fn from_nothing() -> Visitor {
    Visitor {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = Visitor::open;
    let _: Visitor = by_default();
}

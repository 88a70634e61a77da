//! The way to signing in is opened by the dispatcher, and by nobody else.

use bailiwick_core::{Lobby, dispatch::Pass};

fn from_nothing() -> Lobby {
    Lobby {}
}

fn by_default<T: Default>() -> T {
    T::default()
}

fn main() {
    let _ = Lobby::open;
    let _: Lobby = by_default();
}

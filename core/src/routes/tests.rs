//! What holds for the whole table.

use std::collections::HashSet;

use super::*;

#[test]
fn routes_and_names_are_unique() {
    let routes: HashSet<_> = ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect();
    let names: HashSet<_> = ROUTES.iter().map(|route| route.name).collect();
    assert_eq!((routes.len(), names.len()), (ROUTES.len(), ROUTES.len()));
}

#[test]
fn reads_cost_one_batch_and_writes_two_at_the_most() {
    for route in ROUTES {
        assert!(route.batches <= if route.method == Method::GET { 1 } else { 2 }, "{route:?}");
    }
}

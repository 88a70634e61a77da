//! A repository is a view of a scope: it has no name outside of the core, and no door but a tenant's leads to it.

use bailiwick_core::{Account, Visitor, repository::Repository};

fn of_an_account(account: &Account) {
    account.projects();
}

fn of_a_visitor(visitor: &Visitor) {
    visitor.projects();
}

fn main() {}

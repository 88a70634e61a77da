//! A repository is a view of a scope: it has no name outside of the core, and no scope but a tenant's leads to it.

use bailiwick_core::{AccountScope, PublicTenantScope, repository::Repository};

fn of_an_account(account: &AccountScope) {
    account.projects();
}

fn of_a_scope(scope: &PublicTenantScope) {
    scope.projects();
}

fn main() {}

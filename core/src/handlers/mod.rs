//! What each route does: take what the types decoded, ask a repository, return a value.

pub(crate) mod admin;
pub(crate) mod api_keys;
pub(crate) mod auth;
pub(crate) mod catalogue;
pub(crate) mod comments;
pub(crate) mod invitations;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod notifications;
pub(crate) mod pages;
pub(crate) mod projects;
pub(crate) mod service;
pub(crate) mod tasks;
pub(crate) mod tenants;
pub(crate) mod transfer;

use crate::{
    cursor::{Cursor, PageSize},
    input::input,
};

input! {
    /// Which page of a list.
    pub(crate) struct PageQuery {
        /// Items on a page.
        pub(crate) limit: Option<PageSize>,
        /// The `next_cursor` of the page before.
        pub(crate) cursor: Option<Cursor>,
    }

    /// Which page of a list, and whether the list is counted.
    pub(crate) struct CountedPageQuery {
        /// Items on a page.
        pub(crate) limit: Option<PageSize>,
        /// The `next_cursor` of the page before.
        pub(crate) cursor: Option<Cursor>,
        /// Whether the page says in `total` how many items there are.
        pub(crate) count: Option<bool>,
    }
}

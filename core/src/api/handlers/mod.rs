//! The handlers: each takes the decoded request, calls a repository and returns a value.

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
    http::page::{Cursor, PageSize},
    kernel::decode::input,
};

input! {
    /// The page of a list.
    pub(crate) struct PageQuery {
        /// The maximum number of items on the page.
        pub(crate) limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub(crate) cursor: Option<Cursor>,
    }

    /// The page of a list, and whether all its items are counted.
    pub(crate) struct CountedPageQuery {
        /// The maximum number of items on the page.
        pub(crate) limit: Option<PageSize>,
        /// The `next_cursor` of the previous page.
        pub(crate) cursor: Option<Cursor>,
        /// Whether the page says in `total` how many items all pages have together.
        pub(crate) count: Option<bool>,
    }
}

//! A tenant's members, as they see each other.

use std::future::Future;

use serde::Serialize;

use super::Repository;
use crate::{
    cursor::{Cursor, Page, PageSize, Paging},
    problem::Result,
    sql::{record, statements},
    time::Timestamp,
    values::{Email, MembershipId, MembershipStatus, Name, Role, UserId},
};

statements! { "members";
    tenant LIST = "SELECT m.id, m.user_id, u.email, u.name, m.role, m.status, m.created_at, m.updated_at, m.version \
         FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.tenant_id = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3";
}

record! {
    /// A member of a tenant.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Member {
        /// The id of the membership.
        pub id: MembershipId,
        /// The id of the user.
        pub user_id: UserId,
        /// The user's email address.
        pub email: Email,
        /// The user's name.
        pub name: Name,
        /// What they may do.
        pub role: Role,
        /// Whether the membership grants anything.
        pub status: MembershipStatus,
        /// When they joined.
        pub created_at: Timestamp,
        /// When the membership was last changed.
        pub updated_at: Timestamp,
        /// Counts the changes.
        pub version: i64,
    }
}

/// The members of a tenant.
pub trait Members {
    /// Members of any status, newest first.
    fn list(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Member>>> + Send;
}

impl Members for Repository<'_> {
    async fn list(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<Member>> {
        let paging = Paging::new(self.scope.app(), "members", self.scope.tenant().0, &[], size, cursor)?;
        let mut batch = self.scope.batch();
        let rows = batch.add::<Member, _>(&LIST, [paging.before(), paging.fetch()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        Ok(paging.page(outcome.all(rows)?, |member| member.id.0))
    }
}

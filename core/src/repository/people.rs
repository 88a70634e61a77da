//! People as a tenant knows them: its current and former members, by their names. So texts keep their author after that
//! member has left.

use std::future::Future;

use serde::Serialize;

use crate::{
    http::problem::{Code, Problem, Result},
    kernel::{
        sql::{rows::record, statements},
        values::{Name, UserId},
    },
    repository::Repository,
};

statements! { "people";
    /// A member, or a user named by rows that only a member can have made. (The activity does not count: it may be
    /// imported, and then it may name any id. All these are accounts of former members, placeholders of this tenant, or
    /// accounts that the operator's own import named as authors.)
    tenant BY_ID = "SELECT u.id, u.name, \
         CASE WHEN EXISTS (SELECT 1 FROM memberships n WHERE n.tenant_id = ?1 AND n.user_id = ?2) THEN 1 ELSE 0 END AS member \
         FROM users u WHERE u.id = ?2 AND (EXISTS (SELECT 1 FROM memberships m WHERE m.tenant_id = ?1 AND m.user_id = ?2) \
         OR EXISTS (SELECT 1 FROM tasks t WHERE t.tenant_id = ?1 AND t.created_by = ?2) \
         OR EXISTS (SELECT 1 FROM comments c WHERE c.tenant_id = ?1 AND c.author_id = ?2) \
         OR EXISTS (SELECT 1 FROM projects p WHERE p.tenant_id = ?1 AND p.created_by = ?2) \
         OR EXISTS (SELECT 1 FROM projects s WHERE s.tenant_id = ?1 AND s.submitted_by = ?2) \
         OR EXISTS (SELECT 1 FROM invitations i WHERE i.tenant_id = ?1 AND i.invited_by = ?2) \
         OR EXISTS (SELECT 1 FROM invitations a WHERE a.tenant_id = ?1 AND a.accepted_by = ?2) \
         OR EXISTS (SELECT 1 FROM tenants o WHERE o.id = ?1 AND o.created_by = ?2))";
}

/// A current or former member of the tenant.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Person {
    /// The id of the user.
    pub id: UserId,
    /// The name that the user's account has now.
    pub name: Name,
    /// Whether the user is a member now, active or suspended. If so, `/v1/members/{user_id}` has more about them.
    pub member: bool,
}

record! {
    struct Found {
        id: UserId,
        name: Name,
        member: i64,
    }
}

/// The people of a tenant.
pub trait People {
    /// A current or former member. Other users are not found.
    fn get(&self, user: UserId) -> impl Future<Output = Result<Person>> + Send;
}

impl People for Repository<'_> {
    async fn get(&self, user: UserId) -> Result<Person> {
        let mut batch = self.scope.batch();
        let found = batch.add::<Found, _>(&BY_ID, [user.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        let Found { id, name, member } =
            outcome.optional(found)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(Person { id, name, member: member == 1 })
    }
}

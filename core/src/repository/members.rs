//! A tenant's members, as other members see them.

use std::future::Future;

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    access::batch::{Batch, Slot},
    domain::notice::Notice,
    http::{
        conditional::{Resource, Version},
        page::{CountedPage, Cursor, Looked, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Patch, input},
        json,
        sql::{items, rows::record, statements},
        time::Timestamp,
        values::{
            Email, MembershipId, Name, UserId,
            enumerations::{MembershipStatus, Role},
        },
    },
    repository::{
        Repository,
        activity::Event,
        audience::{Audience, AudienceQuery},
        invitations, memberships, quotas, repeat,
    },
};

/// A member who has not joined has the imported address.
const SELECT: &str = "SELECT m.id, m.user_id, COALESCE(u.imported_email, u.email) AS email, u.name, m.role, m.status, \
     m.imported_at, m.imported_id, m.created_at, m.updated_at, m.version \
     FROM memberships m JOIN users u ON u.id = m.user_id ";

const OWNERS: &str = "SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = ?1 AND m.role = 'owner' AND";

items!(USERS, USERS_POSTGRES: "?2", user_id uuid);

const ACTIVE_AMONG: &str = "SELECT m.user_id FROM memberships m WHERE m.tenant_id = ?1 AND m.status = 'active' \
     AND m.user_id";

statements! { "members";
    tenant LIST = SELECT, "WHERE m.tenant_id = ?1 AND m.id < ?2 ORDER BY m.id DESC LIMIT ?3";

    tenant COUNT = "SELECT count(*) AS looked, count(*) AS fitting FROM (SELECT 1 FROM memberships \
         WHERE tenant_id = ?1", crate::kernel::sql::COUNT[2];

    tenant BY_USER = SELECT, "WHERE m.tenant_id = ?1 AND m.user_id = ?2";

    tenant UPDATE = "UPDATE memberships SET role = ?3, status = ?4, updated_at = ?5, version = version + 1 \
         WHERE tenant_id = ?1 AND user_id = ?2 AND version = ?6";

    /// A row if the user is a member who has agreed to join: imported members have not.
    tenant HAS_AGREED = "SELECT 1 AS ok FROM memberships WHERE tenant_id = ?1 AND user_id = ?2 AND imported_at IS NULL";

    tenant UNASSIGN = "UPDATE tasks SET assignee_id = NULL, updated_at = ?3, version = version + 1 \
         WHERE tenant_id = ?1 AND assignee_id = ?2";

    /// A row unless the membership has another version.
    tenant UNCHANGED = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM memberships WHERE tenant_id = ?1 AND user_id = ?2 AND CASE WHEN version IN (?3, ?4, ?5) THEN 1 ELSE 0 END <> ?6)";

    tenant DELETE = "DELETE FROM memberships WHERE tenant_id = ?1 AND user_id = ?2";

    /// A row if somebody owns the tenant, whether or not they have joined already.
    tenant HAS_OWNER = "SELECT 1 AS ok WHERE EXISTS (", OWNERS, " m.status = 'active' AND u.disabled_at IS NULL)";

    /// A row if a member is not an owner, or another owner can act. It precedes every change that removes an owner.
    tenant OWNER_STAYS = "SELECT 1 AS ok WHERE NOT EXISTS (", OWNERS, " m.user_id = ?2 AND m.status = 'active') \
         OR EXISTS (", OWNERS, " m.user_id <> ?2 AND", memberships::CAN_ACT, ")";

    /// A row if the user is an active member.
    tenant IS_ACTIVE = "SELECT user_id FROM memberships WHERE tenant_id = ?1 AND user_id = ?2 AND status = 'active'";

    /// The active members among several users.
    tenant ARE_ACTIVE = ACTIVE_AMONG, " IN (SELECT i.user_id FROM ", USERS, ")"
        => ACTIVE_AMONG, crate::kernel::sql::AMONG_POSTGRES[0], "user_id FROM ", USERS_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];
}

/// Users as the items of a statement.
pub(super) fn as_items(users: &[UserId]) -> Json {
    users.iter().map(|user| json::object(vec![("user_id", (*user).into())])).collect()
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
        /// The member's role in the tenant.
        pub role: Role,
        /// The status of the membership.
        pub status: MembershipStatus,
        /// The time at which the member came with an imported tenant, until they accept an invitation; otherwise `null`.
        /// Until then their name and address are those of the file.
        pub imported_at: Option<Timestamp>,
        /// The id that older entries of the activity log use for this member, if they came with an imported tenant and have joined since.
        pub imported_id: Option<UserId>,
        /// The time at which the member joined.
        pub created_at: Timestamp,
        /// The time of the last change.
        pub updated_at: Timestamp,
        /// The version number; each change increases it.
        pub version: i64,
    }
}

impl Resource for Member {
    fn version(&self) -> Option<Version> {
        Some(Version { id: self.user_id.0, number: self.version })
    }
}

input! {
    /// The changes of a membership. Absent fields stay as they are.
    pub struct MemberPatch {
        /// The member's role in the tenant.
        pub role: Patch<Role>,
        /// The status of the membership.
        pub status: Patch<MembershipStatus>,
    }
}

/// The members of a tenant.
pub trait Members {
    /// Members of any status, newest first.
    fn list(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
        counted: bool,
    ) -> impl Future<Output = Result<CountedPage<Member>>> + Send;

    /// A member.
    fn get(&self, user: UserId) -> impl Future<Output = Result<Member>> + Send;

    /// Changes the role or the status of a member.
    fn update(&self, user: UserId, patch: MemberPatch) -> impl Future<Output = Result<Member>> + Send;

    /// Removes a member. Their tasks are left without assignee.
    fn remove(&self, user: UserId) -> impl Future<Output = Result<()>> + Send;

    /// Ends the caller's membership.
    fn leave(&self) -> impl Future<Output = Result<()>> + Send;
}

fn event(action: &'static str, user: UserId, detail: Json) -> Event {
    Event::new(action, "member", user.0, detail)
}

impl Repository<'_> {
    fn part(self, batch: &mut Batch<'_>, user: UserId) {
        let now = self.scope.services().now();
        self.scope.require_match(batch, &UNCHANGED, user.0);
        // It comes first, so that a refusal costs nothing.
        let _: Slot<i64> = batch.require(&OWNER_STAYS, [user.into()], Problem::new(Code::LastOwner));
        let _: Slot<()> = batch.add(&UNASSIGN, [user.into(), now.into()]);
        invitations::revoke_of_inviter(batch, user, 0);
        invitations::revoke_of_address(batch, user);
        let _: Slot<()> = batch.require(&DELETE, [user.into()], Problem::new(Code::NotFound));
    }

    /// Changes a member, provided that the member is still as they were when that was decided.
    async fn try_update_member(self, user: UserId, patch: &MemberPatch) -> Result<Member> {
        let MemberPatch { role: Patch(role), status: Patch(status) } = *patch;
        let mut batch = self.scope.batch();
        let member = batch.add::<Member, _>(&BY_USER, [user.into()]);
        let audience = AudienceQuery::ask(&mut batch, self.scope.user(), &Audience::Reinstated(user));
        let (membership, mut outcome) = self.scope.read(batch).await?;
        let before = outcome.optional(member)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        let before = self.scope.matched(before)?;
        let (role, status) = (role.unwrap_or(before.role), status.unwrap_or(before.status));
        if (role, status) == (before.role, before.status) {
            return Ok(before);
        }
        let mut batch = self.scope.batch();
        let now = self.scope.services().now();
        self.scope.require_match(&mut batch, &UNCHANGED, user.0);
        if (role, status) != (Role::Owner, MembershipStatus::Active) {
            let _: Slot<i64> = batch.require(&OWNER_STAYS, [user.into()], Problem::new(Code::LastOwner));
        }
        let _: Slot<()> = batch.require(
            &UPDATE,
            [user.into(), role.into(), status.into(), now.into(), before.version.into()],
            Problem::new(Code::Conflict),
        );
        // A tenant that is handed over counts for its new owner.
        if (role, status) == (Role::Owner, MembershipStatus::Active) {
            quotas::require_tenants(&mut batch, user);
        }
        if status == MembershipStatus::Active {
            let asked = Problem::new(Code::InvitationRequired);
            let _: Slot<i64> = batch.require(&HAS_AGREED, [user.into()], asked);
        }
        // A member who may still invite may do so for lower roles.
        let may_invite = status == MembershipStatus::Active && role >= Role::Manager;
        invitations::revoke_of_inviter(&mut batch, user, if may_invite { role.rank() } else { 0 });
        let standing_of = |role: Role, status: MembershipStatus| {
            json::object(vec![("role", role.into()), ("status", status.into())])
        };
        let detail = json::object(vec![
            ("from", standing_of(before.role, before.status)),
            ("to", standing_of(role, status)),
        ]);
        self.record(&mut batch, event("member.updated", user, detail))?;
        if status == MembershipStatus::Active {
            let reinstated = before.status != status;
            let notice = Notice::role_changed(membership.name.as_str(), user, role, reinstated);
            self.notify(&mut batch, &audience.take(&mut outcome)?, &notice)?;
        }
        let changed = batch.add::<Member, _>(&BY_USER, [user.into()]);
        self.scope.commit(batch, None).await?.one(changed)
    }
}

impl Members for Repository<'_> {
    async fn list(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
        counted: bool,
    ) -> Result<CountedPage<Member>> {
        let paging = self.paging("members", &[], size, cursor)?;
        let mut batch = self.scope.batch();
        let rows = batch.add::<Member, _>(&LIST, [paging.before(), paging.fetch()]);
        let total = counted.then(|| batch.add::<Looked, _>(&COUNT, []));
        let (_, mut outcome) = self.scope.read(batch).await?;
        let total = outcome.optional_if_asked(total)?;
        Ok(paging.page(outcome.all(rows)?, |member| member.id.0).counted(total))
    }

    async fn get(&self, user: UserId) -> Result<Member> {
        let mut batch = self.scope.batch();
        let member = batch.add::<Member, _>(&BY_USER, [user.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(member)?.ok_or_else(|| Problem::new(Code::NotFound))
    }

    async fn update(&self, user: UserId, patch: MemberPatch) -> Result<Member> {
        repeat(|| self.try_update_member(user, &patch)).await
    }

    async fn remove(&self, user: UserId) -> Result<()> {
        let mut batch = self.scope.batch();
        self.part(&mut batch, user);
        self.record(&mut batch, event("member.removed", user, json!({})))?;
        self.scope.commit(batch, None).await.map(drop)
    }

    async fn leave(&self) -> Result<()> {
        let user = self.scope.user();
        let mut batch = self.scope.batch();
        self.part(&mut batch, user);
        self.record(&mut batch, event("member.left", user, json!({})))?;
        self.scope.commit(batch, None).await.map(drop)
    }
}

//! Invitations: created by managers, accepted by a person with the token and the address.

use std::{future::Future, time::Duration};

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        scopes::account::AccountScope,
        services::Services,
    },
    auth::token::opaque::InvitationToken,
    domain::notice::Notice,
    http::{
        conditional::{Resource, Version},
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::input,
        json, limits,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{
            Email, InvitationId, MembershipId, Name, TenantId, UserId,
            enumerations::{InvitationStatus, InvitedRole, rank},
        },
    },
    ports::limit::Limit,
    repository::{
        Repository,
        activity::{self, Event},
        placeholders,
        quotas::{self, Quota, Room},
        tenants,
    },
};

/// The columns, with the status at the time `?2`.
const COLUMNS: &str = "id, email, role, \
     CASE WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN revoked_at < expires_at THEN 'revoked' \
     WHEN expires_at <= ?2 THEN 'expired' ELSE 'open' END AS status, invited_by, expires_at, accepted_by, created_at";

statements! { "invitations";
    tenant LIST = "SELECT ", COLUMNS, " FROM invitations WHERE tenant_id = ?1 AND id < ?3 ORDER BY id DESC LIMIT ?4";

    tenant BY_ID = "SELECT ", COLUMNS, " FROM invitations WHERE tenant_id = ?1 AND id = ?3";

    tenant INSERT = "INSERT INTO invitations \
         (tenant_id, id, email, role, token_hash, invited_by, expires_at, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    /// Expired invitations make room.
    tenant REVOKE_EXPIRED = "UPDATE invitations SET revoked_at = expires_at \
         WHERE tenant_id = ?1 AND email = ?2 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at <= ?3";

    /// The invitations by a member for a role of this rank or a higher one, which the member may no longer give.
    tenant REVOKE_OF_INVITER = "UPDATE invitations SET revoked_at = ?3 \
         WHERE tenant_id = ?1 AND invited_by = ?2 AND accepted_at IS NULL AND revoked_at IS NULL \
         AND ", rank!(of_invitation "role"), " >= ?4";

    /// The invitations of a member's own address: a removed member must not come back by an older invitation.
    tenant REVOKE_OF_ADDRESS = "UPDATE invitations SET revoked_at = ?3 \
         WHERE tenant_id = ?1 AND accepted_at IS NULL AND revoked_at IS NULL \
         AND email = (SELECT COALESCE(u.imported_email, u.email) FROM users u WHERE u.id = ?2)";

    /// A row unless a member who can log in and has agreed to join has this address.
    tenant NO_MEMBER = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.tenant_id = ?1 AND u.email = ?2 AND m.imported_at IS NULL \
         AND (u.password_hash <> '' OR EXISTS (SELECT 1 FROM identities k WHERE k.user_id = u.id)))";

    /// A row if fewer than `?4` invitations of an address were made since `?3`.
    tenant FEW_OF_ADDRESS = "SELECT 1 AS ok WHERE (SELECT count(*) FROM invitations \
         WHERE tenant_id = ?1 AND email = ?2 AND created_at > ?3) < ?4";

    /// The times of the latest invitations of an address, newest first.
    tenant LATEST_OF_ADDRESS = "SELECT created_at FROM invitations \
         WHERE tenant_id = ?1 AND email = ?2 AND created_at > ?3 ORDER BY created_at DESC LIMIT ?4";

    tenant REVOKE = "UPDATE invitations SET revoked_at = ?2 \
         WHERE tenant_id = ?1 AND id = ?3 AND accepted_at IS NULL AND revoked_at IS NULL";

    /// Accepts an open invitation, for a user with its address, if its tenant is not suspended.
    tenant ACCEPT = "UPDATE invitations SET accepted_at = ?2, accepted_by = ?5 \
         WHERE tenant_id = ?1 AND id = ?3 AND token_hash = ?4 \
         AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?2 \
         AND email = (SELECT u.email FROM users u WHERE u.id = ?5) \
         AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = ?1 AND t.suspended_at IS NULL)";

    /// Makes a user a member as the invitation says; for an imported member this is the agreement to join.
    tenant JOIN = "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
         SELECT i.tenant_id, ?3, ?4, i.role, 'active', ?5, ?5, 1 FROM invitations i WHERE i.tenant_id = ?1 AND i.id = ?2 \
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role, status = 'active', imported_at = NULL, \
         updated_at = excluded.updated_at, version = memberships.version + 1 WHERE memberships.imported_at IS NOT NULL";

    /// Whether the operator has suspended the tenant.
    tenant SUSPENDED = "SELECT id FROM tenants WHERE id = ?1 AND suspended_at IS NOT NULL AND deleted_at IS NULL";

    /// The reason of a refusal, for the holder of the token.
    tenant BY_TOKEN = "SELECT ", COLUMNS, " FROM invitations WHERE tenant_id = ?1 AND id = ?3 AND token_hash = ?4";

    /// The tenant that an invitation opens, as its new member will see it.
    tenant OFFERED = "SELECT t.id, t.slug, t.name, i.role, t.suspended_at, t.created_at, t.updated_at, t.version \
         FROM tenants t JOIN invitations i ON i.tenant_id = t.id WHERE t.id = ?1 AND t.deleted_at IS NULL AND i.id = ?2 AND i.token_hash = ?3";
}

record! {
    /// An invitation to a tenant.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct Invitation {
        /// The id of the invitation.
        pub id: InvitationId,
        /// The invited address.
        pub email: Email,
        /// The role of the new member.
        pub role: InvitedRole,
        /// The status of the invitation.
        pub status: InvitationStatus,
        /// The user who created the invitation.
        pub invited_by: UserId,
        /// The time at which the invitation expires.
        pub expires_at: Timestamp,
        /// The user who accepted the invitation; `null` if nobody has.
        pub accepted_by: Option<UserId>,
        /// The time of creation.
        pub created_at: Timestamp,
    }
}

/// A new invitation.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct MadeInvitation {
    /// The invitation.
    #[serde(flatten)]
    pub invitation: Invitation,
    /// The token that accepts the invitation. It is sent to the address by email. It is here only if the operator allows it
    /// (`INVITATION_TOKEN_IN_RESPONSE`), and only in this answer.
    #[cfg_attr(feature = "openapi", schemars(with = "Option<InvitationToken>"))]
    pub token: Option<String>,
}

/// It changes at most once: when it is accepted or revoked.
impl Resource for Invitation {
    fn version(&self) -> Option<Version> {
        let open = matches!(self.status, InvitationStatus::Open | InvitationStatus::Expired);
        Some(Version { id: self.id.0, number: if open { 1 } else { 2 } })
    }
}

/// An answer with a secret has no tag: no later answer is the same.
impl Resource for MadeInvitation {
    fn version(&self) -> Option<Version> {
        None
    }
}

input! {
    /// A new invitation.
    pub struct NewInvitation {
        /// The address to invite.
        pub email: Email,
        /// The role of the new member. It must be lower than yours.
        pub role: InvitedRole,
    }

    /// The acceptance of an invitation.
    pub struct Acceptance {
        /// The token of the invitation.
        pub token: InvitationToken,
    }
}

/// The invitations of a tenant.
pub trait Invitations {
    /// Invitations of any status, newest first.
    fn list(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Invitation>>> + Send;

    /// Invites a person, and sends them an email.
    fn create(&self, new: NewInvitation) -> impl Future<Output = Result<MadeInvitation>> + Send;

    /// An invitation.
    fn get(&self, id: InvitationId) -> impl Future<Output = Result<Invitation>> + Send;

    /// Revokes an invitation that was not accepted.
    fn revoke(&self, id: InvitationId) -> impl Future<Output = Result<()>> + Send;
}

fn event(action: &'static str, id: InvitationId, detail: Json) -> Event {
    Event::new(action, "invitation", id.0, detail)
}

impl Invitations for Repository<'_> {
    async fn list(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<Invitation>> {
        let paging = self.paging("invitations", &[], size, cursor)?;
        let mut batch = self.scope.batch();
        let now = self.scope.services().now();
        let rows = batch.add::<Invitation, _>(&LIST, [now.into(), paging.before(), paging.fetch()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        Ok(paging.page(outcome.all(rows)?, |invitation| invitation.id.0))
    }

    async fn create(&self, NewInvitation { email, role }: NewInvitation) -> Result<MadeInvitation> {
        let (services, user) = (self.scope.services(), self.scope.user());
        let mut batch = self.scope.batch();
        let (room, tenant) = (Room::ask(&mut batch), batch.add::<Name, _>(&tenants::NAME, []));
        let (membership, mut outcome) = self.scope.read(batch).await?;
        let (room, tenant) = (outcome.one(room)?, outcome.one(tenant)?);
        room.require(true)?;

        let (id, now) = (InvitationId(services.new_id()?), services.now());
        let expires_at = now.plus(services.config.invitation_ttl);
        let token = services.tokens.invitation(self.scope.tenant(), id);
        let mut batch = self.scope.batch();
        let _: Slot<i64> =
            batch.require(&NO_MEMBER, [email.clone().into()], Problem::new(Code::AlreadyMember));
        let recent = [email.clone().into(), of_late(now).into(), limits::INVITATIONS_OF_ADDRESS.into()];
        let _: Slot<i64> = batch.require(&FEW_OF_ADDRESS, recent.clone(), Problem::new(Code::QuotaExceeded));
        let _: Slot<()> = batch.add(&REVOKE_EXPIRED, [email.clone().into(), now.into()]);
        let _: Slot<()> = batch.add(
            &INSERT,
            [
                id.into(),
                email.clone().into(),
                role.into(),
                token.digest().into(),
                user.into(),
                expires_at.into(),
                now.into(),
            ],
        );
        batch.on_duplicate("invitations_tenant_id_email_key", Problem::new(Code::AlreadyInvited));
        quotas::require(&mut batch, Quota::Invitations);
        self.record(
            &mut batch,
            event(
                "invitation.created",
                id,
                json::object(vec![("email", email.clone().into()), ("role", role.into())]),
            ),
        )?;
        let notice = Notice::invited(membership.name.as_str(), id, tenant.as_str(), role);
        self.mail(&mut batch, &email, &notice, room)?;
        let invitation = Invitation {
            id,
            email,
            role,
            status: InvitationStatus::Open,
            invited_by: user,
            expires_at,
            accepted_by: None,
            created_at: now,
        };
        let token = services.config.shows_invitation_tokens().then(|| token.expose().to_owned());
        let made = MadeInvitation { invitation, token };
        self.scope.store_answer(&mut batch, &made)?;
        match self.scope.commit(batch, Some(role.inviter())).await {
            Ok(_) => Ok(made),
            Err(problem) if problem.code == Code::QuotaExceeded => {
                let mut batch = self.scope.batch();
                let latest = batch.add::<Timestamp, _>(&LATEST_OF_ADDRESS, recent);
                let (_, mut outcome) = self.scope.read(batch).await?;
                Err(invited_often(now, &outcome.all(latest)?))
            }
            Err(problem) => Err(problem),
        }
    }

    async fn get(&self, id: InvitationId) -> Result<Invitation> {
        let mut batch = self.scope.batch();
        let arguments = [self.scope.services().now().into(), id.into()];
        let invitation = batch.add::<Invitation, _>(&BY_ID, arguments);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(invitation)?.ok_or_else(|| Problem::new(Code::NotFound))
    }

    async fn revoke(&self, id: InvitationId) -> Result<()> {
        let found = self.scope.matched(self.get(id).await?)?;
        match found.status {
            InvitationStatus::Open | InvitationStatus::Expired => {}
            // It is revoked already.
            InvitationStatus::Revoked => return Ok(()),
            InvitationStatus::Accepted => return Err(unusable(found.status)),
        }
        let now = self.scope.services().now();
        let mut batch = self.scope.batch();
        self.scope.match_state(&mut batch, found.version())?;
        let missed = Problem::new(Code::Conflict);
        let _: Slot<()> = batch.require(&REVOKE, [now.into(), id.into()], missed);
        self.record(&mut batch, event("invitation.revoked", id, json::object(Vec::new())))?;
        self.scope.commit(batch, Some(found.role.inviter())).await.map(drop)
    }
}

/// The start of the time in which invitations of an address are counted.
fn of_late(now: Timestamp) -> Timestamp {
    now.minus(Duration::from_hours(limits::INVITATION_HOURS))
}

/// The address was invited too often; the times of the invitations are newest first.
fn invited_often(now: Timestamp, latest: &[Timestamp]) -> Box<Problem> {
    let oldest = latest.last().copied().unwrap_or(now);
    let wait = (oldest.unix_millis() - of_late(now).unix_millis()).div_euclid(1000) + 1;
    let (most, hours) = (limits::INVITATIONS_OF_ADDRESS, limits::INVITATION_HOURS);
    let detail = format!("A tenant invites an address {most} times within {hours} hours at the most.");
    Problem::with(Code::QuotaExceeded, detail).retry_after(u64::try_from(wait).map_or(1, |wait| wait.max(1)))
}

fn unusable(status: InvitationStatus) -> Box<Problem> {
    Problem::new(Code::InvitationUnusable).member("reason", status.as_str())
}

/// Adds to a batch that lowers or suspends a member that their open invitations for a role of this rank or a higher one
/// are revoked, which they may no longer give.
pub(super) fn revoke_of_inviter(batch: &mut Batch<'_>, user: UserId, rank: i64) {
    let now = batch.services().now();
    let _: Slot<()> = batch.add(&REVOKE_OF_INVITER, [user.into(), now.into(), rank.into()]);
}

/// Adds to a batch that removes a member that the open invitations of their address are revoked.
pub(super) fn revoke_of_address(batch: &mut Batch<'_>, user: UserId) {
    let now = batch.services().now();
    let _: Slot<()> = batch.add(&REVOKE_OF_ADDRESS, [user.into(), now.into()]);
}

/// Adds to a batch about the token's tenant that a user accepts the invitation. The batch fails with
/// `invitation_unusable` if they cannot; [`Refusal`] says why.
pub(super) fn accept(
    batch: &mut Batch<'_>,
    services: &Services,
    token: &InvitationToken,
    user: UserId,
) -> Result<()> {
    let (now, id) = (services.now(), token.id);
    let _: Slot<()> = batch.require(
        &ACCEPT,
        [now.into(), id.into(), token.digest().into(), user.into()],
        Problem::new(Code::InvitationUnusable),
    );
    let membership = MembershipId(services.new_id()?);
    let arguments = [id.into(), membership.into(), user.into(), now.into()];
    let _: Slot<()> = batch.require(&JOIN, arguments, Problem::new(Code::AlreadyMember));
    placeholders::adopt(batch, token.tenant, user);
    // The placeholder that they have replaced does not count any more.
    quotas::require(batch, Quota::Members);
    activity::record(batch, services, user, event("invitation.accepted", id, json!({})))
}

/// The reason why an invitation cannot be accepted; asked in a batch of its own, after nothing was written.
pub(super) struct Refusal {
    invitation: Slot<Invitation>,
    suspended: Slot<TenantId>,
}

impl Refusal {
    pub(super) fn ask(batch: &mut Batch<'_>, services: &Services, token: &InvitationToken) -> Self {
        let arguments = [services.now().into(), token.id.into(), token.digest().into()];
        Self { invitation: batch.add(&BY_TOKEN, arguments), suspended: batch.add(&SUSPENDED, []) }
    }

    pub(super) fn take(self, outcome: &mut Outcome) -> Result<Box<Problem>> {
        let suspended = outcome.optional(self.suspended)?.is_some();
        Ok(match outcome.optional(self.invitation)?.map(|invitation| invitation.status) {
            None => Problem::new(Code::InvitationNotFound),
            Some(_) if suspended => Problem::new(Code::TenantSuspended),
            // It is open, but for another address.
            Some(InvitationStatus::Open) => {
                Problem::new(Code::InvitationUnusable).member("reason", "other_email")
            }
            Some(status) => unusable(status),
        })
    }
}

/// Joining tenants by invitation.
pub trait Joining {
    /// Accepts an invitation of the caller's address.
    fn accept(&self, acceptance: Acceptance) -> impl Future<Output = Result<tenants::Tenant>> + Send;
}

impl Joining for AccountScope {
    async fn accept(&self, Acceptance { token }: Acceptance) -> Result<tenants::Tenant> {
        let services = self.services();
        services.count(Limit::Account, &self.user().to_string()).await?;
        let mut batch = self.batch_in(Some(token.tenant));
        let offer = batch.add::<tenants::Tenant, _>(&OFFERED, [token.id.into(), token.digest().into()]);
        let offer = self.run(batch).await?.optional(offer)?;
        let offer = offer.ok_or_else(|| Problem::new(Code::InvitationNotFound))?;
        let mut batch = self.batch_in(Some(token.tenant));
        accept(&mut batch, services, &token, self.user())?;
        self.store_answer(&mut batch, &offer)?;
        match self.commit(batch).await {
            Ok(_) => Ok(offer),
            Err(problem) if problem.code == Code::InvitationUnusable => {
                let mut batch = self.batch_in(Some(token.tenant));
                let refusal = Refusal::ask(&mut batch, services, &token);
                let mut outcome = self.run(batch).await?;
                Err(refusal.take(&mut outcome)?)
            }
            Err(problem) => Err(problem),
        }
    }
}

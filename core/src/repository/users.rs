//! Users: the accounts of people, which belong to no tenant.

use std::future::Future;

use serde::Serialize;

use crate::{
    access::{
        batch::{Batch, Slot},
        named::NamedTenant,
        scopes::{account::AccountScope, anonymous::AnonymousScope},
        services::Services,
    },
    auth::token::opaque::InvitationToken,
    config,
    http::{
        conditional::{Resource, Version},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Patch, input},
        json,
        password::{HashJob, HashOutcome, NewPassword, Password},
        sql::{rows::record, statements},
        time::Timestamp,
        values::{
            Email, Name, Slug, TenantId, UserId,
            email::{AccountEmail, other_spelling},
        },
    },
    ports::limit::{ClientAddress, Limit},
    repository::{activity, invitations, memberships, quotas::Quota, tenants},
};

statements! { "users";
    global INSERT = "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1)";

    /// A row unless an account has the address in a spelling from before there was only one.
    global NO_OTHER_SPELLING = "SELECT 1 AS ok WHERE NOT EXISTS (SELECT 1 FROM users x WHERE x.email = ?1)";

    /// The address as it was typed comes first: see [`AccountEmail`].
    global BY_EMAIL = "SELECT id, password_hash FROM users WHERE email IN (?1, ?2, ?3) AND disabled_at IS NULL \
         ORDER BY CASE email WHEN ?2 THEN 0 WHEN ?1 THEN 1 ELSE 2 END LIMIT 1";

    global PASSWORD_HASH = "SELECT password_hash FROM users WHERE id = ?1";

    /// Provided that no concurrent request has changed it.
    global SET_PASSWORD_HASH = "UPDATE users SET password_hash = ?2, updated_at = ?3, version = version + 1 \
         WHERE id = ?1 AND password_hash = ?4";

    /// Whatever it was before.
    global REPLACE_PASSWORD_HASH = "UPDATE users SET password_hash = ?2, updated_at = ?3, version = version + 1 WHERE id = ?1";

    global BY_ID = "SELECT id, email, name, created_at, updated_at, version FROM users WHERE id = ?1";

    /// A row unless the account has another version.
    global UNCHANGED = "SELECT 1 AS ok WHERE NOT EXISTS \
         (SELECT 1 FROM users WHERE id = ?1 AND CASE WHEN version IN (?2, ?3, ?4) THEN 1 ELSE 0 END <> ?5)";

    /// Unless that is the name already: a change of nothing writes nothing.
    global RENAME = "UPDATE users SET name = ?2, updated_at = ?3, version = version + 1 WHERE id = ?1 AND name <> ?2";
}

record! {
    /// A person's account.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct User {
        /// The id of the user.
        pub id: UserId,
        /// The address to log in with, in lower case.
        pub email: Email,
        /// The person's name.
        pub name: Name,
        /// The time of registration.
        pub created_at: Timestamp,
        /// The time of the last change.
        pub updated_at: Timestamp,
        /// The version number; each change increases it.
        pub version: i64,
    }
}

impl Resource for User {
    fn version(&self) -> Option<Version> {
        Some(Version { id: self.id.0, number: self.version })
    }
}

record! {
    struct Credentials {
        id: UserId,
        password_hash: String,
    }
}

/// A user whose password was verified, and the stored hash of that password.
pub(crate) struct Verified {
    pub(super) user: UserId,
    pub(super) password_hash: String,
}

input! {
    /// A new account.
    pub struct Registration {
        /// The address to log in with. Case does not matter.
        pub email: Email,
        /// The person's name.
        pub name: Name,
        /// The password, 8 to 72 bytes.
        pub password: NewPassword,
        /// The token of an invitation for this address, to accept it at the same time.
        pub invitation_token: Option<InvitationToken>,
    }

    /// The credentials of an account.
    pub struct Login {
        /// The address of the account.
        pub email: AccountEmail,
        /// The password.
        pub password: Password,
    }

    /// The changes of your account. Absent fields stay as they are.
    pub struct ProfilePatch {
        /// The person's name.
        pub name: Patch<Name>,
    }
}

/// The address of a row that is no account: a person was imported with a tenant, and has not joined. No [`Email`] is of
/// this kind.
pub(super) fn unclaimed(id: &str) -> String {
    format!("{id}@unclaimed.invalid")
}

/// The stored hash of an account without a password: no password matches it. Its owner uses an identity provider.
pub(super) const NO_PASSWORD: &str = "";

/// The stored hash of a password.
pub(super) async fn hash(
    services: &Services,
    client: Option<ClientAddress>,
    NewPassword(password): NewPassword,
) -> Result<String> {
    let mut salt = [0; 16];
    services.ports.entropy.fill(&mut salt)?;
    let job = HashJob::Hash { password, cost: services.config.bcrypt_cost.0, salt };
    match services.ports.hasher.run(client, job).await? {
        HashOutcome::Hash(hash) => Ok(hash),
        HashOutcome::Verified(_) => Err(Problem::internal("the hasher did not hash")),
    }
}

/// Adds an account to a batch, and gives it the tenant `default` if it is the first one; if its address is taken, the
/// batch fails with the problem `taken`. Returns the account as the batch writes it.
pub(super) fn enrol(
    batch: &mut Batch<'_>,
    id: UserId,
    email: Email,
    name: Name,
    password_hash: String,
    taken: Code,
) -> Result<User> {
    let (services, now) = (batch.services(), batch.services().now());
    if let Some(other) = other_spelling(&email) {
        let _: Slot<()> = batch.require_global(&NO_OTHER_SPELLING, [other.into()], Problem::new(taken));
    }
    batch.on_duplicate("users_email_key", Problem::new(taken));
    let arguments = [id.into(), email.clone().into(), name.clone().into(), password_hash.into(), now.into()];
    let _: Slot<()> = batch.add_global(&INSERT, arguments);
    if services.config.claim_default_tenant {
        let detail = json::object(vec![("email", email.clone().into())]);
        let _: Slot<()> = batch.add_global(&tenants::CLAIM_DEFAULT, [id.into(), now.into()]);
        let _: Slot<()> = batch
            .add_global(&memberships::INSERT_FOR_CLAIM, [id.into(), services.new_id()?.into(), now.into()]);
        let _: Slot<()> = batch.add_global(
            &activity::INSERT_FOR_CLAIM,
            [id.into(), services.new_id()?.into(), detail.into(), now.into()],
        );
    }
    Ok(User { id, email, name, created_at: now, updated_at: now, version: 1 })
}

/// Makes an account of this batch a member of the tenant of this id or slug, if that is open to everybody.
pub(super) fn join_open(
    batch: &mut Batch<'_>,
    id: UserId,
    tenant: Option<TenantId>,
    slug: Option<Slug>,
) -> Result<()> {
    let (services, now) = (batch.services(), batch.services().now());
    let membership = services.new_id()?;
    let _: Slot<()> = batch.add_global(
        &memberships::INSERT_WHERE_OPEN,
        [
            id.into(),
            membership.into(),
            now.into(),
            tenant.into(),
            slug.into(),
            services.limit(Quota::Members).into(),
        ],
    );
    let _: Slot<()> = batch.add_global(
        &activity::INSERT_FOR_JOINED,
        [id.into(), services.new_id()?.into(), now.into(), membership.into()],
    );
    Ok(())
}

/// Operations on accounts that need no login.
pub(crate) trait Accounts {
    /// Registers a user. The first one becomes the owner of the tenant `default`, unless configured otherwise. An
    /// invitation in the request is accepted; a tenant that the request names is joined if it is open to everybody.
    fn register(
        &self,
        named: NamedTenant,
        registration: Registration,
    ) -> impl Future<Output = Result<User>> + Send;

    /// The user with this email and password. A failure takes as long as a success.
    fn authenticate(&self, login: Login) -> impl Future<Output = Result<Verified>> + Send;
}

impl Accounts for AnonymousScope {
    async fn register(&self, named: NamedTenant, registration: Registration) -> Result<User> {
        let services = self.services();
        let Registration { email, name, password, invitation_token: token } = registration;
        let refusal = match (services.config.registration, &token) {
            (config::Registration::Open, _) | (config::Registration::Invited, Some(_)) => None,
            (config::Registration::Invited, None) => Some("Registration here requires an invitation."),
            (config::Registration::Closed, _) => {
                Some("Nobody can register here; the operator makes accounts.")
            }
        };
        if let Some(detail) = refusal {
            return Err(Problem::with(Code::RegistrationClosed, detail));
        }
        services.count(Limit::Account, email.as_str()).await?;
        let password_hash = hash(services, self.client(), password).await?;
        let id = UserId(services.new_id()?);
        let slug = named.slug.map(|named| named.slug);
        let mut batch = self.batch_in(token.as_ref().map_or(named.id, |token| Some(token.tenant)));
        if let (None, Some(_), Some(slug)) = (&token, named.id, &slug) {
            let conflict = Problem::new(Code::TenantConflict);
            let _: Slot<TenantId> = batch.require(&tenants::CONFIRM, [slug.clone().into()], conflict);
        }
        let user = enrol(&mut batch, id, email, name, password_hash, Code::EmailTaken)?;
        if let Some(token) = &token {
            invitations::accept(&mut batch, services, token, id)?;
        } else {
            join_open(&mut batch, id, named.id, slug)?;
        }
        match (self.run(batch).await, &token) {
            (Err(problem), Some(token)) if problem.code == Code::InvitationUnusable => {
                let mut batch = self.batch_in(Some(token.tenant));
                let refusal = invitations::Refusal::ask(&mut batch, services, token);
                let mut outcome = self.run(batch).await?;
                return Err(refusal.take(&mut outcome)?);
            }
            (outcome, _) => outcome?,
        };
        Ok(user)
    }

    async fn authenticate(&self, login: Login) -> Result<Verified> {
        let services = self.services();
        let AccountEmail { address, typed, other } = login.email;
        services.count(Limit::Account, &address).await?;
        let mut batch = self.batch();
        let found =
            batch.add_global::<Credentials, _>(&BY_EMAIL, [address.into(), typed.into(), other.into()]);
        let found = self.run(batch).await?.optional(found)?;
        let hash = found.as_ref().map(|found| found.password_hash.clone());
        let job = HashJob::Verify { password: login.password, hash, cost: services.config.bcrypt_cost.0 };
        match (services.ports.hasher.run(self.client(), job).await?, found) {
            (HashOutcome::Verified(true), Some(Credentials { id: user, password_hash })) => {
                Ok(Verified { user, password_hash })
            }
            _ => Err(Problem::new(Code::InvalidCredentials)),
        }
    }
}

/// The caller's account.
pub trait Profile {
    /// The account.
    fn get(&self) -> impl Future<Output = Result<User>> + Send;

    /// Changes it. The members of its tenants see that in their activity.
    fn update(&self, patch: ProfilePatch) -> impl Future<Output = Result<User>> + Send;
}

impl Profile for AccountScope {
    async fn get(&self) -> Result<User> {
        let mut batch = self.batch();
        let user = batch.add_global::<User, _>(&BY_ID, [self.user().into()]);
        self.run(batch).await?.one(user)
    }

    async fn update(&self, patch: ProfilePatch) -> Result<User> {
        let Some(name) = patch.name.0 else {
            return self.matched(self.get().await?);
        };
        let (user, now) = (self.user(), self.services().now());
        let mut batch = self.batch();
        self.require_match(&mut batch, &UNCHANGED, user.0);
        activity::record_rename(&mut batch, user, &name)?;
        let _: Slot<()> = batch.add_global(&RENAME, [user.into(), name.into(), now.into()]);
        let renamed = batch.add_global::<User, _>(&BY_ID, [user.into()]);
        self.commit(batch).await?.one(renamed)
    }
}

//! Identities: the account that a token of the identity provider stands for. Issuer and subject decide that, and
//! nothing else: an address can pass to another person, and nobody has verified the addresses that accounts were
//! registered with.

use std::future::Future;

use serde::Serialize;

use crate::{
    access::{
        batch::Slot,
        named::NamedTenant,
        paging::Paging,
        scopes::{account::AccountScope, anonymous::AnonymousScope},
    },
    auth::identity::{ExternalToken, jwt::Subject},
    http::{
        conditional::{Resource, Version},
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Fault, FaultCode, input},
        json,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{IdentityId, Name, UserId},
    },
    repository::{activity, users},
};

statements! { "identities";
    global FIND = "SELECT i.id, i.user_id, u.disabled_at FROM identities i JOIN users u ON u.id = i.user_id \
         WHERE i.issuer = ?1 AND i.subject = ?2";

    global INSERT = "INSERT INTO identities (id, user_id, issuer, subject, created_at) VALUES (?1, ?2, ?3, ?4, ?5)";

    /// Links an identity to the account that has its verified address and that nobody can log in to: the operator
    /// created it, or imported it with a tenant, and it waits for its owner. (People in other imports get no account.)
    global CLAIM = "INSERT INTO identities (id, user_id, issuer, subject, created_at) \
         SELECT ?1, u.id, ?3, ?4, ?5 FROM users u WHERE u.email = ?2 AND u.password_hash = '' AND u.disabled_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id)";

    global LIST = "SELECT id, issuer, subject, created_at FROM identities \
         WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";

    global BY_ID = "SELECT id FROM identities WHERE user_id = ?1 AND id = ?2";

    /// Unlinks an identity of a user who can log in otherwise: with a password, or another identity.
    global DELETE = "DELETE FROM identities WHERE user_id = ?1 AND id = ?2 \
         AND (EXISTS (SELECT 1 FROM users u WHERE u.id = ?1 AND u.password_hash <> '') \
         OR EXISTS (SELECT 1 FROM identities i WHERE i.user_id = ?1 AND i.id <> ?2))";
}

record! {
    struct Found {
        id: IdentityId,
        user: UserId,
        disabled_at: Option<Timestamp>,
    }
}

record! {
    /// The identity of a person at an identity provider.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub(crate) struct Identity {
        /// The id of the identity.
        pub id: IdentityId,
        /// The identity provider.
        pub issuer: String,
        /// The provider's name for the person.
        pub subject: String,
        /// The time at which the identity was linked.
        pub created_at: Timestamp,
    }
}

impl Resource for Identity {
    fn version(&self) -> Option<Version> {
        None
    }
}

input! {
    /// An identity to link to your account.
    pub(crate) struct Link {
        /// A token of the identity provider.
        pub token: ExternalToken,
    }
}

/// An identity and its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) id: IdentityId,
    pub(crate) user: UserId,
}

/// The account of a subject that the provider has verified. A new subject gets an account, as if by registration,
/// provided that the provider has verified the address and that no account has it.
pub(crate) async fn admit(
    anonymous: &AnonymousScope,
    issuer: &str,
    subject: &Subject,
    named: &NamedTenant,
) -> Result<Known> {
    if let Some(known) = find(anonymous, issuer, subject).await? {
        return Ok(known);
    }
    let (services, now) = (anonymous.services(), anonymous.services().now());
    let email = subject.email.as_ref().ok_or_else(|| Problem::new(Code::EmailNotVerified))?;
    let known = Known { id: IdentityId(services.new_id()?), user: UserId(services.new_id()?) };
    let local = email.as_str().split('@').next().unwrap_or_default();
    let name = subject.name.clone().or_else(|| Name::parse(local).ok());
    let name = name.ok_or_else(|| Problem::internal("an address without a local part"))?;
    let mut batch = anonymous.batch();
    let taken = Code::IdentityNotLinked;
    users::enrol(&mut batch, known.user, email.clone(), name, users::NO_PASSWORD.to_owned(), taken)?;
    let slug = named.slug.as_ref().filter(|_| named.id.is_none()).map(|named| named.slug.clone());
    users::join_open(&mut batch, known.user, named.id, slug)?;
    let arguments = [known.id.into(), known.user.into(), issuer.into(), subject.id().into(), now.into()];
    let _: Slot<()> = batch.add_global(&INSERT, arguments);
    batch.on_duplicate("users_email_key", Problem::new(Code::IdentityNotLinked));
    batch.on_duplicate("identities_issuer_subject_key", Problem::new(Code::IdentityNotLinked));
    match anonymous.run(batch).await {
        Ok(_) => Ok(known),
        // The account with this address may belong to this identity by now (through a concurrent request), or may wait
        // for its owner.
        Err(problem) if problem.code == Code::IdentityNotLinked => {
            let mut batch = anonymous.batch();
            let subject_of = subject.id();
            let arguments =
                [known.id.into(), email.clone().into(), issuer.into(), subject_of.into(), now.into()];
            let _: Slot<()> = batch.add_global(&CLAIM, arguments);
            batch.on_duplicate("identities_issuer_subject_key", Problem::new(Code::Conflict));
            match anonymous.run(batch).await {
                Err(other) if other.code != Code::Conflict => return Err(other),
                _ => {}
            }
            find(anonymous, issuer, subject).await?.ok_or(problem)
        }
        Err(problem) => Err(problem),
    }
}

async fn find(anonymous: &AnonymousScope, issuer: &str, subject: &Subject) -> Result<Option<Known>> {
    let mut batch = anonymous.batch();
    let found = batch.add_global::<Found, _>(&FIND, [issuer.into(), subject.id().into()]);
    match anonymous.run(batch).await?.optional(found)? {
        Some(Found { disabled_at: Some(_), .. }) => Err(Problem::new(Code::InvalidToken)),
        found => Ok(found.map(|Found { id, user, .. }| Known { id, user })),
    }
}

/// The caller's identities.
pub(crate) trait Identities {
    /// All of them, newest first.
    fn identities(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Identity>>> + Send;

    /// Links an identity, by a token of it.
    fn link(&self, link: Link) -> impl Future<Output = Result<Identity>> + Send;

    /// Unlinks an identity: its tokens stand for no account from then on.
    fn unlink(&self, id: IdentityId) -> impl Future<Output = Result<()>> + Send;
}

impl Identities for AccountScope {
    async fn identities(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<Identity>> {
        let paging = Paging::new(self.services(), "identities", self.user().0, &[], size, cursor)?;
        let mut batch = self.batch();
        let rows =
            batch.add_global::<Identity, _>(&LIST, [self.user().into(), paging.before(), paging.fetch()]);
        Ok(paging.page(self.run(batch).await?.all(rows)?, |identity| identity.id.0))
    }

    async fn link(&self, Link { token }: Link) -> Result<Identity> {
        let (services, user) = (self.services(), self.user());
        let refuse = |why: String| {
            let fault = Fault::new(FaultCode::NotAllowed, why);
            Problem::faults(Code::ValidationFailed, vec![fault.within("token")])
        };
        let Some(provider) = &services.provider else {
            return Err(refuse("There is no identity provider here.".to_owned()));
        };
        let subject = match provider.verify(&services.ports, self.meter(), token.expose()).await {
            Err(problem) if problem.code == Code::InvalidToken => return Err(refuse(problem.sentence())),
            subject => subject?.id().to_owned(),
        };
        let (id, issuer, now) = (IdentityId(services.new_id()?), provider.issuer(), services.now());
        let mut batch = self.batch();
        let arguments = [id.into(), user.into(), issuer.into(), subject.as_str().into(), now.into()];
        let _: Slot<()> = batch.add_global(&INSERT, arguments);
        batch.on_duplicate("identities_issuer_subject_key", Problem::new(Code::IdentityTaken));
        let detail = json::object(vec![("issuer", issuer.into()), ("subject", subject.as_str().into())]);
        activity::record_of_user(&mut batch, user, user, "user.identity_linked", detail)?;
        let identity = Identity { id, issuer: issuer.to_owned(), subject, created_at: now };
        self.store_answer(&mut batch, &identity)?;
        self.commit(batch).await?;
        Ok(identity)
    }

    async fn unlink(&self, id: IdentityId) -> Result<()> {
        let user = self.user();
        let mut batch = self.batch();
        let only = Problem::new(Code::OnlyWayIn);
        let _: Slot<()> = batch.require_global(&DELETE, [user.into(), id.into()], only);
        let detail = json::object(vec![("identity_id", id.into())]);
        activity::record_of_user(&mut batch, user, user, "user.identity_unlinked", detail)?;
        match self.commit(batch).await {
            Err(problem) if problem.code == Code::OnlyWayIn => {
                let mut batch = self.batch();
                let there = batch.add_global::<IdentityId, _>(&BY_ID, [user.into(), id.into()]);
                let there = self.run(batch).await?.optional(there)?;
                Err(there.map_or_else(|| Problem::new(Code::NotFound), |_| problem))
            }
            outcome => outcome.map(drop),
        }
    }
}

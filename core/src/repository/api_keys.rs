//! API keys: the credentials of machines. A key is valid for one tenant, with a role not above its creator's, and only
//! while the creator is a member.

use std::{future::Future, time::Duration};

use serde::Serialize;

use crate::{
    access::batch::Slot,
    auth::token::opaque::ApiKeyToken,
    http::{
        conditional::{Resource, Version},
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Fault, FaultCode, input},
        json, limits,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{ApiKeyId, Name, UserId, enumerations::Role},
    },
    repository::{
        Repository,
        activity::Event,
        quotas::{self, Quota},
    },
};

const COLUMNS: &str = "id, name, role, prefix, user_id, expires_at, last_used_at, created_at";

/// The keys that the user `?2` may see: their own; as an owner, all keys.
const SEEN: &str = "(user_id = ?2 OR EXISTS (SELECT 1 FROM memberships o WHERE o.tenant_id = ?1 AND o.user_id = ?2 \
     AND o.role = 'owner' AND o.status = 'active'))";

statements! { "api_keys";
    tenant LIST = "SELECT ", COLUMNS, " FROM api_keys WHERE tenant_id = ?1 AND ", SEEN, " AND id < ?3 ORDER BY id DESC LIMIT ?4";

    tenant BY_ID = "SELECT ", COLUMNS, " FROM api_keys WHERE tenant_id = ?1 AND id = ?3 AND ", SEEN;

    tenant INSERT = "INSERT INTO api_keys (tenant_id, id, user_id, name, role, prefix, token_hash, expires_at, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    tenant DELETE = "DELETE FROM api_keys WHERE tenant_id = ?1 AND id = ?3 AND ", SEEN;
}

record! {
    /// An API key.
    #[derive(Debug, Serialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    pub struct ApiKey {
        /// The id of the key.
        pub id: ApiKeyId,
        /// The purpose of the key.
        pub name: Name,
        /// The highest role of the key. If its user has a lower role, the lower one counts.
        pub role: Role,
        /// The first characters of the key, to recognise it by.
        pub prefix: String,
        /// The user who created the key, and for whom it acts.
        pub user_id: UserId,
        /// The time at which the key expires.
        pub expires_at: Timestamp,
        /// The time of the last use, to the minute; `null` before the first.
        pub last_used_at: Option<Timestamp>,
        /// The time of creation.
        pub created_at: Timestamp,
    }
}

/// A new API key. Only this answer contains the key itself.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct MadeApiKey {
    /// The stored part of the key.
    #[serde(flatten)]
    pub api_key: ApiKey,
    /// The key itself, for `Authorization: Bearer`. It is not stored and cannot be shown again.
    pub key: String,
}

/// The only version of a key: nothing of it changes but the time of its last use.
fn state(id: ApiKeyId) -> Version {
    Version { id: id.0, number: 1 }
}

impl Resource for ApiKey {
    fn version(&self) -> Option<Version> {
        Some(state(self.id))
    }
}

/// An answer with a secret has no tag: no later answer is the same.
impl Resource for MadeApiKey {
    fn version(&self) -> Option<Version> {
        None
    }
}

input! {
    /// A new API key.
    pub struct NewApiKey {
        /// The purpose of the key.
        pub name: Name,
        /// The highest role of the key, at most your own role.
        pub role: Role,
        /// The time at which the key expires: at most 366 days from now; 90 days if absent.
        pub expires_at: Option<Timestamp>,
    }
}

/// The API keys of a tenant.
pub trait ApiKeys {
    /// The caller's keys, or all keys for an owner; newest first.
    fn list(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<ApiKey>>> + Send;

    /// Creates a key.
    fn create(&self, new: NewApiKey) -> impl Future<Output = Result<MadeApiKey>> + Send;

    /// One of the keys that [`Self::list`] lists.
    fn get(&self, id: ApiKeyId) -> impl Future<Output = Result<ApiKey>> + Send;

    /// Revokes one of the keys that [`Self::list`] lists.
    fn revoke(&self, id: ApiKeyId) -> impl Future<Output = Result<()>> + Send;
}

impl ApiKeys for Repository<'_> {
    async fn list(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<ApiKey>> {
        let paging = self.paging("api_keys", &[], size, cursor)?;
        let mut batch = self.scope.batch();
        let arguments = [self.scope.user().into(), paging.before(), paging.fetch()];
        let rows = batch.add::<ApiKey, _>(&LIST, arguments);
        let (_, mut outcome) = self.scope.read(batch).await?;
        Ok(paging.page(outcome.all(rows)?, |key| key.id.0))
    }

    async fn create(&self, NewApiKey { name, role, expires_at }: NewApiKey) -> Result<MadeApiKey> {
        let (services, user) = (self.scope.services(), self.scope.user());
        let (id, now) = (ApiKeyId(services.new_id()?), services.now());
        let days = |days: u64| now.plus(Duration::from_hours(24 * days));
        let expires_at = expires_at.unwrap_or_else(|| days(limits::API_KEY_DAYS_DEFAULT));
        if expires_at <= now || expires_at > days(limits::API_KEY_DAYS) {
            let detail = format!("Expected a time within the next {} days.", limits::API_KEY_DAYS);
            let fault = Fault::new(FaultCode::NotAllowed, detail);
            return Err(Problem::faults(Code::ValidationFailed, vec![fault.within("expires_at")]));
        }
        let mut secret = [0; 32];
        services.ports.entropy.fill(&mut secret)?;
        let token = ApiKeyToken::new(secret, self.scope.tenant(), user, id);
        let api_key = ApiKey {
            id,
            name,
            role,
            prefix: token.prefix().to_owned(),
            user_id: user,
            expires_at,
            last_used_at: None,
            created_at: now,
        };
        let mut batch = self.scope.batch();
        let _: Slot<()> = batch.add(
            &INSERT,
            [
                id.into(),
                user.into(),
                api_key.name.clone().into(),
                role.into(),
                token.prefix().into(),
                token.digest().into(),
                expires_at.into(),
                now.into(),
            ],
        );
        quotas::require(&mut batch, Quota::ApiKeys);
        let detail = json::object(vec![
            ("name", api_key.name.clone().into()),
            ("role", role.into()),
            ("prefix", token.prefix().into()),
            ("expires_at", expires_at.to_string().into()),
        ]);
        self.record(&mut batch, Event::new("api_key.created", "api_key", id.0, detail))?;
        let made = MadeApiKey { api_key, key: token.expose().to_owned() };
        self.scope.store_answer(&mut batch, &made)?;
        self.scope.commit(batch, Some(role)).await?;
        Ok(made)
    }

    async fn get(&self, id: ApiKeyId) -> Result<ApiKey> {
        let mut batch = self.scope.batch();
        let key = batch.add::<ApiKey, _>(&BY_ID, [self.scope.user().into(), id.into()]);
        let (_, mut outcome) = self.scope.read(batch).await?;
        outcome.optional(key)?.ok_or_else(|| Problem::new(Code::NotFound))
    }

    async fn revoke(&self, id: ApiKeyId) -> Result<()> {
        let mut batch = self.scope.batch();
        self.scope.match_state(&mut batch, Some(state(id)))?;
        let arguments = [self.scope.user().into(), id.into()];
        let _: Slot<()> = batch.require(&DELETE, arguments, Problem::new(Code::NotFound));
        let detail = json::object(Vec::new());
        self.record(&mut batch, Event::new("api_key.revoked", "api_key", id.0, detail))?;
        self.scope.commit(batch, None).await.map(drop)
    }
}

//! Answers that are kept for a day, for repetitions of a request under the same `Idempotency-Key`: of a tenant's
//! members, and of a user's own account.
//!
//! Two requests under one key at the same time both write its row: one fails, and then finds the answer of the other.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};

use crate::{
    access::{
        batch::{Batch, Slot},
        scopes::{account::AccountScope, tenant::TenantScope},
        services::Services,
    },
    http::{
        answer::Answer,
        idempotency::{self, IdempotencyKey},
        problem::{Code, Problem, Result},
    },
    kernel::{
        limits,
        sql::{rows::record, statements},
        time::Timestamp,
    },
};

const NONCE_BYTES: usize = 12;

statements! { "stored_answers";
    tenant FIND = "SELECT fingerprint, answer FROM idempotency_keys WHERE tenant_id = ?1 AND key_hash = ?2 AND created_at > ?3";

    tenant INSERT = "INSERT INTO idempotency_keys (tenant_id, key_hash, user_id, fingerprint, answer, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

    /// An answer that has expired makes room.
    tenant REPLACE = "DELETE FROM idempotency_keys WHERE tenant_id = ?1 AND key_hash = ?2 AND created_at <= ?3";

    global FIND_OF_ACCOUNT = "SELECT fingerprint, answer FROM account_idempotency_keys \
         WHERE user_id = ?1 AND key_hash = ?2 AND created_at > ?3";

    global INSERT_OF_ACCOUNT = "INSERT INTO account_idempotency_keys (user_id, key_hash, fingerprint, answer, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5)";

    global REPLACE_OF_ACCOUNT = "DELETE FROM account_idempotency_keys WHERE user_id = ?1 AND key_hash = ?2 AND created_at <= ?3";

    spanning PRUNE = "DELETE FROM idempotency_keys WHERE (tenant_id, key_hash) IN (SELECT k.tenant_id, k.key_hash \
         FROM idempotency_keys k WHERE k.created_at <= ?1 ORDER BY k.created_at LIMIT ?2) RETURNING 1 AS dropped";

    global PRUNE_OF_ACCOUNTS = "DELETE FROM account_idempotency_keys WHERE (user_id, key_hash) IN (SELECT k.user_id, k.key_hash \
         FROM account_idempotency_keys k WHERE k.created_at <= ?1 ORDER BY k.created_at LIMIT ?2) RETURNING 1 AS dropped";
}

/// An idempotency key with its owner: keys of different owners differ, whatever their texts.
pub(super) struct Owned<'a> {
    key: &'a IdempotencyKey,
    owner: Vec<&'a [u8]>,
}

impl<'a> Owned<'a> {
    /// The key of an owner: tenant, user and API key, as far as they apply.
    pub(super) fn new(key: &'a IdempotencyKey, owner: Vec<&'a [u8]>) -> Self {
        Self { key, owner }
    }

    fn parts(&self) -> Vec<&[u8]> {
        let mut parts = self.owner.clone();
        parts.push(self.key.text.as_bytes());
        parts
    }

    /// The fingerprint of the request that had the key, as it is kept.
    pub(super) fn fingerprint(&self) -> &str {
        &self.key.fingerprint
    }

    /// The hash by which it is found.
    pub(super) fn hash(&self) -> String {
        idempotency::digest("key", &self.parts())
    }

    /// An answer as it is kept.
    pub(super) fn encrypt(&self, services: &Services, answer: &Answer) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        services.ports.entropy.fill(&mut nonce)?;
        let cipher = ChaCha20Poly1305::new(&services.tokens.answer_keys(&self.parts())[0].into());
        let payload = Payload { msg: &answer.keep(), aad: self.key.fingerprint.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Problem::internal("an answer could not be encrypted"))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// The answer that was kept. `None` if the keys that it was encrypted by are gone.
    pub(super) fn open(&self, services: &Services, kept: &str) -> Option<Answer> {
        let bytes = URL_SAFE_NO_PAD.decode(kept).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        services.tokens.answer_keys(&self.parts()).into_iter().find_map(|key| {
            let payload = Payload { msg: sealed, aad: self.key.fingerprint.as_bytes() };
            let plain = ChaCha20Poly1305::new(&key.into()).decrypt(&Nonce::from(*nonce), payload).ok()?;
            Answer::recall(&plain)
        })
    }
}

record! {
    struct Kept {
        fingerprint: String,
        answer: String,
    }
}

/// Answers from before this time have been kept long enough.
fn before(now: Timestamp) -> Timestamp {
    now.minus(Duration::from_hours(limits::IDEMPOTENCY_HOURS))
}

/// Adds a batch's answer to a batch about a tenant.
pub(super) fn store_answer(
    batch: &mut Batch<'_>,
    scope: &TenantScope,
    key: &Owned<'_>,
    answer: &Answer,
) -> Result<()> {
    let (services, now, hash) = (scope.services(), scope.services().now(), key.hash());
    let _: Slot<()> = batch.add(&REPLACE, [hash.as_str().into(), before(now).into()]);
    let arguments = [
        hash.into(),
        scope.user().into(),
        key.fingerprint().into(),
        key.encrypt(services, answer)?.into(),
        now.into(),
    ];
    let _: Slot<()> = batch.add(&INSERT, arguments);
    Ok(())
}

/// The same for a batch about an account.
pub(super) fn store_answer_of_account(
    batch: &mut Batch<'_>,
    account: &AccountScope,
    key: &Owned<'_>,
    answer: &Answer,
) -> Result<()> {
    let (services, user, now, hash) =
        (account.services(), account.user(), account.services().now(), key.hash());
    let _: Slot<()> =
        batch.add_global(&REPLACE_OF_ACCOUNT, [user.into(), hash.as_str().into(), before(now).into()]);
    let answer = key.encrypt(services, answer)?;
    let arguments = [user.into(), hash.into(), key.fingerprint().into(), answer.into(), now.into()];
    let _: Slot<()> = batch.add_global(&INSERT_OF_ACCOUNT, arguments);
    Ok(())
}

/// The answer that was kept for a member of a tenant, if there is one.
///
/// # Errors
/// `idempotency_key_reused` if it is the answer to another request.
pub(super) async fn stored_answer(scope: &TenantScope, key: &Owned<'_>) -> Result<Option<Answer>> {
    let mut batch = scope.batch();
    let found = batch.add::<Kept, _>(&FIND, [key.hash().into(), before(scope.services().now()).into()]);
    let (_, mut outcome) = scope.read(batch).await?;
    outcome.optional(found)?.map(|kept| kept.open(scope.services(), key)).transpose()
}

/// The same for an account.
pub(super) async fn stored_answer_of_account(
    account: &AccountScope,
    key: &Owned<'_>,
) -> Result<Option<Answer>> {
    let mut batch = account.batch();
    let arguments = [account.user().into(), key.hash().into(), before(account.services().now()).into()];
    let found = batch.add_global::<Kept, _>(&FIND_OF_ACCOUNT, arguments);
    account.run(batch).await?.optional(found)?.map(|kept| kept.open(account.services(), key)).transpose()
}

impl Kept {
    fn open(self, services: &Services, key: &Owned<'_>) -> Result<Answer> {
        if self.fingerprint != key.fingerprint() {
            return Err(Problem::new(Code::IdempotencyKeyReused));
        }
        let unreadable = "The request was done, but its answer cannot be read any more: the keys of the service were changed.";
        key.open(services, &self.answer).ok_or_else(|| Problem::with(Code::IdempotencyKeyReused, unreadable))
    }
}

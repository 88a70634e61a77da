//! Answers that are stored for a day, for repetitions of a request under the same `Idempotency-Key`: of a tenant's
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
        batch::{Batch, Outcome, Slot},
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
        values::{ApiKeyId, TenantId, UserId},
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

/// Who has an idempotency key: keys of different owners differ, whatever their texts.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    /// A member of a tenant, or one of their API keys: these may not all do the same.
    Member { tenant: TenantId, user: UserId, key: Option<ApiKeyId> },
    /// A user, about the own account.
    Account(UserId),
}

/// An idempotency key with its owner.
pub(super) struct Owned<'a> {
    services: &'a Services,
    key: &'a IdempotencyKey,
    owner: Owner,
}

record! {
    pub(super) struct Stored {
        fingerprint: String,
        answer: String,
    }
}

impl<'a> Owned<'a> {
    /// The key of an owner.
    pub(super) fn new(services: &'a Services, key: &'a IdempotencyKey, owner: Owner) -> Self {
        Self { services, key, owner }
    }

    /// What distinguishes it from every other key.
    fn parts(&self) -> Vec<&[u8]> {
        let mut parts: Vec<&[u8]> = match &self.owner {
            Owner::Member { tenant, user, key } => {
                let key = key.as_ref().map_or(&[][..], |key| key.0.as_bytes());
                vec![tenant.0.as_bytes(), user.0.as_bytes(), key]
            }
            Owner::Account(user) => vec![user.0.as_bytes()],
        };
        parts.push(self.key.text.as_bytes());
        parts
    }

    /// The hash by which its answer is found.
    fn hash(&self) -> String {
        idempotency::digest("key", &self.parts())
    }

    /// Answers from before this time have been stored long enough.
    fn expiry(&self) -> Timestamp {
        self.services.now().minus(Duration::from_hours(limits::IDEMPOTENCY_HOURS))
    }

    /// Adds a batch's answer to the batch.
    pub(super) fn store(&self, batch: &mut Batch<'_>, answer: &Answer) -> Result<()> {
        let (hash, expiry, now) = (self.hash(), self.expiry(), self.services.now());
        let (fingerprint, answer) = (self.key.fingerprint.as_str(), self.encrypt(answer)?);
        match self.owner {
            Owner::Member { user, .. } => {
                let _: Slot<()> = batch.add(&REPLACE, [hash.as_str().into(), expiry.into()]);
                let arguments = [hash.into(), user.into(), fingerprint.into(), answer.into(), now.into()];
                let _: Slot<()> = batch.add(&INSERT, arguments);
            }
            Owner::Account(user) => {
                let expired = [user.into(), hash.as_str().into(), expiry.into()];
                let _: Slot<()> = batch.add_global(&REPLACE_OF_ACCOUNT, expired);
                let arguments = [user.into(), hash.into(), fingerprint.into(), answer.into(), now.into()];
                let _: Slot<()> = batch.add_global(&INSERT_OF_ACCOUNT, arguments);
            }
        }
        Ok(())
    }

    /// Asks for the stored answer.
    pub(super) fn ask(&self, batch: &mut Batch<'_>) -> Slot<Stored> {
        let (hash, expiry) = (self.hash().into(), self.expiry().into());
        match self.owner {
            Owner::Member { .. } => batch.add(&FIND, [hash, expiry]),
            Owner::Account(user) => batch.add_global(&FIND_OF_ACCOUNT, [user.into(), hash, expiry]),
        }
    }

    /// The stored answer, if there is one.
    ///
    /// # Errors
    /// `idempotency_key_reused` if it is the answer to another request.
    pub(super) fn take(&self, outcome: &mut Outcome, found: Slot<Stored>) -> Result<Option<Answer>> {
        let Some(stored) = outcome.optional(found)? else { return Ok(None) };
        if stored.fingerprint != self.key.fingerprint {
            return Err(Problem::new(Code::IdempotencyKeyReused));
        }
        let unreadable = "The request was done, but its answer cannot be read any more: the keys of the service were changed.";
        let answer = self.decrypt(&stored.answer);
        answer.map(Some).ok_or_else(|| Problem::with(Code::IdempotencyKeyReused, unreadable))
    }

    /// An answer as it is stored.
    fn encrypt(&self, answer: &Answer) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        self.services.ports.entropy.fill(&mut nonce)?;
        let cipher = ChaCha20Poly1305::new(&self.services.tokens.answer_keys(&self.parts())[0].into());
        let payload = Payload { msg: &answer.to_stored(), aad: self.key.fingerprint.as_bytes() };
        let encrypted = cipher.encrypt(&Nonce::from(nonce), payload);
        let encrypted = encrypted.map_err(|_| Problem::internal("an answer could not be encrypted"))?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &encrypted].concat()))
    }

    /// A stored answer. `None` if the keys that it was encrypted by are gone.
    fn decrypt(&self, stored: &str) -> Option<Answer> {
        let bytes = URL_SAFE_NO_PAD.decode(stored).ok()?;
        let (nonce, encrypted) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        self.services.tokens.answer_keys(&self.parts()).into_iter().find_map(|key| {
            let payload = Payload { msg: encrypted, aad: self.key.fingerprint.as_bytes() };
            let plain = ChaCha20Poly1305::new(&key.into()).decrypt(&Nonce::from(*nonce), payload).ok()?;
            Answer::from_stored(&plain)
        })
    }
}

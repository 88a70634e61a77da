//! Answers that are kept for a day, for when a request comes again under the same `Idempotency-Key`: those of a tenant's
//! members, and those about one's own account.
//!
//! Two requests under one key at the same time both write its row: one fails, and then finds the answer of the other.

use std::time::Duration;

use crate::{
    dispatch::{Account, Batch, Slot, TenantScope},
    idempotency::Owned,
    limits,
    problem::{Code, Problem, Result},
    reply::Answer,
    sql::{record, statements},
    time::Timestamp,
};

statements! { "idempotency";
    tenant FIND = "SELECT fingerprint, answer FROM idempotency_keys WHERE tenant_id = ?1 AND key_hash = ?2 AND created_at > ?3";

    tenant INSERT = "INSERT INTO idempotency_keys (tenant_id, key_hash, user_id, fingerprint, answer, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

    /// What is too old to be answered makes room.
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

record! {
    struct Kept {
        fingerprint: String,
        answer: String,
    }
}

/// The time at which what has been kept long enough was kept.
fn before(now: Timestamp) -> Timestamp {
    now.minus(Duration::from_hours(limits::IDEMPOTENCY_HOURS))
}

/// Adds to a batch about a tenant that its answer is kept.
pub(crate) fn keep(
    batch: &mut Batch<'_>,
    scope: &TenantScope,
    key: &Owned<'_>,
    answer: &Answer,
) -> Result<()> {
    let (app, now, hash) = (scope.app(), scope.app().now(), key.hash());
    let _: Slot<()> = batch.add(&REPLACE, [hash.as_str().into(), before(now).into()]);
    let arguments = [
        hash.into(),
        scope.user().into(),
        key.fingerprint().into(),
        key.seal(app, answer)?.into(),
        now.into(),
    ];
    let _: Slot<()> = batch.add(&INSERT, arguments);
    Ok(())
}

/// The same for a batch about an account.
pub(crate) fn keep_of_account(
    batch: &mut Batch<'_>,
    account: &Account,
    key: &Owned<'_>,
    answer: &Answer,
) -> Result<()> {
    let (app, user, now, hash) = (account.app(), account.user(), account.app().now(), key.hash());
    let _: Slot<()> =
        batch.add_global(&REPLACE_OF_ACCOUNT, [user.into(), hash.as_str().into(), before(now).into()]);
    let answer = key.seal(app, answer)?;
    let arguments = [user.into(), hash.into(), key.fingerprint().into(), answer.into(), now.into()];
    let _: Slot<()> = batch.add_global(&INSERT_OF_ACCOUNT, arguments);
    Ok(())
}

/// The answer that was kept for a member of a tenant, if there is one.
///
/// # Errors
/// `idempotency_key_reused` if it is the answer to another request.
pub(crate) async fn recall(scope: &TenantScope, key: &Owned<'_>) -> Result<Option<Answer>> {
    let mut batch = scope.batch();
    let found = batch.add::<Kept, _>(&FIND, [key.hash().into(), before(scope.app().now()).into()]);
    let (_, mut outcome) = scope.read(batch).await?;
    outcome.optional(found)?.map(|kept| kept.open(scope.app(), key)).transpose()
}

/// The same for an account.
pub(crate) async fn recall_of_account(account: &Account, key: &Owned<'_>) -> Result<Option<Answer>> {
    let mut batch = account.batch();
    let arguments = [account.user().into(), key.hash().into(), before(account.app().now()).into()];
    let found = batch.add_global::<Kept, _>(&FIND_OF_ACCOUNT, arguments);
    account.run(batch).await?.optional(found)?.map(|kept| kept.open(account.app(), key)).transpose()
}

impl Kept {
    fn open(self, app: &crate::App, key: &Owned<'_>) -> Result<Answer> {
        if self.fingerprint != key.fingerprint() {
            return Err(Problem::new(Code::IdempotencyKeyReused));
        }
        let unreadable = "The request was done, but its answer cannot be read any more: the keys of the service were changed.";
        key.open(app, &self.answer).ok_or_else(|| Problem::with(Code::IdempotencyKeyReused, unreadable))
    }
}

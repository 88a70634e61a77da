//! The chain of a tenant's activity in the database. Entries are written without a place in it, in the batch of the
//! change that they report, and *sealed* right after it, in the background: each gets the next number and its hash.
//!
//! A hash needs the one before it, which would be one more round trip for every change, and would have the writers of a
//! tenant wait for each other. So only the sealing processes wait: of two that use the same number one fails, and looks
//! again.

use std::future::Future;

use serde::Serialize;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        scopes::{background::BackgroundScope, operator::OperatorScope},
        turns::{Step, Turned},
    },
    domain::chain::{self, Breach, COLUMNS, Entry, Head, Link},
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::input,
        limits,
        sql::{rows::record, statements},
        values::TenantId,
    },
    repository::{Repository, repeat, sizes},
};

/// Entries that are sealed in one batch, each by a statement of its own.
const AT_ONCE: u32 = 50;

statements! { "chain";
    tenant HEAD = "SELECT seq, hash FROM activity WHERE tenant_id = ?1 AND seq IS NOT NULL ORDER BY seq DESC LIMIT 1";

    tenant UNSEALED = "SELECT ", COLUMNS, " FROM activity WHERE tenant_id = ?1 AND seq IS NULL ORDER BY id LIMIT ?2";

    /// Works once; an entry with a place keeps it.
    tenant SEAL = "UPDATE activity SET seq = ?3, hash = ?4 WHERE tenant_id = ?1 AND id = ?2 AND seq IS NULL";

    /// The unsealed entries, up to a limit.
    tenant COUNT_UNSEALED = "SELECT count(*) AS pending FROM (SELECT 1 FROM activity \
         WHERE tenant_id = ?1 AND seq IS NULL ORDER BY id LIMIT ?2) a";

    /// Entries from `?2` on: at most `?3`, and no more than one after `?4` bytes.
    tenant LINKS = "SELECT seq, hash, ", COLUMNS, " FROM (SELECT seq, hash, ", COLUMNS, ", bytes, \
         sum(bytes) OVER (ORDER BY seq) AS total FROM (SELECT seq, hash, ", COLUMNS, ", \
         octet_length(CAST(detail AS text)) AS bytes FROM activity WHERE tenant_id = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3) p) q \
         WHERE total - bytes < ?4 ORDER BY seq";

    /// The tenants with unsealed entries, behind a tenant. It runs every few seconds, so it must cost nothing: an index
    /// of only such entries leads from tenant to tenant, however many entries one of them has.
    spanning WAITING = "SELECT o.tenant_id FROM (WITH RECURSIVE owing (tenant_id) AS (\
         SELECT (SELECT a.tenant_id FROM activity a WHERE a.seq IS NULL AND a.tenant_id > ?2 ORDER BY a.tenant_id LIMIT 1) \
         UNION ALL SELECT (SELECT b.tenant_id FROM activity b WHERE b.seq IS NULL AND b.tenant_id > p.tenant_id \
         ORDER BY b.tenant_id LIMIT 1) FROM owing p WHERE p.tenant_id IS NOT NULL) \
         SELECT tenant_id FROM owing) o WHERE o.tenant_id IS NOT NULL LIMIT ?1";
}

record! {
    pub(super) struct HeadRow {
        pub(super) seq: i64,
        hash: Option<String>,
    }
}

/// Seals unsealed entries, in at most `batches` batches; `look` asks the database, which knows all tenants.
pub(crate) async fn append(scope: &BackgroundScope<'_>, look: bool, batches: u32) -> Result<Turned> {
    let waiting = look.then_some(&WAITING);
    scope.services().turns.sealing.round(scope, waiting, batches, |tenant| seal_piece(scope, tenant)).await
}

async fn seal_piece(scope: &BackgroundScope<'_>, tenant: TenantId) -> Result<Step> {
    match repeat(|| seal_some(scope, tenant)).await {
        Ok(AT_ONCE) => Ok(Step::Some(AT_ONCE)),
        Ok(sealed) => Ok(Step::Last(sealed)),
        Err(problem) if problem.code == Code::Conflict => Ok(Step::Busy),
        Err(problem) => Err(problem),
    }
}

/// Seals the oldest unsealed entries of a tenant, and returns how many.
async fn seal_some(scope: &BackgroundScope<'_>, tenant: TenantId) -> Result<u32> {
    let mut batch = scope.batch(Some(tenant));
    let head = ask_head(&mut batch);
    let entries = batch.add::<Entry, _>(&UNSEALED, [i64::from(AT_ONCE).into()]);
    let size = sizes::ask(&mut batch);
    let mut outcome = scope.run(batch).await?;
    let size = outcome.optional(size)?;
    let entries = outcome.all(entries)?;
    let text = tenant.to_string();
    let mut head = match outcome.optional(head)? {
        Some(HeadRow { seq, hash }) => Head { seq, hash: hash.unwrap_or_default() },
        None => Head::start(&text),
    };
    let mut batch = scope.batch(Some(tenant));
    let mut count = 0;
    for mut entry in entries {
        // An entry with an invalid id can only have been made by hand; it stays pending.
        let Some(id) = entry.id() else { continue };
        let seq = head.seq + 1;
        head = Head { seq, hash: entry.hash(&text, seq, &head.hash) };
        let arguments = [id.into(), seq.into(), head.hash.clone().into()];
        // Another process that has sealed since has taken the first of these numbers. Then the first entry has its
        // place, or its number is a duplicate: either way nothing is written. So only the first one needs to be
        // checked.
        let _: Slot<()> = match count {
            0 => batch.require(&SEAL, arguments, Problem::new(Code::Conflict)),
            _ => batch.add(&SEAL, arguments),
        };
        count += 1;
    }
    if count > 0 {
        batch.on_duplicate("activity_tenant_id_seq_key", Problem::new(Code::Conflict));
        scope.run(batch).await?;
        if sizes::is_due(size.as_ref(), head.seq, scope.services().now()) {
            scope.services().turns.sizes.join(tenant);
        }
    }
    Ok(count)
}

/// Asks for the last sealed entry of a tenant.
pub(super) fn ask_head(batch: &mut Batch<'_>) -> Slot<HeadRow> {
    batch.add(&HEAD, [])
}

/// The result of verifying a chain, or a part of it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Verification {
    /// Whether all checked entries are as they were written.
    pub valid: bool,
    /// The number of entries that were checked and are correct.
    pub checked: i64,
    /// The number and hash of the last correct entry, or the given head if there is none. Note it elsewhere: it shows later
    /// that no entry up to it was changed or removed.
    pub head: Option<Head>,
    /// Whether the chain continues after `head`. If so, repeat the request with this head.
    pub more: bool,
    /// The number of entries that are not sealed yet; 1000 means 1000 or more.
    pub pending: i64,
    /// The first fault in the chain; `null` if there is none.
    pub breach: Option<Breach>,
}

input! {
    /// The part of the chain to verify.
    pub struct ChainQuery {
        /// A head from an earlier answer. The chain must still contain it, and is checked from there on.
        pub head: Option<Head>,
    }
}

/// The part of a chain that one batch reads.
struct Part {
    tenant: TenantId,
    from: Option<Head>,
    links: Slot<Link>,
    newest: Slot<HeadRow>,
    pending: Slot<i64>,
}

impl Part {
    /// Asks for the entries after a place, and for the place itself.
    fn ask(batch: &mut Batch<'_>, tenant: TenantId, from: Option<Head>) -> Self {
        let (first, most) = (from.as_ref().map_or(1, |head| head.seq), i64::from(limits::VERIFIED_ENTRIES));
        // One entry more than is checked helps to identify the fault.
        let rows = most + 1 + i64::from(from.is_some());
        let links = batch.add(&LINKS, [first.into(), rows.into(), limits::PART_BYTES.into()]);
        let newest = ask_head(batch);
        let pending = batch.add(&COUNT_UNSEALED, [i64::from(limits::COUNTED).into()]);
        Self { tenant, from, links, newest, pending }
    }

    fn take(self, outcome: &mut Outcome) -> Result<Verification> {
        let (mut links, pending) = (outcome.all(self.links)?, outcome.one(self.pending)?);
        let newest = outcome.optional(self.newest)?.map_or(0, |newest| newest.seq);
        let tenant = self.tenant.to_string();
        let lost = self.from.as_ref().and_then(|noted| chain::find(noted, &links));
        if lost.is_some() {
            return Ok(Verification {
                valid: false,
                checked: 0,
                head: None,
                more: false,
                pending,
                breach: lost,
            });
        }
        if self.from.is_some() {
            links.remove(0);
        }
        let from = self.from.unwrap_or_else(|| Head::start(&tenant));
        let before = from.seq;
        let (head, breach) = chain::walk(&tenant, from, &mut links, limits::VERIFIED_ENTRIES as usize);
        Ok(Verification {
            valid: breach.is_none(),
            checked: head.seq - before,
            more: breach.is_none() && head.seq < newest,
            head: Some(head).filter(|head| head.seq > 0),
            pending,
            breach,
        })
    }
}

/// The chain of a tenant's activity.
pub trait Chain {
    /// Verifies it, a limited number of entries at once.
    fn verify(&self, query: ChainQuery) -> impl Future<Output = Result<Verification>> + Send;
}

impl Chain for Repository<'_> {
    async fn verify(&self, query: ChainQuery) -> Result<Verification> {
        let mut batch = self.scope.batch();
        let part = Part::ask(&mut batch, self.scope.tenant(), query.head);
        let (_, mut outcome) = self.scope.read(batch).await?;
        part.take(&mut outcome)
    }
}

impl OperatorScope {
    /// Verifies the whole chain of a tenant's activity; and before that, that the chain still has a noted head.
    pub async fn verify_activity(&self, tenant: TenantId, noted: Option<Head>) -> Result<Verification> {
        if noted.is_some() {
            let part = self.verify_part(tenant, noted).await?;
            if part.breach.is_some() {
                return Ok(part);
            }
        }
        let mut whole = self.verify_part(tenant, None).await?;
        while whole.more {
            let part = self.verify_part(tenant, whole.head).await?;
            whole = Verification { checked: whole.checked + part.checked, ..part };
        }
        Ok(whole)
    }

    async fn verify_part(&self, tenant: TenantId, from: Option<Head>) -> Result<Verification> {
        let mut batch = self.batch_in(tenant);
        let part = Part::ask(&mut batch, tenant, from);
        part.take(&mut self.run(batch).await?)
    }
}

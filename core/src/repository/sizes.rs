//! The storage of each tenant. It is measured in the background, in steps at which tenants take turns, and again after
//! enough rows have changed: a count with every write would make a tenant's writers wait for each other.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Slot},
        scopes::background::BackgroundScope,
        turns::{Step, Turned},
    },
    http::problem::{Code, Problem, Result},
    kernel::{
        limits,
        sql::{TenantSql, rows::record, statements},
        time::Timestamp,
        values::TenantId,
    },
    repository::{
        chain,
        quotas::{Quota, most},
    },
};

/// The maximum number of rows of each table that a step counts.
const PIECE: i64 = 2_000;
/// The approximate size of a row besides its texts, in bytes.
const ROW: i64 = 200;
/// A tenant is measured again after this many entries of the activity, or after a twentieth of its rows, if more.
const CHANGES: i64 = 200;
const SHARE: i64 = 20;
/// The most that a request can add, in bytes.
#[expect(clippy::cast_possible_wrap, reason = "it is small")]
const BODY: i64 = limits::BODY_BYTES as i64;
/// A tenant that is full, or may be by now, is measured again after any change, but not more often than this.
const AGAIN: Duration = Duration::from_mins(1);
/// A full tenant is measured after this in any case: old rows are dropped without a change by the tenant.
const AT_LAST: Duration = Duration::from_hours(1);

/// The bytes of a piece of a table: of its rows behind one.
macro_rules! part {
    ($table:literal: $($text:literal),+) => {
        concat!(
            "SELECT count(*) AS row_count, CAST(COALESCE(sum(x.bytes), 0) AS bigint) AS bytes, max(x.id) AS last \
             FROM (SELECT CAST(id AS text) AS id, 0", $(" + octet_length(", $text, ")",)+ " AS bytes FROM ", $table,
            " r WHERE tenant_id = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?3) x"
        )
    };
}

statements! { "sizes";
    /// The measurement of a tenant, and its maximum.
    tenant KNOWN = "SELECT step, bytes, row_count, seq, measured_at, part, behind, part_bytes, part_rows, part_seq, ",
        most!("stored_bytes", "?2"), " AS most FROM sizes WHERE tenant_id = ?1";

    tenant PROJECTS = part!("projects": "name", "description");
    tenant TASKS = part!("tasks": "title", "description");
    tenant COMMENTS = part!("comments": "body");
    tenant NOTIFICATIONS = part!("notifications": "title", "body");
    tenant DELIVERIES = part!("deliveries": "title", "body");
    tenant ACTIVITY = part!("activity": "CAST(detail AS text)");

    /// A step, unless another process has made it.
    tenant PUT = "INSERT INTO sizes (tenant_id, step, bytes, row_count, seq, measured_at, part, behind, part_bytes, part_rows, part_seq) \
         SELECT t.id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM tenants t WHERE t.id = ?1 AND t.deleted_at IS NULL \
         ON CONFLICT (tenant_id) DO UPDATE SET step = excluded.step, bytes = excluded.bytes, row_count = excluded.row_count, \
         seq = excluded.seq, measured_at = excluded.measured_at, part = excluded.part, behind = excluded.behind, \
         part_bytes = excluded.part_bytes, part_rows = excluded.part_rows, part_seq = excluded.part_seq \
         WHERE sizes.step = excluded.step - 1";

    /// The tenants with an unfinished measurement, behind a tenant. It uses an index of only these.
    spanning UNDER_WAY = "SELECT tenant_id FROM sizes WHERE part IS NOT NULL AND tenant_id > ?2 ORDER BY tenant_id LIMIT ?1";
}

/// The measured tables, in this order.
const PARTS: [&TenantSql; 6] = [&PROJECTS, &TASKS, &COMMENTS, &NOTIFICATIONS, &DELIVERIES, &ACTIVITY];

record! {
    /// The measurement of a tenant.
    #[derive(Clone)]
    pub(super) struct Known {
        /// Counts the steps.
        step: i64,
        bytes: i64,
        row_count: i64,
        /// The number of the activity's last entry when it was measured.
        seq: i64,
        measured_at: Timestamp,
        /// The index of the table that is being counted, if there is one.
        part: Option<i64>,
        /// The last counted row of that table.
        behind: Uuid,
        part_bytes: i64,
        part_rows: i64,
        part_seq: i64,
        /// The maximum for the tenant.
        most: i64,
    }
}

record! {
    struct Counted {
        row_count: i64,
        bytes: i64,
        last: Option<Uuid>,
    }
}

impl Known {
    /// The state of a tenant that was never measured.
    fn nothing(now: Timestamp) -> Self {
        Self {
            step: 0,
            bytes: 0,
            row_count: 0,
            seq: 0,
            measured_at: now,
            part: None,
            behind: Uuid::nil(),
            part_bytes: 0,
            part_rows: 0,
            part_seq: 0,
            // The maximum comes with the measurement.
            most: i64::MAX,
        }
    }

    /// Starts a new measurement, at a number of the activity.
    fn begin(&mut self, seq: i64) {
        (self.part, self.behind) = (Some(0), Uuid::nil());
        (self.part_bytes, self.part_rows, self.part_seq) = (0, 0, seq);
    }

    /// Takes the counts of the current table and of those behind it, up to the first one that is not finished.
    fn go_on(&mut self, counted: Vec<Counted>, now: Timestamp) {
        for Counted { row_count, bytes, last } in counted {
            self.part_bytes += bytes + ROW * row_count;
            self.part_rows += row_count;
            if row_count == PIECE {
                self.behind = last.unwrap_or_default();
                return;
            }
            (self.part, self.behind) = (self.part.map(|part| part + 1), Uuid::nil());
        }
        (self.bytes, self.row_count, self.seq) = (self.part_bytes, self.part_rows, self.part_seq);
        self.measured_at = now;
        (self.part_bytes, self.part_rows) = (0, 0);
        // The next measurement of a full tenant starts at once, and waits: so it is found even if nobody writes.
        self.part = (self.bytes >= self.most).then_some(0);
    }

    /// Whether the next measurement waits for a reason.
    fn waits(&self) -> bool {
        self.part == Some(0) && self.behind.is_nil() && self.part_rows == 0
    }
}

/// Asks for the measurement of a tenant.
pub(super) fn ask(batch: &mut Batch<'_>) -> Slot<Known> {
    let most = batch.services().limit(Quota::StoredBytes);
    batch.add(&KNOWN, [most.into()])
}

/// The time when a tenant is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// After more changes.
    Not,
    /// After a while since the last measurement, even without further changes.
    Later,
    Now,
}

/// The time for a tenant whose activity has reached this number.
fn due(known: Option<&Known>, seq: i64, now: Timestamp) -> Due {
    let Some(known) = known else { return if seq >= CHANGES { Due::Now } else { Due::Not } };
    let changes = seq - known.seq;
    let lately = |time| known.measured_at.plus(time) > now;
    // As if each request had added the most that it can.
    let may_be_full = changes > 0 && known.bytes + changes * BODY >= known.most;
    let under_way = known.part.is_some() && !(known.waits() && lately(AT_LAST));
    if under_way || changes >= CHANGES.max(known.row_count / SHARE) || (may_be_full && !lately(AGAIN)) {
        return Due::Now;
    }
    // A measurement that waits already is found without a turn.
    if may_be_full && known.part.is_none() { Due::Later } else { Due::Not }
}

/// Whether a tenant whose activity has reached this number is to have a turn.
pub(super) fn is_due(known: Option<&Known>, seq: i64, now: Timestamp) -> bool {
    due(known, seq, now) != Due::Not
}

/// Measures tenants in turn, in at most `steps` steps; `look` asks the database, which knows the measurements that
/// other processes have started.
pub(crate) async fn measure(scope: &BackgroundScope<'_>, look: bool, steps: u32) -> Result<Turned> {
    let waiting = look.then_some(&UNDER_WAY);
    scope.services().turns.sizes.round(scope, waiting, steps, |tenant| step(scope, tenant)).await
}

/// Makes a step of a tenant's measurement.
async fn step(scope: &BackgroundScope<'_>, tenant: TenantId) -> Result<Step> {
    let now = scope.services().now();
    let mut batch = scope.batch(Some(tenant));
    let (known, head) = (ask(&mut batch), chain::ask_head(&mut batch));
    let mut outcome = scope.run(batch).await?;
    let (known, head) = (outcome.optional(known)?, outcome.optional(head)?);
    let seq = head.map_or(0, |head| head.seq);
    let due = due(known.as_ref(), seq, now);
    if due == Due::Not {
        return Ok(Step::Last(0));
    }
    let mut known = known.unwrap_or_else(|| Known::nothing(now));
    if known.part.is_none() || known.waits() {
        known.begin(seq);
    }
    if due == Due::Now {
        let counted = count(scope, tenant, &known).await?;
        known.go_on(counted, now);
    }
    let full = known.waits();
    put(scope, tenant, known, full).await
}

/// Counts a piece of the current table, and of those behind it.
async fn count(scope: &BackgroundScope<'_>, tenant: TenantId, known: &Known) -> Result<Vec<Counted>> {
    let mut batch = scope.batch(Some(tenant));
    let first = known.part.and_then(|part| usize::try_from(part).ok()).unwrap_or_default();
    let mut behind = known.behind;
    let counted: Vec<Slot<Counted>> = PARTS
        .iter()
        .skip(first)
        .map(|part| batch.add(part, [std::mem::take(&mut behind).into(), PIECE.into()]))
        .collect();
    let mut outcome = scope.run(batch).await?;
    counted.into_iter().map(|slot| outcome.one(slot)).collect()
}

/// Stores the progress of a measurement.
async fn put(scope: &BackgroundScope<'_>, tenant: TenantId, known: Known, waits: bool) -> Result<Step> {
    let Known {
        step, bytes, row_count, seq, measured_at, part, behind, part_bytes, part_rows, part_seq, ..
    } = known;
    let mut batch = scope.batch(Some(tenant));
    let arguments = [
        (step + 1).into(),
        bytes.into(),
        row_count.into(),
        seq.into(),
        measured_at.into(),
        part.into(),
        behind.into(),
        part_bytes.into(),
        part_rows.into(),
        part_seq.into(),
    ];
    let _: Slot<()> = batch.require(&PUT, arguments, Problem::new(Code::Conflict));
    match scope.run(batch).await {
        Ok(_) if part.is_some() && !waits => Ok(Step::Some(1)),
        Ok(_) => Ok(Step::Last(1)),
        Err(problem) if problem.code == Code::Conflict => Ok(Step::Busy),
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_unix_millis(minute * 60_000)
    }

    fn counted(row_count: i64, bytes: i64) -> Counted {
        Counted { row_count, bytes, last: Some(Uuid::max()) }
    }

    #[test]
    fn a_measurement_goes_on_where_a_table_has_more_rows_than_a_step_counts() {
        let mut known = Known::nothing(at(0));
        known.begin(7);
        known.go_on(vec![counted(3, 30), counted(PIECE, 40), counted(1, 1_000_000)], at(1));
        assert_eq!((known.part, known.behind, known.seq, known.bytes), (Some(1), Uuid::max(), 0, 0));
        let before = known.clone();
        let rest = || vec![counted(5, 50), counted(0, 0), counted(1, 2), counted(0, 0), counted(1, 1)];
        known.go_on(rest(), at(2));
        assert_eq!((known.part, known.seq, known.row_count), (None, 7, PIECE + 10));
        assert!(!known.waits());
        // The next measurement of a full tenant waits for a reason.
        let mut full = Known { most: 100, ..before };
        full.go_on(rest(), at(2));
        assert!(full.waits() && full.bytes == known.bytes);
        let due = |seq, minute| due(Some(&full), seq, at(minute));
        assert_eq!([due(7, 61), due(7, 62)], [Due::Not, Due::Now]);
        assert_eq!([due(8, 2), due(8, 3)], [Due::Not, Due::Now]);
        // If the tenant has more room since then, enough changes are enough.
        let roomy = Known { most: i64::MAX, ..full.clone() };
        assert_eq!(super::due(Some(&roomy), 7 + CHANGES, at(2)), Due::Now);
        assert_eq!(super::due(Some(&roomy), 6 + CHANGES, at(3)), Due::Not);
        assert_eq!((known.bytes, known.measured_at), (123 + ROW * (PIECE + 10), at(2)));
    }

    #[test]
    fn enough_has_changed_after_so_many_entries_or_a_share_of_the_rows_or_if_there_is_too_much() {
        let most = 1_000_000_000;
        let known = |row_count, bytes| Known { row_count, bytes, seq: 1_000, most, ..Known::nothing(at(0)) };
        let when = |known: &Known, seq| super::due(Some(known), seq, at(1));
        let due = |known: &Known, seq| when(known, seq) == Due::Now;
        assert!(!is_due(None, CHANGES - 1, at(1)) && is_due(None, CHANGES, at(1)));
        assert!(!due(&known(1, 49), 999 + CHANGES) && due(&known(1, 49), 1_000 + CHANGES));
        assert!(!due(&known(10_000, 49), 1_499) && due(&known(10_000, 49), 1_500));
        assert!(!due(&known(10_000, most), 1_000) && due(&known(10_000, most), 1_001));
        // It may be full by now.
        assert!(!due(&known(10_000, most - 2 * BODY), 1_001) && due(&known(10_000, most - 2 * BODY), 1_002));
        let lately = Known { measured_at: Timestamp::from_unix_millis(1), ..known(10_000, most) };
        assert_eq!([when(&lately, 1_000), when(&lately, 1_001)], [Due::Not, Due::Later]);
        assert!(due(&Known { part: Some(2), ..lately }, 1_000));
    }
}

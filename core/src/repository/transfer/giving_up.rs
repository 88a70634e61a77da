//! Imports that come to nothing: by a wish, or because nobody goes on with them for a time. What has arrived of one is as much as
//! an import may have, so it goes piece by piece, and others write in between. Until the last of it is gone nothing can be
//! added to it, and it cannot be finished.

use crate::{
    access::batch::{Batch, Slot},
    http::problem::{Code, Problem, Result},
    kernel::{sql::statements, time::Timestamp, values::TenantId},
    repository::transfer::import::By,
};

/// Lines of which one batch removes what has arrived.
const PIECE: i64 = 1_000;

/// Those that were or are given up next: oldest first, and none after so many rows of theirs.
macro_rules! forgotten {
    ($and:literal) => {
        concat!(
            "(SELECT q.tenant_id, q.user_id FROM (SELECT p.tenant_id, p.user_id, p.placed, \
             sum(p.next_line + 1) OVER (ORDER BY p.updated_at, p.tenant_id, p.user_id) - p.next_line AS first \
             FROM (SELECT m.tenant_id, m.user_id, m.placed, m.next_line, m.updated_at FROM imports m WHERE m.updated_at <= ?1 \
             ORDER BY m.updated_at LIMIT ?2) p) q WHERE q.first <= ?2",
            $and,
            ")"
        )
    };
}

statements! { "giving_up";
    /// It is older than all others, so that what is left of it is removed in the background if nobody does it now.
    tenant MARK = "UPDATE imports SET placed = -1, digest = '', updated_at = ?4 \
         WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 AND COALESCE(placed, 0) >= 0 RETURNING next_line";

    /// What has arrived of one that is given up: of the same that was begun anew meanwhile nothing goes.
    tenant CLEAR = "DELETE FROM import_rows WHERE tenant_id = ?1 AND user_id = ?2 AND line >= ?3 AND line < ?4 \
         AND EXISTS (SELECT 1 FROM imports i WHERE i.tenant_id = ?1 AND i.user_id = ?2 AND i.placed = -1)";

    /// The import itself, if no line is left behind this one.
    tenant LAST = "DELETE FROM imports WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 AND placed = -1 AND next_line <= ?4";

    /// Gives those up to which nothing was added since the time that is given: some of them.
    spanning FORGET = "UPDATE imports SET placed = -1, digest = '' WHERE (tenant_id, user_id) IN ", forgotten!(""),
        " AND COALESCE(placed, 0) >= 0 RETURNING 1 AS dropped";

    /// Drops of what has arrived with them so many rows at the most.
    spanning ROWS = "DELETE FROM import_rows WHERE (tenant_id, user_id, line) IN (SELECT r.tenant_id, r.user_id, r.line FROM ",
        forgotten!(" AND q.placed = -1"), " i CROSS JOIN import_rows r WHERE r.tenant_id = i.tenant_id AND r.user_id = i.user_id LIMIT ?2) \
        RETURNING 1 AS dropped";

    /// Drops those of which nothing is left.
    spanning IMPORTS = "DELETE FROM imports WHERE (tenant_id, user_id) IN ", forgotten!(" AND q.placed = -1"),
        " AND NOT EXISTS (SELECT 1 FROM import_rows r WHERE r.tenant_id = imports.tenant_id AND r.user_id = imports.user_id) \
        RETURNING 1 AS dropped";
}

impl By<'_> {
    /// Ends it: nothing of it is left. What has become rows of a tenant is removed like a tenant that was deleted.
    pub(super) async fn abort(self, tenant: TenantId) -> Result<()> {
        let mut batch = self.batch(tenant);
        let arguments = [self.user().into(), self.operator().into(), Timestamp::from_unix_millis(0).into()];
        let next: Slot<i64> = batch.require(&MARK, arguments, Problem::new(Code::NotFound));
        self.clear(&mut batch, 0);
        let next = self.commit(batch).await?.one(next)?;
        if next > PIECE {
            self.clear_all(tenant, PIECE, next).await?;
        }
        match self {
            // Perhaps no server is there that would do it.
            Self::Operator(operator) => operator.sweep(tenant).await,
            Self::Account(_) => Ok(()),
        }
    }

    /// Removes what is left from a line on of an import that was given up.
    pub(super) async fn clear_all(self, tenant: TenantId, mut from: i64, next: i64) -> Result<()> {
        loop {
            let mut batch = self.batch(tenant);
            self.clear(&mut batch, from);
            self.commit(batch).await?;
            from += PIECE;
            if from >= next {
                return Ok(());
            }
        }
    }

    /// Adds to a batch that a piece of it goes, and with the last one the import.
    fn clear(self, batch: &mut Batch<'_>, from: i64) {
        let to = from + PIECE;
        let _: Slot<()> = batch.add(&CLEAR, [self.user().into(), from.into(), to.into()]);
        let _: Slot<()> = batch.add(&LAST, [self.user().into(), self.operator().into(), to.into()]);
    }
}

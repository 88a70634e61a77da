//! Imports that are given up: by request, or because nothing was added for a time. The rows of one are as many as an
//! import may have, so they go in pieces, and others write in between. Until the last row is gone nothing can be added
//! to it, and it cannot be finished.

use crate::{
    access::batch::{Batch, Slot},
    http::problem::{Code, Problem, Result},
    kernel::{sql::statements, time::Timestamp, values::TenantId},
    repository::transfer::import::By,
};

/// The number of lines that one batch removes.
const PIECE: i64 = 1_000;

/// The imports that were or are given up next: oldest first, and none after the limit of their rows.
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
    /// It becomes the oldest of all, so that its rest is removed in the background if nobody does it now.
    tenant MARK = "UPDATE imports SET placed = -1, digest = '', updated_at = ?4 \
         WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 AND COALESCE(placed, 0) >= 0 RETURNING next_line";

    /// Lines of an import that is given up: nothing goes if the same import was begun again meanwhile.
    tenant CLEAR = "DELETE FROM import_rows WHERE tenant_id = ?1 AND user_id = ?2 AND line >= ?3 AND line < ?4 \
         AND EXISTS (SELECT 1 FROM imports i WHERE i.tenant_id = ?1 AND i.user_id = ?2 AND i.placed = -1)";

    /// The import itself, if no line is left behind this one.
    tenant LAST = "DELETE FROM imports WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 AND placed = -1 AND next_line <= ?4";

    /// Gives up some of the imports to which nothing was added since `?1`.
    spanning FORGET = "UPDATE imports SET placed = -1, digest = '' WHERE (tenant_id, user_id) IN ", forgotten!(""),
        " AND COALESCE(placed, 0) >= 0 RETURNING 1 AS dropped";

    /// Drops at most `?2` of their lines.
    spanning ROWS = "DELETE FROM import_rows WHERE (tenant_id, user_id, line) IN (SELECT r.tenant_id, r.user_id, r.line FROM ",
        forgotten!(" AND q.placed = -1"), " i CROSS JOIN import_rows r WHERE r.tenant_id = i.tenant_id AND r.user_id = i.user_id LIMIT ?2) \
        RETURNING 1 AS dropped";

    /// Drops imports without lines.
    spanning IMPORTS = "DELETE FROM imports WHERE (tenant_id, user_id) IN ", forgotten!(" AND q.placed = -1"),
        " AND NOT EXISTS (SELECT 1 FROM import_rows r WHERE r.tenant_id = imports.tenant_id AND r.user_id = imports.user_id) \
        RETURNING 1 AS dropped";
}

impl By<'_> {
    /// Ends it, and removes its lines. Rows that it has made of a tenant are removed like those of a deleted tenant.
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
            // There may be no server that would do it.
            Self::Operator(operator) => operator.sweep(tenant).await,
            Self::Account(_) => Ok(()),
        }
    }

    /// Removes the rest of an import that was given up, from a line on.
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

    /// Adds to a batch that a piece is removed, and with the last one the import.
    fn clear(self, batch: &mut Batch<'_>, from: i64) {
        let to = from + PIECE;
        let _: Slot<()> = batch.add(&CLEAR, [self.user().into(), from.into(), to.into()]);
        let _: Slot<()> = batch.add(&LAST, [self.user().into(), self.operator().into(), to.into()]);
    }
}

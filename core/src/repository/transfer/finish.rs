//! The end of an import: the arrived rows become a tenant, in pieces, so that others write in between. Until the last
//! batch shows it, it looks to everybody like a deleted tenant; and if the import ends before that, it really is one,
//! and is removed as such ([`crate::repository::removal`]). An interrupted caller asks again, and the import continues.

use crate::{
    access::batch::{Batch, Slot},
    http::problem::{Code, Problem, Result},
    kernel::{
        json,
        sql::statements,
        values::{DEFAULT_SLUG, MembershipId, TenantId, enumerations::Role},
    },
    repository::{
        activity::{self, Event},
        members, memberships, quotas, removal,
        tenants::{self, Tenant},
        transfer::{
            arrival::State,
            file::{Digest, Totals},
            import::{By, STATE, Stored, going_on},
            tables::{self, TABLES},
        },
    },
};

/// The number of lines that one batch makes into rows: a fraction of a second's work.
const PIECE: i64 = 1_000;

/// The name of the row in `limits` that shows that nothing of a tenant was removed while it was made.
const WHOLE: &str = "arriving";

statements! { "finish";
    /// No rows can be added from now on. Fails unless the file is complete.
    tenant BEGIN = "UPDATE imports SET placed = 0, updated_at = ?6 WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 \
         AND next_line = ?4 AND digest = ?5 AND placed IS NULL";

    /// A row if an active owner is in the file; the last batch checks whether an owner can log in.
    tenant NAMES_OWNER = "SELECT 1 AS ok WHERE EXISTS (SELECT 1 FROM import_rows r WHERE r.tenant_id = ?1 AND r.user_id = ?2 \
         AND r.kind = 'memberships' AND r.content ->> 'role' = 'owner' AND r.content ->> 'status' = 'active')";

    /// A server of the previous version takes the tenant for a deleted one, and its removal removes this row, too.
    tenant MARK = "INSERT INTO limits (tenant_id, name, most) VALUES (?1, ?2, 1)";

    /// Continues from the present progress, unless another request has.
    tenant PLACE = "UPDATE imports SET placed = ?5, updated_at = ?6 WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 \
         AND placed = ?4";

    /// Lines that have become rows are not needed any more.
    tenant CLEAR = "DELETE FROM import_rows WHERE tenant_id = ?1 AND user_id = ?2 AND line >= ?3 AND line < ?4";

    /// Removes the mark, if it is there.
    tenant UNMARK = "DELETE FROM limits WHERE tenant_id = ?1 AND name = ?2";

    /// From now on it is a tenant.
    tenant SHOW = "UPDATE tenants SET deleted_at = NULL, suspended_at = NULL WHERE id = ?1 AND deleted_at IS NOT NULL";

    /// Ends the import, if all of it is placed.
    tenant COMPLETE = "DELETE FROM imports WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 AND placed = next_line";
}

impl By<'_> {
    /// Makes the tenant of the arrived rows.
    pub(super) async fn finish(self, tenant: TenantId, Totals { rows, sha256 }: Totals) -> Result<Tenant> {
        let mut batch = self.batch(tenant);
        let stored = batch.add::<Stored, _>(&STATE, [self.user().into(), self.operator().into()]);
        let deleted = batch.add::<i64, _>(&removal::THERE, []);
        let mut outcome = self.read(batch).await?;
        let stored = going_on(outcome.optional(stored)?)?;
        let (state, next, digest) = stored.read(tenant)?;
        if (next, &digest) != (rows.0, &sha256) {
            return Err(mismatch(next, &digest));
        }
        if stored.placed.is_none() && outcome.optional(deleted)?.is_some() {
            let detail = "The tenant that had this id is being removed: try again later.";
            return Err(Problem::with(Code::Conflict, detail));
        }
        let (mut from, mut begun) = (stored.placed.unwrap_or_default(), stored.placed.is_some());
        loop {
            let to = next.min(from + PIECE);
            let mut batch = self.batch(tenant);
            if !begun {
                self.hide(&mut batch, &state, next, &digest)?;
            }
            self.place(&mut batch, from, to);
            let made =
                (to == next).then(|| self.show(&mut batch, tenant, &state, next, &digest)).transpose()?;
            let mut outcome = self.commit(batch).await?;
            if let Some(made) = made {
                return outcome.one(made).map(|bare| bare.seen_as(Role::Owner));
            }
            (from, begun) = (to, true);
        }
    }

    /// Adds to a batch the tenant's own row, which nobody can see yet.
    fn hide(self, batch: &mut Batch<'_>, state: &State, next: i64, digest: &Digest) -> Result<()> {
        let now = self.services().now();
        let arguments =
            [self.user().into(), self.operator().into(), next.into(), digest.as_str().into(), now.into()];
        let _: Slot<()> = batch.require(&BEGIN, arguments, Problem::new(Code::Conflict));
        match self {
            Self::Operator(_) => {
                let _: Slot<i64> = batch.require(&NAMES_OWNER, [self.user().into()], nobody());
                if state.slug == DEFAULT_SLUG {
                    let _: Slot<()> = batch.add(&tenants::GIVE_WAY, []);
                }
            }
            Self::Account(account) => {
                let taken = Problem::new(Code::TenantExists);
                let _: Slot<i64> =
                    batch.require_global(&tenants::ENDS_LIKE_NONE, [state.target.into()], taken);
                tenants::require_free(batch, &state.slug()?, account.user());
            }
        }
        let arguments = [self.user().into(), now.into()];
        let _: Slot<()> = batch.require(&tables::tenants::HIDE, arguments, mismatch(next, digest));
        batch.on_duplicate("tenants_slug_key", Problem::new(Code::SlugTaken));
        for key in ["tenants_pkey", "tenants_id_key"] {
            batch.on_duplicate(key, Problem::new(Code::TenantExists));
        }
        let _: Slot<()> = batch.add(&MARK, [WHOLE.into()]);
        Ok(())
    }

    /// Adds to a batch that lines become rows. A row refers to no later one, so pieces may end anywhere.
    fn place(self, batch: &mut Batch<'_>, from: i64, to: i64) {
        let now = self.services().now();
        let arguments = [self.user().into(), self.operator().into(), from.into(), to.into(), now.into()];
        let _: Slot<()> = batch.require(&PLACE, arguments, Problem::new(Code::Conflict));
        let lines = || [self.user().into(), from.into(), to.into()];
        for table in TABLES {
            let _: Slot<()> = batch.add(&table.insert, lines());
            for key in table.unique {
                let detail = format!("Two rows of {} have the same key.", table.name);
                batch.on_duplicate(key, Problem::with(Code::ImportMismatch, detail));
            }
        }
        // All of the lines were there.
        let count = u32::try_from(to - from).unwrap_or(u32::MAX);
        let _: Slot<()> = batch.require_rows(count, &CLEAR, lines(), Problem::new(Code::ImportMismatch));
    }

    /// Adds to a batch that the complete tenant is shown.
    fn show(
        self,
        batch: &mut Batch<'_>,
        tenant: TenantId,
        state: &State,
        next: i64,
        digest: &Digest,
    ) -> Result<Slot<tenants::Bare>> {
        let (services, now) = (self.services(), self.services().now());
        let arguments = [self.user().into(), self.operator().into()];
        let _: Slot<()> = batch.require(&COMPLETE, arguments, Problem::new(Code::Conflict));
        let removed = || {
            Problem::with(Code::Conflict, "A part of it was removed in the meantime: start the import again.")
        };
        let _: Slot<()> = batch.require(&UNMARK, [WHOLE.into()], removed());
        let _: Slot<()> = batch.require(&SHOW, [], removed());
        if let Self::Account(account) = self {
            let membership = MembershipId(services.new_id()?);
            let arguments = [membership.into(), account.user().into(), Role::Owner.into(), now.into()];
            let _: Slot<()> = batch.add(&memberships::INSERT_MISSING, arguments);
            quotas::require_imported(batch, account.user());
        }
        let _: Slot<i64> = batch.require(&members::HAS_OWNER, [], nobody());
        let made = batch.add::<tenants::Bare, _>(&tenants::CURRENT, []);
        let detail = json::object(vec![
            ("from", state.source.into()),
            ("head", state.file_head().into()),
            ("rows", next.into()),
            ("sealed_anew", state.changed.into()),
            ("sha256", digest.as_str().into()),
        ]);
        let actor = match self {
            Self::Operator(_) => None,
            Self::Account(account) => Some(account.user()),
        };
        activity::record(batch, services, actor, Event::new("tenant.imported", "tenant", tenant.0, detail))?;
        Ok(made)
    }
}

fn mismatch(next: i64, digest: &Digest) -> Box<Problem> {
    Problem::new(Code::ImportMismatch).member("rows", next).member("sha256", digest.as_str())
}

fn nobody() -> Box<Problem> {
    Problem::with(Code::ImportMismatch, "Nobody would own the tenant.")
}

//! The end of an import: all that has arrived becomes a tenant, piece by piece, so that others write in between. Until the last
//! batch shows it, it is to everybody a tenant that was deleted; and if the import ends without that, it really is one, and
//! goes as they do ([`crate::repository::removal`]). Whoever was interrupted asks again, and it goes on.

use super::{
    arrival::State,
    import::{By, STATE, Stored},
    tables::{self, TABLES},
};
use crate::{
    dispatch::Slot,
    json,
    problem::{Code, Problem, Result},
    repository::{
        activity::{self, Event},
        members, memberships, quotas, removal,
        tenants::{self, DEFAULT_SLUG, Tenant},
    },
    sql::statements,
    transfer::{Digest, Totals},
    values::{MembershipId, Role, TenantId},
};

/// Lines of which one batch makes rows: a fraction of a second's work.
const PIECE: i64 = 1_000;

/// Whose row it is in `limits` that shows that nobody has removed anything of a tenant while it was made.
const WHOLE: &str = "arriving";

statements! { "finish";
    /// Nothing can be added from now on. If it is all that there must be.
    tenant BEGIN = "UPDATE imports SET placed = 0, updated_at = ?6 WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 \
         AND next_line = ?4 AND digest = ?5 AND placed IS NULL";

    /// A server of the version before takes the tenant for one that was deleted, and whatever removes rows of it removes this one.
    tenant MARK = "INSERT INTO limits (tenant_id, name, most) VALUES (?1, ?2, 1)";

    /// Goes on from how far it is, unless somebody else has.
    tenant PLACE = "UPDATE imports SET placed = ?5, updated_at = ?6 WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 \
         AND placed = ?4";

    /// What has become rows is not needed any more.
    tenant CLEAR = "DELETE FROM import_rows WHERE tenant_id = ?1 AND user_id = ?2 AND line >= ?3 AND line < ?4";

    /// Takes the mark away, if it is there.
    tenant UNMARK = "DELETE FROM limits WHERE tenant_id = ?1 AND name = ?2";

    /// From now on it is a tenant.
    tenant SHOW = "UPDATE tenants SET deleted_at = NULL, suspended_at = NULL WHERE id = ?1 AND deleted_at IS NOT NULL";

    /// Ends it, if all of it is there.
    tenant COMPLETE = "DELETE FROM imports WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3 AND placed = next_line";
}

impl By<'_> {
    /// Makes the tenant of all that has arrived.
    pub(super) async fn finish(self, tenant: TenantId, Totals { rows, sha256 }: Totals) -> Result<Tenant> {
        let mut batch = self.batch(tenant);
        let stored = batch.add::<Stored, _>(&STATE, [self.user().into(), self.operator().into()]);
        let deleted = batch.add::<i64, _>(&removal::THERE, []);
        let mut outcome = self.read(batch).await?;
        let stored = outcome.optional(stored)?.ok_or_else(|| Problem::new(Code::NotFound))?;
        let (state, next, digest) = stored.read(tenant)?;
        if (next, &digest) != (rows.0, &sha256) {
            return Err(mismatch(next, &digest));
        }
        let mut placed = match stored.placed {
            Some(placed) => placed,
            None if outcome.optional(deleted)?.is_some() => {
                let detail = "The tenant that had this id is being removed: ask again in a while.";
                return Err(Problem::with(Code::Conflict, detail));
            }
            None => self.hide(tenant, &state, next, &digest).await?,
        };
        while placed < next {
            placed = self.place(tenant, placed, next.min(placed + PIECE)).await?;
        }
        self.show(tenant, &state, next, &digest).await
    }

    /// Makes the tenant's own row, which nobody sees.
    async fn hide(self, tenant: TenantId, state: &State, next: i64, digest: &Digest) -> Result<i64> {
        let now = self.app().now();
        let mut batch = self.batch(tenant);
        let arguments =
            [self.user().into(), self.operator().into(), next.into(), digest.as_str().into(), now.into()];
        let _: Slot<()> = batch.require(&BEGIN, arguments, Problem::new(Code::Conflict));
        match self {
            Self::Operator(_) if state.slug == DEFAULT_SLUG => {
                let _: Slot<()> = batch.add(&tenants::GIVE_WAY, []);
            }
            Self::Operator(_) => {}
            Self::Account(account) => {
                let taken = Problem::new(Code::TenantExists);
                let _: Slot<i64> = batch.require_global(&tenants::ENDS_LIKE_NONE, [tenant.into()], taken);
                tenants::require_free(&mut batch, &state.slug()?, account.user());
            }
        }
        let arguments = [self.user().into(), now.into()];
        let _: Slot<()> = batch.require(&tables::tenants::HIDE, arguments, mismatch(next, digest));
        batch.on_duplicate("tenants_slug_key", Problem::new(Code::SlugTaken));
        for key in ["tenants_pkey", "tenants_id_key"] {
            batch.on_duplicate(key, Problem::new(Code::TenantExists));
        }
        let _: Slot<()> = batch.add(&MARK, [WHOLE.into()]);
        self.commit(batch).await?;
        Ok(0)
    }

    /// Makes rows of lines that have arrived, and says how far it is. A row refers to none behind it, so pieces may end anywhere.
    async fn place(self, tenant: TenantId, from: i64, to: i64) -> Result<i64> {
        let mut batch = self.batch(tenant);
        let (by, now) = ([self.user().into(), self.operator().into()], self.app().now());
        let [user, operator] = by;
        let arguments = [user, operator, from.into(), to.into(), now.into()];
        let _: Slot<()> = batch.require(&PLACE, arguments, Problem::new(Code::Conflict));
        let lines = || [self.user().into(), from.into(), to.into()];
        for table in &TABLES {
            let _: Slot<()> = batch.add(&table.insert, lines());
            for key in table.unique {
                let detail = format!("Two rows of {} have the same key.", table.name);
                batch.on_duplicate(key, Problem::with(Code::ImportMismatch, detail));
            }
        }
        let _: Slot<()> = batch.add(&CLEAR, lines());
        self.commit(batch).await?;
        Ok(to)
    }

    /// Shows the tenant, of which all is there.
    async fn show(self, tenant: TenantId, state: &State, next: i64, digest: &Digest) -> Result<Tenant> {
        let (app, now) = (self.app(), self.app().now());
        let mut batch = self.batch(tenant);
        let arguments = [self.user().into(), self.operator().into()];
        let _: Slot<()> = batch.require(&COMPLETE, arguments, Problem::new(Code::Conflict));
        let removed =
            || Problem::with(Code::Conflict, "Something of it was removed meanwhile: begin it anew.");
        let _: Slot<()> = batch.require(&UNMARK, [WHOLE.into()], removed());
        let _: Slot<()> = batch.require(&SHOW, [], removed());
        if let Self::Account(account) = self {
            let membership = MembershipId(app.new_id()?);
            let arguments = [membership.into(), account.user().into(), Role::Owner.into(), now.into()];
            let _: Slot<()> = batch.add(&memberships::INSERT_MISSING, arguments);
            quotas::require_imported(&mut batch, account.user());
        }
        let nobody = Problem::with(Code::ImportMismatch, "Nobody would own the tenant.");
        let _: Slot<i64> = batch.require(&members::HAS_OWNER, [], nobody);
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
        activity::record(&mut batch, app, actor, Event::new("tenant.imported", "tenant", tenant.0, detail))?;
        self.commit(batch).await?.one(made).map(|bare| bare.seen_as(Role::Owner))
    }
}

fn mismatch(next: i64, digest: &Digest) -> Box<Problem> {
    Problem::new(Code::ImportMismatch).member("rows", next).member("sha256", digest.as_str())
}

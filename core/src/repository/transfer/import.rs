//! Imports of tenants. Rows arrive in parts, each checked and stored beside the earlier ones; they belong to no tenant,
//! and nobody sees them, until all of them become one (`finish.rs`).
//!
//! A repeated part changes nothing, so a client that lost an answer, or was interrupted, begins again with the same
//! head and continues at the next row.

use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
};

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        checks,
        scopes::{account::AccountScope, operator::OperatorScope},
        services::Services,
    },
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::{Fault, FaultCode},
        json, limits,
        sql::{arrays, items, rows::record, statements},
        values::{InvitationId, TenantId, count::Count, enumerations::Channel, uuid},
    },
    repository::{
        quotas,
        service::NEEDED_SCHEMA_VERSION,
        tenants::{self, Tenant},
        transfer::{
            arrival::{Accounts, Arrival, State, made_here, new_tenant, repeated},
            checks::{of_row, refuse},
            file::{Digest, FORM, Import, NewImport, Rows, Totals},
        },
    },
};

items!(ROWS, ROWS_POSTGRES: "?3", line bigint, kind text, name text, also text, content jsonb);
items!(NAMES, NAMES_POSTGRES: "?3", name text);
items!(PEOPLE, PEOPLE_POSTGRES: "?1", id uuid, email text);
const INSERT_ITEMS: &str = "INSERT INTO import_rows (tenant_id, user_id, line, kind, name, also, content) \
     SELECT ?1, ?2, i.line, i.kind, i.name, i.also, i.content FROM ";
const ARRIVALS: &str = "SELECT r.name, r.also, r.content ->> 'id' AS id FROM import_rows r WHERE r.tenant_id = ?1 AND r.user_id = ?2 AND ";
const WITH_ID: &str = "SELECT u.id, u.email FROM users u WHERE u.id";
const OR_EMAIL: &str = " UNION SELECT v.id, v.email FROM users v WHERE v.email";

statements! { "import";
    tenant INSERT = "INSERT INTO imports (tenant_id, user_id, by_operator, state, next_line, digest, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?6)";

    tenant STATE = "SELECT state, next_line, digest, placed FROM imports WHERE tenant_id = ?1 AND user_id = ?2 AND by_operator = ?3";

    /// Unless another request has added the next rows, or the import is being finished.
    tenant ADVANCE = "UPDATE imports SET state = ?3, next_line = ?4, digest = ?5, updated_at = ?6 \
         WHERE tenant_id = ?1 AND user_id = ?2 AND next_line = ?7 AND by_operator = ?8 AND placed IS NULL";

    tenant ADD = INSERT_ITEMS, ROWS => INSERT_ITEMS, ROWS_POSTGRES;

    /// The arrived rows with one of several names: two queries, since no engine uses both indexes in one.
    tenant ARRIVED = ARRIVALS, "r.name IN (SELECT i.name FROM ", NAMES, ") UNION ALL ", ARRIVALS, "r.also IN (SELECT i.name FROM ", NAMES, ")"
        => ARRIVALS, "r.name", crate::kernel::sql::AMONG_POSTGRES[0], "name FROM ", NAMES_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1], " UNION ALL ",
        ARRIVALS, "r.also", crate::kernel::sql::AMONG_POSTGRES[0], "name FROM ", NAMES_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];

    /// The accounts that have one of these ids or addresses.
    global ACCOUNTS = WITH_ID, " IN (SELECT i.id FROM ", PEOPLE, ")", OR_EMAIL, " IN (SELECT i.email FROM ", PEOPLE, ")"
        => WITH_ID, crate::kernel::sql::AMONG_POSTGRES[0], "id FROM ", PEOPLE_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1],
        OR_EMAIL, crate::kernel::sql::AMONG_POSTGRES[0], "email FROM ", PEOPLE_POSTGRES, crate::kernel::sql::AMONG_POSTGRES[1];
}

record! {
    pub(super) struct Stored {
        state: Json,
        next: i64,
        digest: String,
        /// The number of lines that are rows of the tenant, once it is being finished; -1 if it was given up.
        pub(super) placed: Option<i64>,
    }
}

record! {
    struct Arrived {
        name: String,
        also: Option<String>,
        id: Option<String>,
    }
}

record! {
    struct Known {
        id: Uuid,
        email: String,
    }
}

/// The importer of a tenant.
#[derive(Clone, Copy)]
pub(super) enum By<'a> {
    /// The operator, at the database.
    Operator(&'a OperatorScope),
    /// A user who is logged in, by HTTP.
    Account(&'a AccountScope),
}

impl<'a> By<'a> {
    pub(super) fn services(self) -> &'a Services {
        match self {
            Self::Operator(operator) => operator.services(),
            Self::Account(account) => account.services(),
        }
    }

    /// 1 for the operator, whose imports are separate from those of all accounts, whatever their ids.
    pub(super) fn operator(self) -> i64 {
        i64::from(matches!(self, Self::Operator(_)))
    }

    /// The owner of the import. The operator is no user, and has the nil id.
    pub(super) fn user(self) -> Uuid {
        match self {
            Self::Operator(_) => Uuid::nil(),
            Self::Account(account) => account.user().0,
        }
    }

    fn importer(self) -> Option<String> {
        match self {
            Self::Operator(_) => None,
            Self::Account(account) => Some(account.user().to_string()),
        }
    }

    pub(super) fn batch(self, tenant: TenantId) -> Batch<'a> {
        match self {
            Self::Operator(operator) => operator.batch_in(tenant),
            Self::Account(account) => account.batch_in(Some(tenant)),
        }
    }

    pub(super) async fn read(self, batch: Batch<'_>) -> Result<Outcome> {
        match self {
            Self::Operator(operator) => operator.run(batch).await,
            Self::Account(account) => account.run(batch).await,
        }
    }

    pub(super) async fn commit(self, batch: Batch<'_>) -> Result<Outcome> {
        match self {
            Self::Operator(operator) => operator.run(batch).await,
            Self::Account(account) => account.commit(batch).await,
        }
    }

    /// Begins an import, or finds the one with the same head.
    async fn begin(self, new: NewImport) -> Result<Import> {
        let refuse = |member: &str, detail: String| {
            let fault = Fault::new(FaultCode::NotAllowed, detail).within(member);
            Err(Problem::faults(Code::ValidationFailed, vec![fault]))
        };
        if new.bailiwick_export.0 != FORM {
            return refuse("bailiwick_export", format!("Expected a file of the form {FORM}."));
        }
        if new.schema_version.0 != NEEDED_SCHEMA_VERSION {
            let detail = format!(
                "Expected a file of the schema {NEEDED_SCHEMA_VERSION}: bring the older side up to date."
            );
            return refuse("schema_version", detail);
        }
        if !made_here(&new.tenant_id.0) {
            return refuse("tenant_id", "Expected a UUID of version 7.".to_owned());
        }
        let digest = Digest::of_head(&new.head());
        let (source, new_ids) = (new.tenant_id, new.new_ids.unwrap_or(false));
        let slug = new.as_slug.unwrap_or(new.slug);
        let target =
            if new_ids { new_tenant(source, self.user(), slug.as_str(), digest.as_str()) } else { source };
        let mut batch = self.batch(target);
        let stored = batch.add::<Stored, _>(&STATE, [self.user().into(), self.operator().into()]);
        let there = batch.add::<checks::Presence, _>(&checks::TENANT, []);
        let unclaimed = batch.add::<TenantId, _>(&tenants::UNCLAIMED, []);
        let taken = batch.add_global::<TenantId, _>(&checks::TENANT_BY_SLUG, [slug.clone().into()]);
        let alone = batch.add_global::<i64, _>(&tenants::ENDS_LIKE_NONE, [target.into()]);
        let mut outcome = self.read(batch).await?;
        let gives_way = outcome.optional(unclaimed)?.is_some() && matches!(self, Self::Operator(_));
        let stored = outcome.optional(stored)?;
        if let Some(stored) = stored.as_ref().filter(|stored| stored.is_given_up()) {
            self.clear_all(target, 0, stored.next).await?;
        } else if let Some(stored) = stored {
            let (state, next, _) = stored.read(target)?;
            if (state.head.as_str(), state.slug.as_str()) != (digest.as_str(), slug.as_str()) {
                return Err(Problem::with(
                    Code::Conflict,
                    "Another import of this tenant is under way: end it first.",
                ));
            }
            return Ok(Import { tenant_id: target, slug, next: Count(next) });
        }
        let alone = outcome.optional(alone)?.is_some() || matches!(self, Self::Operator(_));
        if (outcome.optional(there)?.is_some() || !alone) && !gives_way {
            return Err(Problem::new(Code::TenantExists));
        }
        if outcome.optional(taken)?.is_some_and(|id| !(gives_way && id == target)) {
            return Err(Problem::new(Code::SlugTaken));
        }
        let state = State::new(source, target, slug.as_str(), new_ids, digest.as_str());
        let mut batch = self.batch(target);
        let arguments = [
            self.user().into(),
            self.operator().into(),
            state.store().into(),
            digest.as_str().into(),
            self.services().now().into(),
        ];
        let _: Slot<()> = batch.add(&INSERT, arguments);
        if let Self::Account(account) = self {
            quotas::require_imports(&mut batch, account.user());
        }
        for key in ["imports_pkey", "imports_tenant_id_user_id_key"] {
            batch.on_duplicate(key, Problem::new(Code::Conflict));
        }
        self.commit(batch).await?;
        Ok(Import { tenant_id: target, slug, next: Count(0) })
    }

    /// Adds rows, if they are the next ones.
    async fn add(self, tenant: TenantId, Rows { first, rows }: Rows) -> Result<Import> {
        let operator = matches!(self, Self::Operator(_));
        let (mut arrivals, mut faults) = (Vec::new(), Vec::new());
        for (index, record) in rows.0.into_iter().enumerate() {
            match Arrival::read(record, operator) {
                Ok(arrival) => arrivals.push((index, arrival)),
                Err(found) => faults.extend(found.into_iter().map(|fault| of_row(fault, index))),
            }
        }
        refuse(faults)?;
        let mut batch = self.batch(tenant);
        let stored = batch.add::<Stored, _>(&STATE, [self.user().into(), self.operator().into()]);
        let arrived = batch.add::<Arrived, _>(&ARRIVED, [self.user().into(), names(&arrivals).into()]);
        let accounts = batch.add_global::<Known, _>(&ACCOUNTS, [people(&arrivals).into()]);
        let mut outcome = self.read(batch).await?;
        let stored = going_on(outcome.optional(stored)?)?;
        let (mut state, next, mut digest) = stored.read(tenant)?;
        let progress =
            |state: &State, next| Ok(Import { tenant_id: tenant, slug: state.slug()?, next: Count(next) });
        if next != first.0 {
            return progress(&state, next);
        }
        if stored.placed.is_some() {
            return Err(Problem::with(
                Code::Conflict,
                "It is being finished: nothing can be added any more.",
            ));
        }
        let accounts: Vec<_> =
            outcome.all(accounts)?.into_iter().map(|found| (found.id.to_string(), found.email)).collect();
        let accounts = Accounts::new(accounts, &*self.services().ports.entropy)?;
        let arrived = outcome.all(arrived)?;
        self.check(&arrivals, &arrived)?;
        remember_people(&mut state, arrived);
        let (mut faults, mut items, importer) = (Vec::new(), Vec::new(), self.importer());
        let now = self.services().now();
        for (index, arrival) in arrivals {
            let (kind, name) = (arrival.table().name, arrival.name.clone());
            let also = arrival.also().map(|(_, also)| also);
            let line = arrival.line();
            state.bytes += i64::try_from(line.len()).unwrap_or(i64::MAX);
            digest = digest.and(&line);
            match arrival.settle(&mut state, &accounts, importer.as_deref(), now) {
                Err(fault) => faults.push(of_row(fault, index)),
                Ok(mut content) => {
                    if kind == "invitations" {
                        self.add_token_hash(tenant, &mut content);
                    }
                    items.push(json::object(vec![
                        ("line", (next + i64::try_from(index).unwrap_or_default()).into()),
                        ("kind", kind.into()),
                        ("name", name.into()),
                        ("also", also.into()),
                        ("content", Json::Object(content)),
                    ]));
                }
            }
        }
        refuse(faults)?;
        let after = next + i64::try_from(items.len()).unwrap_or_default();
        if !operator && (after > limits::IMPORT_ROWS || state.bytes > limits::IMPORT_BYTES) {
            return Err(Problem::new(Code::ImportTooLarge));
        }
        let mut batch = self.batch(tenant);
        let arguments = [
            self.user().into(),
            state.store().into(),
            after.into(),
            digest.as_str().into(),
            now.into(),
            next.into(),
            self.operator().into(),
        ];
        let _: Slot<()> = batch.require(&ADVANCE, arguments, Problem::new(Code::Conflict));
        for array in arrays(items) {
            let _: Slot<()> = batch.add(&ADD, [self.user().into(), array.into()]);
        }
        self.commit(batch).await?;
        progress(&state, after)
    }

    /// Gives an invitation the hash of the token that this server makes for its id; a file has none.
    fn add_token_hash(self, tenant: TenantId, invitation: &mut Map<String, Json>) {
        if let Some(id) = invitation.get("id").and_then(Json::as_str).and_then(uuid) {
            let token = self.services().tokens.invitation(tenant, InvitationId(id));
            invitation.insert("token_hash".to_owned(), token.digest().into());
        }
    }

    /// Checks rows against others: that none comes twice, and that the rows that they refer to exist.
    fn check(self, arrivals: &[(usize, Arrival)], arrived: &[Arrived]) -> Result<()> {
        let names = arrived.iter().flat_map(|row| [Some(&row.name), row.also.as_ref()]);
        let mut there: HashSet<&str> = names.flatten().map(String::as_str).collect();
        let twice = repeated(arrivals, &there).into_iter().map(|(index, column)| {
            let fault = Fault::new(FaultCode::Repeated, "A row of this table has it already.");
            of_row(fault.within(column).within("row"), index)
        });
        let mut faults: Vec<_> = twice.collect();
        for (index, arrival) in arrivals {
            for (table, name) in &arrival.refers {
                if !there.contains(name.as_str()) {
                    let detail = format!(
                        "{} is none of the {table} that came before.",
                        name.split(':').next_back().unwrap_or_default()
                    );
                    faults.push(of_row(Fault::new(FaultCode::NotAllowed, detail).within("row"), *index));
                }
            }
            for channel in Channel::ALL {
                if let Some((member, url)) = arrival.webhook(*channel)
                    && let Err(refusal) =
                        self.services().config.outbound_allow.permit(url, Some(channel.hosts()))
                {
                    let detail = format!("This URL is not taken: {refusal}.");
                    let fault = Fault::new(FaultCode::NotAllowed, detail).within(member);
                    faults.push(of_row(fault.within("config").within("row"), *index));
                }
            }
            there.insert(&arrival.name);
        }
        refuse(faults)
    }
}

/// The names of rows, and those that they refer to.
fn names(arrivals: &[(usize, Arrival)]) -> Json {
    let names: BTreeSet<String> = arrivals
        .iter()
        .flat_map(|(_, arrival)| {
            let refers = arrival.refers.iter().map(|(_, name)| name.clone());
            let own = [arrival.name.clone()].into_iter().chain(arrival.also().map(|(_, also)| also));
            refers.chain(own).chain(arrival.people())
        })
        .collect();
    names.into_iter().map(|name| json::object(vec![("name", name.into())])).collect()
}

/// The ids and addresses of the people among them.
fn people(arrivals: &[(usize, Arrival)]) -> Json {
    let people = arrivals.iter().filter_map(|(_, arrival)| arrival.person());
    people.map(|(id, email)| json::object(vec![("id", id.into()), ("email", email.into())])).collect()
}

/// Notes the ids that people of the file have got here.
fn remember_people(state: &mut State, arrived: Vec<Arrived>) {
    for Arrived { name, id, .. } in arrived {
        if let (Some(person), Some(here)) = (name.strip_prefix("users:"), id) {
            state.remember(person, here);
        }
    }
}

/// The import, unless there is none or it was given up.
pub(super) fn going_on(stored: Option<Stored>) -> Result<Stored> {
    stored.filter(|stored| !stored.is_given_up()).ok_or_else(|| Problem::new(Code::NotFound))
}

impl Stored {
    fn is_given_up(&self) -> bool {
        self.placed.is_some_and(|placed| placed < 0)
    }

    pub(super) fn read(&self, tenant: TenantId) -> Result<(State, i64, Digest)> {
        let state = State::read(tenant, &self.state);
        let state = state.ok_or_else(|| Problem::internal("the state of an import cannot be read"))?;
        Ok((state, self.next, Digest::stored(self.digest.clone())))
    }
}

/// The imports of a caller.
pub trait Importing {
    /// Begins an import, or returns its progress.
    fn begin_import(&self, new: NewImport) -> impl Future<Output = Result<Import>> + Send;

    /// Adds rows, if they are the next ones.
    fn add_rows(&self, tenant: TenantId, rows: Rows) -> impl Future<Output = Result<Import>> + Send;

    /// Makes the tenant.
    fn finish_import(&self, tenant: TenantId, totals: Totals) -> impl Future<Output = Result<Tenant>> + Send;

    /// Ends it.
    fn abort_import(&self, tenant: TenantId) -> impl Future<Output = Result<()>> + Send;
}

impl Importing for AccountScope {
    async fn begin_import(&self, new: NewImport) -> Result<Import> {
        By::Account(self).begin(new).await
    }

    async fn add_rows(&self, tenant: TenantId, rows: Rows) -> Result<Import> {
        By::Account(self).add(tenant, rows).await
    }

    async fn finish_import(&self, tenant: TenantId, totals: Totals) -> Result<Tenant> {
        By::Account(self).finish(tenant, totals).await
    }

    async fn abort_import(&self, tenant: TenantId) -> Result<()> {
        By::Account(self).abort(tenant).await
    }
}

impl Importing for OperatorScope {
    async fn begin_import(&self, new: NewImport) -> Result<Import> {
        By::Operator(self).begin(new).await
    }

    async fn add_rows(&self, tenant: TenantId, rows: Rows) -> Result<Import> {
        By::Operator(self).add(tenant, rows).await
    }

    async fn finish_import(&self, tenant: TenantId, totals: Totals) -> Result<Tenant> {
        By::Operator(self).finish(tenant, totals).await
    }

    async fn abort_import(&self, tenant: TenantId) -> Result<()> {
        By::Operator(self).abort(tenant).await
    }
}

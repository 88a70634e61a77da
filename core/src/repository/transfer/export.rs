//! Exports of tenants, part by part. Each part is read in one batch; a mark, which is read before the first and after
//! the last, shows that they fit together.

use std::future::Future;

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    access::{
        batch::{Batch, Outcome, Slot},
        checks,
        scopes::operator::OperatorScope,
        services::Services,
    },
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::{Fault, FaultCode, Scalar},
        digest::sha256_hex,
        limits,
        sql::{
            Value,
            rows::{Cell, DecodeError, FromRow, Row, record},
        },
        values::{Slug, TenantId, count::Count, enumerations::Channel, string, uuid},
    },
    repository::{
        Repository, activity,
        service::NEEDED_SCHEMA_VERSION,
        transfer::{
            file::{Export, ExportQuery, FORM, Head, Place, Record},
            tables::{Column, Kind, TABLES, Table},
        },
    },
};

/// The caller, and what the export includes.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// Whether it is the operator, at the database.
    pub(super) operator: bool,
    /// Whether it includes secrets.
    pub(super) secrets: bool,
}

impl Reach {
    fn has(self, table: &Table) -> bool {
        !table.secret || (self.operator && self.secrets)
    }

    /// The index of a table, or of the next one that is included.
    fn from(self, index: usize) -> Option<usize> {
        (index..TABLES.len()).find(|index| self.has(&TABLES[*index]))
    }
}

impl Scalar for Place {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let text = string(value)?;
        let (table, after) = match text.split_once(':') {
            Some((table, after)) => (table, Some(after.to_owned())),
            None => (text.as_str(), None),
        };
        let table = TABLES.iter().position(|known| known.name == table);
        let fits = |table: usize| {
            after.as_deref().is_none_or(|after| match TABLES[table].key {
                "seq" => after.len() <= 15 && after.bytes().all(|b| b.is_ascii_digit()) && !after.is_empty(),
                _ => uuid(after).is_some(),
            })
        };
        let fault = || Fault::new(FaultCode::Format, "Expected the `next` of a part.");
        table.filter(|table| fits(*table)).map(|table| Self { table, after }).ok_or_else(fault)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(TABLES[self.table].name)?;
        self.after.as_ref().map_or(Ok(()), |after| write!(f, ":{after}"))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for Place {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let id = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        // API keys are never exported over HTTP.
        let shown = TABLES.iter().filter(|table| table.key != "seq" && !table.secret);
        let names: Vec<_> = shown.map(|table| table.name).collect();
        schemars::json_schema!({
            "type": "string", "maxLength": 64,
            "pattern": format!("^(({})(:{id})?|activity(:[0-9]{{1,15}})?)$", names.join("|")),
            "description": "Where a part of an export starts."
        })
    }
}

/// A row from the database.
pub(super) struct Raw(Row);

impl FromRow for Raw {
    fn from_row(row: Row) -> Result<Self, DecodeError> {
        Ok(Self(row))
    }
}

record! {
    pub(super) struct Changes {
        amount: i64,
        changes: i64,
    }
}

/// The requested part.
pub(super) enum Asked {
    First(Slot<checks::Presence>, Vec<Slot<Changes>>),
    Rows(Place, Slot<Raw>),
}

/// Adds the queries for a part to a batch.
pub(super) fn ask(batch: &mut Batch<'_>, from: Option<Place>) -> Asked {
    match from {
        None => {
            let presence = batch.add(&checks::TENANT, []);
            Asked::First(presence, TABLES.iter().map(|table| batch.add(&table.changes, [])).collect())
        }
        Some(place) => {
            let table = &TABLES[place.table];
            let after: Value = match (table.key, place.after.as_deref()) {
                ("seq", after) => after.and_then(|after| after.parse::<i64>().ok()).unwrap_or(0).into(),
                (_, after) => after.and_then(uuid).unwrap_or(Uuid::nil()).into(),
            };
            let (most, bytes) = (i64::from(limits::MOVED_ROWS), limits::PART_BYTES);
            let rows = batch.add(&table.page, [after, most.into(), bytes.into()]);
            Asked::Rows(place, rows)
        }
    }
}

impl Asked {
    /// Makes the part from the rows.
    pub(super) fn take(
        self,
        outcome: &mut Outcome,
        tenant: TenantId,
        reach: Reach,
        services: &Services,
    ) -> Result<Export> {
        match self {
            Self::First(presence, changes) => {
                let presence = outcome.optional(presence)?.ok_or_else(|| Problem::new(Code::NotFound))?;
                let (mut mark, mut pending) = (Vec::new(), 0);
                for (table, slot) in TABLES.iter().zip(changes) {
                    let Changes { amount, changes } = outcome.one(slot)?;
                    if table.key == "seq" {
                        pending = amount - changes;
                    }
                    mark.push(format!("{amount} {changes}"));
                }
                let head = Head {
                    bailiwick_export: Count(FORM),
                    schema_version: Count(NEEDED_SCHEMA_VERSION),
                    tenant_id: tenant,
                    slug: presence.slug,
                    exported_at: services.now(),
                    secrets: reach.secrets,
                };
                let next = reach.from(0).map(|table| Place { table, after: None }.to_string());
                Ok(Export {
                    head: Some(head),
                    mark: Some(sha256_hex(&mark.join(" "))),
                    pending: Some(Count(pending)),
                    rows: Vec::new(),
                    next,
                })
            }
            Self::Rows(place, slot) => {
                let table = &TABLES[place.table];
                let (mut rows, mut last, mut bytes) = (Vec::new(), None, 0);
                for Raw(mut row) in outcome.all(slot)? {
                    if let Some(Cell::Int(total)) = row.pop() {
                        bytes = total;
                    }
                    let mut members = Map::new();
                    for (column, cell) in table.columns.iter().zip(row) {
                        if !matches!(column.kind, Kind::Made) {
                            members.insert(column.name.to_owned(), value(column, cell, reach)?);
                        }
                    }
                    last = members
                        .get(table.key)
                        .map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned));
                    rows.push(Record { table: table.name.to_owned(), row: Json::Object(members) });
                }
                let full = rows.len() == limits::MOVED_ROWS as usize || bytes >= limits::PART_BYTES;
                let next = match last.filter(|_| full) {
                    Some(after) => Some(Place { table: place.table, after: Some(after) }),
                    None => reach.from(place.table + 1).map(|table| Place { table, after: None }),
                };
                let next = next.map(|place| place.to_string());
                Ok(Export { head: None, mark: None, pending: None, rows, next })
            }
        }
    }
}

/// A value as it is in a file, without secrets that must not be there.
fn value(column: &Column, cell: Cell, reach: Reach) -> Result<Json> {
    Ok(match (column.kind, cell) {
        (_, Cell::Null) => Json::Null,
        (Kind::Operators { secret, .. }, _) if !reach.operator || (secret && !reach.secrets) => Json::Null,
        (Kind::Document(_), Cell::Text(text)) => {
            let read = serde_json::from_str(&text);
            without_secrets(column, read.map_err(|error| Problem::internal(error.to_string()))?, reach)
        }
        (Kind::Document(_), Cell::Json(document)) => without_secrets(column, document, reach),
        (_, Cell::Text(text)) => text.into(),
        (_, Cell::Int(number)) => number.into(),
        (_, Cell::Uuid(id)) => id.to_string().into(),
        (_, Cell::Time(time)) => time.to_string().into(),
        (_, Cell::Json(document)) => document,
    })
}

fn without_secrets(column: &Column, mut document: Json, reach: Reach) -> Json {
    if column.name == "config"
        && !reach.secrets
        && let Json::Object(config) = &mut document
    {
        for member in Channel::ALL.iter().filter_map(|channel| channel.webhook()) {
            config.remove(member);
        }
    }
    document
}

/// The export of a tenant.
pub trait Exporting {
    /// A part of the tenant.
    fn export(&self, query: ExportQuery) -> impl Future<Output = Result<Export>> + Send;
}

impl Exporting for Repository<'_> {
    async fn export(&self, query: ExportQuery) -> Result<Export> {
        let reach = Reach { operator: false, secrets: query.secrets.unwrap_or(false) };
        if query.from.as_ref().is_some_and(|place| !reach.has(&TABLES[place.table])) {
            let fault = Fault::new(FaultCode::NotAllowed, "Keys are not shown to anybody.").within("from");
            return Err(Problem::faults(Code::InvalidParameter, vec![fault]));
        }
        let mut batch = self.scope.batch();
        let asked = ask(&mut batch, query.from);
        let mut outcome = if reach.secrets {
            // A leaked key must not give access to secrets that it was not made for.
            if self.scope.key().is_some() {
                return Err(Problem::new(Code::SessionRequired));
            }
            activity::record_export(&mut batch, self.scope.user())?;
            self.scope.commit(batch, None).await?
        } else {
            self.scope.read(batch).await?.1
        };
        asked.take(&mut outcome, self.scope.tenant(), reach, self.scope.services())
    }
}

impl OperatorScope {
    /// The tenant of a slug.
    pub async fn find(&self, slug: &Slug) -> Result<TenantId> {
        self.tenant(slug.as_str()).await
    }

    /// A part of a tenant, as a request for `from` would return it; with secrets, it includes password hashes and API
    /// keys.
    pub async fn export(&self, tenant: TenantId, from: Option<&str>, secrets: bool) -> Result<Export> {
        let read = |text: &str| Place::from_value(text.into());
        let from = from.map(read).transpose();
        let from = from.map_err(|fault| Problem::with(Code::InvalidParameter, fault.detail))?;
        let mut batch = self.batch_in(tenant);
        let asked = ask(&mut batch, from);
        let mut outcome = self.run(batch).await?;
        asked.take(&mut outcome, tenant, Reach { operator: true, secrets }, self.services())
    }
}

//! SQL as data: statements are named constants, written once for both dialects, and bound to typed values. Only search
//! has a separate text for each engine.
//!
//! # Example
//! `statements!` declares the statements of a repository; its scope binds them. This is `example.rs`, which the unit
//! tests run (files elsewhere import the macro):
#![doc = concat!("```ignore\n", include_str!("example.rs"), "```")]

pub(crate) mod rows;

use std::fmt;

use serde_json::Value as JsonValue;
use uuid::Uuid;

pub use crate::kernel::sql::rows::{Cell, DecodeError, FromCell, FromRow, Intake, Row, Rows};
use crate::kernel::time::{Date, Timestamp};

/// One SQL statement of the catalogue, in the two spellings that the engines want.
///
/// Written with `?1`, `?2`, ... as SQLite and D1 take them; the `$1` spelling of Postgres is derived from it at compile
/// time, so the text exists once. The few statements that need it have a text for Postgres beside the one for SQLite.
#[derive(Debug, PartialEq, Eq)]
pub struct Sql {
    /// Its name, `module::CONSTANT`, for tests and logs.
    pub name: &'static str,
    /// The text for SQLite and D1.
    pub sqlite: &'static str,
    /// The text for Postgres.
    #[cfg(feature = "postgres")]
    pub postgres: &'static str,
    /// Whether it only reads. A batch of such statements needs no write lock.
    pub reads: bool,
    /// Whether rows come back: it reads, or it has a `RETURNING`.
    pub returns: bool,
    /// The rows that it reaches.
    pub reach: Reach,
}

/// The rows that a statement reaches. On Postgres row-level security enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the tenant whose id is `?1`.
    Tenant,
    /// Rows of any tenant. Each such statement has a reason, which the tests list.
    Spanning,
    /// No row of a tenant: accounts, sessions, the version of the schema.
    Global,
}

/// Batches that write and need not be serialisable: a statement that each of them has, and the reason. They are long,
/// and would have to be repeated whenever another one comes near.
pub const READ_COMMITTED: &[(&str, &str)] = &[
    (
        "finish::PLACE",
        "It makes rows of a tenant that nobody can see or change before, out of rows that are one importer's own. Its first \
         statement says how far it is, which locks the import: of two that place the same rows one finds that it is done. That \
         the addresses are free, their keys say.",
    ),
    (
        "removal::LAST",
        "It deletes rows of a tenant that is closed: nobody reads or writes them any more, but for a request that began \
         before. What that one wrote, the foreign keys of the tenant's own row wait for.",
    ),
];

/// Whether a batch that writes must be serialisable.
#[must_use]
pub fn must_be_serialisable(statements: &[Statement]) -> bool {
    let listed = |statement: &Statement| READ_COMMITTED.iter().any(|(name, _)| *name == statement.sql.name);
    !statements.iter().any(listed)
}

impl Sql {
    /// Whether it writes entries of the activity log.
    pub(crate) fn records(&self) -> bool {
        !self.reads && self.name.starts_with("activity::")
    }

    /// Whether it deletes a tenant or an import, which may leave rows behind.
    pub(crate) fn removes(&self) -> bool {
        ["removal::MARK", "giving_up::MARK"].contains(&self.name)
    }
}

/// A statement about one tenant's data. Its first parameter is the tenant, and only a scope can bind it.
#[derive(Debug)]
pub struct TenantSql(pub(crate) &'static Sql);

/// A statement about no tenant in particular: accounts, and the few that may span tenants.
#[derive(Debug)]
pub struct GlobalSql(pub(crate) &'static Sql);

impl GlobalSql {
    pub(crate) fn bind<const N: usize>(&self, arguments: [Value; N]) -> Statement {
        Statement { sql: self.0, arguments: arguments.into(), expect: None, enough: None }
    }
}

impl TenantSql {
    pub(crate) fn bind<const N: usize>(&self, tenant: Uuid, arguments: [Value; N]) -> Statement {
        let mut all = Vec::with_capacity(N + 1);
        all.push(Value::from(tenant));
        all.extend(arguments);
        Statement { sql: self.0, arguments: all, expect: None, enough: None }
    }

    pub(crate) fn bind_all(&self, tenant: Uuid, mut arguments: Vec<Value>) -> Statement {
        arguments.insert(0, Value::from(tenant));
        Statement { sql: self.0, arguments, expect: None, enough: None }
    }
}

/// A typed argument. `None` is SQL `NULL` of that type, which Postgres must know. It does not print: it may be a secret.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `uuid` on Postgres, its hyphenated text elsewhere.
    Uuid(Option<Uuid>),
    /// `text`.
    Text(Option<String>),
    /// `bigint` / `INTEGER`. On D1 at most 2^53 in magnitude.
    Int(Option<i64>),
    /// `timestamptz` on Postgres, RFC 3339 text with milliseconds elsewhere.
    Time(Option<Timestamp>),
    /// `date` on Postgres, `2026-11-24` elsewhere.
    Date(Option<Date>),
    /// `jsonb` on Postgres, text elsewhere.
    Json(Option<JsonValue>),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

macro_rules! value_from {
    ($($type:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value.into()))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(Into::into))
            }
        }
    )+};
}

value_from! { Uuid => Uuid, String => Text, &str => Text, i64 => Int, Timestamp => Time, Date => Date, JsonValue => Json }

/// A statement with its arguments, and how many rows it is expected to touch.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The statement.
    pub sql: &'static Sql,
    /// The values of `?1`, `?2`, ...
    pub arguments: Vec<Value>,
    /// Rows that it must return (a read) or change (a write). Anything else aborts the whole batch with
    /// [`DatabaseError::Unmet`](crate::ports::DatabaseError::Unmet).
    pub expect: Option<u32>,
    /// Bytes of text after which no further rows are wanted.
    pub enough: Option<usize>,
}

impl Statement {
    /// Makes the whole batch fail unless this statement returns or changes exactly `rows` rows.
    #[must_use]
    pub fn expecting(mut self, rows: u32) -> Self {
        self.expect = Some(rows);
        self
    }
}

/// Declares the statements of a module: `tenant` ones, whose `?1` is the tenant, `global` ones, which reach no row of a
/// tenant, and `spanning` ones, which may reach rows of all tenants. `ALL` lists them, for the catalogue.
///
/// The text behind `=>` is for Postgres, for the few statements that cannot share one text.
macro_rules! statements {
    ($module:literal; $($(#[$meta:meta])* $kind:ident $name:ident = $($part:expr),+ $(=> $($postgres:expr),+)?;)+) => {
        $(
            $(#[$meta])*
            pub(crate) const $name: $crate::kernel::sql::statements!(@type $kind) = {
                const PARTS: &[&str] = &[$($part),+];
                const SQLITE: [u8; $crate::kernel::sql::total(PARTS)] = $crate::kernel::sql::join(PARTS, false);
                #[cfg(feature = "postgres")]
                const PARTS_POSTGRES: &[&str] =
                    $crate::kernel::sql::statements!(@postgres [$($part),+] $([$($postgres),+])?);
                #[cfg(feature = "postgres")]
                const POSTGRES: [u8; $crate::kernel::sql::total(PARTS_POSTGRES)] =
                    $crate::kernel::sql::join(PARTS_POSTGRES, true);
                const SQL: $crate::kernel::sql::Sql = $crate::kernel::sql::Sql {
                    name: concat!($module, "::", stringify!($name)),
                    sqlite: $crate::kernel::sql::text(&SQLITE),
                    #[cfg(feature = "postgres")]
                    postgres: $crate::kernel::sql::text(&POSTGRES),
                    reads: $crate::kernel::sql::reads(&SQLITE),
                    returns: $crate::kernel::sql::returns(&SQLITE),
                    reach: $crate::kernel::sql::statements!(@reach $kind),
                };
                $crate::kernel::sql::statements!(@wrap $kind &SQL)
            };
        )+
        pub(crate) const ALL: &[&$crate::kernel::sql::Sql] = &[$($name.0),+];
    };
    (@postgres [$($part:expr),+]) => { &[$($part),+] };
    (@postgres [$($part:expr),+] [$($postgres:expr),+]) => { &[$($postgres),+] };
    (@type tenant) => { $crate::kernel::sql::TenantSql };
    (@type global) => { $crate::kernel::sql::GlobalSql };
    (@type spanning) => { $crate::kernel::sql::GlobalSql };
    (@reach tenant) => { $crate::kernel::sql::Reach::Tenant };
    (@reach global) => { $crate::kernel::sql::Reach::Global };
    (@reach spanning) => { $crate::kernel::sql::Reach::Spanning };
    (@wrap tenant $sql:expr) => { $crate::kernel::sql::TenantSql($sql) };
    (@wrap global $sql:expr) => { $crate::kernel::sql::GlobalSql($sql) };
    (@wrap spanning $sql:expr) => { $crate::kernel::sql::GlobalSql($sql) };
}
pub(crate) use statements;

/// The number of the statements of several modules.
pub(crate) const fn count(modules: &[&[&Sql]]) -> usize {
    let (mut count, mut module) = (0, 0);
    while module < modules.len() {
        count += modules[module].len();
        module += 1;
    }
    count
}

/// The statements of several modules as one list; at least one.
pub(crate) const fn concatenate<const COUNT: usize>(modules: &[&[&'static Sql]]) -> [&'static Sql; COUNT] {
    let mut all = [modules[0][0]; COUNT];
    let (mut at, mut module) = (0, 0);
    while module < modules.len() {
        let mut index = 0;
        while index < modules[module].len() {
            all[at] = modules[module][index];
            at += 1;
            index += 1;
        }
        module += 1;
    }
    all
}

/// Declares how the objects of a JSON array, which is this parameter of a statement, read as rows `i` of these columns:
/// the text for SQLite and D1, and that for Postgres. So a statement about many rows has few parameters, of which D1
/// takes only 100.
macro_rules! items {
    ($sqlite:ident, $postgres:ident: $parameter:literal, $first:ident $first_type:ident $(, $column:ident $type:ident)*) => {
        const $sqlite: &str = concat!(
            "(SELECT value ->> '", stringify!($first), "' AS ", stringify!($first),
            $(", value ->> '", stringify!($column), "' AS ", stringify!($column),)*
            " FROM json_each(", $parameter, ")) i"
        );
        #[cfg(feature = "postgres")]
        const $postgres: &str = concat!(
            "(SELECT CAST(value ->> '", stringify!($first), "' AS ", stringify!($first_type), ") AS ", stringify!($first),
            $(", CAST(value ->> '", stringify!($column), "' AS ", stringify!($type), ") AS ", stringify!($column),)*
            " FROM jsonb_array_elements(", $parameter, ")) i"
        );
    };
}
pub(crate) use items;

/// The text that tells Postgres that a value is in a column of such rows (before the column, and behind the rows): an
/// array, which is evaluated before the search. Postgres takes each list for a hundred items and each tenant for one of
/// average size, and for ` IN (SELECT i.` .. `)` it would read all rows of the tenant and join them with the list.
#[cfg(feature = "postgres")]
pub(crate) const AMONG_POSTGRES: [&str; 2] = [" = ANY (ARRAY(SELECT i.", "))"];

/// Declares, for a filtered list that goes by the id alone, the last row that a page looks through: the statement that
/// finds it, and the condition that ends the list there. Both take the rows to begin with and the start of the page,
/// with their own parameter numbers. Matching rows may be anywhere, and without this limit a page of them could be
/// looked for among all rows of a tenant. Both use the index of the list itself. (The end is a subquery as a whole:
/// under row-level security Postgres uses no index for an expression that it does not know to be harmless, such as a
/// `COALESCE`.)
macro_rules! looked_through {
    ($statement:ident: $which:literal, $before:literal; $condition:ident: $own:literal, $own_before:literal; $table:literal) => {
        $crate::kernel::sql::looked_through!(@ $statement: $which, $before; $condition: $own, $own_before; $table;
            " < ", " DESC", " AND id >= ", "00000000-0000-0000-0000-000000000000");
    };
    // The same for a list that begins with the oldest.
    (oldest $statement:ident: $which:literal, $after:literal; $condition:ident: $own:literal, $own_after:literal; $table:literal) => {
        $crate::kernel::sql::looked_through!(@ $statement: $which, $after; $condition: $own, $own_after; $table;
            " > ", "", " AND id <= ", "ffffffff-ffff-ffff-ffff-ffffffffffff");
    };
    (@ $statement:ident: $which:literal, $place:literal; $condition:ident: $own:literal, $own_place:literal; $table:literal;
        $behind:literal, $direction:literal, $ends:literal, $everything:literal) => {
        const $statement: &str = concat!(
            "SELECT f.id FROM ",
            $table,
            " f WHERE f.tenant_id = ?1",
            $which,
            " AND f.id",
            $behind,
            $place,
            " ORDER BY f.id",
            $direction,
            " LIMIT 1 OFFSET 999"
        );
        const $condition: &str = concat!(
            $ends,
            "(SELECT COALESCE((SELECT f.id FROM ",
            $table,
            " f WHERE f.tenant_id = ?1",
            $own,
            " AND f.id",
            $behind,
            $own_place,
            " ORDER BY f.id",
            $direction,
            " LIMIT 1 OFFSET 999), '",
            $everything,
            "'))"
        );
    };
}
pub(crate) use looked_through;

/// The parts of a statement that counts a list: the condition for an item stands between the first two, and the items
/// that it looks through between the last two. It stops at the first item that is beyond the limit.
pub(crate) const COUNT: [&str; 3] = [
    "SELECT count(*) AS looked, COALESCE(sum(fits), 0) AS fitting FROM (SELECT CASE WHEN 1 = 1",
    " THEN 1 ELSE 0 END AS fits",
    " ORDER BY id DESC LIMIT 10001) c",
];

/// The approximate size of one such array, in bytes: D1 takes values of up to 2 MB.
const ARRAY_BYTES: usize = 1_000_000;

/// Items as arrays for statements: one array, unless its size would be too large.
pub(crate) fn arrays(items: Vec<JsonValue>) -> Vec<JsonValue> {
    let (mut arrays, mut array, mut bytes) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let length = item.to_string().len();
        if bytes + length > ARRAY_BYTES && !array.is_empty() {
            arrays.push(JsonValue::Array(std::mem::take(&mut array)));
            bytes = 0;
        }
        array.push(item);
        bytes += length;
    }
    if !array.is_empty() {
        arrays.push(JsonValue::Array(array));
    }
    arrays
}

pub(crate) const fn total(parts: &[&str]) -> usize {
    let mut length = 0;
    let mut part = 0;
    while part < parts.len() {
        length += parts[part].len();
        part += 1;
    }
    length
}

/// Joins the parts and, for Postgres, spells `?1` as `$1`. No statement has a `?` with another meaning.
pub(crate) const fn join<const LENGTH: usize>(parts: &[&str], postgres: bool) -> [u8; LENGTH] {
    let mut joined = [0; LENGTH];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        let bytes = parts[part].as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            joined[at] = if postgres && bytes[index] == b'?' { b'$' } else { bytes[index] };
            at += 1;
            index += 1;
        }
        part += 1;
    }
    joined
}

#[expect(clippy::panic, reason = "runs at compile time only, on parts that were str before they were joined")]
pub(crate) const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("joined str are UTF-8"),
    }
}

/// A statement reads if it starts with `SELECT`; the catalogue has no `WITH` that would hide a write.
pub(crate) const fn reads(sql: &[u8]) -> bool {
    matches!(sql, [b'S', b'E', b'L', b'E', b'C', b'T', ..])
}

pub(crate) const fn returns(sql: &[u8]) -> bool {
    const WORD: &[u8] = b" RETURNING ";
    let mut start = 0;
    while start + WORD.len() <= sql.len() {
        let mut same = 0;
        while same < WORD.len() && sql[start + same] == WORD[same] {
            same += 1;
        }
        if same == WORD.len() {
            return true;
        }
        start += 1;
    }
    reads(sql)
}

#[cfg(test)]
mod example;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_split_where_they_grow_too_large() {
        assert!(arrays(Vec::new()).is_empty());
        let item = || JsonValue::from("x".repeat(400_000));
        let lengths = |count| {
            let arrays = arrays((0..count).map(|_| item()).collect());
            arrays.iter().map(|array| array.as_array().map_or(0, Vec::len)).collect::<Vec<_>>()
        };
        assert_eq!((lengths(2), lengths(5)), (vec![2], vec![2, 2, 1]));
        assert_eq!(arrays(vec![JsonValue::from("x".repeat(3_000_000))]).len(), 1);
    }

    #[test]
    fn as_many_are_looked_through_as_the_limits_say() {
        looked_through!(LAST: "", "?2"; END: "", "?2"; "t");
        for text in [LAST, END] {
            assert!(
                text.contains(&format!("OFFSET {}", crate::kernel::limits::LOOKED_THROUGH - 1)),
                "{text}"
            );
        }
    }

    #[test]
    fn as_many_are_counted_as_the_limits_say() {
        assert!(COUNT[2].contains(&format!(" LIMIT {})", crate::kernel::limits::TOTAL + 1)));
    }

    #[test]
    fn placeholders_are_rewritten_for_postgres_only() {
        const PARTS: &[&str] = &["SELECT a FROM t", " WHERE b = ?1 AND c = ?12"];
        let sqlite: [u8; total(PARTS)] = join(PARTS, false);
        let postgres: [u8; total(PARTS)] = join(PARTS, true);
        assert_eq!(text(&sqlite), "SELECT a FROM t WHERE b = ?1 AND c = ?12");
        assert_eq!(text(&postgres), "SELECT a FROM t WHERE b = $1 AND c = $12");
        assert!(reads(&sqlite));
        assert!(!reads(b"INSERT INTO t SELECT 1") && !returns(b"INSERT INTO t SELECT 1"));
        assert!(returns(b"DELETE FROM t RETURNING a") && returns(&sqlite));
    }
}

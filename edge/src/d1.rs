//! The `Database` port on D1: one `batch` call a batch, which D1 runs as one transaction.
//!
//! D1 cannot be asked in between whether a statement did what was expected. So an expectation becomes a statement
//! of its own, right after the one that it is about: it fails, and with it the whole batch, by asking JSON for a
//! path that is no path, and the path names the statement in the error's text.

use std::fmt;

use bailiwick_core::{
    ports::{Database, DatabaseError},
    sql::{Cell, Row, Rows, Statement, Value},
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, send::SendFuture};

/// The largest integer that a JavaScript number has exactly.
const SAFE_INTEGER: i64 = (1 << 53) - 1;

/// What stands in an error before the number of the statement whose expectation was not met.
const UNMET: &str = "unmet:";

/// A D1 database.
#[derive(Debug)]
pub(crate) struct D1(pub(crate) D1Database);

impl Database for D1 {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let first = SendFuture::new(self.attempt(statements)).await;
        match first {
            // A write may have been committed although no answer came; a read can be asked again.
            Err(DatabaseError::Unavailable(_)) if statements.iter().all(|statement| statement.sql.reads) => {
                SendFuture::new(self.attempt(statements)).await
            }
            result => result,
        }
    }
}

impl D1 {
    async fn attempt(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let mut prepared = Vec::with_capacity(statements.len() + 2);
        // Where each statement's own result is, among those of the guards.
        let mut places = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            places.push(prepared.len());
            prepared.push(self.prepare(statement.sql.sqlite, statement)?);
            if let Some(expected) = statement.expect {
                prepared.push(self.guard(index, expected, statement)?);
            }
        }
        let results = self.0.batch(prepared).await.map_err(|error| failure(&error))?;
        places
            .into_iter()
            .map(|place| {
                let rows = results.get(place).map(worker::D1Result::results::<Cells>);
                let rows = rows.transpose().map_err(|error| failure(&error))?.unwrap_or_default();
                Ok(rows.into_iter().map(|cells| cells.0).collect())
            })
            .collect()
    }

    fn prepare(&self, sql: &str, statement: &Statement) -> Result<D1PreparedStatement, DatabaseError> {
        let arguments: Vec<_> = statement.arguments.iter().map(argument).collect::<Result<_, _>>()?;
        self.0.prepare(sql).bind(&arguments).map_err(|error| failure(&error))
    }

    /// The statement that fails if the one before it did not touch as many rows as expected.
    fn guard(
        &self,
        index: usize,
        expected: u32,
        statement: &Statement,
    ) -> Result<D1PreparedStatement, DatabaseError> {
        let fail = format!("THEN json_extract('{{}}', '{UNMET}{index}.') END");
        if statement.sql.reads {
            // `changes()` does not count what was read, so it is read once more.
            let sql = statement.sql.sqlite;
            return self.prepare(
                &format!("SELECT CASE WHEN (SELECT count(*) FROM ({sql})) <> {expected} {fail}"),
                statement,
            );
        }
        Ok(self.0.prepare(format!("SELECT CASE WHEN changes() <> {expected} {fail}")))
    }
}

fn argument(value: &Value) -> Result<JsValue, DatabaseError> {
    let text = |text: Option<String>| text.map_or(JsValue::NULL, |text| JsValue::from_str(&text));
    Ok(match value {
        Value::Uuid(id) => text(id.map(|id| id.to_string())),
        Value::Text(value) => value.as_deref().map_or(JsValue::NULL, JsValue::from_str),
        Value::Time(time) => text(time.map(|time| time.to_string())),
        Value::Date(date) => text(date.map(|date| date.to_string())),
        Value::Json(json) => text(json.as_ref().map(ToString::to_string)),
        Value::Int(None) => JsValue::NULL,
        #[expect(clippy::cast_precision_loss, reason = "the range was checked")]
        Value::Int(Some(number)) if number.abs() <= SAFE_INTEGER => JsValue::from_f64(*number as f64),
        Value::Int(Some(number)) => {
            return Err(DatabaseError::Internal(format!("{number} is too large for D1")));
        }
    })
}

fn failure(error: &worker::Error) -> DatabaseError {
    let text = error.to_string();
    let unmet = text.split_once(UNMET).and_then(|(_, rest)| rest.split('.').next()?.parse().ok());
    if let Some(index) = unmet {
        return DatabaseError::Unmet(index);
    }
    if let Some(constraint) = DatabaseError::from_sqlite_constraint(&text) {
        return constraint;
    }
    // What SQLite says of a statement is an error of ours. All else is about D1 itself: it is overloaded, was
    // restarted, took too long, or cannot be reached.
    if text.contains("SQLITE_ERROR") || text.contains("SQLITE_MISMATCH") || text.contains("D1_TYPE_ERROR") {
        return DatabaseError::Internal(text);
    }
    DatabaseError::Unavailable(text)
}

/// A row, which D1 gives as an object whose members are in the order of the columns.
struct Cells(Row);

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RowVisitor;

        impl<'de> Visitor<'de> for RowVisitor {
            type Value = Cells;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut columns: A) -> Result<Cells, A::Error> {
                let mut cells = Vec::new();
                while columns.next_key::<serde::de::IgnoredAny>()?.is_some() {
                    cells.push(columns.next_value::<OneCell>()?.0);
                }
                Ok(Cells(cells))
            }
        }

        deserializer.deserialize_map(RowVisitor)
    }
}

struct OneCell(Cell);

impl<'de> Deserialize<'de> for OneCell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CellVisitor;

        impl Visitor<'_> for CellVisitor {
            type Value = OneCell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, a whole number or text")
            }

            fn visit_unit<E>(self) -> Result<OneCell, E> {
                Ok(OneCell(Cell::Null))
            }

            fn visit_i64<E>(self, number: i64) -> Result<OneCell, E> {
                Ok(OneCell(Cell::Int(number)))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<OneCell, E> {
                i64::try_from(number).map(|number| OneCell(Cell::Int(number))).map_err(E::custom)
            }

            #[expect(
                clippy::cast_possible_truncation,
                reason = "only whole numbers within the range are taken"
            )]
            #[expect(clippy::cast_precision_loss, reason = "this limit has an exact value")]
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<OneCell, E> {
                if number.fract() == 0.0 && number.abs() <= SAFE_INTEGER as f64 {
                    Ok(OneCell(Cell::Int(number as i64)))
                } else {
                    Err(E::custom(format!("{number} is no whole number")))
                }
            }

            fn visit_str<E>(self, text: &str) -> Result<OneCell, E> {
                Ok(OneCell(Cell::Text(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<OneCell, E> {
                Ok(OneCell(Cell::Text(text)))
            }
        }

        deserializer.deserialize_any(CellVisitor)
    }
}

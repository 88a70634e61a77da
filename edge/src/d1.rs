//! The `Database` port on D1: one `batch` call a batch, which D1 runs as one transaction.
//!
//! D1 cannot be asked in between whether a statement did what was expected. So an expectation becomes a statement
//! of its own, right after the one that it is about: it fails, and with it the whole batch, by asking JSON for a
//! path that is no path, and the path names the statement in the error's text.

use bailiwick_core::{
    ports::{Database, DatabaseError},
    sql::{Cell, Intake, Rows, Statement, Value},
};
use worker::{
    js_sys::{Array, Error, Object},
    send::{SendFuture, SendWrapper},
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
    worker_sys::{D1Database, D1PreparedStatement, D1Result},
};

/// The largest integer that a JavaScript number has exactly.
const SAFE_INTEGER: i64 = (1 << 53) - 1;

/// What stands in an error before the number of the statement whose expectation was not met.
const UNMET: &str = "unmet:";

/// A D1 database.
///
/// It is spoken to in the platform's own terms: the types of the crate `worker` read rows through serde, which has its
/// price in bytes.
#[derive(Debug)]
pub(crate) struct D1(SendWrapper<D1Database>);

impl D1 {
    pub(crate) fn new(database: worker::D1Database) -> Self {
        Self(SendWrapper::new(JsValue::from(database).unchecked_into()))
    }
}

impl Database for D1 {
    async fn batch(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let first = SendFuture::new(self.attempt(statements)).await;
        let reads = statements.iter().all(|statement| statement.sql.reads);
        match first {
            Err(DatabaseError::Unavailable(text)) if is_worth_another(&text, reads) => {
                SendFuture::new(self.attempt(statements)).await
            }
            result => result,
        }
    }
}

/// Whether it is worth asking once more, by D1's list of errors
/// (<https://developers.cloudflare.com/d1/observability/debug-d1/#error-list>). A read is asked again when D1 was restarted,
/// moved or cut off; a write only when it surely did not get there, for else it may have been committed although no answer
/// came. Where there is too much to do, nobody is helped by more of it.
fn is_worth_another(text: &str, reads: bool) -> bool {
    let too_much = ["overloaded", "exceeded"].iter().any(|word| text.contains(word));
    text.contains("Cannot resolve D1 DB") || (reads && !too_much)
}

impl D1 {
    async fn attempt(&self, statements: &[Statement]) -> Result<Vec<Rows>, DatabaseError> {
        let prepared = Array::new();
        // Where each statement's own result is, among those of the guards.
        let mut places = Vec::with_capacity(statements.len());
        for (index, statement) in statements.iter().enumerate() {
            places.push(prepared.length());
            prepared.push(self.prepare(statement.sql.sqlite, &statement.arguments)?.as_ref());
            if let Some(expected) = statement.expect {
                prepared.push(self.guard(index, expected, statement)?.as_ref());
            }
        }
        let promise = self.0.batch(prepared).map_err(|error| failure(&error))?;
        let results: Array = JsFuture::from(promise).await.map_err(|error| failure(&error))?.unchecked_into();
        let mut all = Vec::with_capacity(statements.len());
        for (statement, place) in statements.iter().zip(places) {
            all.push(rows(statement, &results.get(place).unchecked_into())?);
        }
        Ok(all)
    }

    fn prepare(&self, sql: &str, arguments: &[Value]) -> Result<D1PreparedStatement, DatabaseError> {
        let bound = Array::new();
        for value in arguments {
            bound.push(&argument(value)?);
        }
        self.0.prepare(sql).and_then(|prepared| prepared.bind(bound)).map_err(|error| failure(&error))
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
                &statement.arguments,
            );
        }
        self.prepare(&format!("SELECT CASE WHEN changes() <> {expected} {fail}"), &[])
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

fn failure(error: &JsValue) -> DatabaseError {
    let text = error.dyn_ref::<Error>().map_or_else(|| format!("{error:?}"), |error| error.message().into());
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
    if ["maximum DB size", "maximum account storage limit", "SQLITE_FULL"]
        .iter()
        .any(|full| text.contains(full))
    {
        return DatabaseError::Full(text);
    }
    DatabaseError::Unavailable(text)
}

/// Reads rows, which D1 gives as objects whose members are in the order of the columns.
fn rows(statement: &Statement, result: &D1Result) -> Result<Rows, DatabaseError> {
    let mut intake = Intake::of(statement);
    for row in result.results().map_err(|error| failure(&error))?.unwrap_or_default().iter() {
        let cells = Object::values(row.unchecked_ref());
        if !intake.take(cells.iter().map(|value| cell(&value)).collect::<Result<_, _>>()?) {
            break;
        }
    }
    Ok(intake.rows())
}

#[expect(clippy::cast_possible_truncation, reason = "only whole numbers within the range are taken")]
#[expect(clippy::cast_precision_loss, reason = "this limit has an exact value")]
fn cell(value: &JsValue) -> Result<Cell, DatabaseError> {
    if value.is_null() {
        return Ok(Cell::Null);
    }
    if let Some(text) = value.as_string() {
        return Ok(Cell::Text(text));
    }
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() <= SAFE_INTEGER as f64 => {
            Ok(Cell::Int(number as i64))
        }
        _ => Err(DatabaseError::Internal("a cell is neither null nor a whole number nor text".to_owned())),
    }
}

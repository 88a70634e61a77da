//! Rows of the database: their cells, and the types that they are read as.

use serde_json::Value as JsonValue;
use uuid::Uuid;

use crate::kernel::{
    sql::Statement,
    time::{Date, Timestamp},
};

/// A value from the database, in the form the engine had it.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL `NULL`.
    Null,
    /// An integer.
    Int(i64),
    /// Text, a `date`, and everything that an engine without the type keeps as text.
    Text(String),
    /// A native `uuid`.
    Uuid(Uuid),
    /// A native `timestamptz`.
    Time(Timestamp),
    /// A native `jsonb`.
    Json(JsonValue),
}

/// One row: its cells in the order of the statement's columns.
pub type Row = Vec<Cell>;

/// What one statement of a batch returned. Empty for a write without `RETURNING`.
pub type Rows = Vec<Row>;

/// Rows as an engine hands them over, until a statement has enough of them.
#[derive(Debug)]
pub struct Intake {
    rows: Rows,
    /// Bytes of text that are still wanted, if the statement has a limit.
    left: Option<usize>,
}

impl Intake {
    /// An empty intake.
    #[must_use]
    pub fn of(statement: &Statement) -> Self {
        Self { rows: Rows::new(), left: statement.enough }
    }

    /// Takes a row, and says whether another is wanted. The second always is: it shows that the first is not the last.
    pub fn take(&mut self, row: Row) -> bool {
        if let Some(left) = &mut self.left {
            let texts = row.iter().map(|cell| if let Cell::Text(text) = cell { text.len() } else { 0 });
            *left = left.saturating_sub(texts.sum());
        }
        self.rows.push(row);
        self.left != Some(0) || self.rows.len() < 2
    }

    /// The rows that were taken.
    #[must_use]
    pub fn rows(self) -> Rows {
        self.rows
    }
}

/// A cell or a row that does not have the type which the code expects: a bug or a damaged database.
#[derive(Debug)]
pub struct DecodeError(pub(crate) String);

/// A type that a column can be read as.
pub trait FromCell: Sized {
    /// Reads the cell.
    fn from_cell(cell: Cell) -> Result<Self, DecodeError>;
}

fn mismatch<T>(wanted: &str, cell: &Cell) -> Result<T, DecodeError> {
    let found = match cell {
        Cell::Null => "null",
        Cell::Int(_) => "an integer",
        Cell::Text(_) => "text",
        Cell::Uuid(_) => "a uuid",
        Cell::Time(_) => "a timestamp",
        Cell::Json(_) => "json",
    };
    Err(DecodeError(format!("expected {wanted}, found {found}")))
}

impl FromCell for i64 {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Int(value) => Ok(value),
            other => mismatch("an integer", &other),
        }
    }
}

/// SQLite has no truth values of its own: it says 0 and 1.
impl FromCell for bool {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Int(value @ (0 | 1)) => Ok(value == 1),
            other => mismatch("0 or 1", &other),
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Text(value) => Ok(value),
            other => mismatch("text", &other),
        }
    }
}

impl FromCell for Uuid {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Uuid(value) => Ok(value),
            Cell::Text(text) => Self::try_parse(&text).map_err(|error| DecodeError(error.to_string())),
            other => mismatch("a uuid", &other),
        }
    }
}

impl FromCell for Timestamp {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Time(value) => Ok(value),
            Cell::Text(text) => {
                Self::parse(&text).ok_or_else(|| DecodeError("expected an RFC 3339 timestamp".to_owned()))
            }
            other => mismatch("a timestamp", &other),
        }
    }
}

impl FromCell for Date {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        let text = String::from_cell(cell)?;
        Self::parse(&text).ok_or_else(|| DecodeError("expected a day".to_owned()))
    }
}

impl FromCell for JsonValue {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Json(value) => Ok(value),
            Cell::Text(text) => serde_json::from_str(&text).map_err(|error| DecodeError(error.to_string())),
            other => mismatch("json", &other),
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell) -> Result<Self, DecodeError> {
        match cell {
            Cell::Null => Ok(None),
            other => T::from_cell(other).map(Some),
        }
    }
}

/// A type that a row can be read as, column by column.
pub trait FromRow: Sized {
    /// Reads the row.
    fn from_row(row: Row) -> Result<Self, DecodeError>;
}

impl<T: FromCell> FromRow for T {
    fn from_row(row: Row) -> Result<Self, DecodeError> {
        let mut cells = row.into_iter();
        take(&mut cells)
    }
}

/// For statements whose rows are not read.
impl FromRow for () {
    fn from_row(_: Row) -> Result<Self, DecodeError> {
        Ok(())
    }
}

/// Reads the next column of a row.
pub(crate) fn take<T: FromCell>(cells: &mut std::vec::IntoIter<Cell>) -> Result<T, DecodeError> {
    T::from_cell(next(cells)?)
}

/// The shared part of reading columns, compiled once.
#[inline(never)]
fn next(cells: &mut std::vec::IntoIter<Cell>) -> Result<Cell, DecodeError> {
    cells.next().ok_or_else(|| DecodeError("the row has too few columns".to_owned()))
}

/// Declares a struct that is read from a row, with its column list as `COLUMNS`: the fields, in order.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type,)+ }

        impl $crate::kernel::sql::rows::FromRow for $name {
            #[inline(never)]
            fn from_row(row: $crate::kernel::sql::rows::Row) -> Result<Self, $crate::kernel::sql::rows::DecodeError> {
                let mut cells = row.into_iter();
                Ok(Self { $($field: $crate::kernel::sql::rows::take(&mut cells)?,)+ })
            }
        }
    };
}
pub(crate) use record;

//! The file `.env` of the working directory: its settings count as if they stood in the environment, which wins over it.

use std::{io, path::Path, sync::OnceLock};

use dotenvy::Error;

const FILE: &str = ".env";

static WAS_READ: OnceLock<bool> = OnceLock::new();

/// Reads it, if there is one. Nothing else may run yet: the environment of a process belongs to all of its threads.
///
/// # Errors
/// A sentence that says what is wrong with it, without its values.
pub(crate) fn read() -> Result<(), String> {
    let read = match dotenvy::from_path(Path::new(FILE)) {
        Ok(()) => true,
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => false,
        Err(Error::LineParse(line, _)) => {
            let text = std::fs::read_to_string(FILE).unwrap_or_default();
            let place = text.lines().position(|other| other.trim() == line.trim()).map(|place| place + 1);
            let line = place.map_or_else(|| "a line".to_owned(), |number| format!("line {number}"));
            return Err(format!(
                "{FILE}: {line} is not of the form NAME=VALUE, with quotes around a value with blanks."
            ));
        }
        Err(error) => return Err(format!("{FILE}: {error}.")),
    };
    let _ = WAS_READ.set(read);
    Ok(())
}

/// What there is to say of it.
pub(super) fn said() -> Option<&'static str> {
    WAS_READ
        .get()
        .is_some_and(|read| *read)
        .then_some("settings were read from .env; those of the environment win")
}

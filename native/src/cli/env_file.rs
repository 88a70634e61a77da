//! The file `.env` of the working directory: its settings count where the command line and the environment have none.
//! Its other lines belong to other programs.

use std::{collections::HashMap, path::Path, sync::LazyLock};

use bailiwick_core::Config;
use dotenvy::Error;

const FILE: &str = ".env";

static SETTINGS: LazyLock<Result<HashMap<String, String>, String>> = LazyLock::new(read);

/// The settings of the file; none if there is none.
///
/// # Errors
/// A sentence about the fault of the file, without its values.
pub(super) fn settings() -> Result<&'static HashMap<String, String>, &'static str> {
    SETTINGS.as_ref().map_err(String::as_str)
}

/// A remark about the file, if there is one.
pub(super) fn said() -> Option<String> {
    let settings = settings().ok().filter(|settings| !settings.is_empty())?;
    let mut names: Vec<_> = settings.keys().map(String::as_str).collect();
    names.sort_unstable();
    Some(format!("settings are read from {FILE}, where the environment has none: {}", names.join(", ")))
}

fn read() -> Result<HashMap<String, String>, String> {
    // Some people keep a directory of this name.
    if !Path::new(FILE).is_file() {
        return Ok(HashMap::new());
    }
    let told = |error: Error| match error {
        Error::LineParse(part, _) => {
            let text = std::fs::read_to_string(FILE).unwrap_or_default();
            let place = text.lines().position(|line| line.contains(part.trim())).map(|place| place + 1);
            let line = place.map_or_else(|| "a line".to_owned(), |number| format!("line {number}"));
            format!("{FILE}: {line} is not of the form NAME=VALUE, with quotes around a value with blanks.")
        }
        error => format!("{FILE}: {error}."),
    };
    let is_ours = |name: &str| Config::SETTINGS.iter().any(|setting| setting.name == name);
    let mut settings = HashMap::new();
    for pair in dotenvy::from_path_iter(FILE).map_err(told)? {
        let (name, value) = pair.map_err(told)?;
        if is_ours(&name) && !value.is_empty() {
            settings.insert(name, value);
        }
    }
    Ok(settings)
}

//! The log of a target, kept to be searched.

use std::sync::{Arc, Mutex, PoisonError};

/// What a server has written so far, to both its outputs.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<String>>);

impl Log {
    /// All of it.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The end of it.
    pub fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The lines that are about a request, in JSON.
    pub fn of_request(&self, id: &str) -> Vec<serde_json::Value> {
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(id));
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub(crate) fn add(&self, line: &str) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(line);
        text.push('\n');
    }
}

//! The workflow that every tenant has.

/// Its document.
pub const STANDARD: &str = include_str!("standard.json");

//! Workflows as documents: which statuses a project has, who may move it where, who approves, what holds it back, and
//! examples of all of it that must hold. docs/WORKFLOWS.md teaches the language.

pub mod check;
mod course;
pub mod decide;
pub mod document;
pub mod examples;
pub mod finding;
pub mod standard;

#[cfg(test)]
mod tests;

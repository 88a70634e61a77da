//! Values and formats: no product, no input or output, nothing asynchronous.

pub(crate) mod canonical;
pub mod decode;
pub(crate) mod digest;
pub(crate) mod json;
pub mod limits;
pub mod outbound;
pub mod password;
#[cfg(feature = "openapi")]
pub(crate) mod schema;
pub mod sql;
pub mod time;
pub(crate) mod unicode;
pub mod values;
pub mod words;

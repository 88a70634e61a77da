//! The state of the database itself.

use crate::{
    access::scopes::anonymous::AnonymousScope,
    http::problem::{Code, Problem, Result},
    kernel::sql::statements,
};

statements! { "service";
    global SCHEMA_VERSION = "SELECT version FROM schema_version";
}

/// The version that the newest migration leaves behind, and that this code needs at least.
pub const NEEDED_SCHEMA_VERSION: i64 = 25;

/// Whether the database can be reached and has all migrations.
pub(crate) async fn ready(anonymous: &AnonymousScope) -> Result<()> {
    if anonymous.services().is_draining() {
        return Err(Problem::with(
            Code::Unavailable,
            "The service is about to stop here: ask another instance.",
        ));
    }
    let mut batch = anonymous.batch();
    let version = batch.add_global::<i64, _>(&SCHEMA_VERSION, []);
    match anonymous.run(batch).await?.optional(version)? {
        Some(version) if version >= NEEDED_SCHEMA_VERSION => Ok(()),
        version => Err(Problem::with(Code::Unavailable, "The database's migrations are not complete.")
            .because(format!("schema version {version:?}, needed {NEEDED_SCHEMA_VERSION}"))),
    }
}

//! The statements of a table of notes: what `statements!` makes of their texts.

use uuid::Uuid;

use crate::kernel::sql::{Reach, Value};

const OF_TENANT: &str = " FROM notes WHERE tenant_id = ?1";

statements! { "notes";
    /// Texts are joined when the product is compiled.
    tenant BY_ID = "SELECT id, title", OF_TENANT, " AND id = ?2";

    tenant DELETE = "DELETE", OF_TENANT, " AND id = ?2";

    global VERSION = "SELECT version FROM schema_version";
}

#[test]
fn a_statement_has_a_name_and_its_kind() {
    let names: Vec<_> = ALL.iter().map(|sql| (sql.name, sql.reads, sql.reach)).collect();
    assert_eq!(
        names,
        [
            ("notes::BY_ID", true, Reach::Tenant),
            ("notes::DELETE", false, Reach::Tenant),
            ("notes::VERSION", true, Reach::Global),
        ]
    );
    assert_eq!(BY_ID.0.sqlite, "SELECT id, title FROM notes WHERE tenant_id = ?1 AND id = ?2");
    #[cfg(feature = "postgres")]
    assert_eq!(BY_ID.0.postgres, "SELECT id, title FROM notes WHERE tenant_id = $1 AND id = $2");
    assert!(VERSION.bind([]).arguments.is_empty());
}

#[test]
fn the_tenant_comes_first() {
    let (tenant, note) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let statement = DELETE.bind(tenant, [note.into()]).expecting(1);
    assert!(statement.arguments == [Value::from(tenant), Value::from(note)]);
}

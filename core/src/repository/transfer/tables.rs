//! The parts of a tenant that are moved: its tables in the order of their references, and the kind of each column.
//! Export, import, the checks of arriving rows and the change of ids derive from this. A test compares it with the
//! schema.

use serde_json::Value as Json;

use crate::{
    kernel::{
        sql::{Sql, TenantSql, concatenate, count, statements},
        values::{
            ActionName, CommentBody, Description, Email, Name, ProjectName, Slug, TaskTitle,
            enumerations::{
                InvitedRole, MembershipStatus, NotificationKind, Priority, ProjectStatus, Role, TaskStatus,
                Visibility,
            },
        },
    },
    repository::transfer::checks::{
        config, date, detail, digest, hash_of_password, leaf, line, lines, muted, prefix, seq, time, version,
    },
};

/// Reads and checks a value, and returns it in the form in which it is kept.
pub(super) type Check = fn(Json) -> Result<Json, crate::kernel::decode::Fault>;

/// The kind of a column.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The id of the row.
    Id,
    /// The id of a row of that table, which must have come before.
    Of(&'static str),
    /// The id of anything, which may be gone.
    Any,
    /// A value of this type.
    Value(Check),
    /// A JSON document of this type.
    Document(Check),
    /// A value that only the operator moves, never HTTP; a secret only on request.
    Operators {
        /// Whether it is a secret.
        secret: bool,
        /// Its type.
        check: Check,
    },
    /// A value that is not moved, but made again in the other database.
    Made,
}
use Kind::{Any, Document, Id, Made, Of, Operators, Value};

/// A column that is moved.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
}

impl Column {
    /// Whether it is an id, or a document with ids.
    pub(super) fn has_ids(&self) -> bool {
        match self.kind {
            Id | Of(_) | Any => true,
            Document(_) => self.name == "detail",
            _ => false,
        }
    }
}

/// A table that is moved.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [Column],
    /// The column by which pages are ordered, and by which other rows refer to its rows.
    pub(super) key: &'static str,
    /// Whether all of it is secret: moved by the operator alone, on request.
    pub(super) secret: bool,
    /// Rows after `?2`, at most `?3`, and no more than one after `?4` bytes. The last column has the bytes so far.
    pub(super) page: TenantSql,
    /// The number of rows, and a number that differs after any change.
    pub(super) changes: TenantSql,
    /// Makes rows from the lines of `?2`, from `?3` up to before `?4`.
    pub(super) insert: TenantSql,
    /// The keys that two rows of a file can both have, as the engines name them.
    pub(super) unique: &'static [&'static str],
}

/// The arrived lines, up to the table's name.
const ARRIVED: &str = " FROM import_rows r WHERE r.tenant_id = ?1 AND r.user_id = ?2 AND r.kind = '";
/// Behind the name: the range of lines.
const LINES: &str = "' AND r.line >= ?3 AND r.line < ?4";

/// For a table whose rows count their changes.
macro_rules! versions {
    () => {
        "CAST(COALESCE(sum(version), 0) AS bigint)"
    };
}

/// A table of a tenant, with its statements. A column has its type on Postgres, and `null` if it can be that.
macro_rules! moved {
    ($(#[$meta:meta])* $table:ident {
        statements: $label:literal,
        key: $key:ident,
        unique: [$($unique:literal),*],
        secret: $secret:literal,
        changes: $changes:expr,
        columns: { $($column:ident $type:ident $($null:ident)? = $kind:expr;)+ }
    }) => {
        $(#[$meta])*
        pub(super) mod $table {
            use super::*;

            const NAME: &str = stringify!($table);
            const KEY: &str = stringify!($key);
            const COLUMNS: &str = concat!("id" $(, ", ", stringify!($column))+);
            const VALUES: &str = concat!("r.content ->> 'id'" $(, ", r.content ->> '", stringify!($column), "'")+);
            #[cfg(feature = "postgres")]
            const VALUES_POSTGRES: &str = concat!("CAST(r.content ->> 'id' AS uuid)"
                $(, ", CAST(r.content ->> '", stringify!($column), "' AS ", stringify!($type), ")")+);
            const BYTES: &str = concat!("octet_length(CAST(id AS text))"
                $(, " + COALESCE(octet_length(CAST(", stringify!($column), " AS text)), 0)")+);

            statements! { $label;
                tenant PAGE = "SELECT ", COLUMNS, ", total FROM (SELECT ", COLUMNS, ", bytes, \
                    CAST(sum(bytes) OVER (ORDER BY ", KEY, ") AS bigint) AS total FROM (SELECT ", COLUMNS, ", ",
                    BYTES, " AS bytes FROM ", NAME, " WHERE tenant_id = ?1 AND ", KEY, " > ?2 ORDER BY ", KEY,
                    " LIMIT ?3) p) q WHERE total - bytes < ?4 ORDER BY ", KEY;

                tenant CHANGES = "SELECT count(*) AS amount, ", $changes, " AS changes FROM ", NAME, " WHERE tenant_id = ?1";

                tenant INSERT = "INSERT INTO ", NAME, " (tenant_id, ", COLUMNS, ") SELECT ?1, ", VALUES, ARRIVED, NAME, LINES
                    => "INSERT INTO ", NAME, " (tenant_id, ", COLUMNS, ") SELECT ?1, ", VALUES_POSTGRES, ARRIVED, NAME, LINES;
            }

            pub(super) const TABLE: Table = Table {
                name: NAME,
                columns: &[
                    Column { name: "id", kind: Id, nullable: false },
                    $(Column { name: stringify!($column), kind: $kind, nullable: !stringify!($($null)?).is_empty() },)+
                ],
                key: KEY,
                secret: $secret,
                page: PAGE,
                changes: CHANGES,
                insert: INSERT,
                unique: &[concat!(stringify!($table), "_pkey"), concat!(stringify!($table), "_tenant_id_id_key") $(, $unique)*],
            };
        }
    };
}

/// The accounts that the tenant's rows name: its members, and the authors of other rows. They belong to no tenant; what
/// is known of them is moved along, so that the same people can be found or created in the other database.
pub(super) mod users {
    use super::{
        ARRIVED, Column, Email, Id, LINES, Name, Operators, Table, Value, hash_of_password, leaf, statements,
        time, version,
    };

    /// The address of a placeholder is in a column of its own.
    const SHOWN: &str = "id, CASE WHEN email LIKE '%.invalid' THEN NULL ELSE email END AS email, imported_email, name, \
         password_hash, disabled_at, created_at, updated_at, version";
    const COLUMNS: &str = "id, email, imported_email, name, password_hash, disabled_at, created_at, updated_at, version, \
         imported_into";
    const VALUES: &str = "r.content ->> 'id', r.content ->> 'email', r.content ->> 'imported_email', r.content ->> 'name', \
         COALESCE(r.content ->> 'password_hash', ''), r.content ->> 'disabled_at', r.content ->> 'created_at', \
         r.content ->> 'updated_at', r.content ->> 'version'";
    #[cfg(feature = "postgres")]
    const VALUES_POSTGRES: &str = "CAST(r.content ->> 'id' AS uuid), r.content ->> 'email', r.content ->> 'imported_email', \
         r.content ->> 'name', COALESCE(r.content ->> 'password_hash', ''), CAST(r.content ->> 'disabled_at' AS timestamptz), \
         CAST(r.content ->> 'created_at' AS timestamptz), CAST(r.content ->> 'updated_at' AS timestamptz), \
         CAST(r.content ->> 'version' AS bigint)";
    /// The tenant of a placeholder, for one.
    const PLACE: &str = ", CASE WHEN r.content ->> 'placeholder' IS NULL THEN NULL ELSE r.tenant_id END";
    const AFTER: &str = ", 0 AS total FROM users WHERE ?4 > 0 AND id > ?2 AND id";
    /// Every user named in the tenant: in two halves, because D1 takes at most five queries in one `UNION`. For
    /// Postgres they are an array, lest it look for a few among all users.
    const NAMED: &str = "SELECT a.user_id FROM (SELECT user_id FROM memberships WHERE tenant_id = ?1 \
         UNION SELECT created_by FROM projects WHERE tenant_id = ?1 \
         UNION SELECT submitted_by FROM projects WHERE tenant_id = ?1 \
         UNION SELECT created_by FROM tasks WHERE tenant_id = ?1) a \
         UNION SELECT b.author_id FROM (SELECT author_id FROM comments WHERE tenant_id = ?1 \
         UNION SELECT invited_by FROM invitations WHERE tenant_id = ?1 \
         UNION SELECT accepted_by FROM invitations WHERE tenant_id = ?1 \
         UNION SELECT t.created_by FROM tenants t WHERE t.id = ?1) b";
    const FIRST: &str = " ORDER BY id LIMIT ?3";
    /// An existing account stays as it is.
    const UNKNOWN: &str = " AND r.content ->> 'known' IS NULL";

    statements! { "moved_users";
        tenant PAGE = "SELECT ", SHOWN, AFTER, " IN (", NAMED, ")", FIRST
            => "SELECT ", SHOWN, AFTER, " = ANY (ARRAY(", NAMED, "))", FIRST;

        tenant CHANGES = "SELECT count(*) AS amount, CAST(COALESCE(sum(u.version), 0) AS bigint) AS changes \
             FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = ?1";

        tenant INSERT = "INSERT INTO users (", COLUMNS, ") SELECT ", VALUES, PLACE, ARRIVED, "users", LINES, UNKNOWN
            => "INSERT INTO users (", COLUMNS, ") SELECT ", VALUES_POSTGRES, PLACE, ARRIVED, "users", LINES, UNKNOWN;
    }

    pub(super) const TABLE: Table = Table {
        name: "users",
        columns: &[
            Column { name: "id", kind: Id, nullable: false },
            Column { name: "email", kind: Value(leaf::<Email>), nullable: true },
            Column { name: "imported_email", kind: Value(leaf::<Email>), nullable: true },
            Column { name: "name", kind: Value(leaf::<Name>), nullable: false },
            Column {
                name: "password_hash",
                kind: Operators { secret: true, check: hash_of_password },
                nullable: true,
            },
            Column { name: "disabled_at", kind: Operators { secret: false, check: time }, nullable: true },
            Column { name: "created_at", kind: Value(time), nullable: false },
            Column { name: "updated_at", kind: Value(time), nullable: false },
            Column { name: "version", kind: Value(version), nullable: false },
        ],
        key: "id",
        secret: false,
        page: PAGE,
        changes: CHANGES,
        insert: INSERT,
        unique: &["users_pkey", "users_id_key", "users_email_key", "users_imported_into_imported_email_key"],
    };
}

/// The tenant itself. Whether it is suspended is up to the operator of each deployment.
pub(super) mod tenants {
    use super::{
        ARRIVED, Column, Document, Id, LINES, Name, Of, Slug, Table, Value, config, leaf, statements, time,
        version,
    };

    const COLUMNS: &str = "id, slug, name, created_by, config, created_at, updated_at, version";
    const HIDDEN: &str = "INSERT INTO tenants (id, slug, name, config, created_at, updated_at, version, suspended_at, deleted_at) SELECT ?1, ";
    const VALUES: &str = "r.content ->> 'slug', r.content ->> 'name', \
         r.content ->> 'config', r.content ->> 'created_at', r.content ->> 'updated_at', r.content ->> 'version'";
    #[cfg(feature = "postgres")]
    const VALUES_POSTGRES: &str = "r.content ->> 'slug', r.content ->> 'name', \
         CAST(r.content ->> 'config' AS jsonb), CAST(r.content ->> 'created_at' AS timestamptz), \
         CAST(r.content ->> 'updated_at' AS timestamptz), CAST(r.content ->> 'version' AS bigint)";

    statements! { "moved_tenants";
        tenant PAGE = "SELECT ", COLUMNS, ", 0 AS total FROM tenants WHERE id = ?1 AND id > ?2 AND ?4 > 0 ORDER BY id LIMIT ?3";

        tenant CHANGES = "SELECT count(*) AS amount, ", versions!(), " AS changes FROM tenants WHERE id = ?1";

        /// Makes its own row, before all others, from its line. To everybody it looks like a tenant deleted at `?3`.
        tenant HIDE = HIDDEN, VALUES, ", ?3, ?3", ARRIVED, "tenants'"
            => HIDDEN, VALUES_POSTGRES, ", ?3, ?3", ARRIVED, "tenants'";

        /// Adds its references to others, which exist by then.
        tenant INSERT = "UPDATE tenants SET created_by = (SELECT r.content ->> 'created_by'", ARRIVED, "tenants", LINES, ") \
             WHERE id = ?1 AND created_by IS NULL AND EXISTS (SELECT 1", ARRIVED, "tenants", LINES, ")"
            => "UPDATE tenants SET created_by = (SELECT CAST(r.content ->> 'created_by' AS uuid)", ARRIVED, "tenants", LINES, ") \
             WHERE id = ?1 AND created_by IS NULL AND EXISTS (SELECT 1", ARRIVED, "tenants", LINES, ")";
    }

    pub(super) const TABLE: Table = Table {
        name: "tenants",
        columns: &[
            Column { name: "id", kind: Id, nullable: false },
            Column { name: "slug", kind: Value(leaf::<Slug>), nullable: false },
            Column { name: "name", kind: Value(leaf::<Name>), nullable: false },
            Column { name: "created_by", kind: Of("users"), nullable: true },
            Column { name: "config", kind: Document(config), nullable: false },
            Column { name: "created_at", kind: Value(time), nullable: false },
            Column { name: "updated_at", kind: Value(time), nullable: false },
            Column { name: "version", kind: Value(version), nullable: false },
        ],
        key: "id",
        secret: false,
        page: PAGE,
        changes: CHANGES,
        insert: INSERT,
        unique: &[],
    };
}

moved! {
    memberships {
        statements: "moved_memberships", key: user_id, unique: ["memberships_tenant_id_user_id_key"],
        secret: false, changes: versions!(),
        columns: {
            user_id uuid = Of("users");
            role text = Value(leaf::<Role>);
            status text = Value(leaf::<MembershipStatus>);
            imported_at timestamptz null = Value(time);
            imported_id uuid null = Any;
            muted jsonb = Document(muted);
            created_at timestamptz = Value(time);
            updated_at timestamptz = Value(time);
            version bigint = Value(version);
        }
    }
}

moved! {
    /// Without their words, which are made in the other database.
    projects {
        statements: "moved_projects", key: id, unique: [],
        secret: false, changes: versions!(),
        columns: {
            name text = Value(leaf::<ProjectName>);
            description text = Value(leaf::<Description>);
            status text = Value(leaf::<ProjectStatus>);
            visibility text = Value(leaf::<Visibility>);
            created_by uuid = Of("users");
            submitted_by uuid null = Of("users");
            created_at timestamptz = Value(time);
            updated_at timestamptz = Value(time);
            version bigint = Value(version);
            revision bigint = Value(version);
        }
    }
}

moved! {
    tasks {
        statements: "moved_tasks", key: id, unique: [],
        secret: false, changes: versions!(),
        columns: {
            project_id uuid = Of("projects");
            title text = Value(leaf::<TaskTitle>);
            description text = Value(leaf::<Description>);
            status text = Value(leaf::<TaskStatus>);
            priority text = Value(leaf::<Priority>);
            assignee_id uuid null = Of("memberships");
            due_on date null = Value(date);
            created_by uuid null = Of("users");
            created_at timestamptz = Value(time);
            updated_at timestamptz = Value(time);
            version bigint = Value(version);
        }
    }
}

moved! {
    comments {
        statements: "moved_comments", key: id, unique: [],
        secret: false, changes: versions!(),
        columns: {
            task_id uuid = Of("tasks");
            author_id uuid = Of("users");
            body text = Value(leaf::<CommentBody>);
            edited_at timestamptz null = Value(time);
            created_at timestamptz = Value(time);
            updated_at timestamptz = Value(time);
            version bigint = Value(version);
        }
    }
}

moved! {
    /// Without the digests of their tokens, which depend on the first deployment's keys. See
    /// [`crate::repository::transfer::import`].
    invitations {
        statements: "moved_invitations", key: id, unique: ["invitations_tenant_id_email_key"],
        secret: false, changes: "count(accepted_at) + count(revoked_at)",
        columns: {
            email text = Value(leaf::<Email>);
            role text = Value(leaf::<InvitedRole>);
            token_hash text = Made;
            invited_by uuid = Of("users");
            expires_at timestamptz = Value(time);
            accepted_at timestamptz null = Value(time);
            accepted_by uuid null = Of("users");
            revoked_at timestamptz null = Value(time);
            created_at timestamptz = Value(time);
        }
    }
}

moved! {
    notifications {
        statements: "moved_notifications", key: id, unique: [],
        secret: false, changes: "count(read_at)",
        columns: {
            recipient_id uuid = Of("memberships");
            kind text = Value(leaf::<NotificationKind>);
            title text = Value(line);
            body text = Value(lines);
            subject_type text = Value(leaf::<ActionName>);
            subject_id uuid = Any;
            read_at timestamptz null = Value(time);
            created_at timestamptz = Value(time);
        }
    }
}

moved! {
    /// In the order of the chain, and only sealed entries: exports wait for the others.
    activity {
        statements: "moved_activity", key: seq, unique: ["activity_tenant_id_seq_key"],
        secret: false, changes: "count(seq)",
        columns: {
            seq bigint = Value(seq);
            hash text = Value(digest);
            actor_id uuid null = Any;
            action text = Value(leaf::<ActionName>);
            entity_type text = Value(leaf::<ActionName>);
            entity_id uuid = Any;
            detail jsonb = Document(detail);
            created_at timestamptz = Value(time);
        }
    }
}

moved! {
    api_keys {
        statements: "moved_api_keys", key: id, unique: [],
        secret: true, changes: "count(user_id)",
        columns: {
            user_id uuid = Of("memberships");
            name text = Value(leaf::<Name>);
            role text = Value(leaf::<Role>);
            prefix text = Value(prefix);
            token_hash text = Value(digest);
            expires_at timestamptz = Value(time);
            last_used_at timestamptz null = Value(time);
            created_at timestamptz = Value(time);
        }
    }
}

macro_rules! tables {
    ($($table:ident),+ $(,)?) => {
        /// All of them; a row refers only to tables before its own.
        pub(super) static TABLES: &[Table] = &[$($table::TABLE),+];

        /// The statements of all of them.
        pub(in crate::repository) const ALL: &[&Sql] = {
            const EACH: &[&[&Sql]] = &[$($table::ALL),+];
            &concatenate::<{ count(EACH) }>(EACH)
        };
    };
}

tables![
    users,
    tenants,
    memberships,
    projects,
    tasks,
    comments,
    invitations,
    notifications,
    activity,
    api_keys,
];

/// The parts of a tenant that are not moved, and the reasons.
#[cfg(feature = "openapi")]
pub const LEFT: &[(&str, &str)] = &[
    (
        "deliveries",
        "What is to be sent, the place that it comes from sends; brought in, it would let anybody send anything.",
    ),
    (
        "idempotency_keys",
        "Answers are encrypted by the keys of the place that gave them, and good for a day.",
    ),
    ("limits", "How much a tenant may have is for the operator of each place to say."),
    ("sizes", "How much a tenant has stored is measured where it comes to."),
    ("imports", "What is on its way in is no tenant yet."),
    ("import_rows", "What is on its way in is no tenant yet."),
    ("project_search", "The index of words is made where projects come to."),
    ("task_search", "The index of words is made where tasks come to."),
    ("projects.name_words", "Words are made where projects come to."),
    ("projects.description_words", "Words are made where projects come to."),
    ("projects.indexed", "Words are made where projects come to."),
    ("tasks.title_words", "Words are made where tasks come to."),
    ("tasks.description_words", "Words are made where tasks come to."),
    ("tasks.indexed", "Words are made where tasks come to."),
    ("tenants.deleted_at", "What is being removed is nobody's to take along."),
    ("users.imported_into", "Whose placeholder somebody is follows from the tenant that they come with."),
    ("tenants.suspended_at", "Whether a tenant is closed is for the operator of each place to say."),
];

/// The columns that are moved, as `table.column`.
#[cfg(feature = "openapi")]
pub fn moved() -> Vec<String> {
    let columns =
        |table: &'static Table| table.columns.iter().map(|column| format!("{}.{}", table.name, column.name));
    TABLES.iter().flat_map(columns).collect()
}

/// The tables whose rows are accepted over HTTP.
#[cfg(feature = "openapi")]
pub fn tables() -> Vec<&'static str> {
    TABLES.iter().filter(|table| !table.secret).map(|table| table.name).collect()
}

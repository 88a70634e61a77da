//! Where tenants are moved from and to: databases that the command line is at, and deployments that it asks.

use std::path::{Path, PathBuf};

use bailiwick_tests::{
    actors::{Actor, PASSWORD},
    backdoor::{self, Backdoor},
    targets::{Postgres, Target, native},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::file::Export;

/// A database, or a deployment with the token of somebody there.
pub(crate) enum Place {
    Direct {
        name: &'static str,
        url: String,
        backdoor: Backdoor,
        postgres: Option<Postgres>,
        _directory: Option<TempDir>,
    },
    Remote {
        target: Box<Target>,
        token: String,
    },
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Said {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, what: &str) -> Self {
        assert!(self.text.contains(what), "{what:?} is not in {:?}", self.text);
        self
    }
}

impl Place {
    /// A new SQLite file.
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("bailiwick.db").display());
        let migrated = native(&url).arg("migrate").output().await.expect("bailiwick migrate");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let backdoor = Backdoor::Sqlite(backdoor::sqlite(&url).await);
        Self::Direct { name: "sqlite", url, backdoor, postgres: None, _directory: Some(directory) }
    }

    /// A new Postgres, where the server's login is the one with least privilege.
    pub(crate) async fn postgres() -> Self {
        let postgres = Postgres::start().await;
        let url = postgres.install().await;
        let pool = backdoor::postgres(&postgres.login("bailiwick", "bailiwick")).await;
        let backdoor = Backdoor::Postgres(pool);
        Self::Direct { name: "postgres", url, backdoor, postgres: Some(postgres), _directory: None }
    }

    pub(crate) fn remote(target: Target) -> Self {
        Self::Remote { target: Box::new(target), token: String::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Direct { name, .. } => name,
            Self::Remote { target, .. } => target.name,
        }
    }

    pub(crate) fn backdoor(&self) -> &Backdoor {
        match self {
            Self::Direct { backdoor, .. } => backdoor,
            Self::Remote { target, .. } => &target.backdoor,
        }
    }

    /// Calls the command line.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        let mut command = match self {
            Self::Direct { url, .. } => native(url),
            Self::Remote { .. } => native("sqlite://nowhere"),
        };
        command.args(arguments);
        if let Self::Remote { target, token } = self {
            command.args(["--url", &target.url]).env("BAILIWICK_TOKEN", token);
        }
        let done = command.output().await.expect("bailiwick");
        let text =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        Said { code: done.status.code().unwrap_or(-1), text }
    }

    /// Has the owner of a file be somebody here, who is logged in.
    pub(crate) async fn admit_owner(&mut self, file: &Export) {
        let Self::Remote { target, token } = self else { return };
        let owner = &file.of("users")[0];
        let text = |name: &str| owner[name].as_str().expect("text").replace('\'', "''");
        let model = Actor::register(target, "model").await;
        let sql = format!(
            "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
             SELECT '{}', '{}', '{}', u.password_hash, '{}', '{}', {} FROM users u WHERE u.id = '{}'",
            text("id"),
            text("email"),
            text("name"),
            text("created_at"),
            text("updated_at"),
            owner["version"],
            model.id,
        );
        target.backdoor.sql(&sql).await;
        let nobody = Actor::anonymous(target);
        let login = json!({ "email": owner["email"], "password": PASSWORD });
        *token = nobody.post("/v1/auth/login").json(&login).send().await.expect(200).text_at("/access_token");
    }

    /// Exports the tenant of a slug.
    pub(crate) async fn export(&self, slug: &str, directory: &Path) -> Export {
        let path = self.export_file(slug, directory).await;
        Export::read(&path)
    }

    pub(crate) async fn export_file(&self, slug: &str, directory: &Path) -> PathBuf {
        let path = directory.join(format!("{slug}-{}.ndjson", self.name()));
        let file = path.display().to_string();
        self.run(&["export", "--tenant", slug, "-o", &file]).await.expect(0);
        path
    }

    /// Imports a file.
    pub(crate) async fn import(&self, file: &Export, directory: &Path, more: &[&str]) -> Said {
        let path = directory.join("in.ndjson");
        file.write(&path);
        let path = path.display().to_string();
        self.run(&[&["import", &path], more].concat()).await
    }

    /// Takes away the tenant and the people of a file, as if they had never been here.
    pub(crate) async fn wipe(&self, file: &Export) {
        let tenant = file.tenant();
        // What others stand on goes last.
        let last =
            ["comments", "tasks", "projects", "notifications", "deliveries", "invitations", "memberships"];
        let mut tables = self.backdoor().tenant_tables().await;
        tables.retain(|table| !table.ends_with("_search") && !last.contains(&table.as_str()));
        for table in tables.iter().map(String::as_str).chain(last) {
            self.backdoor().sql(&format!("DELETE FROM {table} WHERE tenant_id = '{tenant}'")).await;
        }
        self.backdoor().sql(&format!("DELETE FROM tenants WHERE id = '{tenant}'")).await;
        let users = file.of("users");
        let ids: Vec<_> =
            users.iter().map(|user| format!("'{}'", user["id"].as_str().expect("an id"))).collect();
        for (table, column) in [("sessions", "user_id"), ("users", "id")] {
            self.backdoor().sql(&format!("DELETE FROM {table} WHERE {column} IN ({})", ids.join(", "))).await;
        }
    }

    /// How many rows there are of imports, tenants, accounts and all else, to see that nothing is left.
    pub(crate) async fn counts(&self) -> Vec<(String, i64)> {
        let mut counts = Vec::new();
        let mut tables = self.backdoor().tenant_tables().await;
        tables.retain(|table| !table.ends_with("_search"));
        tables.extend(["tenants", "users"].map(str::to_owned));
        for table in tables {
            let count = self.backdoor().count(&format!("SELECT count(*) FROM {table}")).await;
            counts.push((table, count));
        }
        counts
    }

    /// Whether the activity of a tenant still stands as it was written; how many entries were checked.
    pub(crate) async fn verify(&self, slug: &str, tenant: &str) -> i64 {
        match self {
            Self::Direct { .. } => {
                let said =
                    self.run(&["audit", "verify", "--tenant", slug, "--output", "json"]).await.expect(0);
                let found: Value =
                    serde_json::from_str(said.text.lines().next().expect("a line")).expect("JSON");
                let found = &found["logs"][0]["found"];
                assert_eq!(found["valid"], true, "{found}");
                found["checked"].as_i64().expect("a number")
            }
            Self::Remote { target, token } => {
                let somebody = Actor { token: Some(token.clone()), ..Actor::anonymous(target) };
                let (mut checked, mut query) = (0, String::new());
                loop {
                    let path = format!("/v1/admin/activity/verify{query}");
                    let found = somebody.get(&path).tenant(tenant).send().await.expect(200).body;
                    assert_eq!(found["valid"], true, "{found}");
                    checked += found["checked"].as_i64().expect("a number");
                    if found["more"] != true {
                        return checked;
                    }
                    query = format!("?head={}", found["head"].as_str().expect("a head").replace(':', "%3A"));
                }
            }
        }
    }

    /// Ends what runs.
    pub(crate) async fn end(self) {
        match self {
            Self::Direct { postgres: Some(postgres), backdoor: Backdoor::Postgres(pool), .. } => {
                pool.close().await;
                drop(postgres);
            }
            Self::Direct { .. } => {}
            Self::Remote { target, .. } => target.stop().await,
        }
    }
}

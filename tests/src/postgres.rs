//! A Postgres of our own, from its binaries.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use sqlx::{AssertSqlSafe, raw_sql};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    PATIENCE, backdoor,
    ports::Port,
    targets::{native, root},
};

/// A Postgres of our own, from its binaries, in a directory of its own.
#[derive(Debug)]
pub struct Postgres {
    directory: TempDir,
    port: Port,
}

impl Postgres {
    /// Makes and starts one.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let this = Self { directory, port: Port::reserve() };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(this.directory.path())).await;
        }
        let data = this.data();
        run(Self::tool("initdb").args([
            "-D",
            &data,
            "-U",
            "bailiwick",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]))
        .await;
        this.resume().await;
        this
    }

    /// Where it can be reached, once it runs, by a superuser.
    pub fn url(&self) -> String {
        self.login("bailiwick", "postgres")
    }

    /// Where somebody reaches one of its databases.
    pub fn login(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@{}/{database}", self.port.address())
    }

    /// Makes a database as docs/POSTGRES.md says, with least privilege, and returns where the server reaches it.
    pub async fn install(&self) -> String {
        self.prepare().await;
        self.migrate().await;
        self.login("bailiwick_server", "bailiwick")
    }

    /// Makes that database, with nothing in it, and its logins.
    pub async fn prepare(&self) {
        let page = std::fs::read_to_string(root().join("docs/POSTGRES.md")).expect("the page");
        let script = page.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next());
        let pool = backdoor::postgres(&self.url()).await;
        for statement in script.expect("its statements").lines() {
            let done = raw_sql(AssertSqlSafe(statement)).execute(&pool).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// Brings that database up to date, as its owner.
    pub async fn migrate(&self) {
        let owner = self.login("bailiwick_owner", "bailiwick");
        let migrated = native(&owner).arg("migrate").output().await.expect("bailiwick migrate");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    }

    /// Lets nobody in without their password any more but the superuser.
    pub async fn ask_for_passwords(&self) {
        let rules = "host all bailiwick 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(Path::new(&self.data()).join("pg_hba.conf"), rules).expect("a file");
        run(Self::tool("pg_ctl").args(["-D", &self.data(), "reload"])).await;
    }

    /// Starts it (again).
    pub async fn resume(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off -c max_connections=200",
            self.port.number(),
            self.directory.path().display()
        );
        let log = self.directory.path().join("log").display().to_string();
        self.control(&["-w", "-l", &log, "-o", &options, "start"]).await;
    }

    /// Stops it at once, as a crash would.
    pub async fn halt(&self) {
        self.control(&["-w", "-m", "immediate", "stop"]).await;
    }

    async fn control(&self, arguments: &[&str]) {
        let patience = PATIENCE.as_secs().to_string();
        run(Self::tool("pg_ctl").args(["-D", &self.data(), "-t", &patience]).args(arguments)).await;
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    /// One of its binaries, as the user that it accepts: it refuses to run as root.
    fn tool(name: &str) -> Command {
        let path = bin_directory().join(name);
        if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path).current_dir("/");
            command
        } else {
            Command::new(path)
        }
    }
}

impl Postgres {
    /// Stops it and removes its files.
    pub fn discard(&self) {
        if !self.directory.path().exists() {
            return;
        }
        let command = Self::tool("pg_ctl");
        let mut stop = std::process::Command::new(command.as_std().get_program());
        stop.args(command.as_std().get_args()).args(["-D", &self.data(), "-m", "immediate", "stop"]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(self.directory.path());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.discard();
    }
}

async fn run(command: &mut Command) {
    // Postgres inherits and keeps the outputs, so they must not be pipes that are read to their end.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}");
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0)
}

/// Where the binaries of Postgres are.
pub fn bin_directory() -> PathBuf {
    if let Some(path) = std::env::var_os("PG_BIN") {
        return path.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).collect();
    found.sort();
    found
        .pop()
        .expect("Postgres: none under /usr/lib/postgresql; set PG_BIN to the directory of initdb and pg_ctl")
}

//! A file system that is full, for real: a small one of memory, which takes root to mount. Where that is not allowed this is
//! not tested, which is said.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use bailiwick_tests::{
    backdoor::{self, Backdoor},
    instance::{Instance, migrate},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{load::office, setting, times};

/// A file system of so many megabytes.
struct Small(TempDir);

impl Small {
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all room that there is but for so many bytes, until the file is removed.
    fn fill(&self, but: usize) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = File::create(&path).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = file.metadata().expect("its size").len();
        file.set_len(full.saturating_sub(but as u64)).expect("a shorter file");
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazily: a connection may still be closing.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

pub(crate) async fn a_full_disk_refuses_writes_and_nothing_else() {
    let Some(small) = Small::mount(16) else {
        eprintln!("figures: a full disk: NOT TESTED, because nothing can be mounted here");
        return;
    };
    let database = format!("sqlite://{}", small.path().join("b.db").display());
    migrate(&database).await;
    let instance = Instance::start(&database, &[setting("RATE_LIMIT", "0")]).await;
    let (owner, project) = office(&instance).await;
    let path = format!("/v1/projects/{project}/tasks");
    // A wide one, so that it does not take many.
    let task = |number: u32| json!({ "title": format!("task-{number}"), "description": "x".repeat(9_000) });
    let mut acknowledged = Vec::new();
    let mut next = 0;
    for _ in 0..times(2, 10) {
        let ballast = small.fill(200_000);
        let mut refused = 0;
        while refused < 20 {
            next += 1;
            let answer = instance.post(&owner, &path, &task(next)).await;
            if answer.status == 201 {
                acknowledged.push(answer.text_at("/id"));
                continue;
            }
            let answer = answer.problem(503, "unavailable");
            assert!(answer.text_at("/detail").contains("no room left"), "{answer:?}");
            assert_eq!(answer.header("retry-after"), Some("30"));
            refused += 1;
            // Reading goes on.
            instance.get(&owner, "/v1/projects").await.expect(200);
            instance.get("", "/readyz").await.expect(200);
        }
        std::fs::remove_file(ballast).expect("the ballast");
        // There is room again, and nobody need restart anything.
        next += 1;
        acknowledged.push(instance.post(&owner, &path, &task(next)).await.expect(201).text_at("/id"));
    }
    // Nothing that was acknowledged is lost, nothing that was refused is there, and the file is whole.
    let pool = backdoor::sqlite(&database).await;
    let backdoor = Backdoor::Sqlite(pool.clone());
    assert_eq!(backdoor.sql("PRAGMA integrity_check").await, [[Some("ok".to_owned())]]);
    let there = backdoor.sql("SELECT id FROM tasks ORDER BY id").await;
    let there: Vec<_> = there.into_iter().flatten().flatten().collect();
    acknowledged.sort_unstable();
    assert_eq!(there, acknowledged);
    let half =
        "SELECT count(*) FROM tasks t WHERE NOT EXISTS (SELECT 1 FROM activity a WHERE a.entity_id = t.id)";
    assert_eq!(backdoor.count(half).await, 0);
    let told =
        instance.entries("request").into_iter().filter(|entry| entry["internal"] != Value::Null).count();
    eprintln!(
        "figures: a full disk: {} of {next} writes acknowledged, and all of them there; {told} refusals in the log",
        acknowledged.len()
    );
    pool.close().await;
    instance.terminate().await;
}

//! The unit for systemd, as systemd reads it.

use std::process::Command;

use bailiwick_tests::targets::binary;

use crate::{file, run};

const UNIT: &str = "deploy/systemd/bailiwick.service";

#[test]
fn it_is_a_unit_and_exposes_little() {
    let directory = tempfile::tempdir().expect("a directory");
    let copy = directory.path().join("bailiwick.service");
    // Where the binary is here, for systemd looks whether it is there.
    let unit = file(UNIT);
    let binary = binary();
    assert!(unit.contains("ExecStart=/usr/local/bin/bailiwick\n"));
    let unit = unit.replace("/usr/local/bin/bailiwick", &binary.display().to_string());
    std::fs::write(&copy, unit).expect("a file");
    let output = Command::new("systemd-analyze").arg("verify").arg(&copy).output().expect("systemd-analyze");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Other units of this machine are no matter of ours.
    let ours: Vec<_> = said.lines().filter(|line| line.contains("bailiwick.service")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
    // In tenths: of what systemd knows to take away, nearly all is taken away.
    run(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=15"]).arg(&copy));
}

//! What surrounds the binary: a file of settings, a terminal or none, manual pages.

use std::fs;

use bailiwick_tests::targets::{binary, native, start};
use tempfile::TempDir;
use tokio::process::Command;

/// The binary in a directory that has this file of settings, with a clean environment.
fn within(directory: &TempDir, settings: &str) -> Command {
    fs::write(directory.path().join(".env"), settings).expect("a file");
    let mut command = Command::new(binary());
    command.env_clear().current_dir(directory);
    command
}

async fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

#[tokio::test]
async fn a_file_has_settings_and_the_environment_wins() {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = "# For development\nBIND=127.0.0.1:0\nNO_COLOR=1\nPOSTGRES_PASSWORD=of-another-program\nexport LOG_FORMAT='json'\nTOKEN_TTL=10m\nDATABASE_URL=sqlite://of-file.db\n";
    let (process, line) = start(&mut within(&directory, settings), "settings are read from .env").await;
    assert!(line.starts_with('{'), "{line}");
    drop(process);
    let (code, told) = said(within(&directory, settings).args(["doctor", "--offline"])).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("of-file.db"), "{told}");
    let mut command = within(&directory, settings);
    let (code, told) =
        said(command.args(["doctor", "--offline"]).env("DATABASE_URL", "sqlite://of-environment.db")).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("of-environment.db") && !told.contains("of-file.db"), "{told}");
}

#[tokio::test]
async fn a_wrong_value_in_the_file_stops_whoever_reads_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, told) = said(within(&directory, "BCRYPT_COST=much\n").args(["doctor", "--offline"])).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("BCRYPT_COST"), "{told}");
    let (code, told) = said(&mut within(&directory, "BCRYPT_COST=much\n")).await;
    assert_eq!(code, Some(2), "{told}");
    let (code, told) = said(&mut within(&directory, "LOG_FORMAT=json\nJWT_SECRET hunter2\n")).await;
    assert_eq!(code, Some(2), "{told}");
    assert!(
        told.contains(".env: line 2 is not of the form NAME=VALUE") && !told.contains("hunter2"),
        "{told}"
    );
    let mut command = within(&directory, "LOG_FORMAT=json\nEMAIL_FROM=Hunter <hunter2@example.com>\n");
    let (code, told) = said(&mut command).await;
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains(".env: line 2") && !told.contains("hunter2"), "{told}");
    // It is no business of commands that need no settings, and neither is what is no file.
    let (code, told) = said(command.arg("--version")).await;
    assert_eq!(code, Some(0), "{told}");
    fs::remove_file(directory.path().join(".env")).expect("it is there");
    fs::create_dir(directory.path().join(".env")).expect("a directory");
    let mut command = Command::new(binary());
    command.env_clear().current_dir(&directory).args(["doctor", "--offline"]);
    let (code, told) = said(&mut command).await;
    assert_eq!(code, Some(0), "{told}");
}

#[tokio::test]
async fn there_are_colours_on_a_terminal_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = format!("sqlite://{}", directory.path().join("b.db").display());
    let (_process, line) = start(native(&url).env("LOG_FORMAT", "pretty"), "listening on http").await;
    assert!(!line.contains('\u{1b}'), "{line:?}");
}

#[tokio::test]
async fn every_command_has_a_manual_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages = directory.path().join("man/man1");
    let (code, told) = said(Command::new(binary()).arg("man").arg(&pages)).await;
    assert_eq!(code, Some(0), "{told}");
    for (page, named) in [("bailiwick.1", "database\\-url"), ("bailiwick-tenant-limits.1", "members=10000")] {
        let text = fs::read_to_string(pages.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(named), "{page}");
        assert_eq!(text.contains("database\\-url"), page == "bailiwick.1", "{page}");
    }
}

//! The script that makes logins and a database, run for real on a Postgres that asks for passwords.

use std::process::Command;

use bailiwick_tests::targets::{Postgres, bin_directory, native, root};

use crate::{file, run};

const PASSWORDS: [(&str, &str); 2] =
    [("OWNER_PASSWORD", "of the owner's"), ("SERVER_PASSWORD", "it's \"hers\"")];

#[test]
fn it_says_what_the_page_says() {
    let page = file("docs/POSTGRES.md");
    let page = page.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).expect("statements");
    let script = file("deploy/postgres/roles.sh");
    let script: String = script
        .lines()
        .skip_while(|line| !line.starts_with("CREATE ROLE"))
        .take_while(|line| *line != "SQL")
        .map(|line| line.replace(":'owner_password'", "'..'").replace(":'server_password'", "'..'") + "\n")
        .collect();
    assert_eq!(script, page);
}

#[tokio::test]
async fn it_makes_logins_that_can_do_what_they_must() {
    let postgres = Postgres::start().await;
    let (_, address) =
        postgres.url().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a URL");
    let (host, port) = address.split('/').next().and_then(|host| host.split_once(':')).expect("a port");
    let path = format!("{}:{}", bin_directory().display(), std::env::var("PATH").unwrap_or_default());
    let script = root().join("deploy/postgres/roles.sh");
    let made = |command: &mut Command| {
        command.env("PATH", &path).env("PGHOST", host).env("PGPORT", port).env("PGUSER", "bailiwick");
        run(command.envs(PASSWORDS))
    };
    made(&mut Command::new(script));
    // From here on it asks.
    postgres.ask_for_passwords().await;
    let login = |user: &str, password: &str| {
        let password: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
        format!("postgres://{user}:{password}@{host}:{port}/bailiwick")
    };
    let migrate = async |url: String| native(&url).arg("migrate").output().await.expect("it runs");
    let refused = migrate(login("bailiwick_owner", PASSWORDS[1].1)).await;
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("password authentication failed"),
        "{refused:?}"
    );
    let done = migrate(login("bailiwick_owner", PASSWORDS[0].1)).await;
    assert!(done.status.success(), "{done:?}");
    let served = native(&login("bailiwick_server", PASSWORDS[1].1)).args(["tenant", "list"]).output().await;
    let served = served.expect("it runs");
    assert!(
        served.status.success() && String::from_utf8_lossy(&served.stdout).contains("default"),
        "{served:?}"
    );
}

//! The native log at its most talkative.

use bailiwick_tests::{
    actors::unique, client::Ask, provided, receivers::Receivers, secrets::spill, targets::client, until,
};
use reqwest::Method;
use serde_json::json;

use crate::instance::{self, Instance};

#[tokio::test]
async fn secrets_are_in_no_line_at_any_level() {
    let ((_directory, sqlite, _), (_server, postgres, _)) =
        tokio::join!(instance::sqlite(), instance::postgres());
    for database in [sqlite, postgres] {
        let receivers = Receivers::start().await;
        let mut settings = receivers.by_api();
        // Everything of ours; of others what they say of failures.
        settings.push(("LOG_LEVEL", "warn,bailiwick=trace,bailiwick_core=trace".to_owned()));
        let instance = Instance::start(&database, &settings).await;
        let mut secrets = spill(&client(), &instance.url, &receivers.http).await;
        // Nor of a request that panics.
        let marker = unique("zq-marker");
        let panics = Ask::new(&client(), Method::POST, &instance.url, "/v1/auth/login");
        let panics = panics.header("x-fault", "panic").json(&json!({ "email": marker, "password": marker }));
        panics.send().await.expect(500);
        secrets.push(("a body that was not read", marker));
        let id = unique("line");
        let last = Ask::new(&client(), Method::GET, &instance.url, "/readyz").header("x-request-id", &id);
        last.send().await.expect(200);
        until("the last line", || async { provided(instance.log(), |log| log.contains(&id)) }).await;
        let log = instance.log();
        assert!(log.contains("\"DEBUG\"") || log.contains("\"TRACE\""), "it is not talkative");
        for (what, secret) in &secrets {
            let told = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(told, None, "{what} is in the log");
        }
    }
}

//! What one address may have of what all share: connections, and places in the queue of passwords.

use bailiwick_tests::{
    client::Answer,
    instance::{Instance, sqlite},
    provided,
    targets::client,
    until,
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// A connection from one of this machine's addresses on which a request was answered; `None` if it was closed instead.
async fn connected(instance: &Instance, from: &str) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{from}:0").parse().expect("an address")).expect("an address of this machine");
    let to = instance.url.trim_start_matches("http://").parse().expect("an address");
    let mut stream = socket.connect(to).await.expect("a connection");
    let mut answer = [0; 1024];
    // A connection that is closed may break at either.
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.ok()?;
    let count = stream.read(&mut answer).await.ok().filter(|count| *count > 0)?;
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer[..count]));
    Some(stream)
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let (_directory, database, _backdoor) = sqlite().await;
    let settings = [("MAX_CONNECTIONS_OF_ADDRESS", "3".to_owned()), ("CLIENT_TIMEOUT", "1h".to_owned())];
    let instance = Instance::start(&database, &settings).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(connected(&instance, "127.0.0.2").await.expect("one of its share"));
    }
    assert!(connected(&instance, "127.0.0.2").await.is_none());
    // Others have theirs, and who lets one go can have another.
    let _other = connected(&instance, "127.0.0.3").await.expect("one of another's share");
    open.pop();
    let again = async || connected(&instance, "127.0.0.2").await.ok_or("it is closed");
    open.push(until("a connection in the place of the one that ended", again).await);
    assert!(connected(&instance, "127.0.0.2").await.is_none());
    instance.terminate().await;
}

#[tokio::test]
async fn a_proxy_that_is_trusted_has_any_number_of_connections() {
    let (_directory, database, _backdoor) = sqlite().await;
    let settings = [
        ("MAX_CONNECTIONS_OF_ADDRESS", "3".to_owned()),
        ("TRUSTED_PROXIES", "127.0.0.2".to_owned()),
        ("CLIENT_TIMEOUT", "1h".to_owned()),
    ];
    let instance = Instance::start(&database, &settings).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(connected(&instance, "127.0.0.2").await.expect("a connection"));
    }
    instance.terminate().await;
}

async fn login(url: String, address: &'static str) -> Answer {
    let login = json!({ "email": "nobody@example.com", "password": "correct horse" });
    let ask = bailiwick_tests::client::Ask::new(&client(), Method::POST, &url, "/v1/auth/login");
    ask.header("x-forwarded-for", address).json(&login).send().await
}

#[tokio::test]
async fn nobody_is_kept_from_logging_in_by_who_fills_the_queue_of_passwords() {
    let (_directory, database, _backdoor) = sqlite().await;
    let settings = [
        ("HASH_CONCURRENCY", "1".to_owned()),
        ("HASH_QUEUE", "4".to_owned()),
        ("BCRYPT_COST", "13".to_owned()),
        ("RATE_LIMIT_ACCOUNT", "0".to_owned()),
        ("RATE_LIMIT_ADDRESS", "0".to_owned()),
        ("TRUSTED_PROXIES", "127.0.0.1".to_owned()),
    ];
    let instance = Instance::start(&database, &settings).await;
    let mut storm = JoinSet::new();
    for _ in 0..24 {
        storm.spawn(login(instance.url.clone(), "192.0.2.1"));
    }
    // One is hashed and four wait.
    let mut refused = 0;
    while refused < 15 {
        let answer = storm.join_next().await.expect("more of them").expect("an answer");
        refused += usize::from(answer.status == 503);
        // However slowly they come, there are more of them than are hashed.
        storm.spawn(login(instance.url.clone(), "192.0.2.1"));
    }
    // Two at once, for each of whom one of those gives way.
    let (first, second) =
        tokio::join!(login(instance.url.clone(), "192.0.2.2"), login(instance.url.clone(), "192.0.2.3"));
    first.problem(401, "invalid_credentials");
    second.problem(401, "invalid_credentials");
    for answer in storm.join_all().await {
        let told = provided(answer, |answer| matches!(answer.code(), "overloaded" | "invalid_credentials"));
        assert!(told.is_ok(), "{told:?}");
    }
    instance.terminate().await;
}

//! Very many connections on which nothing happens.

use std::time::Duration;

use bailiwick_tests::{
    instance::{Instance, sqlite},
    targets::keeping_client,
};
use futures::{StreamExt, stream};
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{load::office, setting, times};

/// Memory of a process that is in use: kilobytes.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// A connection on which one request was answered, and which is kept.
async fn idle(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.expect("a request");
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer).await.expect("an answer");
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer[..count]));
    stream
}

/// The median of some reads, one after the other.
async fn reads(instance: &Instance, owner: &str) -> Duration {
    let http = keeping_client();
    let mut took = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        instance.ask(&http, owner, Method::GET, "/v1/projects").send().await.expect(200);
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    took[took.len() / 2]
}

pub(crate) async fn idle_connections_keep_nobody_from_being_served() {
    let (_directory, database, _backdoor) = sqlite().await;
    let count: u32 = times(1_000, 10_000);
    let settings = [
        setting("RATE_LIMIT", "0"),
        setting("CLIENT_TIMEOUT", "1h"),
        setting("MAX_CONNECTIONS_OF_ADDRESS", "0"),
        ("MAX_CONNECTIONS", (count + 100).to_string()),
    ];
    let limit = rlimit();
    assert!(limit > u64::from(count) + 500, "this test needs {count} open files, and may have {limit}");
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    let before = (resident(instance.id()), reads(&instance, &owner).await);
    let address = instance.url.trim_start_matches("http://");
    let connections: Vec<_> =
        stream::iter(0..count).map(|_| idle(address)).buffer_unordered(50).collect().await;
    let beside = (resident(instance.id()), reads(&instance, &owner).await);
    // All are there still.
    let silent = connections.iter().all(|stream| {
        stream.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(silent, "some were closed");
    let each = (beside.0 - before.0) * 1024 / u64::from(count);
    eprintln!(
        "figures: {count} idle connections: {each} bytes each ({} to {} kB), a read takes {:?} beside them and {:?} \
         without",
        before.0, beside.0, beside.1, before.1
    );
    assert!(each < 32 * 1024, "{each} bytes for each connection");
    drop(connections);
    instance.terminate().await;
}

/// How many files this process may have open, after that was raised.
fn rlimit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).expect("the limit of open files")
}

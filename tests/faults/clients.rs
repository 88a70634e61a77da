//! Clients that are slow, do not read, or send too much: they are let go or refused, and all others are served meanwhile.

use std::time::Duration;

use bailiwick_tests::{
    instance::{Instance, sqlite},
    targets::client,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::{load::office, setting};

/// How long a client may take, here.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much longer than that it may last on a machine that has much to do.
const SLACK: Duration = Duration::from_secs(2);

async fn start() -> (tempfile::TempDir, Instance) {
    let (directory, database, _backdoor) = sqlite().await;
    let settings = [
        setting("RATE_LIMIT", "0"),
        setting("CLIENT_TIMEOUT", "1s"),
        setting("REQUEST_TIMEOUT", "2s"),
        setting("MAX_CONNECTIONS", "40"),
    ];
    let instance = Instance::start(&database, &settings).await;
    (directory, instance)
}

async fn connect(instance: &Instance) -> TcpStream {
    TcpStream::connect(instance.url.trim_start_matches("http://")).await.expect("a connection")
}

/// Sends bytes one after the other until the other side has had enough, and returns what it said and after how long.
async fn drip(mut stream: TcpStream, at_once: &str, slowly: &str) -> (String, Duration) {
    let begun = Instant::now();
    stream.write_all(at_once.as_bytes()).await.expect("a start");
    let (mut reading, mut writing) = stream.into_split();
    let sending = async {
        for byte in slowly.bytes() {
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        // Nothing more comes, and the connection stays open.
        std::future::pending::<()>().await;
    };
    let mut said = Vec::new();
    let reading = async {
        // A reset is an end, too.
        let _ = reading.read_to_end(&mut said).await;
    };
    timeout(Duration::from_secs(20), async {
        tokio::select! {
            () = sending => {}
            () = reading => {}
        }
    })
    .await
    .unwrap_or_else(|_| panic!("nobody ended {at_once:?}"));
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

/// Asks for something every now and then, until it is dropped; the slowest answer.
async fn others(instance: &Instance, while_: impl Future<Output = ()>) -> Duration {
    let http = client();
    let mut slowest = Duration::ZERO;
    let asking = async {
        loop {
            let begun = Instant::now();
            let answer = http.get(format!("{}/readyz", instance.url)).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            slowest = slowest.max(begun.elapsed());
            sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::select! {
        () = asking => {}
        () = while_ => {}
    }
    slowest
}

pub(crate) async fn who_is_slow_is_let_go() {
    let (_directory, instance) = start().await;
    let slow = "x".repeat(600);
    let head = "POST /v1/auth/login HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n";
    let body = format!("{head}content-length: 600\r\n\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n258\r\n");
    let slowly = async {
        let cases = [
            // (what comes at once, what comes slowly, how long that may last, what is said of it)
            ("", "", PATIENCE, ""),
            ("", "GET / HTTP/1.1\r\nhost: h\r\nx-slow: 1234567890", PATIENCE, ""),
            ("GET /healthz HTTP/1.1\r\nhost: h\r\n", "x-slow: 1234567890", PATIENCE, ""),
            ("PRI * HTTP", "", PATIENCE, ""),
            // One that was answered, and then keeps the connection for nothing.
            ("GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n", "", PATIENCE, "200 OK"),
            (&*body, &*slow, 2 * PATIENCE, "503 Service Unavailable"),
            (&*chunked, &*slow, 2 * PATIENCE, "503 Service Unavailable"),
        ];
        let all = cases.map(|(at_once, slowly, most, expected)| {
            let instance = &instance;
            async move {
                // Several of each, all at once.
                let one = async || drip(connect(instance).await, at_once, slowly).await;
                for (said, took) in futures::future::join_all((0..4).map(|_| one())).await {
                    assert!(
                        took > PATIENCE.mul_f64(0.9) && took < most + SLACK,
                        "{at_once:?} took {took:?}: {said}"
                    );
                    assert!(
                        said.contains(expected) && said.is_empty() == expected.is_empty(),
                        "{at_once:?}: {said}"
                    );
                }
            }
        });
        futures::future::join_all(all).await;
    };
    let slowest = others(&instance, slowly).await;
    eprintln!(
        "figures: 28 slow clients at once: let go in time; the slowest answer to others took {slowest:?}"
    );
    assert!(slowest < PATIENCE, "{slowest:?}");
    instance.terminate().await;
}

/// A client that asks for much and reads nothing. Its system takes little for it.
async fn deaf(instance: &Instance) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = instance.url.trim_start_matches("http://").parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("a connection");
    let asking = "GET /openapi.json HTTP/1.1\r\nhost: h\r\n\r\n".repeat(200);
    // It may be that not all of it is taken.
    let _ = timeout(Duration::from_millis(300), stream.write_all(asking.as_bytes())).await;
    stream
}

pub(crate) async fn who_does_not_read_is_let_go() {
    let (_directory, instance) = start().await;
    // They take all the room that there is.
    let deaf = futures::future::join_all((0..40).map(|_| deaf(&instance))).await;
    let begun = Instant::now();
    let answer = client().get(format!("{}/healthz", instance.url)).send().await.expect("an answer");
    let took = begun.elapsed();
    assert_eq!(answer.status(), 200);
    eprintln!(
        "figures: 40 clients that do not read, where there is room for 40: the next one was served after {took:?}"
    );
    assert!(took < PATIENCE + SLACK, "{took:?}");
    // Nor was there room before: the limit is one.
    assert!(took > PATIENCE / 2, "{took:?}");
    assert!(instance.log().contains("no room for more connections"), "{}", instance.log());
    drop(deaf);
    instance.terminate().await;
}

pub(crate) async fn what_is_too_large_is_refused() {
    let (_directory, instance) = start().await;
    let (owner, _) = office(&instance).await;
    let post = |more: &str| {
        format!(
            "POST /v1/projects HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {owner}\r\n\
             content-type: application/json\r\nconnection: close\r\n{more}"
        )
    };
    let megabyte = "x".repeat(1 << 20);
    let cases = [
        // A body that is announced as too large is not even waited for.
        (post("content-length: 1000000000\r\n\r\n"), "413 Payload Too Large"),
        // One that is sent is read, within bounds, so that the client sees the answer.
        (post(&format!("content-length: {}\r\n\r\n{megabyte}", megabyte.len())), "413 Payload Too Large"),
        (
            post(&format!("transfer-encoding: chunked\r\n\r\n100000\r\n{megabyte}\r\n0\r\n\r\n")),
            "413 Payload Too Large",
        ),
        (
            format!(
                "GET /v1/projects?q={} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
                "q".repeat(9_000)
            ),
            "414 URI Too Long",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: h\r\nx-large: {}\r\n\r\n", "x".repeat(70_000)),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: h\r\n{}\r\n", "x: y\r\n".repeat(200)),
            "431 Request Header Fields Too Large",
        ),
    ];
    for (request, expected) in cases {
        let (said, took) = drip(connect(&instance).await, &request, "").await;
        assert!(said.starts_with(&format!("HTTP/1.1 {expected}")), "{expected}: {said}");
        assert!(took < PATIENCE, "{expected} after {took:?}");
    }
    // A body without an end is cut off.
    let mut stream = connect(&instance).await;
    stream.write_all(post("transfer-encoding: chunked\r\n\r\n").as_bytes()).await.expect("a start");
    let chunk = format!("100000\r\n{megabyte}\r\n");
    let mut taken = 0;
    while timeout(Duration::from_secs(5), stream.write_all(chunk.as_bytes()))
        .await
        .expect("it is read")
        .is_ok()
    {
        taken += 1;
        assert!(taken < 100, "it is read without end");
    }
    eprintln!(
        "figures: a body without an end was cut off after {taken} MiB, most of them in the system's buffers"
    );
    instance.get("", "/readyz").await.expect(200);
    instance.terminate().await;
}

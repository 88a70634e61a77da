//! Clients that are slow, do not read, or send too much: they are let go or refused, and all others are served meanwhile.

use std::time::Duration;

use bailiwick_tests::{
    ended,
    instance::{Instance, sqlite},
    targets::client,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep},
};

use crate::{load::office, setting};

/// How long a client may take where it is to be let go, and a request that it does not finish.
const HASTY: [(&str, &str); 2] = [("CLIENT_TIMEOUT", "1s"), ("REQUEST_TIMEOUT", "2s")];
/// Both where nobody is let go for that: what ends there ends for another reason.
const PATIENT: [(&str, &str); 2] = [("CLIENT_TIMEOUT", "1h"), ("REQUEST_TIMEOUT", "1h")];

async fn start(times: [(&'static str, &str); 2], connections: &str) -> (tempfile::TempDir, Instance) {
    let (directory, database, _backdoor) = sqlite().await;
    let mut settings = vec![setting("RATE_LIMIT", "0"), setting("MAX_CONNECTIONS", connections)];
    settings.extend(times.map(|(name, value)| setting(name, value)));
    let instance = Instance::start(&database, &settings).await;
    (directory, instance)
}

async fn connect(instance: &Instance) -> TcpStream {
    TcpStream::connect(instance.url.trim_start_matches("http://")).await.expect("a connection")
}

/// Sends something, then bytes one after the other without end if there are to be any, until the other side has had
/// enough; returns what it said and after how long.
async fn drip(mut stream: TcpStream, at_once: &str, goes_on: bool) -> (String, Duration) {
    let begun = Instant::now();
    stream.write_all(at_once.as_bytes()).await.expect("a start");
    let (mut reading, mut writing) = stream.into_split();
    let sending = async {
        while goes_on && writing.write_all(b"x").await.is_ok() {
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
    let either = async {
        tokio::select! {
            () = sending => {}
            () = reading => {}
        }
    };
    ended(&format!("a connection with {at_once:?}"), either, || "it is open still".to_owned()).await;
    (String::from_utf8_lossy(&said).into_owned(), begun.elapsed())
}

/// What slow clients send at once; whether they go on, slowly and without end; and what is said of it when they are let go.
fn slow() -> [(String, bool, &'static str); 7] {
    let head = "POST /v1/auth/login HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n";
    [
        (String::new(), false, ""),
        ("GET / HTTP/1.1\r\nhost: h\r\nx-slow: ".to_owned(), true, ""),
        ("GET /healthz HTTP/1.1\r\nhost: h\r\n".to_owned(), true, ""),
        ("PRI * HTTP".to_owned(), false, ""),
        // One that was answered, and then keeps the connection for nothing.
        ("GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n".to_owned(), false, "200 OK"),
        (format!("{head}content-length: 100000\r\n\r\n"), true, "503 Service Unavailable"),
        (format!("{head}transfer-encoding: chunked\r\n\r\nfffff\r\n"), true, "503 Service Unavailable"),
    ]
}

pub(crate) async fn who_is_slow_is_let_go() {
    let (_directory, instance) = start(HASTY, "40").await;
    // Several of each, all at once.
    let all = slow().into_iter().flat_map(|case| std::iter::repeat_n(case, 4)).map(
        async |(at_once, goes_on, expected)| {
            let (said, took) = drip(connect(&instance).await, &at_once, goes_on).await;
            assert!(took > Duration::from_millis(900), "{at_once:?} had no time: {took:?}: {said}");
            assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{at_once:?}: {said}");
            took
        },
    );
    let longest = futures::future::join_all(all).await.into_iter().max().expect("some");
    eprintln!("figures: 28 slow clients at once, a second for each: let go, the last after {longest:?}");
    instance.terminate().await;
}

pub(crate) async fn who_is_slow_holds_up_nobody() {
    let (_directory, instance) = start(PATIENT, "40").await;
    let mut streams = Vec::new();
    for (at_once, ..) in slow().into_iter().flat_map(|case| std::iter::repeat_n(case, 4)) {
        let mut stream = connect(&instance).await;
        stream.write_all(at_once.as_bytes()).await.expect("a start");
        streams.push(stream);
    }
    let http = client();
    for _ in 0..50 {
        let answer = http.get(format!("{}/readyz", instance.url)).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    // They are there all the while.
    for stream in &streams {
        let mut said = [0; 4096];
        let open = loop {
            match stream.try_read(&mut said) {
                Ok(0) => break false,
                Ok(_) => {}
                Err(error) => break error.kind() == std::io::ErrorKind::WouldBlock,
            }
        };
        assert!(open, "one was let go");
    }
    eprintln!("figures: beside 28 slow clients that are not let go all others are served");
    drop(streams);
    instance.kill().await;
}

/// A client that asks for much and reads nothing. Its system takes little for it.
async fn deaf(instance: &Instance) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = instance.url.trim_start_matches("http://").parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("a connection");
    // The other side's system takes so much, whatever becomes of it.
    let asking = "GET /openapi.json HTTP/1.1\r\nhost: h\r\n\r\n".repeat(200);
    stream.write_all(asking.as_bytes()).await.expect("its requests");
    stream
}

pub(crate) async fn who_does_not_read_is_let_go() {
    let (_directory, instance) = start([("CLIENT_TIMEOUT", "5s"), ("REQUEST_TIMEOUT", "1h")], "4").await;
    // They take all the room that there is: all of them, and one more, are there when it begins to look.
    instance.signal("STOP").await;
    let mut deaf_ones = Vec::new();
    for _ in 0..4 {
        deaf_ones.push(deaf(&instance).await);
    }
    let mut next = connect(&instance).await;
    next.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .await
        .expect("a request");
    instance.signal("CONT").await;
    let mut said = String::new();
    let instead = || format!("it said: {}", instance.log());
    ended("the next one's answer", next.read_to_string(&mut said), instead).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    // There was no room before: the limit is one.
    assert!(instance.log().contains("no room for more connections"), "{}", instance.log());
    eprintln!("figures: 4 clients that do not read, where there is room for 4: the next one was served");
    drop(deaf_ones);
    instance.terminate().await;
}

pub(crate) async fn what_is_too_large_is_refused() {
    let (_directory, instance) = start(PATIENT, "40").await;
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
        let (said, _) = drip(connect(&instance).await, &request, false).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {expected}")), "{expected}: {said}");
    }
    // A body without an end is cut off.
    let mut stream = connect(&instance).await;
    stream.write_all(post("transfer-encoding: chunked\r\n\r\n").as_bytes()).await.expect("a start");
    let chunk = format!("100000\r\n{megabyte}\r\n");
    let mut taken = 0;
    let instead = |taken| move || format!("{taken} MiB were taken");
    while ended("the writing of a MiB", stream.write_all(chunk.as_bytes()), instead(taken)).await.is_ok() {
        taken += 1;
        assert!(taken < 100, "it is read without end");
    }
    eprintln!(
        "figures: a body without an end was cut off after {taken} MiB, most of them in the system's buffers"
    );
    instance.get("", "/readyz").await.expect(200);
    instance.terminate().await;
}

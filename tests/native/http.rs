//! What is no good HTTP, byte for byte: clients' libraries would not send it.

use bailiwick_tests::{
    ended,
    targets::{address, native, start},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a server answers to these bytes, behind which the connection ends or stays open.
async fn answer(address: &str, sent: &str, ends: bool) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(sent.as_bytes()).await.expect("it is taken");
    if ends {
        stream.shutdown().await.expect("the end of it");
    }
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    ended("the answer", read, || "nothing".to_owned()).await.expect("an answer");
    String::from_utf8(said).expect("text")
}

#[tokio::test]
async fn what_is_malformed_is_refused_as_that() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = native(&format!("sqlite://{}", directory.path().join("b.db").display()));
    let (_process, line) = start(&mut command, "listening on http").await;
    let url = address(&line);
    let at = url.trim_start_matches("http://");
    let register = "POST /v1/auth/register HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let health = "GET /healthz HTTP/1.1\r\nconnection: close\r\n";
    for (sent, status, says) in [
        // Less than was announced, and chunks that are none.
        (format!("{register}content-length: 100\r\n\r\n{{\"email\":"), 400, "incomplete_body"),
        (format!("{register}transfer-encoding: chunked\r\n\r\nnonsense\r\n"), 400, "incomplete_body"),
        (format!("{register}transfer-encoding: chunked\r\n\r\n5\r\n{{\"em"), 400, "incomplete_body"),
        (format!("{register}content-length: 300000\r\n\r\n{}", "x".repeat(300_000)), 413, "body_too_large"),
        // For whom.
        (format!("{health}\r\n"), 400, "invalid_host"),
        (format!("{health}host: a\r\nhost: b\r\n\r\n"), 400, "invalid_host"),
        (format!("{health}host: a\r\nHost: a\r\n\r\n"), 400, "invalid_host"),
        (format!("{health}host: a\r\n\r\n"), 200, "ok"),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), 200, "ok"),
        ("GET /healthz HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), 400, "invalid_host"),
        // About the server as a whole.
        ("OPTIONS * HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_owned(), 204, ""),
        ("GET * HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".to_owned(), 404, "route_not_found"),
    ] {
        let said = answer(at, &sent, says == "incomplete_body").await;
        let shown = &sent[..sent.len().min(200)];
        assert!(
            said.contains(&format!("HTTP/1.1 {status} ")) || said.contains(&format!("HTTP/1.0 {status} ")),
            "{shown}\n{said}"
        );
        assert!(said.contains(says), "{shown}\n{said}");
    }
}

//! `bailiwick healthcheck`: asks the server on this machine whether it is ready, for images that have no other program.

use std::{net::SocketAddr, time::Duration};

use clap::Command;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    call::Call,
    report::{Outcome, Report},
};

/// Shorter than the time that callers wait for this command.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn command() -> Command {
    Command::new("healthcheck")
        .about("Ask the server on this machine, at BIND, whether it is ready; exits with 1 if it is not")
        .after_help("Example:\n  bailiwick healthcheck")
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let address = reachable(call.settings()?.bind);
    let answer = tokio::time::timeout(PATIENCE, ask(address)).await;
    let (ready, said) = match answer {
        Ok(Ok(answer)) => (answer.split(' ').nth(1) == Some("200"), format!("{address} answers {answer}.")),
        Ok(Err(error)) => (false, format!("There is no answer from {address}: {error}.")),
        Err(_) => (false, format!("There is no answer from {address}.")),
    };
    Ok(Report::found(ready, json!({ "ready": ready }), [said]).into())
}

/// The address at which a server that listens on all addresses can be reached from its own machine.
fn reachable(mut bind: SocketAddr) -> SocketAddr {
    if bind.ip().is_unspecified() {
        bind.set_ip(if bind.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    bind
}

/// The status line that the answer begins with.
async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

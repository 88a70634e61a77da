//! Clients that keep connections by HTTP/2 without asking for anything: each answers pings, so it looks alive for ever.

use bailiwick_tests::{
    ended,
    instance::{Instance, sqlite},
};
use bytes::Bytes;
use futures::future::join_all;
use h2::client::SendRequest;
use tokio::{net::TcpStream, task::JoinHandle};

use crate::setting;

/// A connection, whose task answers pings until it ends.
async fn connect(instance: &Instance) -> (SendRequest<Bytes>, JoinHandle<()>) {
    let stream = TcpStream::connect(instance.url.trim_start_matches("http://")).await.expect("a connection");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let ended = tokio::spawn(async move {
        // Either way, it has ended.
        let _ = connection.await;
    });
    (client, ended)
}

async fn ask(instance: &Instance, client: SendRequest<Bytes>) -> SendRequest<Bytes> {
    let mut client = client.ready().await.expect("a connection that takes requests");
    let request = http::Request::get(format!("{}/healthz", instance.url)).body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("a request can be sent");
    assert_eq!(answer.await.expect("an answer").status(), 200);
    client
}

pub(crate) async fn who_keeps_a_connection_for_nothing_is_let_go() {
    const PLACES: usize = 4;
    let (_directory, database, _backdoor) = sqlite().await;
    let settings = [setting("CLIENT_TIMEOUT", "1s"), setting("MAX_CONNECTIONS", &PLACES.to_string())];
    let instance = Instance::start(&database, &settings).await;
    // Some asked for something first, some never did.
    let kept = join_all((0..PLACES).map(|number| {
        let instance = &instance;
        async move {
            let (client, ended) = connect(instance).await;
            let client = if number % 2 == 0 { ask(instance, client).await } else { client };
            (client, ended)
        }
    }))
    .await;
    // There is no place left, so this waits until one of them is let go: it is answered, or never.
    let (client, late) = connect(&instance).await;
    let all_are_kept = || "all places are kept".to_owned();
    ended("waiting for a place", ask(&instance, client), all_are_kept).await;
    for (client, end) in kept {
        ended("a connection", end, || "it is kept".to_owned()).await.expect("it did not panic");
        drop(client);
    }
    late.abort();
    instance.terminate().await;
}

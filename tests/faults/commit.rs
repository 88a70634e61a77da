//! The connection to Postgres breaks when it has committed and before it has said so: nobody knows, so a write without a
//! key is not made again, and one with a key is found by it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bailiwick_tests::{
    instance::{Instance, postgres},
    provided,
    targets::client,
    until,
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{load::office, setting};

/// How a transaction that only reads begins, of which the background has some whenever it looks.
const READS: &[u8] = b"READ ONLY";
/// How any begins.
const BEGIN: &[u8] = b"BEGIN ";
/// The message by which a client asks for a commit: a simple query, its length, its text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// The message by which it is told of it.
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";

/// What is between the server and Postgres, and takes away Postgres's answer to the next commit of something that
/// writes, with the connection, if it is to.
struct Between {
    port: u16,
    to_take: Arc<AtomicBool>,
}

impl Between {
    async fn listen(postgres: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let to_take = Arc::new(AtomicBool::new(false));
        let taken = to_take.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, postgres, taken.clone()));
            }
        });
        Self { port, to_take }
    }
}

fn holds(bytes: &[u8], message: &[u8]) -> bool {
    bytes.windows(message.len()).any(|window| window == message)
}

/// Passes on what comes from either side. Nobody sends two of these messages in one piece, nor one in two: each is a
/// round trip, and small.
async fn pass(mut client: TcpStream, postgres: u16, to_take: Arc<AtomicBool>) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", postgres)).await?;
    let (mut asked, mut told) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let (mut taken, mut reads) = (false, false);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => match length? {
                0 => return Ok(()),
                length => {
                    let asked = &asked[..length];
                    if holds(asked, BEGIN) {
                        reads = holds(asked, READS);
                    }
                    taken |= holds(asked, COMMIT) && !reads && to_take.swap(false, Ordering::Relaxed);
                    server.write_all(asked).await?;
                }
            },
            length = server.read(&mut told) => match length? {
                0 => return Ok(()),
                length if taken && holds(&told[..length], COMMITTED) => return Ok(()),
                length => client.write_all(&told[..length]).await?,
            },
        }
    }
}

pub(crate) async fn a_commit_that_nobody_is_told_of_is_made_once() {
    let (_postgres, database, backdoor) = postgres().await;
    let (start, end) = database.rsplit_once(':').expect("a port");
    let (port, name) = end.split_once('/').expect("a name");
    let between = Between::listen(port.parse().expect("a number")).await;
    let through = format!("{start}:{}/{name}", between.port);
    // What the background writes would take the breaks that are meant for requests.
    let settings = [setting("RATE_LIMIT", "0"), setting("OUTBOX_INTERVAL", "1h")];
    let instance = Instance::start(&through, &settings).await;
    let (owner, project) = office(&instance).await;
    let http = client();
    let write = async |name: &str, key: Option<&str>| {
        // What was written by a commit that nobody was told of is sealed with what comes next, and not at once.
        let body = json!({ "description": name });
        let next = instance.ask(&http, &owner, Method::PATCH, &format!("/v1/projects/{project}")).json(&body);
        next.send().await.expect(200);
        until("the activity is sealed", || async {
            provided(backdoor.count("SELECT count(*) FROM activity WHERE seq IS NULL").await, |left| {
                *left == 0
            })
        })
        .await;
        between.to_take.store(true, Ordering::Relaxed);
        let ask = instance.ask(&http, &owner, Method::POST, "/v1/projects").json(&json!({ "name": name }));
        let answer = match key {
            Some(key) => ask.header("idempotency-key", key).send().await,
            None => ask.send().await,
        };
        assert!(!between.to_take.load(Ordering::Relaxed), "no commit was lost");
        answer
    };
    for round in 0..10 {
        // Without a key whoever asked has to look.
        let name = format!("unknown-{round}");
        write(&name, None).await.problem(503, "unavailable");
        // With one the service looks for them.
        let name = format!("known-{round}");
        let made = write(&name, Some(&name)).await.expect(201);
        assert_eq!(
            made.header("idempotency-replayed"),
            Some("true"),
            "it was made by the attempt that broke"
        );
    }
    let listed = instance.get(&owner, "/v1/projects?limit=100").await.expect(200);
    let listed = listed.body["data"].as_array().expect("a list").iter();
    let mut names: Vec<_> = listed.filter_map(|project| project["name"].as_str()).collect();
    names.sort_unstable();
    let mut expected: Vec<_> = ["unknown", "known"]
        .iter()
        .flat_map(|kind| (0..10).map(move |round| format!("{kind}-{round}")))
        .chain(["P".to_owned()])
        .collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    eprintln!("figures: 20 commits whose answer was lost: each write is there once");
    instance.terminate().await;
}

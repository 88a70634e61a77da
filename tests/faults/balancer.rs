//! Two instances behind HAProxy, with the configuration that is shipped, and restarted one after the other under load.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bailiwick_tests::{
    client::Ask,
    instance::{Instance, postgres, sqlite},
    ports::Port,
    process::Process,
    provided,
    targets::{keeping_client, root},
    until,
};
use reqwest::Method;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::Command,
    time::Instant,
};

use crate::{
    load::{Load, chain_is_whole, office},
    setting, times,
};

/// HAProxy in front of two instances.
struct Balancer {
    url: String,
    socket: PathBuf,
    _process: Process,
    _port: Port,
    _directory: TempDir,
}

impl Balancer {
    async fn start(one: &str, two: &str) -> Self {
        let (port, directory) = (Port::reserve(), tempfile::tempdir().expect("a directory"));
        let (config, socket) = (directory.path().join("haproxy.cfg"), directory.path().join("socket"));
        // As it is shipped, but for how long it waits: a machine that has much to do is not one that is away.
        let shipped =
            std::fs::read_to_string(root().join("deploy/haproxy/haproxy.cfg")).expect("the configuration");
        let line = |line: &str| match line
            .trim_start()
            .strip_prefix("timeout ")
            .and_then(|rest| rest.split_once(' '))
        {
            Some((what, _)) => format!("    timeout {what} 10m\n"),
            None => format!("{line}\n"),
        };
        let asked = format!("global\n    stats socket {} level user\n", socket.display());
        std::fs::write(&config, shipped.lines().map(line).chain([asked]).collect::<String>())
            .expect("a file");
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let process = Command::new("haproxy")
            .env("PATH", path)
            .arg("-db")
            .arg("-f")
            .arg(&config)
            .envs([("LISTEN", &*port.address()), ("BAILIWICK_ONE", one), ("BAILIWICK_TWO", two)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("haproxy: scripts/setup installs it");
        let url = format!("http://{}", port.address());
        let this = Self { url, socket, _process: Process::new(process), _port: port, _directory: directory };
        for place in 0..2 {
            this.finds(place, "UP").await;
        }
        this
    }

    /// What it says of its servers: for each name whether it is `UP` or `DOWN`.
    async fn states(&self) -> std::io::Result<Vec<(String, String)>> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(b"show stat\n").await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await?;
        let mut rows = said.lines().map(|line| line.trim_start_matches("# ").split(',').collect::<Vec<_>>());
        let head = rows.next().unwrap_or_default();
        let place = head.iter().position(|name| *name == "status").expect("a column");
        let servers = rows.filter(|row| row.len() > place && row[0] == "bailiwick" && row[1] != "BACKEND");
        Ok(servers.map(|row| (row[1].to_owned(), row[place].to_owned())).collect())
    }

    /// Waits until it has seen that a server is, or is not, to be sent requests.
    async fn finds(&self, place: usize, state: &str) {
        let name = ["one", "two"][place];
        until(&format!("HAProxy finds that {name} is {state}"), || async {
            let states = self.states().await.map_err(|error| error.to_string())?;
            let there = states.iter().any(|(server, now)| server == name && now == state);
            if there { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await;
    }
}

pub(crate) async fn rolling_restarts_fail_no_request() {
    let (_postgres, database, backdoor) = postgres().await;
    let ports = [Port::reserve(), Port::reserve()];
    let start = async |place: usize| {
        // It is told to stop draining when the balancer has seen that it does.
        let settings =
            [setting("RATE_LIMIT", "0"), ("BIND", ports[place].address()), setting("SHUTDOWN_DELAY", "1h")];
        Instance::start(&database, &settings).await
    };
    let mut instances = [start(0).await, start(1).await];
    let (owner, project) = office(&instances[0]).await;
    let balancer = Balancer::start(&ports[0].address(), &ports[1].address()).await;
    let load = Load::by(balancer.url.clone(), owner.clone(), project, 4);
    // A reader beside the writers, over a connection that it keeps.
    let (reads, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let reading = tokio::spawn({
        let (url, owner) = (balancer.url.clone(), owner.clone());
        let (reads, over) = (reads.clone(), over.clone());
        async move {
            let http = keeping_client();
            while !over.load(Ordering::Relaxed) {
                let ask = Ask::new(&http, Method::GET, &url, "/v1/projects");
                ask.header("authorization", &format!("Bearer {owner}")).send().await.expect(200);
                reads.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let go_on = async || {
        load.goes_on().await;
        let before = reads.load(Ordering::Relaxed);
        until("reads go on", || async { provided(reads.load(Ordering::Relaxed), |now| *now > before) }).await;
    };
    let rounds = times(1, 10);
    let begun = Instant::now();
    for _ in 0..rounds {
        for place in 0..instances.len() {
            go_on().await;
            let [one, two] = instances;
            let (old, other) = if place == 0 { (one, two) } else { (two, one) };
            old.signal("TERM").await;
            balancer.finds(place, "DOWN").await;
            go_on().await;
            old.terminate().await;
            go_on().await;
            let new = start(place).await;
            // The next one may go when there is somebody to take its place.
            balancer.finds(place, "UP").await;
            instances = if place == 0 { [new, other] } else { [other, new] };
        }
    }
    go_on().await;
    over.store(true, Ordering::Relaxed);
    reading.await.expect("no read failed");
    let tally = load.end().await;
    let there = tally.check(&backdoor).await;
    chain_is_whole(&instances[0], &owner).await;
    eprintln!(
        "figures: {} restarts behind HAProxy in {:?}: {} reads, and writes by status {:?}, {} not answered; {} \
         acknowledged, {there} there",
        2 * rounds,
        begun.elapsed(),
        reads.load(Ordering::Relaxed),
        tally.statuses,
        tally.unanswered,
        tally.acknowledged.len()
    );
    assert_eq!(tally.unanswered, 0);
    assert_eq!(tally.statuses.keys().copied().collect::<Vec<_>>(), [200], "{:?}", tally.statuses);
}

pub(crate) async fn draining_is_seen_before_the_end() {
    let (_directory, database, _backdoor) = sqlite().await;
    let settings = [setting("RATE_LIMIT", "0"), setting("SHUTDOWN_DELAY", "1h")];
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    let before = instance.get(&owner, "/v1/projects").await.expect(200);
    assert_eq!(before.header("connection"), None);
    instance.signal("TERM").await;
    until("it is not ready", || async {
        let answer = instance.get("", "/readyz").await;
        provided(answer, |answer| answer.status == 503)
    })
    .await
    .problem(503, "unavailable");
    // Who comes all the same is served, by a connection that is not kept.
    for path in ["/healthz", "/v1/projects"] {
        let answer = instance.get(&owner, path).await.expect(200);
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
    // A second signal ends the wait.
    instance.terminate().await;
}

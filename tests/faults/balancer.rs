//! Two instances behind HAProxy, with the configuration that is shipped, and restarted one after the other under load.

use std::{process::Stdio, time::Duration};

use bailiwick_tests::{
    client::Ask,
    instance::{Instance, postgres, sqlite},
    targets::{client, root},
    until,
};
use futures::future::join_all;
use reqwest::Method;
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::{
    load::{Load, chain_is_whole, office},
    setting, times,
};

/// A free address. Nobody else takes it in the moment between.
fn free() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("an address").to_string()
}

/// HAProxy in front of two instances.
struct Balancer {
    url: String,
    _process: Child,
}

impl Balancer {
    async fn start(one: &str, two: &str) -> Self {
        let address = free();
        // Debian keeps it where only root looks.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let process = Command::new("haproxy")
            .env("PATH", path)
            .arg("-db")
            .arg("-f")
            .arg(root().join("deploy/haproxy/haproxy.cfg"))
            .envs([("LISTEN", &*address), ("BAILIWICK_ONE", one), ("BAILIWICK_TWO", two)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("haproxy: scripts/setup installs it");
        let this = Self { url: format!("http://{address}"), _process: process };
        until("the balancer has found both", || async {
            let answers = join_all((0..4).map(|_| client().get(format!("{}/readyz", this.url)).send())).await;
            answers.into_iter().all(|answer| answer.is_ok_and(|answer| answer.status() == 200)).then_some(())
        })
        .await;
        this
    }
}

pub(crate) async fn rolling_restarts_fail_no_request() {
    let (_postgres, database, backdoor) = postgres().await;
    let addresses = [free(), free()];
    let start = async |place: usize| {
        let settings =
            [setting("RATE_LIMIT", "0"), ("BIND", addresses[place].clone()), setting("SHUTDOWN_DELAY", "3s")];
        Instance::start(&database, &settings).await
    };
    let mut instances = [start(0).await, start(1).await];
    let (owner, project) = office(&instances[0]).await;
    let balancer = Balancer::start(&addresses[0], &addresses[1]).await;
    let load = Load::by(balancer.url.clone(), owner.clone(), project, 4);
    // Readers beside the writers, over connections that they keep.
    let reading = tokio::spawn({
        let (url, owner) = (balancer.url.clone(), owner.clone());
        async move {
            let (http, mut count) = (client(), 0_u64);
            loop {
                let ask = Ask::new(&http, Method::GET, &url, "/v1/projects");
                ask.header("authorization", &format!("Bearer {owner}")).send().await.expect(200);
                count += 1;
                if count.is_multiple_of(20) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                if OVER.load(std::sync::atomic::Ordering::Relaxed) {
                    return count;
                }
            }
        }
    });
    let rounds = times(1, 10);
    let begun = Instant::now();
    for _ in 0..rounds {
        for place in 0..instances.len() {
            load.goes_on().await;
            let [one, two] = instances;
            let (old, other) = if place == 0 { (one, two) } else { (two, one) };
            old.terminate().await;
            let new = start(place).await;
            // The balancer has to find it before the next one may go.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            instances = if place == 0 { [new, other] } else { [other, new] };
        }
    }
    load.goes_on().await;
    OVER.store(true, std::sync::atomic::Ordering::Relaxed);
    let reads = reading.await.expect("no read failed");
    let tally = load.end().await;
    let there = tally.check(&backdoor).await;
    chain_is_whole(&instances[0], &owner).await;
    eprintln!(
        "figures: {} restarts behind HAProxy in {:?}: {reads} reads, and writes by status {:?}, {} not answered; {} \
         acknowledged, {there} there",
        2 * rounds,
        begun.elapsed(),
        tally.statuses,
        tally.unanswered,
        tally.acknowledged.len()
    );
    assert_eq!(tally.unanswered, 0);
    assert_eq!(tally.statuses.keys().copied().collect::<Vec<_>>(), [200], "{:?}", tally.statuses);
    assert!(reads > 50, "{reads}");
}

/// Whether the readers may go home.
static OVER: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

pub(crate) async fn draining_is_seen_before_the_end() {
    let (_directory, database, _backdoor) = sqlite().await;
    let settings = [setting("RATE_LIMIT", "0"), setting("SHUTDOWN_DELAY", "30s")];
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    let before = instance.get(&owner, "/v1/projects").await.expect(200);
    assert_eq!(before.header("connection"), None);
    instance.signal("TERM").await;
    until("it is not ready", || async {
        let answer = instance.get("", "/readyz").await;
        (answer.status == 503).then(|| answer.problem(503, "unavailable"))
    })
    .await;
    // Who comes all the same is served, by a connection that is not kept.
    for path in ["/healthz", "/v1/projects"] {
        let answer = instance.get(&owner, path).await.expect(200);
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    }
    // A second signal ends the wait.
    let begun = Instant::now();
    instance.terminate().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

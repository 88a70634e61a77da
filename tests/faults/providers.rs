//! Those whom the service tells things, and the identity provider: when they hang, fail or are gone, no request waits for
//! them, what is to be delivered is tried again, and what goes elsewhere is not kept waiting.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use bailiwick_tests::{
    backdoor::Backdoor,
    instance::{Instance, sqlite},
    ports::Port,
    provided,
    receivers::{
        http::{Behaviour, Receiver},
        smtp::SmtpSink,
    },
    targets::client,
    until,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::Instant,
};

use crate::{load::office, setting};

/// What a gate does with connections.
const OPEN: u8 = 0;
const HANGS: u8 = 1;
const HANGS_UP: u8 = 2;

/// Deliveries of one tenant that may be under way at once: the half of what a round takes.
const SHARE: i64 = 10;

/// How many are under way.
async fn under_way(backdoor: &Backdoor) -> i64 {
    backdoor.count("SELECT count(*) FROM deliveries WHERE state = 'pending' AND claim IS NOT NULL").await
}

/// The way to a server, which can be shut.
struct Gate {
    address: SocketAddr,
    state: watch::Sender<u8>,
    /// Connections that have come since it is there.
    came: Arc<AtomicI64>,
}

impl Gate {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, now) = watch::channel(OPEN);
        let came = Arc::new(AtomicI64::new(0));
        let count = came.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (mut now, server) = (now.clone(), server.clone());
                tokio::spawn(async move {
                    let state = *now.borrow_and_update();
                    match state {
                        HANGS => {
                            // It takes what comes, and says nothing.
                            let mut heard = Vec::new();
                            let _ = stream.read_to_end(&mut heard).await;
                        }
                        HANGS_UP => {}
                        _ => {
                            if let Ok(mut behind) = TcpStream::connect(&server).await {
                                // What is open when it is shut breaks off.
                                tokio::select! {
                                    _ = copy_bidirectional(&mut stream, &mut behind) => {}
                                    _ = now.changed() => {}
                                }
                            }
                        }
                    }
                });
            }
        });
        Self { address, state, came }
    }

    fn came(&self) -> i64 {
        self.came.load(Ordering::Relaxed)
    }

    fn now(&self, state: u8) {
        self.state.send_replace(state);
    }
}

/// Makes changes that somebody outside is told of, one after the other.
async fn invite(instance: &Instance, owner: &str, addresses: &[String]) {
    for email in addresses {
        let invitation = json!({ "email": email, "role": "viewer" });
        instance.post(owner, "/v1/invitations", &invitation).await.expect(201);
    }
}

fn addresses(of: &str) -> Vec<String> {
    (0..30).map(|number| format!("{of}-{number}@example.com")).collect()
}

async fn deliveries(instance: &Instance, owner: &str) -> Vec<Value> {
    let listed = instance.get(owner, "/v1/admin/deliveries?limit=100").await.expect(200);
    listed.body["data"].as_array().expect("a list").clone()
}

/// A tenant of its own whose notices go to a webhook; a change in it, which is told while others' wait.
async fn told_elsewhere(instance: &Instance, owner: &str, receiver: &Receiver, slug: &str) {
    let http = client();
    let tenant = json!({ "slug": slug, "name": "Elsewhere" });
    instance.post(owner, "/v1/tenants", &tenant).await.expect(201);
    let ask = |method, path: &str, body: Value| {
        instance.ask(&http, owner, method, path).slug(slug).json(&body).send()
    };
    let hook = format!("/services/T0/B0/{slug}");
    let config =
        json!({ "slack_webhook_url": receiver.url(&hook), "channels": { "task_assigned": ["slack"] } });
    ask(Method::PATCH, "/v1/tenant/config", config).await.expect(200);
    let invited = ask(
        Method::POST,
        "/v1/invitations",
        json!({ "email": format!("{slug}@example.com"), "role": "member" }),
    );
    let token = invited.await.expect(201).text_at("/token");
    let (member, _) = instance.register(&format!("{slug}@example.com"), Some(&token)).await;
    let project = ask(Method::POST, "/v1/projects", json!({ "name": "P" })).await.expect(201).text_at("/id");
    let task = json!({ "title": "T", "assignee_id": member });
    ask(Method::POST, &format!("/v1/projects/{project}/tasks"), task).await.expect(201);
    receiver.wait_for(&hook, 1).await;
}

/// Those that are told hang, and nothing ends that before the test does: a request that waited for them would never be
/// answered.
pub(crate) async fn what_hangs_for_an_hour_keeps_no_request_waiting() {
    let (_directory, database, _backdoor) = sqlite().await;
    let (sink, receiver) = (SmtpSink::start(), Receiver::start().await);
    let gate = Gate::before(sink.url().trim_start_matches("smtp://").to_owned()).await;
    gate.now(HANGS);
    let hook = "/services/T0/B0/silent";
    receiver.always(hook, Behaviour::Silent);
    let settings = [
        setting("EMAIL_PROVIDER", "smtp"),
        setting("EMAIL_FROM", "bailiwick@service.example"),
        ("SMTP_URL", format!("smtp://{}", gate.address)),
        ("OUTBOUND_ALLOW", receiver.origin().to_owned()),
        setting("OUTBOUND_TIMEOUT", "1h"),
        setting("OUTBOX_LEASE", "2h"),
    ];
    let instance = Instance::start(&database, &settings).await;
    let (owner, project) = office(&instance).await;
    let config =
        json!({ "slack_webhook_url": receiver.url(hook), "channels": { "task_assigned": ["slack"] } });
    let http = client();
    instance.ask(&http, &owner, Method::PATCH, "/v1/tenant/config").json(&config).send().await.expect(200);
    let token = {
        let invited = json!({ "email": "member@example.com", "role": "member" });
        instance.post(&owner, "/v1/invitations", &invited).await.expect(201).text_at("/token")
    };
    until("the mail server is asked", async || provided(gate.came(), |count| *count > 0)).await;
    let (member, _) = instance.register("member@example.com", Some(&token)).await;
    let assign = async |number: i32| {
        let task = json!({ "title": format!("task-{number}"), "assignee_id": member });
        instance.post(&owner, &format!("/v1/projects/{project}/tasks"), &task).await.expect(201);
    };
    assign(0).await;
    receiver.wait_for(hook, 1).await;
    for number in 1..20 {
        assign(number).await;
    }
    invite(&instance, &owner, &addresses("guest")).await;
    assert_eq!((receiver.ended(hook), sink.letters("member@example.com").len()), (0, 0), "something ended");
    eprintln!("figures: 49 changes answered while all that they tell hangs for an hour");
    // It would wait for them.
    instance.kill().await;
}

pub(crate) async fn a_mail_server_that_hangs_holds_up_nobody() {
    let (_directory, database, backdoor) = sqlite().await;
    let (sink, receiver) = (SmtpSink::start(), Receiver::start().await);
    let gate = Gate::before(sink.url().trim_start_matches("smtp://").to_owned()).await;
    let settings = [
        setting("RATE_LIMIT", "0"),
        setting("EMAIL_PROVIDER", "smtp"),
        setting("EMAIL_FROM", "bailiwick@service.example"),
        ("SMTP_URL", format!("smtp://{}", gate.address)),
        ("OUTBOUND_ALLOW", receiver.origin().to_owned()),
        setting("OUTBOUND_TIMEOUT", "1s"),
        // A claim does not end by itself: so many are under way as are claimed.
        setting("OUTBOX_LEASE", "1h"),
        setting("OUTBOX_ATTEMPTS", "1000"),
    ];
    let instance = Instance::start(&database, &settings).await;
    let (owner, _) = office(&instance).await;
    for (state, name, said) in
        [(HANGS, "hangs", "did not answer in time"), (HANGS_UP, "hangs-up", "the mail server")]
    {
        gate.now(state);
        let addresses = addresses(name);
        invite(&instance, &owner, &addresses).await;
        let tried = |delivery: &Value| {
            delivery["attempts"].as_u64().is_some_and(|attempts| attempts > 1)
                && delivery["last_error"].as_str().is_some_and(|error| error.contains(said))
        };
        let most = AtomicI64::new(0);
        until("it was tried more than once", || async {
            most.fetch_max(under_way(&backdoor).await, Ordering::Relaxed);
            provided(deliveries(&instance, &owner).await, |all| all.iter().any(tried))
        })
        .await;
        let most = most.into_inner();
        assert!(most <= SHARE, "{most} of one tenant were under way");
        told_elsewhere(&instance, &owner, &receiver, &format!("by-{name}")).await;
        gate.now(OPEN);
        let opened = Instant::now();
        until("all are sent", || async {
            let all = deliveries(&instance, &owner).await;
            provided(all, |all| all.iter().all(|delivery| delivery["state"] == "sent"))
        })
        .await;
        eprintln!(
            "figures: a mail server that {name}: {} mails wait, another tenant's webhook is told meanwhile, all was sent \
             {:?} after it came back",
            addresses.len(),
            opened.elapsed()
        );
        assert!(addresses.iter().all(|address| !sink.letters(address).is_empty()));
    }
    instance.terminate().await;
}

pub(crate) async fn webhooks_that_hang_fail_or_are_gone_hold_up_nobody() {
    let (_directory, database, backdoor) = sqlite().await;
    let receiver = Receiver::start().await;
    let reserved = Port::reserve();
    let gone = reserved.address();
    let settings = [
        setting("RATE_LIMIT", "0"),
        ("OUTBOUND_ALLOW", format!("{},http://{gone}", receiver.origin())),
        setting("OUTBOUND_TIMEOUT", "1s"),
        // A claim does not end by itself: so many are under way as are claimed.
        setting("OUTBOX_LEASE", "1h"),
        setting("OUTBOX_ATTEMPTS", "1000"),
    ];
    let instance = Instance::start(&database, &settings).await;
    let (owner, project) = office(&instance).await;
    let invited = json!({ "email": "member@example.com", "role": "member" });
    let token = instance.post(&owner, "/v1/invitations", &invited).await.expect(201).text_at("/token");
    let (member, _) = instance.register("member@example.com", Some(&token)).await;
    let http = client();
    let silent = receiver.url("/services/T0/B0/silent");
    receiver.always("/services/T0/B0/silent", Behaviour::Silent);
    let failing = receiver.url("/services/T0/B0/failing");
    receiver.always("/services/T0/B0/failing", Behaviour::Status(500));
    for (name, url) in
        [("hangs", silent), ("fails", failing), ("gone", format!("http://{gone}/services/T0/B0/x"))]
    {
        let config = json!({ "slack_webhook_url": url, "channels": { "task_assigned": ["slack"] } });
        let ask = instance.ask(&http, &owner, Method::PATCH, "/v1/tenant/config").json(&config);
        ask.send().await.expect(200);
        for number in 0..30 {
            let task = json!({ "title": format!("{name}-{number}"), "assignee_id": member });
            instance.post(&owner, &format!("/v1/projects/{project}/tasks"), &task).await.expect(201);
        }
        let tried = |delivery: &Value| delivery["attempts"].as_u64().is_some_and(|attempts| attempts > 1);
        let most = AtomicI64::new(0);
        until("it was tried more than once", || async {
            most.fetch_max(under_way(&backdoor).await, Ordering::Relaxed);
            provided(deliveries(&instance, &owner).await, |all| all.iter().any(tried))
        })
        .await;
        let most = most.into_inner();
        assert!(most <= SHARE, "{most} of one tenant were under way");
        told_elsewhere(&instance, &owner, &receiver, &format!("by-{name}")).await;
        eprintln!("figures: a webhook that {name}: 30 messages wait, another tenant's is told meanwhile");
        // It comes back, at another address.
        let back = format!("/services/T0/B0/back-{name}");
        let config = json!({ "slack_webhook_url": receiver.url(&back) });
        let ask = instance.ask(&http, &owner, Method::PATCH, "/v1/tenant/config").json(&config);
        ask.send().await.expect(200);
        receiver.wait_for(&back, 30).await;
    }
    instance.terminate().await;
}

/// An identity provider that has one key.
async fn provider(key: &Ed25519KeyPair) -> String {
    let x = URL_SAFE_NO_PAD.encode(key.public_key());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k", "x": x }] });
    let (set, listener) = (set.to_string(), TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let address = listener.local_addr().expect("an address");
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{set}",
        set.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address.to_string()
}

pub(crate) async fn an_identity_provider_that_hangs_holds_up_nobody() {
    tokio::join!(without_its_provider(HANGS, "hangs"), without_its_provider(HANGS_UP, "hangs up"));
}

async fn without_its_provider(state: u8, name: &str) {
    let (_directory, database, _backdoor) = sqlite().await;
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let gate = Gate::before(provider(&key).await).await;
    let settings = [
        ("JWKS_URL", format!("http://{}/jwks", gate.address)),
        setting("JWT_ISSUER", "https://id.example"),
        setting("JWT_AUDIENCE", "bailiwick"),
        // Old soon, and good for 12 times as long.
        setting("JWKS_MAX_AGE", "10s"),
        setting("JWKS_COOLDOWN", "1s"),
        // A request that waited for the provider would never be answered.
        setting("OUTBOUND_TIMEOUT", "1h"),
        setting("OUTBOX_LEASE", "2h"),
    ];
    let instance = Instance::start(&database, &settings).await;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "https://id.example", "aud": "bailiwick", "sub": "7", "exp": 4_102_444_800_i64,
        "email": "ada@example.com", "email_verified": true, "name": "Ada",
    });
    let message = format!("{}.{}", part(json!({ "alg": "EdDSA", "kid": "k" })), part(claims));
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())));
    let (_, own) = instance.register("own@example.com", None).await;
    let me = async |token: &str| instance.get(token, "/v1/me").await.expect(200);
    me(&token).await;
    gate.now(state);
    let before = gate.came();
    // Until its keys are old, nobody asks.
    let asked = async || {
        me(&token).await;
        me(&own).await;
        provided(gate.came(), |came| *came > before)
    };
    until("the provider is asked", asked).await;
    for _ in 0..10 {
        me(&token).await;
        me(&own).await;
    }
    eprintln!(
        "figures: an identity provider that {name}: requests with its token and with ours are answered"
    );
    instance.kill().await;
}

//! The native server and an identity provider that is not as it should be, from the start on.

use bailiwick_tests::{
    ports::Port,
    receivers::http::{Behaviour, Receiver},
    targets::{address, client, native, start},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A token of which everything fits but the signature, that nobody can tell without a key.
fn token() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        json!({ "iss": "https://id.example", "aud": "bailiwick", "sub": "7", "exp": 4_102_444_800_i64 });
    format!("{}.{}.{}", part(json!({ "alg": "ES256", "kid": "k" })), part(claims), "A".repeat(86))
}

#[tokio::test]
async fn without_any_keys_its_tokens_are_neither_good_nor_bad() {
    let receiver = Receiver::start().await;
    receiver.always("/elsewhere", Behaviour::Redirect(302, receiver.url("/text")));
    receiver.always("/silent", Behaviour::Silent);
    receiver.always("/down", Behaviour::Status(503));
    let nobodys = Port::reserve();
    let closed = format!("http://{}/jwks", nobodys.address());
    let paths = ["/elsewhere", "/silent", "/down", "/text"];
    for keys in paths.map(|path| receiver.url(path)).into_iter().chain([closed]) {
        let directory = tempfile::tempdir().expect("a directory");
        let database = format!("sqlite://{}", directory.path().join("b.db").display());
        let mut server = native(&database);
        server
            .env("JWKS_URL", &keys)
            .env("JWT_ISSUER", "https://id.example")
            .env("JWT_AUDIENCE", "bailiwick");
        server.env("OUTBOUND_TIMEOUT", "500ms");
        let (mut process, line) = start(&mut server, "listening on http").await;
        let (url, http) = (address(&line), client());
        for _ in 0..2 {
            let answer =
                http.get(format!("{url}/v1/me")).bearer_auth(token()).send().await.expect("an answer");
            assert_eq!(answer.status(), 503, "{keys}");
            assert!(answer.headers().contains_key("retry-after"), "{keys}");
            let problem: Value = answer.json().await.expect("a problem");
            assert_eq!(problem["code"], "identity_provider_unavailable", "{keys}");
            assert!(!problem.to_string().contains("127.0.0.1"), "{problem}");
        }
        // It is nobody else's trouble.
        let account = json!({ "email": "a@example.com", "name": "A", "password": "a password" });
        let answer = http.post(format!("{url}/v1/auth/register")).json(&account).send().await;
        assert_eq!(answer.expect("an answer").status(), 201);
        let answer = http.get(format!("{url}/readyz")).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        process.start_kill().expect("it runs");
        process.wait().await.expect("it ends");
    }
    // It was asked, and its redirect was not followed.
    assert!(paths.iter().all(|path| receiver.count(path) > 0));
    assert_eq!(receiver.count("/text"), 2);
}

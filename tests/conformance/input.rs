//! Bad input: a clear answer, the same on every target, and nothing written.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("input":
    malformed_json,
    wrong_types_and_unknown_fields_are_all_pointed_at,
    limits_of_text,
    common_passwords,
    media_types,
    too_large,
    ids_of_others_are_not_taken_from_bodies,
);

async fn malformed_json(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let deep = "[".repeat(10_000);
    for body in [
        "",
        " ",
        "{",
        "{\"name\":}",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{} {}",
        "\u{feff}{}",
        &deep,
    ] {
        let ask = tenant.owner.post("/v1/projects").tenant(&tenant.id).raw("application/json", body);
        ask.send().await.problem(400, "malformed_json");
    }
    let not_utf8 = b"{\"name\":\"\xff\xfe\"}".to_vec();
    let ask = tenant.owner.post("/v1/projects").tenant(&tenant.id).raw("application/json", not_utf8);
    ask.send().await.problem(400, "malformed_json");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
}

async fn wrong_types_and_unknown_fields_are_all_pointed_at(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let before = target.backdoor.snapshot(&tenant.id).await;
    let ask = async |body: Value| {
        let answer = tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&body).send().await;
        let answer = answer.problem(422, "validation_failed");
        let errors = answer.body["errors"].as_array().expect("errors").clone();
        let mut faults: Vec<_> = errors
            .iter()
            .map(|error| {
                format!(
                    "{} {}",
                    error["pointer"].as_str().unwrap_or("-"),
                    error["code"].as_str().unwrap_or("-")
                )
            })
            .collect();
        faults.sort();
        faults
    };
    assert_eq!(ask(json!({})).await, ["/name required"]);
    assert_eq!(ask(json!({ "name": null })).await, ["/name wrong_type"]);
    assert_eq!(
        ask(json!({ "name": 7, "description": [], "visibility": "secret", "status": "approved", "a/b": 1 }))
            .await,
        [
            "/a~1b unknown",
            "/description wrong_type",
            "/name wrong_type",
            "/status unknown",
            "/visibility not_allowed"
        ]
    );
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
}

async fn limits_of_text(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let ask = |name: String, description: String| {
        let new = json!({ "name": name, "description": description });
        tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new).send()
    };
    ask("ü".repeat(200), "\u{1F680}".repeat(10_000)).await.expect(201);
    let refused = ask("ü".repeat(201), "x".repeat(10_001)).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/name", "/description"]);
    for name in ["", "   ", "a\nb", "a\u{0}b", "\u{7f}"] {
        assert_eq!(
            ask(name.to_owned(), String::new()).await.problem(422, "validation_failed").pointers(),
            ["/name"]
        );
    }
    let register = |email: &str, password: String| {
        let account = json!({ "email": email, "name": "N", "password": password });
        Actor::anonymous(target).post("/v1/auth/register").json(&account).send()
    };
    let long = register("x@example.com", "ü".repeat(37)).await.problem(422, "validation_failed");
    assert_eq!((long.pointers(), &long.body["errors"][0]["code"]), (vec!["/password"], &json!("too_long")));
    let short = register("x@example.com", "1234567".to_owned()).await.problem(422, "validation_failed");
    assert_eq!(
        (short.pointers(), &short.body["errors"][0]["code"]),
        (vec!["/password"], &json!("too_short"))
    );
    let refused = register("not an address", String::new()).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/email", "/password"]);
}

async fn common_passwords(target: &'static Target) {
    let actor = Actor::register(target, "careless").await;
    for common in ["12345678", "password", "PassWord", "qwertyuiop"] {
        let account = json!({ "email": "careless@example.com", "name": "N", "password": common });
        let refused = Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await;
        let refused = refused.problem(422, "validation_failed");
        assert_eq!(
            (refused.pointers(), &refused.body["errors"][0]["code"]),
            (vec!["/password"], &json!("not_allowed"))
        );
        let change = json!({ "current_password": PASSWORD, "new_password": common });
        let refused = actor.post("/v1/me/password").json(&change).send().await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/new_password"]);
        // Who has one already can still log in, or find out that it is not theirs.
        let login = json!({ "email": actor.email, "password": common });
        let refused = Actor::anonymous(target).post("/v1/auth/login").json(&login).send().await;
        refused.problem(401, "invalid_credentials");
    }
}

async fn media_types(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let ask = |media_type: &str| {
        tenant.owner.post("/v1/projects").tenant(&tenant.id).raw(media_type, "{\"name\":\"P\"}").send()
    };
    for refused in
        ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data"]
    {
        ask(refused).await.problem(415, "unsupported_media_type");
    }
    for (coding, taken) in
        [("gzip", false), ("br", false), ("GZIP, identity", false), ("x", false), ("identity", true)]
    {
        let project = tenant.owner.post("/v1/projects").tenant(&tenant.id).header("content-encoding", coding);
        let answer = project.raw("application/json", "{\"name\":\"P\"}").send().await;
        if taken {
            answer.expect(201);
        } else {
            let refused = answer.problem(415, "unsupported_media_type");
            assert_eq!(refused.header("accept-encoding"), Some("identity"), "{coding}");
        }
    }
    for taken in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"utf-8\""]
    {
        ask(taken).await.expect(201);
    }
}

async fn too_large(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let ask = |bytes: usize| {
        let body = format!("{{\"name\":\"P\",\"x\":\"{}\"}}", "x".repeat(bytes));
        tenant.owner.post("/v1/projects").tenant(&tenant.id).raw("application/json", body).send()
    };
    ask(300_000).await.problem(413, "body_too_large");
    ask(250_000).await.problem(422, "validation_failed");
}

async fn ids_of_others_are_not_taken_from_bodies(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let before = target.backdoor.snapshot(&other.id).await;
    let new = json!({ "name": "P", "tenant_id": other.id, "created_by": other.owner.id, "id": other.id, "version": 9 });
    let refused = tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new).send().await;
    let refused = refused.problem(422, "validation_failed");
    let mut pointers = refused.pointers();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/created_by", "/id", "/tenant_id", "/version"]);
    assert_eq!(target.backdoor.snapshot(&other.id).await, before);
}

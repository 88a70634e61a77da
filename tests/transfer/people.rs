//! People on the way in: who has an account, who gets one, and what nobody can make of that.

use bailiwick_tests::{
    actors::{Actor, PASSWORD},
    provider::{Person, Provider},
    targets,
};
use serde_json::{Value, json};

use crate::{
    file::{Export, SMALL},
    place::Place,
};

async fn rows(actor: &Actor<'_>, tenant: &str) -> Vec<Value> {
    let list = actor.get("/v1/members?limit=100").tenant(tenant).send().await.expect(200);
    list.body["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn nobody_is_taken_over_locked_out_or_brought_in_by_a_file() {
    let lasting = targets::native_sqlite(&[]).await.lasting();
    let target = lasting.get();
    let directory = tempfile::tempdir().expect("a directory");
    let (importer, known) =
        (Actor::register(target, "importer").await, Actor::register(target, "known").await);
    let guessed = Actor::register(target, "guessed").await;
    let mut file = Export::make("people", SMALL);
    // Somebody who has this account here, as an owner; somebody whose address was guessed; somebody whose id is another's
    // here; nobody of the importer.
    file.row("users", 1)["email"] = json!(known.email);
    file.row("users", 3)["email"] = json!(guessed.email);
    file.row("users", 3)["name"] = json!("Whoever");
    file.row("memberships", 1)["role"] = json!("owner");
    file.row("memberships", 1)["status"] = json!("active");
    let stranger = Actor::register(target, "stranger").await;
    let old = file.of("users")[2]["id"].as_str().expect("an id").to_owned();
    let same = file.of("users")[1]["id"].as_str().expect("an id").to_owned();
    let text = serde_json::to_string(&file.rows).expect("JSON");
    let text = text.replace(&old, &stranger.id).replace(&same, &known.id);
    file.rows = serde_json::from_str(&text).expect("JSON");
    file.rows.retain(|row| row["table"] != "activity");
    let path = directory.path().join("people.ndjson");
    file.write(&path);

    let side = bailiwick::transfer::Side::remote(&target.url, importer.token.clone().expect("a token"))
        .expect("a URL");
    let wanted = bailiwick::transfer::Wanted::default();
    bailiwick::transfer::import(&side, &path, &wanted, &mut |_| {}).await.expect("it is taken");
    let members = rows(&importer, file.tenant()).await;
    let of =
        |email: &str| members.iter().find(|member| member["email"] == email).cloned().unwrap_or_default();
    assert_eq!(
        (&of(&importer.email)["role"], &of(&importer.email)["status"]),
        (&json!("owner"), &json!("active"))
    );
    // They keep their account, and are in nothing that they did not ask for: even who has the very id is not known by it.
    assert_ne!(of(&known.email)["user_id"], known.id);
    assert_eq!(of(&known.email)["status"], "suspended");
    known.get("/v1/tenant").tenant(file.tenant()).send().await.problem(403, "not_a_member");
    // Nor can they be put in, whether they have an account or not: they are asked.
    for member in members.iter().filter(|member| member["user_id"] != importer.id) {
        assert_eq!(member["status"], "suspended", "{member}");
        let path = format!("/v1/members/{}", member["user_id"].as_str().expect("an id"));
        let reinstated = json!({ "status": "active" });
        let answer = importer.patch(&path).tenant(file.tenant()).json(&reinstated).send().await;
        answer.problem(409, "invitation_required");
        // Any other change may be made meanwhile.
        let lowered = json!({ "role": "viewer" });
        importer.patch(&path).tenant(file.tenant()).json(&lowered).send().await.expect(200);
    }
    assert_eq!(known.get("/v1/tenants").send().await.expect(200).body["data"], json!([]));
    known.login().await;
    let joined = json!({ "email": known.email, "role": "member" });
    let invitation =
        importer.post("/v1/invitations").tenant(file.tenant()).json(&joined).send().await.expect(201);
    let acceptance = json!({ "token": invitation.text_at("/token") });
    known.post("/v1/invitations/accept").json(&acceptance).send().await.expect(200);
    let me = known.get("/v1/members/me").tenant(file.tenant()).send().await.expect(200);
    assert_eq!(
        (&me.body["imported_id"], &me.body["imported_at"]),
        (&of(&known.email)["user_id"], &Value::Null)
    );
    assert_eq!((me.text_at("/status"), me.text_at("/role")), ("active".to_owned(), "member".to_owned()));
    // From then on they are a member like any other: suspended, reinstated, and not invited again.
    let path = format!("/v1/members/{}", known.id);
    for status in ["suspended", "active"] {
        let change = json!({ "status": status });
        importer.patch(&path).tenant(file.tenant()).json(&change).send().await.expect(200);
    }
    let again = importer.post("/v1/invitations").tenant(file.tenant()).json(&joined).send().await;
    again.problem(409, "already_member");
    // An address tells neither the id of its account nor the name of its owner, nor that there is one.
    assert!(members.iter().all(|member| member["user_id"] != guessed.id), "{members:?}");
    assert_eq!(of(&guessed.email), Value::Null);
    let beside = target.backdoor.sql("SELECT email, imported_email FROM users WHERE name = 'Whoever'").await;
    assert_eq!(beside[0][1].as_deref(), Some(guessed.email.as_str()));
    assert!(beside[0][0].as_ref().is_some_and(|email| email.ends_with("@unclaimed.invalid")), "{beside:?}");
    guessed.get("/v1/tenant").tenant(file.tenant()).send().await.problem(403, "not_a_member");
    guessed.login().await;
    // An id does not make anybody somebody else.
    assert!(members.iter().all(|member| member["user_id"] != stranger.id), "{members:?}");
    stranger.get("/v1/tenant").tenant(file.tenant()).send().await.problem(403, "not_a_member");
    registering_an_address_of_the_file_lets_nobody_in(target, &importer, &file).await;
    target.stop().await;
}

/// Without an account, a person of the file can make one, but that makes nobody a member: the address is not verified.
async fn registering_an_address_of_the_file_lets_nobody_in(
    target: &'static targets::Target,
    importer: &Actor<'_>,
    file: &Export,
) {
    let email = file.of("users")[0]["email"].as_str().expect("text").to_owned();
    let nobody = Actor::anonymous(target);
    let login = json!({ "email": email, "password": PASSWORD });
    nobody.post("/v1/auth/login").json(&login).send().await.problem(401, "invalid_credentials");
    let new = json!({ "email": email, "name": "Anybody", "password": PASSWORD });
    let made = nobody.post("/v1/auth/register").json(&new).send().await.expect(201);
    let token = nobody.post("/v1/auth/login").json(&login).send().await.expect(200).text_at("/access_token");
    let anybody = Actor { token: Some(token), id: made.text_at("/id"), ..nobody };
    anybody.get("/v1/tenant").tenant(file.tenant()).send().await.problem(403, "not_a_member");
    let members = rows(importer, file.tenant()).await;
    assert!(
        members.iter().all(|member| member["user_id"] != anybody.id && member["name"] != "Anybody"),
        "{members:?}"
    );
}

#[tokio::test]
async fn who_was_brought_in_comes_as_themselves_and_is_asked() {
    let lasting = targets::native_sqlite(&[]).await.lasting();
    let target = lasting.get();
    let directory = tempfile::tempdir().expect("a directory");
    let importer = Actor::register(target, "importer").await;
    let (person, other) = (Person::new("moved"), Person { verified: false, ..Person::new("unverified") });
    let mut file = Export::make("waiting", SMALL);
    file.row("users", 1)["email"] = json!(person.email);
    file.row("users", 2)["email"] = json!(other.email);
    for index in 1..3 {
        file.row("memberships", index)["role"] = json!("manager");
        file.row("memberships", index)["status"] = json!("active");
    }
    let path = directory.path().join("waiting.ndjson");
    file.write(&path);
    let side = bailiwick::transfer::Side::remote(&target.url, importer.token.clone().expect("a token"))
        .expect("a URL");
    let wanted = bailiwick::transfer::Wanted::default();
    bailiwick::transfer::import(&side, &path, &wanted, &mut |_| {}).await.expect("it is taken");
    // Who comes by the provider has an account of their own.
    let token = Provider::shared().access_token("EdDSA", &person).await;
    let moved = Actor { token: Some(token), ..Actor::anonymous(target) };
    let me = moved.get("/v1/me").send().await.expect(200);
    assert_ne!(me.body["id"], file.of("users")[1]["id"]);
    assert_eq!(me.body["name"], "A person");
    // Who brought the tenant in must ask them.
    moved.get("/v1/tenant").tenant(file.tenant()).send().await.problem(403, "not_a_member");
    let new = json!({ "email": person.email, "role": "manager" });
    let made = importer.post("/v1/invitations").tenant(file.tenant()).json(&new).send().await.expect(201);
    let acceptance = json!({ "token": made.text_at("/token") });
    moved.post("/v1/invitations/accept").json(&acceptance).send().await.expect(200);
    let tenant = moved.get("/v1/tenant").tenant(file.tenant()).send().await.expect(200);
    assert_eq!(tenant.body["role"], "manager");
    let token = Provider::shared().access_token("EdDSA", &other).await;
    let nobody = Actor { token: Some(token), ..Actor::anonymous(target) };
    nobody.get("/v1/me").send().await.problem(403, "email_not_verified");
    // Who is invited gets what the invitation says, and is who wrote what the file says that they wrote.
    let new = json!({ "email": other.email, "role": "viewer" });
    let made = importer.post("/v1/invitations").tenant(file.tenant()).json(&new).send().await.expect(201);
    let account = json!({
        "email": other.email, "name": "Invited", "password": PASSWORD, "invitation_token": made.text_at("/token")
    });
    let invited = nobody.post("/v1/auth/register").json(&account).send().await.expect(201);
    assert_ne!(invited.body["id"], file.of("users")[2]["id"]);
    let members = rows(&importer, file.tenant()).await;
    let found = members.iter().find(|member| member["email"] == other.email).expect("a member");
    assert_eq!((&found["user_id"], &found["role"]), (&invited.body["id"], &json!("viewer")));
    assert_eq!(found["imported_id"], file.of("users")[2]["id"]);
    // Of all that there is of the two nothing is left under the ids of before.
    for (table, column) in [
        ("comments", "author_id"),
        ("projects", "created_by"),
        ("projects", "submitted_by"),
        ("tasks", "created_by"),
        ("tasks", "assignee_id"),
        ("invitations", "invited_by"),
        ("invitations", "accepted_by"),
        ("notifications", "recipient_id"),
        ("memberships", "user_id"),
    ] {
        let old = [1, 2].map(|person| file.of("users")[person]["id"].as_str().expect("an id").to_owned());
        assert!(
            file.of(table).iter().any(|row| old.iter().any(|old| row[column] == **old)),
            "{table}.{column}"
        );
        let left = format!("SELECT count(*) FROM {table} WHERE {column} IN ('{}', '{}')", old[0], old[1]);
        assert_eq!(target.backdoor.count(&left).await, 0, "{table}.{column}");
    }
    target.stop().await;
}

#[tokio::test]
async fn what_a_stranger_brought_in_is_nobody_to_the_operator() {
    for place in [Place::sqlite().await, Place::postgres().await] {
        let directory = tempfile::tempdir().expect("a directory");
        let hash = "$2b$04$abcdefghijklmnopqrstuuW1GDxFkGTyVFrbGVZUgCfQDKd0RAc0C";
        let mut file = Export::make("company", SMALL);
        file.row("users", 1)["password_hash"] = json!(hash);
        file.head["secrets"] = json!(true);
        // As an import over HTTP leaves it, by somebody who knows the very id.
        let (id, email) = (file.of("users")[1]["id"].clone(), file.of("users")[1]["email"].clone());
        let (id, email) = (id.as_str().expect("an id"), email.as_str().expect("text"));
        let then = "'2026-01-01T00:00:00.000Z'";
        let placeholder = format!(
            "INSERT INTO users (id, email, imported_email, imported_into, name, password_hash, created_at, updated_at, version) \
             VALUES ('{id}', '{id}@unclaimed.invalid', '{email}', '01936b2a-0000-7000-8000-00000000000a', 'Whoever', '', \
             {then}, {then}, 1)"
        );
        place.backdoor().sql(&placeholder).await;
        place.import(&file, directory.path(), &[]).await.expect(0);
        let kept = format!("SELECT name, password_hash FROM users WHERE id = '{id}'");
        assert_eq!(place.backdoor().sql(&kept).await, [["Whoever", ""].map(|text| Some(text.to_owned()))]);
        let made = format!("SELECT name, password_hash FROM users WHERE email = '{email}' AND id <> '{id}'");
        let name = file.of("users")[1]["name"].as_str().expect("text").to_owned();
        assert_eq!(place.backdoor().sql(&made).await, [[Some(name), Some(hash.to_owned())]]);
        let member = format!(
            "SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id = '{}' AND u.id = '{id}'",
            file.tenant()
        );
        assert!(place.backdoor().sql(&member).await.is_empty());
        // What is hearsay in a file stays that, also where the operator brings it in.
        let mut file = Export::make("second", SMALL);
        let row = file.row("users", 1);
        row["imported_email"] = row["email"].take();
        row["password_hash"] = json!(hash);
        place.import(&file, directory.path(), &[]).await.expect(0);
        let waits = format!(
            "SELECT password_hash, imported_email FROM users WHERE imported_into = '{}'",
            file.tenant()
        );
        let email = file.of("users")[1]["imported_email"].as_str().expect("text").to_owned();
        assert_eq!(place.backdoor().sql(&waits).await, [[Some(String::new()), Some(email)]]);
        let read = place.export("second", directory.path()).await;
        assert_eq!(read.of("users")[1]["imported_email"], file.of("users")[1]["imported_email"]);
        assert_eq!(read.of("users")[1]["email"], Value::Null);
        place.end().await;
    }
}

#[tokio::test]
async fn passwords_and_keys_move_with_the_operator_alone() {
    let lasting = targets::native_sqlite(&[]).await.lasting();
    let target = lasting.get();
    let directory = tempfile::tempdir().expect("a directory");
    let owner = Actor::register(target, "owner").await;
    let new = json!({ "slug": "secrets", "name": "Secrets" });
    let tenant = owner.post("/v1/tenants").json(&new).send().await.expect(201).text_at("/id");
    let hook = "https://hooks.slack.com/services/T000/B000/verysecret";
    let config = json!({ "slack_webhook_url": hook });
    owner.patch("/v1/tenant/config").tenant(&tenant).json(&config).send().await.expect(200);
    let key = json!({ "name": "A machine", "role": "owner" });
    let key = owner.post("/v1/api-keys").tenant(&tenant).json(&key).send().await.expect(201).text_at("/key");
    let hash =
        target.backdoor.sql(&format!("SELECT password_hash FROM users WHERE id = '{}'", owner.id)).await;
    let hash = hash[0][0].clone().expect("a hash");
    // Over HTTP the hash never leaves, and the webhook when a person asks for it. Without it, a key of the owner's will do.
    for (token, person) in [(owner.token.clone().expect("a token"), true), (key.clone(), false)] {
        for secrets in [false, true] {
            let side = bailiwick::transfer::Side::remote(&target.url, token.clone()).expect("a URL");
            let path = directory.path().join("out.ndjson");
            let mut out = std::fs::File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&path)
                .expect("a file");
            let exported =
                bailiwick::transfer::export(&side, "secrets", secrets, &mut out, &mut |_| {}).await;
            if secrets && !person {
                assert_eq!(exported.expect_err("a key").code, "session_required");
                continue;
            }
            exported.expect("an export");
            let text = std::fs::read_to_string(&path).expect("the file");
            assert!(!text.contains(&hash) && !text.contains("token_hash"), "{text}");
            assert_eq!(text.contains("verysecret"), secrets);
        }
    }
    // Neither comes in that way.
    let importer = Actor::register(target, "importer").await;
    let mut file = Export::make("forged", SMALL);
    file.row("users", 1)["password_hash"] = json!(hash);
    let path = directory.path().join("forged.ndjson");
    file.write(&path);
    let side = bailiwick::transfer::Side::remote(&target.url, importer.token.clone().expect("a token"))
        .expect("a URL");
    let wanted = bailiwick::transfer::Wanted::default();
    let failure =
        bailiwick::transfer::import(&side, &path, &wanted, &mut |_| {}).await.expect_err("it is forged");
    assert!(failure.sentence.contains("line 3: password_hash: Expected null"), "{failure:?}");
    target.stop().await;

    // The operator's file has all of it, if it is asked for; then people log in as ever, and machines go on.
    let (one, two) = (Place::sqlite().await, Place::sqlite().await);
    let mut file = Export::make("whole", SMALL);
    file.row("users", 0)["password_hash"] = json!(hash);
    one.import(&file, directory.path(), &[]).await.expect(0);
    let (plain, whole) = (directory.path().join("plain.ndjson"), directory.path().join("whole.ndjson"));
    for (path, more) in [(&plain, &[][..]), (&whole, &["--with-secrets"])] {
        let path = path.display().to_string();
        one.run(&[&["export", "--tenant", "whole", "-o", &path], more].concat()).await.expect(0);
    }
    assert_eq!(Export::read(&plain).of("users")[0]["password_hash"], Value::Null);
    assert_eq!(Export::read(&whole).of("users")[0]["password_hash"], json!(hash));
    two.run(&["import", &whole.display().to_string()]).await.expect(0);
    let kept =
        two.backdoor().count(&format!("SELECT count(*) FROM users WHERE password_hash = '{hash}'")).await;
    assert_eq!(kept, 1);
    for place in [one, two] {
        place.end().await;
    }
}

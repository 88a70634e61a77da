//! What looks the same is the same, and what cannot be seen or reached is refused: addresses and their spellings, mentions, and texts
//! that are empty to the eye.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, unique},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("spellings":
    addresses_that_no_mail_reaches_are_refused,
    a_mailbox_has_one_account,
    an_invitation_fits_every_spelling,
    who_registered_before_logs_in_as_before,
    nobody_takes_an_address_that_has_another_spelling,
    mail_is_sent_to_a_domain_in_ascii,
    mentions_are_found_in_every_script,
);

async fn register(target: &'static Target, email: &str) -> Answer {
    let account = json!({ "email": email, "name": "Somebody", "password": PASSWORD });
    Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await
}

async fn log_in(target: &'static Target, email: &str) -> Answer {
    let credentials = json!({ "email": email, "password": PASSWORD });
    Actor::anonymous(target).post("/v1/auth/login").json(&credentials).send().await
}

async fn addresses_that_no_mail_reaches_are_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let long = format!("a@{}.example", "x".repeat(64));
    for email in [
        "a..b@x.example",
        ".x@x.example",
        "x.@x.example",
        "x\\@x.example",
        "(x)@x.example",
        "[x]@x.example",
        "x:y@x.example",
        "\"x\"@x.example",
        "a@b",
        "a@x_y.example",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@xn--a.example",
        "a@x.example.",
        "a\u{200b}@x.example",
        "a@x\u{ad}.example",
        "\u{3164}@x.example",
        "\u{2800}@x.example",
        &long,
    ] {
        let invitation = json!({ "email": email, "role": "member" });
        let answers = [
            register(target, email).await,
            tenant.owner.post("/v1/invitations").tenant(&tenant.id).json(&invitation).send().await,
            tenant.configure(&json!({ "email_reply_to": email })).await,
        ];
        for answer in answers {
            let fault = &answer.problem(422, "validation_failed").body["errors"][0];
            assert_eq!(fault["code"], "format", "{email}: {fault}");
        }
    }
}

/// Spellings of one address, the last of which is the one that is shown.
fn spellings() -> [String; 5] {
    let name = unique("jos");
    [
        format!("{name}e\u{301}@mu\u{308}nchen.example"),
        format!("{name}\u{e9}@xn--mnchen-3ya.example"),
        format!("{}\u{c9}@M\u{dc}NCHEN.example", name.to_uppercase()),
        format!("{name}\u{e9}@m\u{fc}nchen\u{3002}\u{ff45}xample"),
        format!("{name}\u{e9}@m\u{fc}nchen.example"),
    ]
}

async fn a_mailbox_has_one_account(target: &'static Target) {
    for first in 0..5 {
        let all = spellings();
        let account = register(target, &all[first]).await.expect(201);
        assert_eq!(account.body["email"], all[4]);
        for spelling in &all {
            register(target, spelling).await.problem(409, "email_taken");
            log_in(target, spelling).await.expect(200);
        }
    }
    let other = spellings();
    register(target, &other[0]).await.expect(201);
    log_in(target, &other[4].replace('\u{e9}', "e")).await.problem(401, "invalid_credentials");
}

async fn an_invitation_fits_every_spelling(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let all = spellings();
    let token = tenant.invite(&tenant.owner, &all[1]).await;
    let again = json!({ "email": all[0], "role": "member" });
    let invite = tenant.owner.post("/v1/invitations").tenant(&tenant.id).json(&again);
    invite.send().await.problem(409, "already_invited");
    register(target, &all[2]).await.expect(201);
    let session = log_in(target, &all[3]).await.expect(200).text_at("/access_token");
    let guest = Actor { token: Some(session), ..Actor::anonymous(target) };
    guest.post("/v1/invitations/accept").json(&json!({ "token": token })).send().await.expect(200);
}

async fn who_registered_before_logs_in_as_before(target: &'static Target) {
    let short = unique("a");
    for before in [
        format!("{short}@xn--mnchen-3ya.example"),
        format!("{short}e\u{301}@example.com"),
        format!("{short}..b@example.com"),
        format!("{short}@host"),
    ] {
        let somebody = Actor::register(target, "before").await;
        let sql = format!("UPDATE users SET email = '{before}' WHERE id = '{}'", somebody.id);
        target.backdoor.sql(&sql).await;
        let session = log_in(target, &before.to_uppercase()).await.expect(200).text_at("/access_token");
        let same = Actor { token: Some(session), ..Actor::anonymous(target) };
        assert_eq!(same.get("/v1/me").send().await.expect(200).text_at("/id"), somebody.id);
    }
}

async fn nobody_takes_an_address_that_has_another_spelling(target: &'static Target) {
    let name = unique("k");
    let (before, now) = (format!("{name}@xn--mnchen-3ya.example"), format!("{name}@m\u{fc}nchen.example"));
    let somebody = Actor::register(target, "before").await;
    let sql = format!("UPDATE users SET email = '{before}' WHERE id = '{}'", somebody.id);
    target.backdoor.sql(&sql).await;
    for spelling in [&before, &now] {
        register(target, spelling).await.problem(409, "email_taken");
    }
    for spelling in [&before, &now] {
        log_in(target, spelling).await.expect(200);
    }
    // A forgotten password is reset by the address that the account has.
    let asked = Actor::anonymous(target).post("/v1/auth/password-reset").json(&json!({ "email": now }));
    asked.send().await.expect(204);
    let sql = format!("SELECT count(*) FROM password_resets WHERE email = '{before}'");
    assert_eq!(target.backdoor.count(&sql).await, 1);
}

async fn mail_is_sent_to_a_domain_in_ascii(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["task_assigned"], &["email"]).await;
    tenant.configure(&json!({ "email_reply_to": "desk@m\u{fc}nchen.example" })).await.expect(200);
    let local = unique("k");
    let sql =
        format!("UPDATE users SET email = '{local}@m\u{fc}nchen.example' WHERE id = '{}'", tenant.member.id);
    target.backdoor.sql(&sql).await;
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    let sent = format!("{local}@xn--mnchen-3ya.example");
    let arrived = async || target.mailbox.mails(&sent).into_iter().next().ok_or("no mail");
    let mail = target.until("an email", arrived).await;
    assert_eq!(mail.to, [sent]);
    assert_eq!(mail.reply_to.as_deref(), Some("desk@xn--mnchen-3ya.example"));
}

async fn mentions_are_found_in_every_script(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let task = tenant.task(&tenant.project("in_progress", None).await, "todo").await;
    let domain = format!("{}.example", unique("m"));
    let (li, bob, jose) = (&tenant.manager.id, &tenant.member.id, &tenant.viewer.id);
    for (id, local) in [(li, "li"), (bob, "bob"), (jose, "jos\u{e9}")] {
        target.backdoor.sql(&format!("UPDATE users SET email = '{local}@{domain}' WHERE id = '{id}'")).await;
    }
    let path = format!("/v1/tasks/{task}/comments");
    for (body, told) in [
        ("@bob@other.example".to_owned(), vec![]),
        (format!("@bob@{domain}.br"), vec![]),
        (format!("Ask @bob@{}.", domain.to_uppercase()), vec![bob]),
        ("\u{8bf7}@li\u{770b}\u{4e00}\u{4e0b}".to_owned(), vec![li]),
        ("@li\u{3055}\u{3093}\u{3001}@bob\u{b2d8}".to_owned(), vec![li, bob]),
        ("@jose\u{301}".to_owned(), vec![jose]),
        ("@JOS\u{c9}".to_owned(), vec![jose]),
        ("@jose".to_owned(), vec![]),
        ("\u{ff20}\u{ff4c}\u{ff49}".to_owned(), vec![li]),
    ] {
        let before = tenant.told().await;
        tenant.owner.post(&path).tenant(&tenant.id).json(&json!({ "body": body })).send().await.expect(201);
        let mut now: Vec<Value> = tenant.told().await.into_iter().map(|(id, _)| id.into()).collect();
        for (id, _) in before {
            now.remove(now.iter().position(|other| *other == id.as_str()).expect("what was told stays"));
        }
        let mut told: Vec<_> = told.into_iter().map(|id| json!(id)).collect();
        told.sort_by_key(Value::to_string);
        assert_eq!(now, told, "{body}");
    }
}

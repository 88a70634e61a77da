//! Emails, as they arrive at a mail server or at an email API: read by code that has nothing to do with the service's.

use bailiwick_core::limits;
use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, unique},
    receivers::{EMAIL_FROM, Mail, Trouble},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("emails":
    from_the_tenant_by_the_service,
    answers_go_where_the_tenant_says,
    all_of_unicode_arrives_as_it_was_written,
    what_looks_encoded_is_not_decoded,
    names_that_would_end_a_header_are_refused,
    texts_keep_their_lines_and_dots,
    an_invitation_has_the_token_that_accepts_it,
    a_stranger_is_sent_no_link_but_the_operators,
    a_repeated_one_can_be_known,
    a_refused_one_is_given_up_and_a_delayed_one_is_not,
);

async fn rename(actor: &Actor<'_>, name: &str) {
    actor.patch("/v1/me").json(&json!({ "name": name })).send().await.expect(200);
}

fn address() -> String {
    format!("{}@example.com", unique("guest"))
}

/// Sends the member an email about a task of this title, and returns it.
async fn write_about(tenant: &Tenant<'_>, title: &str) -> Mail {
    let target = tenant.owner.target;
    let before = target.mailbox.mails(&tenant.member.email).len();
    tenant.assign(&tenant.manager, title, &tenant.member).await;
    let newest = || {
        let mails = target.mailbox.mails(&tenant.member.email);
        mails.get(before).cloned().ok_or(mails)
    };
    target.until("an email", || async { newest() }).await
}

async fn by_email(target: &'static Target) -> Tenant<'static> {
    let tenant = Tenant::create(target).await;
    tenant.send_by(&["task_assigned", "mentioned"], &["email"]).await;
    tenant
}

async fn from_the_tenant_by_the_service(target: &'static Target) {
    let tenant = by_email(target).await;
    let mail = write_about(&tenant, "Sweep").await;
    assert_eq!(mail.from, ("A tenant".to_owned(), EMAIL_FROM.to_owned()));
    assert_eq!((mail.to, mail.reply_to), (vec![tenant.member.email.clone()], None));
    // What has nothing more to say says its subject again.
    assert_eq!(mail.subject, "manager assigned you \u{201c}Sweep\u{201d}");
    assert_eq!(mail.text.trim_end(), mail.subject);
}

async fn answers_go_where_the_tenant_says(target: &'static Target) {
    let tenant = by_email(target).await;
    let own = json!({ "email_sender_name": "Planning", "email_reply_to": "Desk@Example.com" });
    tenant.configure(&own).await.expect(200);
    let mail = write_about(&tenant, "Sweep").await;
    assert_eq!(mail.from, ("Planning".to_owned(), EMAIL_FROM.to_owned()));
    assert_eq!(mail.reply_to.as_deref(), Some("desk@example.com"));
    tenant.configure(&json!({ "email_sender_name": null, "email_reply_to": null })).await.expect(200);
    let mail = write_about(&tenant, "Dust").await;
    assert_eq!((mail.from.0.as_str(), mail.reply_to), ("A tenant", None));
}

async fn all_of_unicode_arrives_as_it_was_written(target: &'static Target) {
    let tenant = by_email(target).await;
    let names = [
        "B\u{e4}ckerei \u{1F950} & S\u{f6}hne",
        "\"Quoted\" <root@evil.example>, Other <x@evil.example>",
        "back\\slash; (comment)",
        "\u{645}\u{631}\u{62d}\u{628}\u{627}",
        "\u{6771}\u{4eac}\u{682a}\u{5f0f}\u{4f1a}\u{793e} \u{1F469}\u{200D}\u{1F4BB}",
        &"\u{fc}".repeat(100),
    ];
    for name in names {
        let ask = tenant.owner.patch("/v1/tenant").tenant(&tenant.id).json(&json!({ "name": name }));
        ask.send().await.expect(200);
        rename(&tenant.manager, name).await;
        let title = format!("{name} \u{2013} {name}").chars().take(200).collect::<String>();
        let mail = write_about(&tenant, &title).await;
        assert_eq!(mail.from, (name.to_owned(), EMAIL_FROM.to_owned()));
        assert_eq!(mail.to, [tenant.member.email.as_str()]);
        assert_eq!(mail.subject, format!("{name} assigned you \u{201c}{title}\u{201d}"));
        assert_eq!(mail.text.trim_end(), mail.subject);
    }
}

async fn what_looks_encoded_is_not_decoded(target: &'static Target) {
    let tenant = by_email(target).await;
    let title = "=?utf-8?q?=48idden=0A?= task";
    let mail = write_about(&tenant, title).await;
    assert_eq!(mail.subject, format!("manager assigned you \u{201c}{title}\u{201d}"));
    rename(&tenant.manager, "=?utf-8?q?=48idden=0A?=").await;
    let mail = write_about(&tenant, "Sweep").await;
    assert_eq!(mail.subject, "=?utf-8?q?=48idden=0A?= assigned you \u{201c}Sweep\u{201d}");
}

async fn names_that_would_end_a_header_are_refused(target: &'static Target) {
    let tenant = by_email(target).await;
    for end in ["\r\n", "\n", "\r", "\0", "\u{85}"] {
        let evil = format!("A{end}Bcc: spy@evil.example");
        let account = json!({ "email": address(), "name": evil, "password": PASSWORD });
        let me = json!({ "name": evil });
        let config = json!({ "email_sender_name": evil });
        let reply_to = json!({ "email_reply_to": format!("a{end}@example.com") });
        let task = json!({ "title": evil });
        let project = tenant.project("in_progress", None).await;
        let tasks = format!("/v1/projects/{project}/tasks");
        for (ask, body, pointer) in [
            (Actor::anonymous(target).post("/v1/auth/register"), &account, "/name"),
            (tenant.owner.patch("/v1/me"), &me, "/name"),
            (tenant.owner.patch("/v1/tenant"), &me, "/name"),
            (tenant.owner.patch("/v1/tenant/config"), &config, "/email_sender_name"),
            (tenant.owner.patch("/v1/tenant/config"), &reply_to, "/email_reply_to"),
            (tenant.owner.post("/v1/projects"), &me, "/name"),
            (tenant.owner.post(&tasks), &task, "/title"),
        ] {
            let refused = ask.tenant(&tenant.id).json(body).send().await.problem(422, "validation_failed");
            assert_eq!(refused.pointers(), [pointer], "{end:?}");
        }
    }
}

async fn texts_keep_their_lines_and_dots(target: &'static Target) {
    let tenant = by_email(target).await;
    let project = tenant.project("in_progress", None).await;
    let task = tenant.task(&project, "todo").await;
    let long = "\u{e9}".repeat(2000);
    let body = format!(
        "@{} look:\n.\n..\n. a dot\n\nFrom here = 3D\n\tTab \u{1F9ED}\n.\nQUIT\n{long}\nend",
        tenant.manager.id
    );
    let path = format!("/v1/tasks/{task}/comments");
    let ask = tenant.member.post(&path).tenant(&tenant.id).json(&json!({ "body": body }));
    ask.send().await.expect(201);
    let mail = target.mail_to(&tenant.manager.email).await;
    assert_eq!(mail.subject, "member mentioned you on \u{201c}A task\u{201d}");
    // As much as those are shown who are told of a text.
    let shown: String = body.chars().take(limits::EXCERPT - 1).chain(['\u{2026}']).collect();
    assert_eq!(mail.text.trim_end(), shown);
}

async fn an_invitation_has_the_token_that_accepts_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    rename(&tenant.manager, "Zo\u{eb} \u{1F9ED}").await;
    let guest = Actor::register(target, "guest").await;
    let shown = tenant.invite(&tenant.manager, &guest.email).await;
    let mail = target.mail_to(&guest.email).await;
    assert_eq!(mail.subject, "You are invited to \u{201c}A tenant\u{201d}");
    let invites = "Zo\u{eb} \u{1F9ED} invites you to \u{201c}A tenant\u{201d}, as member.";
    assert!(mail.text.starts_with(invites), "{mail:?}");
    let tokens: Vec<_> = mail.text.lines().filter(|line| *line == shown).collect();
    assert_eq!(tokens.len(), 1, "{mail:?}");
    let joined = guest.post("/v1/invitations/accept").json(&json!({ "token": tokens[0] })).send().await;
    assert_eq!(joined.expect(200).body["id"], tenant.id);
    // It is in the email, and nowhere else.
    let deliveries = tenant.owner.get("/v1/admin/deliveries").tenant(&tenant.id).send().await.expect(200);
    assert!(!deliveries.text.contains(&shown));
    let rows = target.backdoor.snapshot(&tenant.id).await;
    assert!(rows.iter().all(|row| !row.contains(&shown)));
}

async fn a_stranger_is_sent_no_link_but_the_operators(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    rename(&tenant.manager, "Your prize: https://evil.example/prize or win@evil.example").await;
    let name = json!({ "name": "www.evil.example: \u{202e}\u{3002}log in and get everything that you have ever wanted" });
    tenant.owner.patch("/v1/tenant").tenant(&tenant.id).json(&name).send().await.expect(200);
    tenant.configure(&json!({ "email_sender_name": "evil.example/login" })).await.expect(200);
    let guest = address();
    let token = tenant.invite(&tenant.manager, &guest).await;
    let mail = target.mail_to(&guest).await;
    assert_eq!(
        mail.subject,
        "You are invited to \u{201c}www evil example log in and get everyth\u{2026}\u{201d}"
    );
    assert_eq!(mail.from, ("evil example login".to_owned(), EMAIL_FROM.to_owned()));
    let text = mail.text.replace(&token, "");
    for part in ["evil.example", "@", "/", "\u{202e}"] {
        assert!(!text.contains(part), "{part:?}: {mail:?}");
    }
}

async fn a_repeated_one_can_be_known(target: &'static Target) {
    let tenant = by_email(target).await;
    target.mailbox.refuse(&tenant.member.email, Trouble::ForNow, 2);
    tenant.assign(&tenant.manager, "Sweep", &tenant.member).await;
    target.mail_to(&tenant.member.email).await;
    let sent = tenant.settled().await;
    assert_eq!((&sent[0]["state"], &sent[0]["attempts"]), (&json!("sent"), &json!(3)));
    let mails = target.mailbox.mails(&tenant.member.email);
    let taken: Vec<_> = mails.iter().map(|mail| mail.taken).collect();
    assert_eq!(taken, [false, false, true]);
    let id = sent[0]["id"].as_str().expect("an id");
    assert!(mails.iter().all(|mail| mail.id == mails[0].id && mail.id.contains(id)), "{mails:?}");
    // Another one has another id.
    assert_ne!(write_about(&tenant, "Dust").await.id, mails[0].id);
}

async fn a_refused_one_is_given_up_and_a_delayed_one_is_not(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (never, later) = (address(), address());
    target.mailbox.always_refuse(&never, Trouble::ForGood);
    target.mailbox.refuse(&later, Trouble::ForNow, 1);
    tenant.invite(&tenant.manager, &never).await;
    tenant.invite(&tenant.manager, &later).await;
    let what: Vec<_> = tenant
        .settled()
        .await
        .into_iter()
        .map(|delivery| {
            (delivery["address"].clone(), delivery["state"].clone(), delivery["attempts"].clone())
        })
        .collect();
    let expected = |address: &str, state: &str, attempts: i64| -> (Value, Value, Value) {
        (json!(address), json!(state), json!(attempts))
    };
    assert_eq!(what, [expected(&later, "sent", 2), expected(&never, "dead", 1)]);
}

//! Forgotten passwords: the mail that brings a token, and what the token does.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, unique},
    client::Answer,
    provided,
    receivers::{EMAIL_FROM, Mail, Trouble},
    targets::Target,
};
use futures::future::join_all;
use serde_json::json;

crate::cases!("resets":
    a_mail_brings_what_sets_another_password,
    nobody_is_told_whose_address_it_is,
    who_comes_by_the_provider_gets_no_password,
    who_came_with_a_moved_tenant_gets_their_first_password,
    a_mailbox_is_not_filled,
    a_later_mail_ends_the_token_of_an_earlier_one,
    a_later_one_goes_to_the_address_of_now_and_is_tried_as_often,
    of_many_who_use_a_token_at_once_one_sets_the_password,
    what_does_not_count,
    a_mail_that_is_delayed_is_sent_later,
    a_mail_whose_attempts_never_end_is_given_up,
    a_later_one_is_good_for_as_long_and_comes_as_seldom,
    who_came_with_a_moved_tenant_gets_in_as_others_do,
);

use crate::{PASSWORD_RESET_URL, apart::Apart};

/// Targets on which nobody registers but by invitation.
pub(crate) static BY_INVITATION: Apart = Apart::with(&[("REGISTRATION", "invited")]);

/// Targets on which nobody registers.
pub(crate) static CLOSED: Apart = Apart::with(&[("REGISTRATION", "closed")]);

const ANOTHER: &str = "another horse, same battery";

async fn ask(target: &'static Target, email: &str) -> Answer {
    let request = json!({ "email": email });
    Actor::anonymous(target).post("/v1/auth/password-reset").json(&request).send().await
}

async fn confirm(target: &'static Target, token: &str, password: &str) -> Answer {
    let reset = json!({ "token": token, "new_password": password });
    Actor::anonymous(target).post("/v1/auth/password-reset/confirm").json(&reset).send().await
}

async fn login(actor: &Actor<'static>, password: &str) -> Answer {
    let login = json!({ "email": actor.email, "password": password });
    Actor::anonymous(actor.target).post("/v1/auth/login").json(&login).send().await
}

/// The mails to an address that were taken, when there are so many.
async fn mails(target: &'static Target, email: &str, count: usize) -> Vec<Mail> {
    let taken = || {
        let mails: Vec<_> = target.mailbox.mails(email).into_iter().filter(|mail| mail.taken).collect();
        provided(mails, |mails| mails.len() >= count)
    };
    target.until(&format!("{count} mails to {email}"), || async { taken() }).await
}

/// The token of a mail, from the link that is a line of it.
fn token(mail: &Mail) -> String {
    let page = PASSWORD_RESET_URL.trim_end_matches("{token}");
    let token = mail.text.lines().find_map(|line| line.strip_prefix(page));
    token.unwrap_or_else(|| panic!("no token in {mail:?}")).to_owned()
}

/// As if a time of the account's reset had long passed.
async fn age(actor: &Actor<'_>, column: &str) {
    let sql = format!(
        "UPDATE password_resets SET {column} = '2026-01-01T00:00:00.000Z' WHERE user_id = '{}'",
        actor.id
    );
    actor.target.backdoor.sql(&sql).await;
}

async fn rows(actor: &Actor<'_>) -> i64 {
    let sql = format!("SELECT count(*) FROM password_resets WHERE user_id = '{}'", actor.id);
    actor.target.backdoor.count(&sql).await
}

async fn a_mail_brings_what_sets_another_password(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let actor = &tenant.member;
    let before = actor.get("/v1/me").send().await.expect(200);
    let answer = ask(target, &actor.email.to_uppercase()).await.expect(204);
    assert_eq!(answer.text, "");
    let mail = target.mail_to(&actor.email).await;
    assert_eq!(mail.from, ("Bailiwick".to_owned(), EMAIL_FROM.to_owned()));
    assert_eq!((mail.to.as_slice(), mail.reply_to.as_deref()), ([actor.email.clone()].as_slice(), None));
    assert_eq!(mail.subject, "Reset your password");
    assert!(!target.log.text().contains(&token(&mail)), "it is a secret");
    // So far nothing has changed.
    login(actor, PASSWORD).await.expect(200);

    let token = token(&mail);
    confirm(target, &token, ANOTHER).await.expect(204);
    login(actor, PASSWORD).await.problem(401, "invalid_credentials");
    let session = login(actor, ANOTHER).await.expect(200);
    // Whoever was logged in is no longer.
    actor.get("/v1/me").send().await.problem(401, "invalid_token");
    let actor = Actor { token: Some(session.text_at("/access_token")), ..actor.clone() };
    let after = actor.get("/v1/me").send().await.expect(200);
    assert_eq!(after.body["version"], before.body["version"].as_i64().map_or(json!(null), |n| json!(n + 1)));
    assert_ne!(after.body["updated_at"], before.body["updated_at"]);
    confirm(target, &token, PASSWORD).await.problem(403, "invalid_reset_token");
    assert_eq!(rows(&actor).await, 0);
    let path = "/v1/admin/activity?action=user.password_reset";
    let told = tenant.owner.get(path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(told.body["data"][0]["actor_id"], json!(actor.id));
    assert_eq!(told.body["data"].as_array().map(Vec::len), Some(1));
}

async fn nobody_is_told_whose_address_it_is(target: &'static Target) {
    let known = Actor::register(target, "known").await;
    let closed = Actor::register(target, "closed").await;
    let disable = format!("UPDATE users SET disabled_at = created_at WHERE id = '{}'", closed.id);
    target.backdoor.sql(&disable).await;
    let unknown = format!("{}@example.com", unique("unknown"));
    let mut answers = Vec::new();
    for email in [&known.email, &closed.email, &unknown] {
        let answer = ask(target, email).await.expect(204);
        let names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        answers.push((answer.text, names));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    target.mail_to(&known.email).await;
    // What was asked for before has been sent; there is nothing else.
    assert_eq!((rows(&known).await, rows(&closed).await), (1, 0));
    assert!(target.mailbox.mails(&closed.email).is_empty() && target.mailbox.mails(&unknown).is_empty());
}

async fn without_password(actor: &Actor<'_>) {
    let sql = format!("UPDATE users SET password_hash = '' WHERE id = '{}'", actor.id);
    actor.target.backdoor.sql(&sql).await;
}

async fn who_comes_by_the_provider_gets_no_password(target: &'static Target) {
    let actor = Actor::register(target, "external").await;
    actor.identity().await;
    // Who has one as well may have another.
    ask(target, &actor.email).await.expect(204);
    assert_eq!(rows(&actor).await, 1);
    let actor = Actor::register(target, "external").await;
    actor.identity().await;
    without_password(&actor).await;
    ask(target, &actor.email).await.expect(204);
    assert_eq!(rows(&actor).await, 0);
}

async fn who_came_with_a_moved_tenant_gets_their_first_password(target: &'static Target) {
    let actor = Actor::register(target, "moved").await;
    without_password(&actor).await;
    login(&actor, PASSWORD).await.problem(401, "invalid_credentials");
    ask(target, &actor.email).await.expect(204);
    let token = token(&target.mail_to(&actor.email).await);
    confirm(target, &token, ANOTHER).await.expect(204);
    login(&actor, ANOTHER).await.expect(200);
}

async fn a_mailbox_is_not_filled(target: &'static Target) {
    let actor = Actor::register(target, "bothered").await;
    for _ in 0..5 {
        ask(target, &actor.email).await.expect(204);
    }
    let first = token(&target.mail_to(&actor.email).await);
    ask(target, &actor.email).await.expect(204);
    // Once more, and it could be seen: another one is sent by then.
    let other = Actor::register(target, "other").await;
    ask(target, &other.email).await.expect(204);
    target.mail_to(&other.email).await;
    assert_eq!(target.mailbox.mails(&actor.email).len(), 1);
    // The one that was sent is good all the while.
    confirm(target, &first, ANOTHER).await.expect(204);
}

async fn a_later_mail_ends_the_token_of_an_earlier_one(target: &'static Target) {
    let actor = Actor::register(target, "forgetful").await;
    ask(target, &actor.email).await.expect(204);
    mails(target, &actor.email, 1).await;
    age(&actor, "created_at").await;
    ask(target, &actor.email).await.expect(204);
    let mails = mails(target, &actor.email, 2).await;
    let [first, second] = [token(&mails[0]), token(&mails[1])];
    assert_ne!((&first, &mails[0].id), (&second, &mails[1].id));
    confirm(target, &first, ANOTHER).await.problem(403, "invalid_reset_token");
    confirm(target, &second, ANOTHER).await.expect(204);
    // Used up, it is in nobody's way.
    ask(target, &actor.email).await.expect(204);
    self::mails(target, &actor.email, 3).await;
}

async fn a_later_one_goes_to_the_address_of_now_and_is_tried_as_often(target: &'static Target) {
    let actor = Actor::register(target, "moving").await;
    ask(target, &actor.email).await.expect(204);
    mails(target, &actor.email, 1).await;
    // The first was tried as often as it is tried at all, and the account has another address now.
    age(&actor, "created_at").await;
    let now = format!("now-{}", actor.email);
    for sql in [
        format!("UPDATE password_resets SET attempts = 3 WHERE user_id = '{}'", actor.id),
        format!("UPDATE users SET email = '{now}' WHERE id = '{}'", actor.id),
    ] {
        target.backdoor.sql(&sql).await;
    }
    target.mailbox.refuse(&now, Trouble::ForNow, 1);
    ask(target, &actor.email).await.expect(204);
    ask(target, &now).await.expect(204);
    let token = token(&target.mail_to(&now).await);
    confirm(target, &token, ANOTHER).await.expect(204);
    assert_eq!(target.mailbox.mails(&actor.email).len(), 1);
    login(&Actor { email: now, ..actor }, ANOTHER).await.expect(200);
}

async fn of_many_who_use_a_token_at_once_one_sets_the_password(target: &'static Target) {
    let actor = Actor::register(target, "contested").await;
    let token = actor.reset().await;
    let passwords: Vec<_> = (0..6).map(|number| format!("{ANOTHER} {number}")).collect();
    let answers = join_all(passwords.iter().map(|password| confirm(target, &token, password))).await;
    let mut winner = None;
    for (answer, password) in answers.into_iter().zip(&passwords) {
        if answer.status == 204 {
            assert_eq!(winner.replace(password), None, "one and no other");
        } else {
            answer.problem(403, "invalid_reset_token");
        }
    }
    login(&actor, winner.expect("one")).await.expect(200);
}

async fn what_does_not_count(target: &'static Target) {
    let actor = Actor::register(target, "careful").await;
    let token = actor.reset().await;
    for bad in ["", "x", &token[1..], &format!("{token}A"), &token.replace(|_| true, "?")] {
        let refused = confirm(target, bad, ANOTHER).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/token"]);
    }
    let refused = confirm(target, &token, "short").await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/new_password"]);
    // Nobody's, and this one with another secret.
    for made_up in ["A".repeat(64), format!("{}{}", &token[..40], "A".repeat(24))] {
        confirm(target, &made_up, ANOTHER).await.problem(403, "invalid_reset_token");
    }
    // Other kinds of token are none of this one.
    let session = login(&actor, PASSWORD).await.expect(200);
    let other = &session.text_at("/refresh_token")[..64];
    confirm(target, other, ANOTHER).await.problem(403, "invalid_reset_token");
    for (setting, back) in [
        ("disabled_at = created_at", "disabled_at = NULL"),
        ("email = 'x' || email", "email = substr(email, 2)"),
    ] {
        for (set, expected) in [(setting, 403), (back, 200)] {
            target.backdoor.sql(&format!("UPDATE users SET {set} WHERE id = '{}'", actor.id)).await;
            if expected == 403 {
                confirm(target, &token, ANOTHER).await.problem(403, "invalid_reset_token");
            }
        }
    }
    age(&actor, "expires_at").await;
    confirm(target, &token, ANOTHER).await.problem(403, "invalid_reset_token");
    login(&actor, PASSWORD).await.expect(200);
}

async fn a_mail_that_is_delayed_is_sent_later(target: &'static Target) {
    let actor = Actor::register(target, "delayed").await;
    target.mailbox.refuse(&actor.email, Trouble::ForNow, 2);
    ask(target, &actor.email).await.expect(204);
    let mail = target.mail_to(&actor.email).await;
    let attempts = target.mailbox.mails(&actor.email);
    assert_eq!(attempts.iter().filter(|attempt| !attempt.taken).count(), 2);
    assert!(attempts.iter().all(|attempt| attempt.id == mail.id), "a repetition can be known: {attempts:?}");
    confirm(target, &token(&mail), ANOTHER).await.expect(204);

    let lost = Actor::register(target, "lost").await;
    target.mailbox.always_refuse(&lost.email, Trouble::ForGood);
    ask(target, &lost.email).await.expect(204);
    let settled = format!(
        "SELECT count(*) FROM password_resets WHERE user_id = '{}' AND next_attempt_at IS NULL AND attempts = 1",
        lost.id
    );
    target
        .until("it is given up", || async {
            provided(target.backdoor.count(&settled).await, |count| *count == 1)
        })
        .await;
}

/// As they are if whoever makes them dies each time. So many are chance, beyond the three that all have.
async fn a_mail_whose_attempts_never_end_is_given_up(target: &'static Target) {
    let actor = Actor::register(target, "unsettled").await;
    ask(target, &actor.email).await.expect(204);
    mails(target, &actor.email, 1).await;
    for (begun, sent) in [(22, 2), (23, 2)] {
        let ended = async |attempts: i32| {
            let ended = format!(
                "SELECT count(*) FROM password_resets WHERE user_id = '{}' AND next_attempt_at IS NULL AND attempts >= {attempts}",
                actor.id
            );
            let look = async || provided(target.backdoor.count(&ended).await, |ended| *ended == 1);
            target.until("it is over", look).await;
        };
        ended(1).await;
        let unsettled = format!(
            "UPDATE password_resets SET attempts = {begun}, next_attempt_at = '2026-01-01T00:00:00.000Z' \
             WHERE user_id = '{}'",
            actor.id
        );
        target.backdoor.sql(&unsettled).await;
        ended(begun + 1).await;
        assert_eq!(target.mailbox.mails(&actor.email).len(), sent, "after {begun}");
    }
}

async fn a_later_one_is_good_for_as_long_and_comes_as_seldom(target: &'static Target) {
    let actor = Actor::register(target, "again").await;
    let asked = async || {
        ask(target, &actor.email).await.expect(204);
        let sql = format!("SELECT id, expires_at FROM password_resets WHERE user_id = '{}'", actor.id);
        let row = target.backdoor.sql(&sql).await.remove(0);
        let [id, expires_at] =
            <[_; 2]>::try_from(row).expect("two columns").map(|cell| cell.expect("a value"));
        (id, expires_at)
    };
    let first = asked().await;
    // It was good for a shorter time than it takes until there is another one.
    age(&actor, "expires_at").await;
    let second = asked().await;
    assert!(second.0 != first.0 && second.1 >= first.1, "{first:?} {second:?}");
    age(&actor, "created_at").await;
    let third = asked().await;
    assert_ne!(third.0, second.0);
    assert_eq!(asked().await, third);
}

/// What brings them in must be one's own, of the tenant, and open still.
async fn who_came_with_a_moved_tenant_gets_in_as_others_do(target: &'static Target) {
    const NOW: &str = "2026-01-01T00:00:00.000Z";
    const LATER: &str = "2100-01-01T00:00:00.000Z";
    let (by_invitation, closed) = (BY_INVITATION.like(target).await, CLOSED.like(target).await);
    for (membership, invitation, gets_in) in [
        (None, "", [false, false]),
        (None, "open", [false, false]),
        (Some("active"), "", [true, true]),
        (Some("suspended"), "", [false, false]),
        (Some("suspended"), "open", [true, false]),
        (Some("suspended"), "accepted", [false, false]),
        (Some("suspended"), "revoked", [false, false]),
        (Some("suspended"), "expired", [false, false]),
        (Some("suspended"), "another's", [false, false]),
    ] {
        for (target, gets_in) in [by_invitation, closed].into_iter().zip(gets_in) {
            let sql = async |sql: String| target.backdoor.sql(&sql).await;
            let email = format!("{}@example.com", unique("moved"));
            let actor = Actor { id: new_id(), email, ..Actor::anonymous(target) };
            let tenant = "(SELECT id FROM tenants WHERE slug = 'default')";
            sql(format!(
                "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
                 VALUES ('{}', '{}', 'Moved', '', '{NOW}', '{NOW}', 1)",
                actor.id, actor.email
            ))
            .await;
            if let Some(status) = membership {
                sql(format!(
                    "INSERT INTO memberships (tenant_id, id, user_id, role, status, created_at, updated_at, version) \
                     VALUES ({tenant}, '{}', '{}', 'member', '{status}', '{NOW}', '{NOW}', 1)",
                    new_id(),
                    actor.id
                ))
                .await;
            }
            let past = |state: &str| if invitation == state { format!("'{NOW}'") } else { "NULL".to_owned() };
            let (accepted, revoked) = (past("accepted"), past("revoked"));
            let expires = if invitation == "expired" { NOW } else { LATER };
            let whose = if invitation == "another's" { "x" } else { "" };
            if !invitation.is_empty() {
                sql(format!(
                    "INSERT INTO invitations (tenant_id, id, email, role, token_hash, invited_by, expires_at, accepted_at, \
                     revoked_at, created_at) VALUES ({tenant}, '{}', '{whose}{}', 'member', 'none', '{}', '{expires}', \
                     {accepted}, {revoked}, '{NOW}')",
                    new_id(),
                    actor.email,
                    actor.id
                ))
                .await;
            }
            ask(target, &actor.email).await.expect(204);
            assert_eq!(rows(&actor).await, i64::from(gets_in), "{membership:?}, {invitation}");
        }
    }
}

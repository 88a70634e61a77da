//! Sessions: what a login brings, how it is renewed, and how it ends at once.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, session_of},
    client::Answer,
    targets::Target,
};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::apart::STRICT;

crate::cases!("sessions":
    tokens_are_renewed,
    what_is_renewed_is_good_from_then_on,
    a_refresh_token_that_is_used_again_ends_the_session,
    a_moment_later_it_brings_the_same_tokens_again,
    an_older_one_ends_the_session_at_any_time,
    the_moment_is_as_long_as_the_operator_says,
    in_that_moment_what_ends_a_session_ends_it,
    many_who_refresh_at_once_go_on_with_one_session,
    refresh_tokens_that_are_none,
    an_expired_session_is_not_renewed,
    logging_out_counts_at_once,
    they_are_listed_and_ended,
    those_that_have_ended_are_not_listed,
    those_of_others_are_nobodys_business,
    a_new_password_ends_the_others,
    a_disabled_users_are_not_renewed,
    no_token_is_kept,
);

async fn refresh(target: &'static Target, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    Actor::anonymous(target).post("/v1/auth/refresh").json(&body).send().await
}

async fn me(target: &'static Target, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    Actor::anonymous(target).get("/v1/me").header("authorization", &bearer).send().await
}

/// Has it been so long since the session of these tokens was renewed: since this point in time.
async fn renewed_at(target: &'static Target, tokens: &Answer, at: &str) {
    let id = session_of(&tokens.text_at("/access_token"));
    let sql = format!("UPDATE sessions SET refreshed_at = '{at}' WHERE id = '{id}'");
    target.backdoor.sql(&sql).await;
}

async fn tokens_are_renewed(target: &'static Target) {
    let actor = Actor::register(target, "renewed").await;
    let first = actor.session().await;
    assert_eq!(first.body["refresh_expires_in"], 30 * 24 * 60 * 60);
    let second = refresh(target, &first.text_at("/refresh_token")).await.expect(200);
    assert_eq!((&second.body["token_type"], &second.body["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_ne!(first.text_at("/refresh_token"), second.text_at("/refresh_token"));
    // It is the same session, and the access token that it had before is good as long as it is.
    let (old, new) = (first.text_at("/access_token"), second.text_at("/access_token"));
    assert_eq!(session_of(&old), session_of(&new));
    for token in [&old, &new] {
        assert_eq!(me(target, token).await.expect(200).body["id"], actor.id);
    }
    refresh(target, &second.text_at("/refresh_token")).await.expect(200);
}

async fn what_is_renewed_is_good_from_then_on(target: &'static Target) {
    const BEFORE: &str = "2026-01-01T00:00:00.000Z";
    const AFTER: &str = "2100-01-01T00:00:00.000Z";
    let actor = Actor::register(target, "renewed").await;
    let tokens = actor.session().await;
    let session = session_of(&tokens.text_at("/access_token"));
    let times = format!(
        "UPDATE sessions SET refreshed_at = '{BEFORE}', expires_at = '{AFTER}' WHERE id = '{session}'"
    );
    target.backdoor.sql(&times).await;
    refresh(target, &tokens.text_at("/refresh_token")).await.expect(200);
    let listed = actor.get("/v1/me/sessions").send().await.expect(200);
    let renewed = listed.body["data"].as_array().expect("a list").iter().find(|one| one["id"] == *session);
    let time = |name: &str| renewed.and_then(|one| one[name].as_str()).expect("a time").to_owned();
    assert!(*BEFORE < *time("refreshed_at") && *time("expires_at") < *AFTER, "{renewed:?}");
}

async fn a_refresh_token_that_is_used_again_ends_the_session(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let first = tenant.owner.session().await;
    let second = refresh(target, &first.text_at("/refresh_token")).await.expect(200);
    renewed_at(target, &second, "2026-01-01T00:00:00.000Z").await;
    let stolen = refresh(target, &first.text_at("/refresh_token")).await;
    stolen.problem(401, "invalid_refresh_token");
    // Neither who took it nor who had it goes on.
    refresh(target, &second.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
    for session in [&first, &second] {
        let token = session.text_at("/access_token");
        me(target, &token).await.problem(401, "invalid_token");
        let read = Actor::anonymous(target).get("/v1/tenant").tenant(&tenant.id);
        let read = read.header("authorization", &format!("Bearer {token}")).send().await;
        read.problem(401, "invalid_token");
    }
    // Their other sessions do.
    tenant.owner.get("/v1/tenant").tenant(&tenant.id).send().await.expect(200);
}

/// A second tab, or somebody who never got the answer.
async fn a_moment_later_it_brings_the_same_tokens_again(target: &'static Target) {
    let actor = Actor::register(target, "twice").await;
    let first = actor.session().await;
    let token = |answer: &Answer| answer.text_at("/refresh_token");
    let second = refresh(target, &token(&first)).await.expect(200);
    let again = refresh(target, &token(&first)).await.expect(200);
    assert_eq!((token(&second), &again.body["expires_in"]), (token(&again), &json!(900)));
    for tokens in [&first, &second, &again] {
        me(target, &tokens.text_at("/access_token")).await.expect(200);
    }
    // Each of the two goes on from there, and neither is in the other's way.
    let third = refresh(target, &token(&second)).await.expect(200);
    let third_again = refresh(target, &token(&again)).await.expect(200);
    assert_eq!(token(&third), token(&third_again));
    let fourth = refresh(target, &token(&third_again)).await.expect(200);
    let ids = [&first, &second, &again, &third, &fourth].map(|one| session_of(&one.text_at("/access_token")));
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let distinct = [&first, &second, &third, &fourth].map(token);
    assert!((0..4).all(|at| !distinct[..at].contains(&distinct[at])));
}

async fn an_older_one_ends_the_session_at_any_time(target: &'static Target) {
    let actor = Actor::register(target, "older").await;
    let first = actor.session().await.text_at("/refresh_token");
    let second = refresh(target, &first).await.expect(200);
    let third = refresh(target, &second.text_at("/refresh_token")).await.expect(200);
    // It is not the last that was used.
    refresh(target, &first).await.problem(401, "invalid_refresh_token");
    for tokens in [&second, &third] {
        refresh(target, &tokens.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
        me(target, &tokens.text_at("/access_token")).await.problem(401, "invalid_token");
    }
}

async fn the_moment_is_as_long_as_the_operator_says(target: &'static Target) {
    let actor = Actor::register(target, "moment").await;
    let ended = async |target: &'static Target, first: &Answer, second: &Answer| {
        refresh(target, &first.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
        refresh(target, &second.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
        me(target, &second.text_at("/access_token")).await.problem(401, "invalid_token");
    };
    // The clock may have been set back since: then it is as far off.
    for at in ["2026-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"] {
        let first = actor.session().await;
        let second = refresh(target, &first.text_at("/refresh_token")).await.expect(200);
        renewed_at(target, &second, at).await;
        ended(target, &first, &second).await;
    }
    let strict = STRICT.like(target).await;
    let first = Actor::register(strict, "moment").await.session().await;
    let second = refresh(strict, &first.text_at("/refresh_token")).await.expect(200);
    ended(strict, &first, &second).await;
}

async fn in_that_moment_what_ends_a_session_ends_it(target: &'static Target) {
    let actor = Actor::register(target, "ending").await;
    let renewed = async || {
        let first = actor.session().await;
        let second = refresh(target, &first.text_at("/refresh_token")).await.expect(200);
        let id = session_of(&second.text_at("/access_token"));
        (first.text_at("/refresh_token"), second.text_at("/refresh_token"), id)
    };
    let refused = async |token: &str| {
        refresh(target, token).await.problem(401, "invalid_refresh_token");
    };
    let (before, present, id) = renewed().await;
    actor.delete(&format!("/v1/me/sessions/{id}")).send().await.expect(204);
    refused(&before).await;
    refused(&present).await;

    let (before, present, id) = renewed().await;
    target.backdoor.sql(&format!("UPDATE sessions SET expires_at = created_at WHERE id = '{id}'")).await;
    refused(&before).await;
    refused(&present).await;

    // Who may not go on while an account is closed has not used anything again.
    let (before, present, _) = renewed().await;
    let disable = |when: &str| format!("UPDATE users SET disabled_at = {when} WHERE id = '{}'", actor.id);
    target.backdoor.sql(&disable("created_at")).await;
    refused(&before).await;
    target.backdoor.sql(&disable("NULL")).await;
    let again = refresh(target, &before).await.expect(200);
    assert_eq!(again.text_at("/refresh_token"), present);

    let change = json!({ "current_password": PASSWORD, "new_password": "another password" });
    let (before, present, _) = renewed().await;
    actor.post("/v1/me/password").json(&change).send().await.expect(204);
    refused(&before).await;
    refused(&present).await;
}

async fn many_who_refresh_at_once_go_on_with_one_session(target: &'static Target) {
    let actor = Actor::register(target, "hasty").await;
    let first = actor.session().await;
    let token = first.text_at("/refresh_token");
    let answers = join_all((0..12).map(|_| refresh(target, &token))).await;
    let tokens: Vec<_> = answers.into_iter().map(|answer| answer.expect(200)).collect();
    let id = session_of(&first.text_at("/access_token"));
    for one in &tokens {
        assert_eq!(one.text_at("/refresh_token"), tokens[0].text_at("/refresh_token"));
        assert_eq!(session_of(&one.text_at("/access_token")), id);
        me(target, &one.text_at("/access_token")).await.expect(200);
    }
    let good = format!("SELECT count(*) FROM sessions WHERE user_id = '{}' AND revoked_at IS NULL", actor.id);
    assert_eq!(target.backdoor.count(&good).await, 2);
    refresh(target, &tokens[0].text_at("/refresh_token")).await.expect(200);
}

async fn refresh_tokens_that_are_none(target: &'static Target) {
    let actor = Actor::register(target, "forger").await;
    let session = actor.session().await;
    for bad in ["", "x", &session.text_at("/access_token"), &"A".repeat(85)] {
        let refused = refresh(target, bad).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/refresh_token"]);
    }
    let good = session.text_at("/refresh_token");
    let forged = format!("{}{}", &good[..60], "A".repeat(26));
    for made_up in [forged, "A".repeat(86)] {
        refresh(target, &made_up).await.problem(401, "invalid_refresh_token");
    }
    // Who makes one up ends nobody's session.
    refresh(target, &good).await.expect(200);
}

async fn an_expired_session_is_not_renewed(target: &'static Target) {
    let actor = Actor::register(target, "late").await;
    let session = actor.session().await;
    let id = session_of(&session.text_at("/access_token"));
    let expire = format!("UPDATE sessions SET expires_at = created_at WHERE id = '{id}'");
    target.backdoor.sql(&expire).await;
    refresh(target, &session.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
    // The next login clears it away.
    actor.login().await;
    let left = format!("SELECT count(*) FROM sessions WHERE id = '{id}'");
    assert_eq!(target.backdoor.count(&left).await, 0);
}

async fn logging_out_counts_at_once(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let session = tenant.owner.session().await;
    let token = format!("Bearer {}", session.text_at("/access_token"));
    let ask = |ask: bailiwick_tests::client::Ask| ask.header("authorization", &token).send();
    let nobody = Actor::anonymous(target);
    ask(nobody.get("/v1/projects").tenant(&tenant.id)).await.expect(200);
    ask(nobody.post("/v1/auth/logout")).await.expect(204);
    let before = target.backdoor.snapshot(&tenant.id).await;
    let new = json!({ "name": "P" });
    ask(nobody.get("/v1/projects").tenant(&tenant.id)).await.problem(401, "invalid_token");
    ask(nobody.post("/v1/projects").tenant(&tenant.id).json(&new)).await.problem(401, "invalid_token");
    ask(nobody.get("/v1/tenants")).await.problem(401, "invalid_token");
    ask(nobody.post("/v1/auth/logout")).await.problem(401, "invalid_token");
    // In a tenant that they are not in, too: the session comes first.
    ask(nobody.get("/v1/projects").tenant(&new_id())).await.problem(401, "invalid_token");
    refresh(target, &session.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
    assert_eq!(target.backdoor.snapshot(&tenant.id).await, before);
}

async fn they_are_listed_and_ended(target: &'static Target) {
    let actor = Actor::register(target, "many").await;
    let other = actor.session().await;
    let listed = actor.get("/v1/me/sessions").send().await.expect(200);
    let data = listed.body["data"].as_array().expect("a list");
    let current: Vec<_> = data.iter().map(|session| session["current"].as_bool()).collect();
    assert_eq!(current, [Some(false), Some(true)]);
    assert_eq!(listed.text_at("/data/0/id"), session_of(&other.text_at("/access_token")));
    let page = actor.get("/v1/me/sessions?limit=1").send().await.expect(200);
    let rest = format!("/v1/me/sessions?limit=1&cursor={}", page.text_at("/next_cursor"));
    assert_eq!(actor.get(&rest).send().await.expect(200).text_at("/data/0/id"), listed.text_at("/data/1/id"));

    let path = format!("/v1/me/sessions/{}", listed.text_at("/data/0/id"));
    actor.delete(&path).send().await.expect(204);
    actor.delete(&path).send().await.problem(404, "not_found");
    me(target, &other.text_at("/access_token")).await.problem(401, "invalid_token");
    actor.get("/v1/me").send().await.expect(200);

    let another = actor.login().await;
    actor.delete("/v1/me/sessions").send().await.expect(204);
    me(target, &another).await.problem(401, "invalid_token");
    actor.get("/v1/me").send().await.problem(401, "invalid_token");
    me(target, &actor.login().await).await.expect(200);
}

async fn those_that_have_ended_are_not_listed(target: &'static Target) {
    let actor = Actor::register(target, "ended").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(actor.new_session().await);
    }
    let [expired, revoked, good] = &*others else { panic!("there are three") };
    // By nobody's login, which would clear them away.
    let expire = format!("UPDATE sessions SET expires_at = created_at WHERE id = '{expired}'");
    target.backdoor.sql(&expire).await;
    actor.delete(&format!("/v1/me/sessions/{revoked}")).send().await.expect(204);
    let own = session_of(actor.token.as_deref().expect("a token"));
    for query in ["", "?limit=2"] {
        let listed = actor.get(&format!("/v1/me/sessions{query}")).send().await.expect(200);
        let data = listed.body["data"].as_array().expect("a list");
        let ids: Vec<_> = data.iter().map(|session| session["id"].as_str()).collect();
        assert_eq!(ids, [Some(&**good), Some(&*own)]);
        assert_eq!(listed.body["next_cursor"], Value::Null);
    }
}

async fn those_of_others_are_nobodys_business(target: &'static Target) {
    let (mine, other) = tokio::join!(Actor::register(target, "mine"), Actor::register(target, "other"));
    let theirs = other.new_session().await;
    mine.delete(&format!("/v1/me/sessions/{theirs}")).send().await.problem(404, "not_found");
    mine.delete(&format!("/v1/me/sessions/{}", new_id())).send().await.problem(404, "not_found");
    let page = other.get("/v1/me/sessions?limit=1").send().await.expect(200);
    let path = format!("/v1/me/sessions?limit=1&cursor={}", page.text_at("/next_cursor"));
    mine.get(&path).send().await.problem(400, "invalid_cursor");
    mine.delete("/v1/me/sessions").send().await.expect(204);
    let listed = other.get("/v1/me/sessions").send().await.expect(200);
    assert_eq!(listed.body["data"].as_array().map(Vec::len), Some(2));
}

async fn a_new_password_ends_the_others(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let actor = &tenant.member;
    let other = actor.login().await;
    let change = |current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        actor.post("/v1/me/password").json(&body).send()
    };
    let refused = change("not the password", "another password").await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/current_password"]);
    let refused = change(PASSWORD, "short").await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/new_password"]);
    me(target, &other).await.expect(200);

    let before = actor.get("/v1/me").send().await.expect(200).body;
    change(PASSWORD, "another password").await.expect(204);
    me(target, &other).await.problem(401, "invalid_token");
    let after = actor.get("/v1/me").send().await.expect(200).body;
    assert_eq!(after["version"].as_i64(), before["version"].as_i64().map(|version| version + 1));
    assert_ne!(after["updated_at"], before["updated_at"]);
    let login = |password: &str| {
        let credentials = json!({ "email": actor.email, "password": password });
        Actor::anonymous(target).post("/v1/auth/login").json(&credentials).send()
    };
    login(PASSWORD).await.problem(401, "invalid_credentials");
    login("another password").await.expect(200);
    // Of two who change it at once, one does.
    let (one, two) = tokio::join!(
        change("another password", "third password"),
        change("another password", "fourth password")
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses == [204, 409] || statuses == [204, 422], "{one:?} {two:?}");
    let entries =
        tenant.owner.get("/v1/admin/activity?action=user.password_changed").tenant(&tenant.id).send().await;
    assert_eq!(entries.body["data"].as_array().map(Vec::len), Some(2));
    assert!(entries.body["data"][0]["detail"] == json!({}) && !entries.text.contains("password\":\""));
}

async fn a_disabled_users_are_not_renewed(target: &'static Target) {
    let actor = Actor::register(target, "disabled").await;
    let session = actor.session().await;
    let disable = |when: &str| format!("UPDATE users SET disabled_at = {when} WHERE id = '{}'", actor.id);
    target.backdoor.sql(&disable("created_at")).await;
    me(target, &session.text_at("/access_token")).await.problem(401, "invalid_token");
    refresh(target, &session.text_at("/refresh_token")).await.problem(401, "invalid_refresh_token");
    target.backdoor.sql(&disable("NULL")).await;
    actor.get("/v1/me").send().await.expect(200);
    // Their token was not used up by that, nor was it taken for a stolen one.
    refresh(target, &session.text_at("/refresh_token")).await.expect(200);
}

async fn no_token_is_kept(target: &'static Target) {
    let actor = Actor::register(target, "secret").await;
    let session = actor.session().await;
    let rows = target.backdoor.sql(&format!("SELECT * FROM sessions WHERE user_id = '{}'", actor.id)).await;
    assert_eq!(rows.len(), 2);
    let kept = format!("{rows:?}");
    for pointer in ["/access_token", "/refresh_token"] {
        assert!(!kept.contains(&session.text_at(pointer)[60..]), "{pointer} is kept");
    }
    let listed = actor.get("/v1/me/sessions").send().await.expect(200);
    assert!(listed.body["data"][0].get("refresh_hash").is_none_or(Value::is_null));
}

//! Sessions: what a login brings, how it is renewed, and how it ends at once.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, session_of},
    client::Answer,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("sessions":
    tokens_are_renewed,
    a_refresh_token_that_is_used_again_ends_the_session,
    of_many_who_refresh_at_once_one_does,
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

async fn a_refresh_token_that_is_used_again_ends_the_session(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let first = tenant.owner.session().await;
    let second = refresh(target, &first.text_at("/refresh_token")).await.expect(200);
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

async fn of_many_who_refresh_at_once_one_does(target: &'static Target) {
    let actor = Actor::register(target, "hasty").await;
    let token = actor.session().await.text_at("/refresh_token");
    let (one, two, three) =
        tokio::join!(refresh(target, &token), refresh(target, &token), refresh(target, &token));
    let mut statuses = [one.status, two.status, three.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401], "{one:?} {two:?} {three:?}");
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

    change(PASSWORD, "another password").await.expect(204);
    me(target, &other).await.problem(401, "invalid_token");
    actor.get("/v1/me").send().await.expect(200);
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

//! What is brought in is hearsay: nothing relies on it before those whom it is about have shown themselves, and nothing of
//! it tells who is known here.

mod file;

use bailiwick::verify::samples::{import_head, import_rows, import_totals};
use bailiwick_core::transfer::Digest;
use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, unique},
    provided,
    provider::{Person, Provider},
    targets::Target,
};
use serde_json::{Value, json};

use self::file::{File, THEN, membership, person};

crate::cases!("hearsay":
    who_comes_by_the_provider_gets_an_account_of_their_own,
    who_registers_gets_an_account_of_their_own,
    a_strangers_import_spoils_nobody_elses,
    no_answer_tells_whether_an_address_has_an_account,
    the_operators_imports_are_no_accounts,
    addresses_that_no_mail_reaches_are_refused,
    who_registers_gets_no_account_that_the_operator_made,
    what_is_kept_of_an_import_does_not_grow_with_its_people,
    a_tenant_that_is_deleted_takes_nobodys_import_along,
    who_cannot_log_in_is_neither_owner_nor_approver,
    rows_that_collide_are_refused_as_they_arrive,
    whoever_a_file_names_is_not_known_by_it,
);

async fn members(actor: &Actor<'_>, tenant: &str) -> Vec<Value> {
    let list = actor.get("/v1/members?limit=100").tenant(tenant).send().await.expect(200);
    list.body["data"].as_array().expect("a list").clone()
}

/// The one member with this address.
async fn member(actor: &Actor<'_>, tenant: &str, email: &str) -> Value {
    let mut found = members(actor, tenant).await;
    found.retain(|member| member["email"] == email);
    assert_eq!(found.len(), 1, "{email}: {found:?}");
    found.remove(0)
}

async fn invite(actor: &Actor<'_>, tenant: &str, email: &str) -> String {
    let new = json!({ "email": email, "role": "manager" });
    actor.post("/v1/invitations").tenant(tenant).json(&new).send().await.expect(201).text_at("/token")
}

/// That all that a file has of its first person is somebody's who has joined.
async fn is_theirs(actor: &Actor<'_>, tenant: &str, file: &File, email: &str, id: &str) {
    let old = file.first("projects")["created_by"].clone();
    let found = member(actor, tenant, email).await;
    assert_eq!(
        (&found["user_id"], &found["status"], &found["role"], &found["imported_at"], &found["imported_id"]),
        (&json!(id), &json!("active"), &json!("manager"), &Value::Null, &old)
    );
    let id = json!(id);
    let get = async |path: String| actor.get(&path).tenant(tenant).send().await.expect(200).body;
    let of = |table: &str| file.first(table)["id"].as_str().expect("an id").to_owned();
    let project = get(format!("/v1/projects/{}", of("projects"))).await;
    assert_eq!((&project["created_by"], &project["submitted_by"]), (&id, &id));
    let task = get(format!("/v1/tasks/{}", of("tasks"))).await;
    assert_eq!((&task["created_by"], &task["assignee_id"]), (&id, &id));
    let comments = get(format!("/v1/tasks/{}/comments", of("tasks"))).await;
    assert_eq!(comments["data"][0]["author_id"], id);
}

async fn who_comes_by_the_provider_gets_an_account_of_their_own(target: &'static Target) {
    let (stranger, came) = (Actor::register(target, "stranger").await, Person::new("victim"));
    let id = new_id();
    let file = File::new(&stranger, &[(&id, &came.email, "Whoever")]);
    let tenant = file.bring(&stranger).await;
    let token = Provider::shared().access_token("EdDSA", &came).await;
    let victim = Actor { token: Some(token), ..Actor::anonymous(target) };
    let me = victim.get("/v1/me").send().await.expect(200);
    assert_eq!((me.text_at("/name"), me.text_at("/email")), ("A person".to_owned(), came.email.clone()));
    assert_ne!(me.text_at("/id"), id);
    assert_eq!(victim.get("/v1/tenants").send().await.expect(200).body["data"], json!([]));
    victim.get("/v1/tenant").tenant(&tenant).send().await.problem(403, "not_a_member");
    // The tenant has what its file says of them, and no more.
    let before = member(&stranger, &tenant, &came.email).await;
    assert_eq!(
        (&before["user_id"], &before["name"], &before["status"]),
        (&json!(id), &json!("Whoever"), &json!("suspended"))
    );
    assert!(before["imported_at"].is_string(), "{before}");
    // Once they have accepted, what was theirs is.
    let acceptance = json!({ "token": invite(&stranger, &tenant, &came.email).await });
    victim.post("/v1/invitations/accept").json(&acceptance).send().await.expect(200);
    is_theirs(&stranger, &tenant, &file, &came.email, &me.text_at("/id")).await;
    assert_eq!(member(&stranger, &tenant, &came.email).await["name"], "A person");
}

async fn who_registers_gets_an_account_of_their_own(target: &'static Target) {
    let stranger = Actor::register(target, "stranger").await;
    let (id, email) = (new_id(), format!("{}@example.com", unique("victim")));
    let file = File::new(&stranger, &[(&id, &email, "Whoever")]);
    let tenant = file.bring(&stranger).await;
    let account = json!({
        "email": email, "name": "Victim", "password": PASSWORD,
        "invitation_token": invite(&stranger, &tenant, &email).await,
    });
    let made = Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await.expect(201);
    assert_ne!(made.text_at("/id"), id);
    is_theirs(&stranger, &tenant, &file, &email, &made.text_at("/id")).await;
    // And without an invitation nothing is.
    let email = format!("{}@example.com", unique("victim"));
    let other = File::new(&stranger, &[(&new_id(), &email, "Whoever")]);
    let tenant = other.bring(&stranger).await;
    let account = json!({ "email": email, "name": "Victim", "password": PASSWORD });
    let made = Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await.expect(201);
    let still = member(&stranger, &tenant, &email).await;
    assert_ne!(still["user_id"], made.body["id"]);
    assert_eq!((&still["name"], &still["status"]), (&json!("Whoever"), &json!("suspended")));
}

async fn a_strangers_import_spoils_nobody_elses(target: &'static Target) {
    let (stranger, company) =
        tokio::join!(Actor::register(target, "stranger"), Actor::register(target, "company"));
    let (id, email) = (new_id(), format!("{}@example.com", unique("victim")));
    // They have seen the very ids.
    File::new(&stranger, &[(&id, &email, "Whoever")]).bring(&stranger).await;
    let file = File::new(&company, &[(&id, &email, "Right")]);
    let tenant = file.bring(&company).await;
    let found = member(&company, &tenant, &email).await;
    assert_eq!(found["name"], "Right");
    assert_ne!(found["user_id"], id, "it is another's row");
    let task = format!("/v1/tasks/{}", file.first("tasks")["id"].as_str().expect("an id"));
    let task = company.get(&task).tenant(&tenant).send().await.expect(200);
    assert_eq!(task.body["assignee_id"], found["user_id"]);
}

async fn no_answer_tells_whether_an_address_has_an_account(target: &'static Target) {
    let (importer, known) =
        tokio::join!(Actor::register(target, "importer"), Actor::register(target, "known"));
    let mut told = Vec::new();
    for email in [known.email.clone(), format!("{}@example.com", unique("nobody"))] {
        let id = new_id();
        let file = File::new(&importer, &[(&id, &email, "Whoever")]);
        let tenant = file.head["tenant_id"].as_str().expect("an id").to_owned();
        let mut answers = Vec::new();
        for answer in [file.begin(&importer).await, file.add(&importer).await, file.finish(&importer).await] {
            answers.push((answer.status, answer.text));
        }
        // When that is done is another matter.
        let unsealed = format!("SELECT count(*) FROM activity WHERE tenant_id = '{tenant}' AND seq IS NULL");
        let count = async || provided(target.backdoor.count(&unsealed).await, |count| *count == 0);
        target.until("its entries to be sealed", count).await;
        for path in [
            "/v1/members",
            "/v1/admin/activity",
            "/v1/admin/export?from=users",
            "/v1/admin/export?from=memberships",
        ] {
            let answer = importer.get(path).tenant(&tenant).send().await;
            answers.push((answer.status, answer.text));
        }
        // What is different in any case: the ids, the time, and the address itself.
        let plain = |text: &str| {
            let text = text.replace(&email, "EMAIL").replace(&tenant, "TENANT").replace(&id, "ID");
            let words = text.split('"').map(|word| match word {
                word if word.len() == 36 && word.matches('-').count() == 4 => "SOME ID",
                word if word.len() == 24 && word.ends_with('Z') && word != THEN => "TIME",
                word if word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()) => "DIGEST",
                word => word,
            });
            words.collect::<Vec<_>>().join("\"")
        };
        told.push(answers.iter().map(|(status, text)| (*status, plain(text))).collect::<Vec<_>>());
    }
    assert_eq!(told[0], told[1], "on the left an address that has an account");
}

async fn the_operators_imports_are_no_accounts(target: &'static Target) {
    let tenant = new_id();
    // However such an account has come to be.
    let model = Actor::register(target, "model").await;
    let email = format!("{}@example.com", unique("nil"));
    let nil = "00000000-0000-0000-0000-000000000000";
    let account = format!(
        "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
         SELECT '{nil}', '{email}', 'Nil', u.password_hash, u.created_at, u.updated_at, 1 FROM users u WHERE u.id = '{}'",
        model.id
    );
    target.backdoor.sql(&account).await;
    let head = import_head(&tenant);
    let state = json!({
        "source": tenant, "slug": head["slug"], "new_ids": false, "head": Digest::of_head(&head).as_str(), "table": 0,
        "changed": false, "from": "0:", "here": "0:",
    });
    let waiting = format!(
        "INSERT INTO imports (tenant_id, user_id, state, next_line, digest, created_at, updated_at, by_operator) \
         VALUES ('{tenant}', '{nil}', '{state}', 0, '{}', '{THEN}', '2100-01-01T00:00:00.000Z', 1)",
        Digest::of_head(&head).as_str()
    );
    target.backdoor.sql(&waiting).await;
    let mut nobody = Actor { id: nil.to_owned(), email, ..Actor::anonymous(target) };
    nobody.token = Some(nobody.login().await);
    nobody.post("/v1/imports").json(&head).send().await.problem(409, "conflict");
    let path = format!("/v1/imports/{tenant}");
    let rows = json!({ "first": 0, "rows": import_rows(&tenant) });
    nobody.post(&format!("{path}/rows")).json(&rows).send().await.problem(404, "not_found");
    nobody
        .post(&format!("{path}/finish"))
        .json(&import_totals(&tenant))
        .send()
        .await
        .problem(404, "not_found");
    nobody.delete(&path).send().await.problem(404, "not_found");
    let left = format!("SELECT count(*) FROM imports WHERE tenant_id = '{tenant}'");
    assert_eq!(target.backdoor.count(&left).await, 1);
    // Nor does any import make one.
    for (table, id) in
        [("users", nil.to_owned()), ("memberships", "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned())]
    {
        let mut file = File::new(&model, &[(&new_id(), "somebody@example.com", "Somebody")]);
        let row = file.rows.iter_mut().filter(|row| row["table"] == table).nth(1).expect("a row");
        row["row"]["id"] = json!(id);
        file.begin(&model).await.expect(200);
        let refused = file.add(&model).await.problem(422, "validation_failed");
        assert!(refused.pointers()[0].ends_with("/row/id"), "{refused:?}");
    }
    for sql in [
        format!("DELETE FROM sessions WHERE user_id = '{nil}'"),
        format!("DELETE FROM users WHERE id = '{nil}'"),
    ] {
        target.backdoor.sql(&sql).await;
    }
}

/// A file may have anybody's id and address in it: the tenant gets to know what the file says, and not what the account is called.
async fn whoever_a_file_names_is_not_known_by_it(target: &'static Target) {
    let (stranger, victim) =
        (Actor::register(target, "stranger").await, Actor::register(target, "victim").await);
    let file = File::new(&stranger, &[(&victim.id, &victim.email, "Whoever")]);
    let tenant = file.bring(&stranger).await;
    let read = async |id: &str| stranger.get(&format!("/v1/people/{id}")).tenant(&tenant).send().await;
    read(&victim.id).await.problem(404, "not_found");
    let placeholder = member(&stranger, &tenant, &victim.email).await["user_id"].clone();
    let found = read(placeholder.as_str().expect("an id")).await.expect(200);
    assert_eq!(found.body, json!({ "id": placeholder, "name": "Whoever", "member": true }));
    let tasks =
        stranger.get("/v1/tasks?include=assignee,created_by").tenant(&tenant).send().await.expect(200);
    let named = json!({ "id": placeholder, "name": "Whoever" });
    assert_eq!(tasks.body["data"][0]["included"], json!({ "assignee": named, "created_by": named }));
    // Nor does an entry of the activity help, of which a file may have any.
    let entry = format!(
        "INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) \
         VALUES ('{tenant}', '{}', '{1}', 'member.left', 'member', '{1}', '{{}}', '{THEN}')",
        new_id(),
        victim.id
    );
    target.backdoor.sql(&entry).await;
    read(&victim.id).await.problem(404, "not_found");
}

async fn addresses_that_no_mail_reaches_are_refused(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let nobody = Actor::anonymous(target);
    for address in [
        format!("{}@unclaimed.invalid", new_id()),
        "Anybody@Example.INVALID".to_owned(),
        "a@invalid".to_owned(),
    ] {
        let account = json!({ "email": address, "name": "Squatter", "password": PASSWORD });
        let refused = nobody.post("/v1/auth/register").json(&account).send().await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/email"]);
        let invitation = json!({ "email": address, "role": "viewer" });
        let refused = tenant.owner.post("/v1/invitations").tenant(&tenant.id).json(&invitation).send().await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/email"]);
        let config = json!({ "email_reply_to": address });
        let refused = tenant.owner.patch("/v1/tenant/config").tenant(&tenant.id).json(&config).send().await;
        assert_eq!(refused.problem(422, "validation_failed").pointers(), ["/email_reply_to"]);
        let file = File::new(&tenant.owner, &[(&new_id(), &address, "Squatter")]);
        file.begin(&tenant.owner).await.expect(200);
        let refused = file.add(&tenant.owner).await.problem(422, "validation_failed");
        assert_eq!(refused.pointers(), ["/rows/1/row/email"]);
        let came = Person { email: address, ..Person::new("invalid") };
        let token = Provider::shared().access_token("EdDSA", &came).await;
        let came = Actor { token: Some(token), ..Actor::anonymous(target) };
        came.get("/v1/me").send().await.problem(403, "email_not_verified");
    }
}

async fn who_registers_gets_no_account_that_the_operator_made(target: &'static Target) {
    // As `bailiwick user create --no-password` and an import at the database leave it.
    let (id, email) = (new_id(), format!("{}@example.com", unique("made")));
    let made = format!(
        "INSERT INTO users (id, email, name, password_hash, created_at, updated_at, version) \
         VALUES ('{id}', '{email}', 'Made', '', '{THEN}', '{THEN}', 1)"
    );
    target.backdoor.sql(&made).await;
    let account = json!({ "email": email, "name": "Anybody", "password": PASSWORD });
    let refused = Actor::anonymous(target).post("/v1/auth/register").json(&account).send().await;
    refused.problem(409, "email_taken");
    let kept = format!("SELECT count(*) FROM users WHERE id = '{id}' AND email = '{email}'");
    assert_eq!(target.backdoor.count(&kept).await, 1);
}

async fn what_is_kept_of_an_import_does_not_grow_with_its_people(target: &'static Target) {
    const PEOPLE: usize = 2_000;
    let importer = Actor::register(target, "importer").await;
    let mut file = File::new(&importer, &[]);
    let tenant = new_id();
    file.head = import_head(&tenant);
    file.head["new_ids"] = json!(true);
    let started = file.begin(&importer).await.expect(200).text_at("/tenant_id");
    let ids: Vec<_> = (0..PEOPLE).map(|_| new_id()).collect();
    let size = async || {
        let sql = format!("SELECT length(CAST(state AS text)) FROM imports WHERE tenant_id = '{started}'");
        target.backdoor.count(&sql).await
    };
    let (empty, path) = (size().await, format!("/v1/imports/{started}/rows"));
    for (part, ids) in ids.chunks(200).enumerate() {
        let mut some = File { head: Value::Null, rows: Vec::new() };
        for (index, id) in ids.iter().enumerate() {
            let email = format!("{}-{part}-{index}@example.com", unique("many"));
            some.row("users", person(id, &email, "One of many"));
        }
        let rows = json!({ "first": part * 200, "rows": some.rows });
        importer.post(&path).json(&rows).send().await.expect(200);
    }
    // A little for what has become longer: the number of the table.
    assert!(size().await <= empty + 8, "{} bytes of state were {empty} before {PEOPLE} people", size().await);
    // And they are found, those of the first part, too.
    let mut last = File { head: Value::Null, rows: Vec::new() };
    let row = json!({ "id": tenant, "slug": import_head(&tenant)["slug"], "name": "Sample", "created_by": ids[0], "config": {} });
    last.row("tenants", row);
    last.row("memberships", membership(&new_id(), &ids[1], "viewer"));
    importer.post(&path).json(&json!({ "first": PEOPLE, "rows": last.rows })).send().await.expect(200);
    let sql = |kind: &str, what: &str| {
        format!(
            "SELECT content ->> '{what}' FROM import_rows WHERE tenant_id = '{started}' AND kind = '{kind}'"
        )
    };
    for (kind, what, id) in [("tenants", "created_by", &ids[0]), ("memberships", "user_id", &ids[1])] {
        assert_eq!(target.backdoor.sql(&sql(kind, what)).await, [[Some(id.clone())]]);
    }
    importer.delete(&format!("/v1/imports/{started}")).send().await.expect(204);
}

async fn a_tenant_that_is_deleted_takes_nobodys_import_along(target: &'static Target) {
    let (one, other) = tokio::join!(Actor::register(target, "one"), Actor::register(target, "other"));
    let mut waits = File::new(&other, &[]);
    let mut file = File::new(&one, &[]);
    let tenant = file.head["tenant_id"].as_str().expect("an id").to_owned();
    let text = serde_json::to_string(&json!([waits.head, waits.rows])).expect("JSON");
    let old = waits.head["tenant_id"].as_str().expect("an id").to_owned();
    let same: Value = serde_json::from_str(&text.replace(&old, &tenant)).expect("JSON");
    (waits.head, waits.rows) = (same[0].clone(), same[1].as_array().expect("rows").clone());
    file.head["slug"] = json!(unique("squat"));
    file.rows
        .iter_mut()
        .filter(|row| row["table"] == "tenants")
        .for_each(|row| row["row"]["slug"] = file.head["slug"].clone());
    waits.begin(&other).await.expect(200);
    waits.add(&other).await.expect(200);
    file.bring(&one).await;
    let delete = format!("/v1/tenant?confirm={}", file.head["slug"].as_str().expect("a slug"));
    one.delete(&delete).tenant(&tenant).send().await.expect(204);
    waits.finish(&other).await.expect(200);
    other.get("/v1/tenant").tenant(&tenant).send().await.expect(200);
}

async fn who_cannot_log_in_is_neither_owner_nor_approver(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    tenant.set(&tenant.member, "role", "owner").await;
    let sql = |what: &str, who: &Actor<'_>| format!("UPDATE users SET {what} WHERE id = '{}'", who.id);
    target.backdoor.sql(&sql("password_hash = ''", &tenant.member)).await;
    let leave = async || tenant.owner.delete("/v1/members/me").tenant(&tenant.id).send().await;
    leave().await.problem(409, "last_owner");
    let path = format!("/v1/members/{}", tenant.owner.id);
    for change in [json!({ "role": "manager" }), json!({ "status": "suspended" })] {
        let refused = tenant.owner.patch(&path).tenant(&tenant.id).json(&change).send().await;
        refused.problem(409, "last_owner");
    }
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.problem(409, "last_owner");
    // Others may be changed, whoever else can log in.
    let other = format!("/v1/members/{}", tenant.member.id);
    let lowered = json!({ "role": "manager" });
    tenant.owner.patch(&other).tenant(&tenant.id).json(&lowered).send().await.expect(200);
    // Four eyes are asked for of those who have them.
    target.backdoor.sql(&sql("password_hash = ''", &tenant.manager)).await;
    let project = tenant.project("submitted", Some(&tenant.owner.id)).await;
    let approve = async || {
        let request = json!({ "to": "approved", "revision": 1 });
        let path = format!("/v1/projects/{project}/transitions");
        tenant.owner.post(&path).tenant(&tenant.id).json(&request).send().await
    };
    tenant.manager.identity().await;
    approve().await.problem(409, "four_eyes");
    let gone = format!("DELETE FROM identities WHERE user_id = '{}'", tenant.manager.id);
    target.backdoor.sql(&gone).await;
    let brought = format!(
        "UPDATE memberships SET imported_at = '{THEN}' WHERE tenant_id = '{}' AND user_id = '{}'",
        tenant.id, tenant.manager.id
    );
    target.backdoor.sql(&brought).await;
    let journey =
        tenant.owner.get(&format!("/v1/projects/{project}/transitions")).tenant(&tenant.id).send().await;
    journey.expect(200);
    approve().await.expect(200);
    // An identity is as good as a password.
    tenant.set(&tenant.member, "role", "owner").await;
    tenant.member.identity().await;
    leave().await.expect(204);
}

async fn rows_that_collide_are_refused_as_they_arrive(target: &'static Target) {
    let importer = Actor::register(target, "importer").await;
    let email = format!("{}@example.com", unique("twice"));
    let (one, two) = (new_id(), new_id());
    let mut file = File::new(&importer, &[(&one, &email, "One"), (&two, &email, "Two")]);
    file.begin(&importer).await.expect(200);
    let refused = file.add(&importer).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/rows/2/row/email"]);
    // Also where the first of them came with a part before.
    let path = format!("/v1/imports/{}/rows", file.head["tenant_id"].as_str().expect("an id"));
    let part = async |first: usize, rows: &[Value]| {
        importer.post(&path).json(&json!({ "first": first, "rows": rows })).send().await
    };
    part(0, &file.rows[..2]).await.expect(200);
    let refused = part(2, &file.rows[2..]).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), ["/rows/0/row/email"]);
    file.rows.remove(2);
    file.rows.retain(|row| row["row"]["user_id"] != two);
    let twin = file.rows.iter().rposition(|row| row["table"] == "memberships").expect("a row");
    let mut same = file.rows.clone();
    same[twin]["row"]["id"] = same[twin - 1]["row"]["id"].clone();
    let refused = part(2, &same[2..]).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), [format!("/rows/{}/row/id", twin - 2)]);
    let invited = || {
        json!({
            "id": new_id(), "email": email, "role": "viewer", "invited_by": one, "expires_at": THEN, "accepted_at": null,
            "accepted_by": null, "revoked_at": null, "created_at": THEN,
        })
    };
    let mut open = file.rows.clone();
    open.extend([invited(), invited()].map(|row| json!({ "table": "invitations", "row": row })));
    let refused = part(2, &open[2..]).await.problem(422, "validation_failed");
    assert_eq!(refused.pointers(), [format!("/rows/{}/row/email", open.len() - 3)]);
    part(2, &file.rows[2..]).await.expect(200);
    file.finish(&importer).await.expect(200);
}

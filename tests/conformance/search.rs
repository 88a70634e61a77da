//! Search: what is found by which words, the same on every target; that the index follows every change; and that it
//! finds nothing of another tenant.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    client::Answer,
    provided,
    targets::Target,
};
use futures::future::join_all;
use serde_json::{Value, json};

crate::cases!("search":
    by_the_beginnings_of_words_in_many_languages,
    tasks_by_title_and_description,
    the_public_catalogue,
    it_goes_with_every_filter_and_order,
    the_index_follows_what_is_written,
    a_project_takes_its_tasks_with_it,
    what_has_no_words_yet_gets_them,
    of_two_tenants_with_the_same_words_each_finds_its_own,
    what_is_no_search,
    nothing_in_it_is_a_query_language,
);

/// A text for a query string.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn ask(actor: &Actor<'_>, tenant: &Tenant<'_>, path: &str, q: &str) -> Answer {
    let and = if path.contains('?') { '&' } else { '?' };
    actor.get(&format!("{path}{and}q={}", encoded(q))).tenant(&tenant.id).send().await
}

/// What a search finds, by name or title, in the order of the list.
async fn found(actor: &Actor<'_>, tenant: &Tenant<'_>, path: &str, q: &str) -> Vec<String> {
    let answer = ask(actor, tenant, path, q).await.expect(200);
    let data = answer.body["data"].as_array().expect("a list");
    let name = |item: &Value| item["name"].as_str().or(item["title"].as_str()).expect("a name").to_owned();
    data.iter().map(name).collect()
}

async fn project(tenant: &Tenant<'_>, name: &str, description: &str) -> String {
    let new = json!({ "name": name, "description": description });
    tenant.member.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.expect(201).text_at("/id")
}

async fn task(tenant: &Tenant<'_>, project: &str, new: Value) -> String {
    let path = format!("/v1/projects/{project}/tasks");
    tenant.member.post(&path).tenant(&tenant.id).json(&new).send().await.expect(201).text_at("/id")
}

const CORPUS: [(&str, &str); 14] = [
    ("Größenänderung", "Die Straße wird breiter; ÜBERALL."),
    ("L’été à Paris", "Cafe\u{301} cre\u{300}me, garc\u{327}on, œuvre"),
    ("Η Οδύσσεια", "ΤΟΥ ΟΔΥΣΣΕΥΣ"),
    ("Ёлки и палки", "Йод"),
    ("İstanbul'da kış", "Diyarbakır"),
    ("東京都庁の移転", "データベースを移す"),
    ("北京办公室", "新的数据中心"),
    ("사무실 이전", "서울"),
    ("שָׁלוֹם עולם", "مَكْتَبَة"),
    ("ประชุมทีม", "สวัสดี"),
    ("Release v2.10 🚀", "e-mail, don't, snake_case, 1,000"),
    ("🎉🎉", ""),
    ("Łódź, Øresund, Đặng", "Þór 👍🏽 ﬁnal"),
    ("ＡＢＣ　プロジェクト관리", "ｶﾞｲﾄﾞ x²"),
];

/// What is looked for, and the places in the corpus of what has it.
const SOUGHT: &[(&str, &[usize])] = &[
    ("größen", &[0]),
    ("GROSSENAND", &[0]),
    ("strasse", &[0]),
    ("STRAẞE", &[0]),
    ("änderung", &[]),
    ("uberall breit", &[0]),
    ("été", &[1]),
    ("Ete PARIS", &[1]),
    ("café", &[1]),
    ("caf\u{65}\u{301}", &[1]),
    ("garcon creme", &[1]),
    ("oeuvre", &[1]),
    ("lodz oresund dang", &[12]),
    ("ŁÓDŹ", &[12]),
    ("Đặng thor", &[12]),
    ("final", &[12]),
    ("👍", &[12]),
    ("👍🏿", &[12]),
    ("abc", &[13]),
    ("ａｂ", &[13]),
    ("관리", &[13]),
    ("리", &[13]),
    ("무실", &[7]),
    ("ガイド", &[13]),
    ("ﾌﾟﾛｼﾞｪｸﾄ", &[13]),
    ("x2", &[13]),
    ("🎉", &[11]),
    ("🎉🎉", &[11]),
    ("🚀", &[10]),
    ("οδυσσεύς", &[2]),
    ("οδυ", &[2]),
    ("елк", &[3]),
    ("ЙОД", &[3]),
    ("иод", &[3]),
    ("istanbul", &[4]),
    ("ISTANBUL", &[4]),
    ("İSTANBUL", &[4]),
    ("ıstanbul kis", &[4]),
    ("diyarbakir", &[4]),
    ("DIYARBAKIR", &[4]),
    ("東京", &[5]),
    ("京都庁", &[5]),
    ("京", &[5, 6]),
    ("京東", &[]),
    ("データ", &[5]),
    ("ベース", &[5]),
    ("テータ", &[]),
    ("办公", &[6]),
    ("数据中心 北京", &[6]),
    ("사무", &[7]),
    ("서울", &[7]),
    ("שלום", &[8]),
    ("مكتبة", &[8]),
    ("ทีม", &[9]),
    ("v2", &[10]),
    ("2", &[]),
    ("10", &[10]),
    ("e-mail", &[10]),
    ("email", &[]),
    ("mail", &[10]),
    ("don't", &[10]),
    ("snake case", &[10]),
    ("case snake", &[10]),
    ("1,000", &[10]),
    ("rel rel RELEASE", &[10]),
    ("release nothing", &[]),
    ("d", &[0, 4, 10, 12]),
];

async fn by_the_beginnings_of_words_in_many_languages(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for (name, description) in CORPUS {
        project(&tenant, name, description).await;
    }
    let found = join_all(SOUGHT.iter().map(|(q, _)| found(&tenant.viewer, &tenant, "/v1/projects", q))).await;
    for ((q, wanted), found) in SOUGHT.iter().zip(found) {
        let wanted: Vec<_> = wanted.iter().rev().map(|place| CORPUS[*place].0).collect();
        assert_eq!(found, wanted, "{q}");
    }
}

async fn tasks_by_title_and_description(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (one, other) = tokio::join!(project(&tenant, "One", ""), project(&tenant, "Other", ""));
    task(&tenant, &one, json!({ "title": "Paint the fence", "description": "Green" })).await;
    task(&tenant, &other, json!({ "title": "Buy paint" })).await;
    task(&tenant, &other, json!({ "title": "Rest", "description": "after painting" })).await;
    let tasks = |path: String, q: &'static str| {
        let tenant = &tenant;
        async move { found(&tenant.viewer, tenant, &path, q).await }
    };
    assert_eq!(tasks("/v1/tasks".to_owned(), "paint").await, ["Rest", "Buy paint", "Paint the fence"]);
    assert_eq!(tasks("/v1/tasks".to_owned(), "fence green").await, ["Paint the fence"]);
    assert_eq!(tasks(format!("/v1/projects/{other}/tasks"), "PAINT").await, ["Rest", "Buy paint"]);
    assert_eq!(tasks(format!("/v1/projects/{one}/tasks"), "rest").await, [""; 0]);
    let path = format!("/v1/projects/{}/tasks", new_id());
    ask(&tenant.viewer, &tenant, &path, "paint").await.problem(404, "not_found");
}

async fn the_public_catalogue(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let ids = [("Park, public", "public"), ("Park, private", "private"), ("Park, draft", "public")];
    for (name, visibility) in ids {
        let id = project(&tenant, name, "Trees").await;
        let status = if name.ends_with("draft") { "draft" } else { "approved" };
        let sql =
            format!("UPDATE projects SET visibility = '{visibility}', status = '{status}' WHERE id = '{id}'");
        target.backdoor.sql(&sql).await;
    }
    let nobody = Actor::anonymous(target);
    let path = "/v1/catalog/projects";
    assert_eq!(found(&nobody, &tenant, path, "park tree").await, ["Park, public"]);
    assert_eq!(found(&nobody, &tenant, &format!("{path}?status=completed"), "park").await, [""; 0]);
    assert_eq!(found(&tenant.viewer, &tenant, "/v1/projects", "park").await.len(), 3);
}

async fn it_goes_with_every_filter_and_order(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = project(&tenant, "Home", "").await;
    let member = &tenant.member.id;
    for (title, priority, status, due) in [
        ("wash 1", "low", "todo", Some("2030-01-03")),
        ("wash 2", "urgent", "done", None),
        ("dry", "urgent", "todo", Some("2030-01-01")),
        ("wash 3", "high", "todo", Some("2030-01-01")),
        ("wash 4", "low", "blocked", Some("2030-01-02")),
    ] {
        let assignee = (title != "wash 4").then_some(member);
        let new = json!({ "title": title, "priority": priority, "status": status, "due_on": due, "assignee_id": assignee });
        task(&tenant, &id, new).await;
    }
    for (query, wanted) in [
        ("", vec![4, 3, 2, 1]),
        ("status=todo", vec![3, 1]),
        ("priority=low", vec![4, 1]),
        (&format!("assignee_id={member}"), vec![3, 2, 1]),
        ("due_before=2030-01-03", vec![4, 3]),
        ("order=due_on", vec![3, 4, 1, 2]),
        ("order=priority", vec![2, 3, 4, 1]),
        ("order=priority&status=todo", vec![3, 1]),
    ] {
        // Page by page, and within the project, it is the same.
        for path in ["/v1/tasks".to_owned(), format!("/v1/projects/{id}/tasks")] {
            let mut seen = Vec::new();
            let mut next = Some(format!("{path}?{query}&limit=1&q=wash"));
            while let Some(path) = next {
                let page = tenant.viewer.get(&path).tenant(&tenant.id).send().await.expect(200);
                seen.push(page.text_at("/data/0/title"));
                let link =
                    page.header("link").map(|link| link.split(['<', '>']).nth(1).expect("a reference"));
                next = link.map(str::to_owned);
            }
            let wanted: Vec<_> = wanted.iter().map(|number| format!("wash {number}")).collect();
            assert_eq!(seen, wanted, "{path} {query}");
        }
    }
    for query in ["status=draft", "visibility=private"] {
        assert_eq!(found(&tenant.viewer, &tenant, &format!("/v1/projects?{query}"), "home").await, ["Home"]);
    }
    for query in ["status=approved", "visibility=public"] {
        assert_eq!(found(&tenant.viewer, &tenant, &format!("/v1/projects?{query}"), "home").await, [""; 0]);
    }
}

async fn the_index_follows_what_is_written(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = project(&tenant, "First", "alpha").await;
    let path = format!("/v1/projects/{id}");
    let sought = |q: &'static str| {
        let tenant = &tenant;
        async move { found(&tenant.viewer, tenant, "/v1/projects", q).await.len() }
    };
    let change = |path: String, to: Value| {
        let member = &tenant.member;
        member.patch(&path).tenant(&tenant.id).json(&to).send()
    };
    // What is not changed keeps its words.
    change(path.clone(), json!({ "name": "Second" })).await.expect(200);
    assert_eq!([sought("first").await, sought("second").await, sought("alpha").await], [0, 1, 1]);
    change(path.clone(), json!({ "description": "beta" })).await.expect(200);
    assert_eq!([sought("alpha").await, sought("second beta").await], [0, 1]);
    change(path.clone(), json!({ "description": "" })).await.expect(200);
    assert_eq!([sought("beta").await, sought("second").await], [0, 1]);
    // What has nothing to do with words leaves them alone.
    change(path.clone(), json!({ "visibility": "public" })).await.expect(200);
    let submit = json!({ "to": "submitted" });
    let transitions = format!("{path}/transitions");
    tenant.member.post(&transitions).tenant(&tenant.id).json(&submit).send().await.expect(200);
    assert_eq!(sought("second").await, 1);

    let task = task(&tenant, &id, json!({ "title": "Gamma", "description": "delta" })).await;
    let path = format!("/v1/tasks/{task}");
    let sought = |q: &'static str| {
        let tenant = &tenant;
        async move { found(&tenant.viewer, tenant, "/v1/tasks", q).await.len() }
    };
    change(path.clone(), json!({ "title": "Epsilon", "status": "done" })).await.expect(200);
    assert_eq!([sought("gamma").await, sought("epsilon").await, sought("delta").await], [0, 1, 1]);
    change(path.clone(), json!({ "description": "zeta" })).await.expect(200);
    assert_eq!([sought("delta").await, sought("epsilon zeta").await], [0, 1]);
    tenant.member.delete(&path).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(sought("epsilon").await, 0);
    tenant.owner.delete(&format!("/v1/projects/{id}")).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(found(&tenant.viewer, &tenant, "/v1/projects", "second").await, [""; 0]);
    assert_eq!(indexed(target, &tenant).await, 0);
}

/// Rows of the index of words that are a tenant's, where it is a table.
async fn indexed(target: &Target, tenant: &Tenant<'_>) -> i64 {
    let mut count = 0;
    for table in target.backdoor.tenant_tables().await {
        if table.ends_with("_search") {
            let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{}'", tenant.id);
            count += target.backdoor.count(&sql).await;
        }
    }
    count
}

async fn a_project_takes_its_tasks_with_it(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let (goes, stays) = tokio::join!(project(&tenant, "Goes", ""), project(&tenant, "Stays", ""));
    for id in [&goes, &stays] {
        task(&tenant, id, json!({ "title": "Work" })).await;
    }
    tenant.owner.delete(&format!("/v1/projects/{goes}")).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(found(&tenant.viewer, &tenant, "/v1/tasks", "work").await, ["Work"]);
    let left = indexed(target, &tenant).await;
    assert!([0, 2].contains(&left), "{left}");
    let path = format!("/v1/tenant?confirm={}", tenant.slug);
    tenant.owner.delete(&path).tenant(&tenant.id).send().await.expect(204);
    assert_eq!(indexed(target, &tenant).await, 0);
}

async fn what_has_no_words_yet_gets_them(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = tenant.project("approved", None).await;
    let task_id = tenant.task(&id, "todo").await;
    let describe = format!(
        "UPDATE tasks SET description = 'thing' WHERE tenant_id = '{}' AND id = '{task_id}'",
        tenant.id
    );
    target.backdoor.sql(&describe).await;
    // Of the same version, with words of their own.
    let other = project(&tenant, "Other", "elsewhere").await;
    task(&tenant, &other, json!({ "title": "Other" })).await;
    assert_eq!(found(&tenant.viewer, &tenant, "/v1/projects", "project about").await, [""; 0]);
    // As what was there before searches were, or before they found what they find now.
    for (table, before) in [("projects", 0), ("tasks", 1)] {
        let sql = format!("UPDATE {table} SET indexed = {before} WHERE tenant_id = '{}'", tenant.id);
        target.backdoor.sql(&sql).await;
    }
    for (path, q, name) in
        [("/v1/projects", "project about", "A project"), ("/v1/tasks", "task thing", "A task")]
    {
        for (q, name) in [(q, name), ("other", "Other")] {
            let found =
                async || provided(found(&tenant.viewer, &tenant, path, q).await, |names| *names == [name]);
            target.until("what has no words gets them", found).await;
        }
    }
    // Once they have them, they do not get them again.
    for table in ["projects", "tasks"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = '{}' AND indexed < 2", tenant.id);
        assert_eq!(target.backdoor.count(&sql).await, 0, "{table}");
    }
}

async fn of_two_tenants_with_the_same_words_each_finds_its_own(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    for (tenant, name) in [(&one, "Secret of one"), (&two, "Secret of two")] {
        let id = project(tenant, name, "the very same words").await;
        task(tenant, &id, json!({ "title": name, "description": "the very same words" })).await;
        target
            .backdoor
            .sql(&format!("UPDATE projects SET visibility = 'public', status = 'approved' WHERE id = '{id}'"))
            .await;
    }
    for (tenant, other, name) in [(&one, &two, "Secret of one"), (&two, &one, "Secret of two")] {
        for path in ["/v1/projects", "/v1/tasks", "/v1/catalog/projects"] {
            for q in ["secret", "the very same words", "s"] {
                assert_eq!(found(&tenant.viewer, tenant, path, q).await, [name], "{path} {q}");
            }
        }
        ask(&tenant.viewer, other, "/v1/projects", "secret").await.problem(403, "not_a_member");
        // Nor does what the index has in front of each word, or the other's ids, lead anywhere.
        let key = &other.id[other.id.len() - 8..];
        for q in [format!("{key}secret"), key.to_owned(), other.id.clone(), format!("\"{}\"", other.id)] {
            assert_eq!(found(&tenant.viewer, tenant, "/v1/projects", &q).await, [""; 0], "{q}");
        }
    }
}

async fn what_is_no_search(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = project(&tenant, "Any", "").await;
    let words = |count: usize| vec!["any"; count].join(" ");
    for path in ["/v1/projects", "/v1/tasks", &format!("/v1/projects/{id}/tasks"), "/v1/catalog/projects"] {
        for (q, code) in [
            (String::new(), "characters"),
            ("  ".to_owned(), "characters"),
            ("\"*'&|!():-^~<->\\\0".to_owned(), "characters"),
            ("\u{301}".to_owned(), "characters"),
            ("a".repeat(101), "too_long"),
            (words(11), "too_long"),
        ] {
            let answer = ask(&tenant.viewer, &tenant, path, &q).await.problem(400, "invalid_parameter");
            assert_eq!(answer.pointers(), ["/q"], "{path} {q}");
            assert_eq!(answer.body["errors"][0]["code"], code, "{path} {q}");
        }
        for q in [words(10), "é".repeat(100), "東".repeat(100)] {
            ask(&tenant.viewer, &tenant, path, &q).await.expect(200);
        }
    }
    let twice = tenant.viewer.get("/v1/projects?q=a&q=b").tenant(&tenant.id).send().await;
    assert_eq!(twice.problem(400, "invalid_parameter").pointers(), ["/q"]);
}

/// Queries that would mean something to an engine are words, and what is between them.
async fn nothing_in_it_is_a_query_language(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    for name in ["alpha beta", "alpha", "or and not near", "words alpha"] {
        project(&tenant, name, "").await;
    }
    for (q, wanted) in [
        ("alpha OR beta", Vec::<&str>::new()),
        ("\"alpha\" AND \"beta\"", vec![]),
        ("alpha* | b:*", vec!["alpha beta"]),
        ("alpha & !beta", vec!["alpha beta"]),
        ("alpha -beta", vec!["alpha beta"]),
        ("\"beta alpha\"", vec!["alpha beta"]),
        ("NEAR(and or)", vec!["or and not near"]),
        ("words:alpha", vec!["words alpha"]),
        ("{words id}:alpha", vec![]),
        ("^alpha", vec!["words alpha", "alpha", "alpha beta"]),
        ("'alpha'':* | ''b", vec!["alpha beta"]),
        ("alpha\" OR words : \"", vec![]),
        ("alpha\0beta", vec!["alpha beta"]),
        ("alpha%", vec!["words alpha", "alpha", "alpha beta"]),
        ("_lpha", vec![]),
        ("al?ha", vec![]),
        ("alpha') OR 1=1 --", vec![]),
        ("alpha <-> beta", vec!["alpha beta"]),
        ("alpha:A", vec!["words alpha", "alpha", "alpha beta"]),
    ] {
        assert_eq!(found(&tenant.viewer, &tenant, "/v1/projects", q).await, wanted, "{q}");
    }
}

//! Pages for people, and the same for programs.

use std::io::Read;

use bailiwick_core::{problem::Code, site};
use bailiwick_tests::{
    actors::Actor,
    client::Answer,
    targets::{Target, client, root},
};
use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::json;

crate::cases!("pages":
    home_for_people_and_for_programs,
    every_problem_is_explained,
    the_type_of_a_problem_leads_to_its_page,
    files_are_sent_as_they_are_in_the_checkout,
    the_reference_trusts_its_own_styles_alone,
    the_references_script,
    policies_for_browsers,
    what_is_not_there,
    head_and_other_methods,
    caches_keep_page_and_data_apart,
);

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: Option<&str> = Some("text/html; charset=utf-8");
const JSON: Option<&str> = Some("application/json");

async fn get(target: &'static Target, path: &str, accept: &str) -> Answer {
    Actor::anonymous(target).get(path).header("accept", accept).send().await
}

/// A file of `site/`.
fn stored(name: &str) -> String {
    std::fs::read_to_string(root().join("site").join(name)).expect("a file")
}

async fn home_for_people_and_for_programs(target: &'static Target) {
    let page = get(target, "/", BROWSER).await.expect(200);
    assert_eq!(page.header("content-type"), HTML);
    assert_eq!(page.text, stored("home.html").replace("{{version}}", env!("CARGO_PKG_VERSION")));
    for accept in
        ["*/*", "application/json", "text/html;q=0.5, application/json", "text/html, */*;q=1", "image/png"]
    {
        let data = get(target, "/", accept).await.expect(200);
        assert_eq!(data.header("content-type"), JSON, "{accept}");
        assert_eq!(
            (data.text_at("/name"), data.text_at("/version")),
            ("Bailiwick".to_owned(), env!("CARGO_PKG_VERSION").to_owned())
        );
        for (_, path) in data.body["links"].as_object().expect("links") {
            Actor::anonymous(target).get(path.as_str().expect("a path")).send().await.expect(200);
        }
    }
    // A header may come in several lines.
    let lines = Actor::anonymous(target)
        .get("/")
        .header("accept", "application/json;q=0.1")
        .header("accept", "text/html");
    assert_eq!(lines.send().await.expect(200).header("content-type"), HTML);
}

async fn every_problem_is_explained(target: &'static Target) {
    let all = get(target, "/problems", "*/*").await.expect(200);
    let list = get(target, "/problems", BROWSER).await.expect(200);
    let codes: Vec<_> =
        all.body["data"].as_array().expect("a list").iter().map(|one| one["code"].clone()).collect();
    assert_eq!(codes, Code::ALL.iter().map(|code| json!(code.as_str())).collect::<Vec<_>>());
    for code in Code::ALL {
        let path = format!("/problems/{}", code.as_str());
        let data = get(target, &path, "application/json").await.expect(200);
        assert_eq!(
            (&data.body["status"], &data.body["title"]),
            (&json!(code.status()), &json!(code.title()))
        );
        assert_eq!(data.text_at("/type"), path);
        let told = format!("{} {}", data.text_at("/meaning"), data.text_at("/advice"));
        assert_eq!(told, code.meaning().trim());
        let page = get(target, &path, BROWSER).await.expect(200);
        assert_eq!(page.header("content-type"), HTML);
        assert!(page.text.contains(code.title()) && page.text.contains(code.as_str()), "{page:?}");
        assert!(!page.text.contains("{{"), "a place is left empty: {page:?}");
        assert!(list.text.contains(&format!("href=\"{path}\"")), "{path}");
    }
}

async fn the_type_of_a_problem_leads_to_its_page(target: &'static Target) {
    let refused = Actor::anonymous(target).get("/v1/me").send().await.problem(401, "authentication_required");
    let explained = get(target, &refused.text_at("/type"), "*/*").await.expect(200);
    assert_eq!(explained.body["code"], refused.body["code"]);
}

/// What native servers have in them and what the edge reads from its assets are the same bytes.
async fn files_are_sent_as_they_are_in_the_checkout(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    assert_eq!(anyone.get("/start").send().await.expect(200).text, stored("start.html"));
    assert_eq!(anyone.get("/openapi.json").send().await.expect(200).text, stored("openapi.json"));
    let mut loaded = 0;
    for name in site::files().map(|file| file.name) {
        let (_, ending) = name.rsplit_once('.').expect("an ending");
        let media_type = match ending {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => continue,
        };
        let file = anyone.get(&format!("/docs/{name}")).send().await.expect(200);
        assert_eq!(file.header("content-type"), Some(media_type), "{name}");
        assert_eq!(file.text, stored(name), "{name}");
        loaded += 1;
    }
    assert!(loaded > 10, "{loaded}");
}

/// Each answer names a word of its own, by which a style sheet is of that page.
async fn the_reference_trusts_its_own_styles_alone(target: &'static Target) {
    let mut words = Vec::new();
    for _ in 0..2 {
        let page = get(target, "/docs", BROWSER).await.expect(200);
        let policy = page.header("content-security-policy").expect("a policy").to_owned();
        let (_, rest) = policy.split_once("'nonce-").expect("a nonce");
        let (word, _) = rest.split_once('\'').expect("its end");
        assert_eq!(word.len(), 22, "{policy}");
        let styles = format!("style-src 'self' 'nonce-{word}'; style-src-attr 'unsafe-inline'; ");
        assert_eq!(policy, PAGE.replace("style-src 'self'; ", &styles));
        let expected = stored("docs.html").replace("{{version}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(page.text, expected.replace("{{nonce}}", word));
        assert_eq!((page.header("content-type"), page.header("cache-control")), (HTML, Some("no-store")));
        words.push(word.to_owned());
    }
    assert_ne!(words[0], words[1]);
}

/// It is the package's on all targets, comes compressed to who takes that, and is not sent to who has it.
async fn the_references_script(target: &'static Target) {
    let package = scalar_api_reference::get_asset(site::SCALAR.name).expect("the script");
    let package = String::from_utf8(package).expect("UTF-8");
    let anyone = Actor::anonymous(target);
    let ask = || anyone.get("/docs/scalar.js");
    let plain = ask().send().await.expect(200);
    assert!(plain.text == package, "{} bytes, not {}", plain.text.len(), package.len());
    assert_eq!(plain.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(plain.header("cache-control"), Some("public, max-age=300"));
    let tag = plain.header("etag").expect("a tag").to_owned();
    assert!(tag.contains(site::SCALAR.version().expect("a version")), "{tag}");
    assert_eq!(ask().header("if-none-match", &tag).send().await.expect(304).text, "");
    let head = anyone.ask(Method::HEAD, "/docs/scalar.js").send().await.expect(200);
    assert_eq!((head.text.as_str(), head.header("etag")), ("", Some(tag.as_str())));
    assert!(
        head.header("content-length").is_none_or(|length| length == package.len().to_string()),
        "{head:?}"
    );
    ask().header("if-match", "\"other\"").send().await.problem(412, "precondition_failed");
    // What is in front of a Worker compresses what it sends.
    if target.name != "edge+d1" {
        for accepted in ["gzip", "br, gzip;q=0.5", "*", "x-gzip"] {
            let url = format!("{}/docs/scalar.js", target.url);
            let sent = client().get(url).header("accept-encoding", accepted).send().await.expect("an answer");
            assert_eq!(sent.headers()["content-encoding"], "gzip", "{accepted}");
            assert_eq!(sent.headers()["etag"], format!("W/{tag}"), "{accepted}");
            let packed = sent.bytes().await.expect("a body");
            let mut unpacked = String::new();
            GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).expect("gzip");
            assert!(unpacked == package && packed.len() < package.len() / 3, "{accepted}: {}", packed.len());
        }
    }
    // For others it is not compressed anew each time.
    let others = ["identity", "gzip;q=0", "gzip;q=0, *", "deflate", "br"];
    for accepted in others.into_iter().filter(|accepted| target.name != "edge+d1" || *accepted != "br") {
        assert_eq!(
            ask().header("accept-encoding", accepted).send().await.expect(200).text.len(),
            package.len()
        );
    }
}

async fn policies_for_browsers(target: &'static Target) {
    let data = "default-src 'none'; frame-ancestors 'none'";
    let drawing = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    for (path, accept, policy) in [
        ("/", BROWSER, PAGE),
        ("/", "*/*", data),
        ("/start", BROWSER, PAGE),
        ("/problems", BROWSER, PAGE),
        ("/problems", "*/*", data),
        ("/problems/conflict", BROWSER, PAGE),
        ("/problems/conflict", "*/*", data),
        ("/problems/nothing", BROWSER, PAGE),
        ("/problems/nothing", "*/*", data),
        ("/docs/start.js", "*/*", data),
        ("/docs/style.css", "*/*", data),
        ("/docs/workflow.svg", "image/*", drawing),
        ("/openapi.json", BROWSER, data),
    ] {
        let answer = get(target, path, accept).await;
        let policies: Vec<_> = answer.headers.get_all("content-security-policy").iter().collect();
        assert_eq!(policies, [policy], "{path} {accept}");
        assert_eq!(answer.headers.get_all("content-type").iter().count(), 1, "{path} {accept}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

async fn what_is_not_there(target: &'static Target) {
    for path in [
        "/problems/nothing",
        "/problems/FOUR_EYES",
        "/problems/four_eyes%00",
        "/docs/nothing.css",
        // A template, and what has a route of its own.
        "/docs/home.html",
        "/docs/docs.html",
        "/docs/openapi.json",
        "/docs/..%2FCargo.toml",
        "/docs/%2e%2e%2fwrangler.toml",
    ] {
        get(target, path, "*/*").await.problem(404, "not_found");
    }
    for path in [
        "/?x=1",
        "/docs?x=1",
        "/start?x=1",
        "/docs/scalar.js?v=1",
        "/docs/style.css?v=2",
        "/problems?limit=1",
        "/problems/conflict?x",
    ] {
        get(target, path, BROWSER).await.problem(400, "invalid_parameter");
    }
}

async fn head_and_other_methods(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    for path in ["/", "/start", "/docs/style.css", "/docs/scalar.js", "/problems", "/problems/conflict"] {
        let ask = |method| anyone.ask(method, path).header("accept", BROWSER);
        let (get, head) =
            (ask(Method::GET).send().await.expect(200), ask(Method::HEAD).send().await.expect(200));
        assert_eq!(head.text, "");
        for name in ["content-type", "cache-control", "content-security-policy"] {
            assert_eq!(get.header(name), head.header(name), "{path} {name}");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let refused = ask(method).send().await.problem(405, "method_not_allowed");
            assert_eq!(refused.header("allow"), Some("GET, HEAD, OPTIONS"));
        }
    }
}

async fn caches_keep_page_and_data_apart(target: &'static Target) {
    for path in ["/", "/problems", "/problems/conflict"] {
        for accept in [BROWSER, "*/*"] {
            let answer = get(target, path, accept).await.expect(200);
            let varies: Vec<_> =
                answer.headers.get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect();
            let names: Vec<_> = varies.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
            assert!(names.contains(&"accept"), "{path} {accept}: {names:?}");
            // That it depends on the origin is said beside that, not instead.
            assert!(names.contains(&"origin"), "{path} {accept}: {names:?}");
        }
    }
}

//! Generated files are what their generators make. `UPDATE=1 cargo test -p bailiwick-tests --test house generated`
//! writes them anew.

use bailiwick_core::{
    config::{self, Config},
    openapi,
    throttle::PERIOD_SECONDS,
};
use bailiwick_tests::targets::root;

fn assert_generated(path: &str, content: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, content).expect("a file that can be written");
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stored == content,
        "{path} is stale: UPDATE=1 cargo test -p bailiwick-tests --test house generated"
    );
}

#[test]
fn openapi() {
    assert_generated("core/openapi.json", &format!("{:#}\n", openapi::document()));
}

#[test]
fn configuration() {
    assert_generated("docs/CONFIGURATION.md", &config::documentation());
}

/// On the edge the limits are the bindings', and refusals quote the settings.
#[test]
fn the_workers_rate_limits_are_the_settings_defaults() {
    let wrangler = std::fs::read_to_string(root().join("wrangler.toml")).expect("wrangler.toml");
    for (binding, setting) in [
        ("RATE_LIMIT_BY_REQUESTS", "RATE_LIMIT"),
        ("RATE_LIMIT_BY_ACCOUNT", "RATE_LIMIT_ACCOUNT"),
        ("RATE_LIMIT_BY_ADDRESS", "RATE_LIMIT_ADDRESS"),
    ] {
        let (_, rest) = wrangler.split_once(&format!("name = \"{binding}\"")).expect("the binding");
        let simple = rest.lines().find(|line| line.starts_with("simple = ")).expect("its limit");
        let default =
            Config::SETTINGS.iter().find(|found| found.name == setting).expect("the setting").default;
        let (limit, period) = (default.expect("a default"), PERIOD_SECONDS);
        assert_eq!(simple, format!("simple = {{ limit = {limit}, period = {period} }}"), "{binding}");
    }
}

#[test]
fn every_reference_in_the_description_leads_somewhere() {
    fn references(value: &serde_json::Value, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                into.extend(members.get("$ref").and_then(|value| value.as_str()).map(str::to_owned));
                members.values().for_each(|value| references(value, into));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }
    let document = openapi::document();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 100);
    for reference in all {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    assert!(!document.to_string().contains("x-optional"), "a marker of the generator is left");
}

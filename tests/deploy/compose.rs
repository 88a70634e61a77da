//! compose.yaml, as docker compose itself understands it.

use std::collections::BTreeSet;

use bailiwick_tests::targets::root;
use serde_json::{Value, json};

use crate::{are_settings, file, run, text, tool};

/// With an environment file as the page tells to make one.
fn config() -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let environment = directory.path().join("env");
    let filled = file(".env.example").replace("=\n", "=a-secret-of-its-own-of-32-bytes-and-more\n");
    std::fs::write(&environment, filled).expect("a file");
    let mut compose = tool("docker-compose");
    compose.arg("--env-file").arg(environment).args(["--file", "compose.yaml", "config", "--format", "json"]);
    serde_json::from_str(&run(compose.env_remove("JWT_SECRET"))).expect("JSON")
}

#[test]
fn it_fits_the_specification() {
    run(tool("check-jsonschema").args(["--builtin-schema", "vendor.compose-spec", "compose.yaml"]));
    // Without secrets it says so, and starts nothing.
    let compose =
        tool("docker-compose").args(["--env-file", "/dev/null", "config", "-q"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&compose.stderr).into_owned();
    assert!(!compose.status.success() && said.contains("copy .env.example to .env"), "{said}");
}

#[test]
fn who_serves_is_not_who_migrates() {
    let config = config();
    let environment =
        |service: &str| config["services"][service]["environment"].as_object().expect("an environment");
    for (service, login) in [("server", "bailiwick_server"), ("migrate", "bailiwick_owner")] {
        let settings = environment(service);
        are_settings(settings.keys().map(String::as_str));
        let url = settings["DATABASE_URL"].as_str().expect("a URL");
        assert!(url.starts_with(&format!("postgres://{login}:")) && url.ends_with("@db/bailiwick"), "{url}");
    }
    assert!(!environment("server").contains_key("OWNER_PASSWORD"));
    let admin = environment("server")["ADMIN_BIND"].as_str().and_then(|bind| bind.rsplit(':').next());
    let target = format!("[\"server:{}\"]", admin.expect("a port"));
    assert!(file("deploy/prometheus/prometheus.yml").contains(&target), "Prometheus asks somewhere else");
    let needs = |service: &str, of: &str| config["services"][service]["depends_on"][of]["condition"].clone();
    assert_eq!(needs("server", "migrate"), "service_completed_successfully");
    assert_eq!(needs("migrate", "db"), "service_healthy");
}

#[test]
fn nothing_is_open_that_need_not_be() {
    let config = config();
    let services = config["services"].as_object().expect("services");
    let mut published = BTreeSet::new();
    for (name, service) in services {
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}");
            published.insert(name.as_str());
        }
        let (image, tag) = text(service, "/image").rsplit_once(':').expect("a version");
        assert!(tag != "latest", "{image}");
        // Postgres' image makes its directory as root, and gives it away.
        if name != "db" {
            assert_eq!(service["read_only"], true, "{name}");
            assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
            assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        }
    }
    assert_eq!(published, ["grafana", "mail", "prometheus", "server"].into());
    let on = |name: &str| -> Vec<&str> {
        services[name]["networks"].as_object().expect("networks").keys().map(String::as_str).collect()
    };
    assert_eq!(
        (on("db"), on("migrate"), config["networks"]["data"]["internal"].as_bool()),
        (vec!["data"], vec!["data"], Some(true))
    );
    assert_eq!(on("server"), ["data", "default"]);
}

#[test]
fn what_is_mounted_is_there() {
    for (name, service) in config()["services"].as_object().expect("services") {
        let mounts = service["volumes"].as_array().into_iter().flatten();
        for mount in mounts.filter(|mount| mount["type"] == "bind") {
            let source = text(mount, "/source");
            assert!(std::path::Path::new(source).starts_with(root()), "{name} mounts {source}");
            assert!(std::path::Path::new(source).exists(), "{name} wants {source}");
            assert_eq!(mount["read_only"], true, "{name}: {source}");
        }
    }
}

//! The manifests: rendered by kustomize, held to Kubernetes' own schemas, and to what no schema says.

use std::process::Command;

use bailiwick_tests::targets::root;
use serde_json::{Value, json};

use crate::{are_settings, file, kubectl, run, text, tool, yaml};

const OVERLAY: &str = "deploy/kubernetes/overlays/production";

fn rendered() -> String {
    run(Command::new(kubectl()).arg("kustomize").arg(root().join(OVERLAY)))
}

fn of_kind(kind: &str) -> Vec<Value> {
    yaml(&rendered()).into_iter().filter(|object| object["kind"] == kind).collect()
}

fn the(kind: &str) -> Value {
    let [one] = <[Value; 1]>::try_from(of_kind(kind)).unwrap_or_else(|all| panic!("{} of {kind}", all.len()));
    one
}

/// What is run: the Deployment and the Job.
fn workloads() -> [Value; 2] {
    [the("Deployment"), the("Job")]
}

fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|number| number.parse().ok()).expect("seconds")
}

#[test]
fn all_objects_fit_their_schemas() {
    let directory = tempfile::tempdir().expect("a directory");
    let all = directory.path().join("all.yaml");
    std::fs::write(&all, rendered()).expect("a file");
    let secrets = root().join("deploy/kubernetes/secret.example.yaml");
    // Strict: a field that is not known is an error.
    let said = run(tool("kubernetes-validate")
        .args(["--strict", "--kubernetes-version", "1.34"])
        .arg(all)
        .arg(secrets));
    drop(said);
    let kinds: std::collections::BTreeSet<_> =
        yaml(&rendered()).iter().map(|object| text(object, "/kind").to_owned()).collect();
    for kind in [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Job",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
    ] {
        assert!(kinds.contains(kind), "{kind} is missing");
    }
    for object in yaml(&rendered()) {
        assert!(
            object["kind"] == "Namespace" || object["metadata"]["namespace"] == "bailiwick",
            "{object:#}"
        );
    }
}

#[test]
fn pods_are_restricted() {
    assert_eq!(the("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
    // What the profile `restricted` asks for, and more.
    for workload in workloads() {
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 65532);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(pod["automountServiceAccountToken"], false);
        for field in ["hostNetwork", "hostPID", "hostIPC", "volumes", "initContainers"] {
            assert!(pod.get(field).is_none(), "{field}");
        }
        for container in pod["containers"].as_array().expect("containers") {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }));
            assert!(
                container["resources"]["limits"]["memory"].is_string()
                    && container["resources"]["requests"]["cpu"].is_string()
            );
            assert_eq!(text(container, "/image"), "example/bailiwick:0.1.0");
        }
    }
}

#[test]
fn settings_are_settings_and_secrets_are_no_settings() {
    let settings = the("ConfigMap");
    let name = text(&settings, "/metadata/name");
    let data = settings["data"].as_object().expect("settings");
    are_settings(data.keys().map(String::as_str));
    assert!(!data.contains_key("JWT_SECRET") && !data.contains_key("DATABASE_URL"));
    // The server has what is no secret and its own secrets; the migration has the owner's alone.
    let [server, migration] = workloads().map(|workload| {
        workload.pointer("/spec/template/spec/containers/0/envFrom").expect("an environment").clone()
    });
    let secret = |of: &str| json!({ "secretRef": { "name": of } });
    assert_eq!(server, json!([{ "configMapRef": { "name": name } }, secret("bailiwick-server")]));
    assert_eq!(migration, json!([secret("bailiwick-owner")]));
    for (secret, login) in
        yaml(&file("deploy/kubernetes/secret.example.yaml")).iter().zip(["server", "owner"])
    {
        assert_eq!(text(secret, "/metadata/name"), format!("bailiwick-{login}"));
        let data = secret["stringData"].as_object().expect("secrets");
        are_settings(data.keys().map(String::as_str));
        assert!(
            text(secret, "/stringData/DATABASE_URL").starts_with(&format!("postgres://bailiwick_{login}:"))
        );
    }
}

#[test]
fn numbers_fit_together() {
    let settings = the("ConfigMap")["data"].clone();
    let most = the("HorizontalPodAutoscaler")["spec"]["maxReplicas"].as_u64().expect("a number");
    let connections: u64 = text(&settings, "/DATABASE_CONNECTIONS").parse().expect("a number");
    // Postgres takes 100, and keeps a few for its administrators; one more instance comes while a version is rolled out.
    assert!((most + 1) * connections <= 95, "{most} instances with {connections} connections each");
    let pod = &the("Deployment")["spec"]["template"]["spec"];
    let pause = pod
        .pointer("/containers/0/lifecycle/preStop/sleep/seconds")
        .and_then(Value::as_u64)
        .expect("a pause");
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a time");
    assert!(grace > pause + seconds(text(&settings, "/SHUTDOWN_GRACE")), "it is killed before it has ended");
    assert!(the("Deployment")["spec"].get("replicas").is_none(), "the autoscaler says how many");
    for (setting, port) in [("/BIND", "http"), ("/ADMIN_BIND", "metrics")] {
        let listens: u64 =
            text(&settings, setting).rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let ports = pod.pointer("/containers/0/ports").and_then(Value::as_array).expect("ports");
        let found = ports.iter().find(|found| found["name"] == port).expect("a port of this name");
        assert_eq!(found["containerPort"], listens);
    }
}

#[test]
fn selectors_find_what_they_are_for() {
    let labels =
        |workload: &Value| workload.pointer("/spec/template/metadata/labels").expect("labels").clone();
    let [server, migration] = workloads().map(|workload| labels(&workload));
    let selects = |selector: &Value, labels: &Value| {
        let selector = selector.as_object().expect("a selector");
        assert!(!selector.is_empty());
        selector.iter().all(|(name, value)| labels.get(name) == Some(value))
    };
    for service in of_kind("Service") {
        assert!(
            selects(&service["spec"]["selector"], &server)
                && !selects(&service["spec"]["selector"], &migration)
        );
    }
    let budget = the("PodDisruptionBudget");
    assert!(selects(&budget["spec"]["selector"]["matchLabels"], &server));
    let policies = of_kind("NetworkPolicy");
    for (name, labels) in [("bailiwick", &server), ("bailiwick-migrate", &migration)] {
        let policy = policies.iter().find(|policy| policy["metadata"]["name"] == name).expect("a policy");
        assert!(selects(&policy["spec"]["podSelector"]["matchLabels"], labels), "{name}");
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{name}");
        // The overlay's ingress replaces that of the base, and names who may come.
        for from in policy["spec"]["ingress"].as_array().into_iter().flatten() {
            assert!(from["from"].is_array() && from["ports"].is_array(), "{name}: {from}");
        }
    }
    let target = &the("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"];
    assert_eq!(
        (&target["kind"], &target["name"]),
        (&json!("Deployment"), &the("Deployment")["metadata"]["name"])
    );
}

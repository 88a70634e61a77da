//! A Prometheus of our own, which scrapes instances of the server and is asked what it has seen; and its `promtool`.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
};

use bailiwick_tests::{
    client::Ask,
    ports::Port,
    process::Process,
    targets::{client, root},
    until,
};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt, process::Command};

/// A series: its labels, and its value.
pub(crate) type Sample = (BTreeMap<String, String>, f64);

/// A running Prometheus.
pub(crate) struct Prometheus {
    url: String,
    http: reqwest::Client,
    _port: Port,
    _process: Process,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts one with `deploy/prometheus`, only that it scrapes these addresses, and often; and waits until it has seen
    /// them, which takes it 5 seconds.
    pub(crate) async fn start(targets: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let deployed = root().join("deploy/prometheus");
        let config = std::fs::read_to_string(deployed.join("prometheus.yml")).expect("the configuration");
        let number = f64::from(u8::try_from(targets.len()).expect("a few"));
        let targets: Vec<_> =
            targets.iter().map(|target| format!("\"{}\"", target.trim_start_matches("http://"))).collect();
        let config = replaced(&config, "\"server:9464\"", &targets.join(", "));
        let config = replaced(&config, "interval: 15s", "interval: 250ms");
        std::fs::write(directory.path().join("prometheus.yml"), config).expect("a file");
        std::fs::copy(deployed.join("alerts.yml"), directory.path().join("alerts.yml")).expect("a file");
        let port = Port::reserve();
        let address = port.address();
        let process = Command::new("prometheus")
            .current_dir(directory.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("prometheus: scripts/setup installs it");
        let this = Self {
            url: format!("http://{address}"),
            http: client(),
            _port: port,
            _process: Process::new(process),
            _directory: directory,
        };
        until("Prometheus is ready", || async {
            let ready = Ask::new(&this.http, Method::GET, &this.url, "/-/ready").try_send().await;
            ready
                .map_err(|error| error.to_string())
                .map(|answer| answer.status)
                .and_then(|status| if status == 200 { Ok(()) } else { Err(format!("it answers {status}")) })
        })
        .await;
        // What is measured by its growth is to be seen before it grows.
        this.until("sum(up{job=\"bailiwick\"})", number).await;
        this
    }

    /// Asks its API; `Err` with what it says of a query that is none.
    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, String> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), query).expect("a URL");
        let body: Value = self.http.get(url).send().await.expect("an answer").json().await.expect("JSON");
        match &body["status"] {
            Value::String(status) if status == "success" => Ok(body["data"].clone()),
            _ => Err(body.to_string()),
        }
    }

    /// What an expression comes to now.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Sample>, String> {
        let data = self.ask("/api/v1/query", &[("query", expression)]).await?;
        let number = |value: &Value| value[1].as_str().and_then(|text| text.parse().ok());
        let samples = data["result"].as_array().expect("a list").iter();
        Ok(samples
            .map(|sample| {
                let labels = serde_json::from_value(sample["metric"].clone()).expect("labels");
                (labels, number(&sample["value"]).expect("a number"))
            })
            .collect())
    }

    /// What an expression comes to whose answer is one number; `None` if it is none.
    pub(crate) async fn value(&self, expression: &str) -> Option<f64> {
        let samples = self.query(expression).await.expect("a query");
        assert!(samples.len() <= 1, "{expression}: {samples:?}");
        samples.first().map(|(_, value)| *value)
    }

    /// Waits until an expression comes to this.
    pub(crate) async fn until(&self, expression: &str, wanted: f64) {
        let what = format!("{expression} is {wanted}");
        let close = |value: &f64| (value - wanted).abs() < 1e-9;
        until(&what, || async {
            {
                let value = self.value(expression).await;
                value.filter(close).ok_or(value)
            }
        })
        .await;
    }

    /// The names of all metrics that it has seen.
    pub(crate) async fn names(&self) -> Vec<String> {
        let address = format!("{}/api/v1/label/__name__/values", self.url);
        let body: Value = self.http.get(address).send().await.expect("an answer").json().await.expect("JSON");
        serde_json::from_value(body["data"].clone()).expect("names")
    }
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is no longer in it");
    text.replace(from, to)
}

/// Runs `promtool`, with this as its input.
pub(crate) async fn promtool(arguments: &[&str], directory: &Path, input: &str) -> Output {
    let mut process = Command::new("promtool")
        .current_dir(directory)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: scripts/setup installs it, with Prometheus");
    let mut stdin = process.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).await.expect("it reads");
    drop(stdin);
    process.wait_with_output().await.expect("it ends")
}

//! `bailiwick serve`: answers requests until it is told to stop.

use bailiwick::{
    server::{
        self,
        admin::Admin,
        background::{self, WorkSignal},
        client_address::TrustedProxies,
        shutdown::{self, Signals},
    },
    telemetry::Telemetry,
};
use bailiwick_core::config::LogFormat;
use clap::Command;
use tokio::net::TcpListener;

use super::{
    call::{Call, new_metrics, start_measured},
    report::{Outcome, Output, say},
};

pub(super) fn command() -> Command {
    Command::new("serve").about("Answer requests (the default)").after_help(
        "On SIGTERM or SIGINT the server finishes the requests in progress, and stops.\n\n\
         Example:\n  bailiwick serve\n  bailiwick serve --bind 0.0.0.0:8080 --database-url postgres://bailiwick@localhost/bailiwick",
    )
}

pub(super) async fn run(call: Call<'_>) -> Outcome {
    let config = call.config()?;
    if config.fault_injection {
        tracing::warn!("FAULT_INJECTION is on: any client can make a request panic");
    }
    if let Some(sentence) = config.invitation_tokens_shown() {
        tracing::warn!("{sentence}");
    }
    let proxies = TrustedProxies::of(&config).map_err(|sentence| vec![sentence])?;
    let metrics = new_metrics()?;
    let (app, database) = start_measured(config.clone(), &metrics).await?;
    let telemetry = Telemetry::start(&config, &metrics).map_err(|sentence| vec![sentence])?;
    if let Some(address) = config.admin_bind {
        let admin = Admin { metrics, app: app.clone(), database };
        admin.start(address).await.map_err(|sentence| vec![sentence])?;
    }
    let listener = TcpListener::bind(config.bind)
        .await
        .map_err(|error| vec![format!("BIND: {} cannot be listened on: {error}.", config.bind)])?;
    let address = listener.local_addr().map_err(|error| vec![error.to_string()])?;
    let signals = Signals::listen().map_err(|error| vec![error.to_string()])?;
    let stopped = shutdown::on_signal(signals, app.clone(), config.shutdown_delay);
    tracing::info!("listening on http://{address}");
    if config.log_format == LogFormat::Pretty {
        say(&format!("\n  Bailiwick answers on http://{address}"));
        say(&format!("  Start at             http://{address}/start"));
        say(&format!("  Its description is   http://{address}/openapi.json"));
        say(&format!("  Its health is        http://{address}/readyz\n"));
    }
    let signal = WorkSignal::default();
    let router = server::router(&app, &config, &signal, &telemetry);
    tokio::join!(
        server::serve(listener, router, proxies, &config, stopped.clone()),
        background::run(app, signal, &telemetry, &config, stopped),
    );
    telemetry.stop().await;
    tracing::info!("stopped");
    Ok(Output::Nothing)
}

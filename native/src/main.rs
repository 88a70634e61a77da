//! The command line: `serve` (the default), `migrate`, `seed`.

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentences) => {
            for sentence in sentences {
                eprintln!("bailiwick: {sentence}");
            }
            ExitCode::from(2)
        }
    }
}

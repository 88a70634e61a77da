//! The command line: `serve` (the default), `migrate`, `seed`, `tenant`, `audit`, `verify-isolation`.

mod cli;

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let done = Runtime::new().map_err(|error| vec![error.to_string()]).and_then(|runtime| {
        let done = runtime.block_on(cli::run());
        // A name that the system is still looking up would hold up the end.
        runtime.shutdown_background();
        done
    });
    match done {
        Ok(code) => code,
        Err(sentences) => {
            for sentence in sentences {
                eprintln!("bailiwick: {sentence}");
            }
            ExitCode::from(2)
        }
    }
}

//! The command line, `bailiwick --help`.

mod cli;

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    if let Err(sentence) = cli::env_file::read() {
        eprintln!("bailiwick: {sentence}");
        // As where the settings are wrong.
        return ExitCode::from(2);
    }
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bailiwick: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli::run());
    // A name that the system is still looking up would hold up the end.
    runtime.shutdown_background();
    code
}

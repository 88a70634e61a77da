//! The command line, `bailiwick --help`.

mod cli;

use std::process::ExitCode;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("bailiwick: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli::run());
    // A name that the system is still looking up would delay the exit.
    runtime.shutdown_background();
    code
}

//! The `countersign` binary: a thin shell around the library.

use std::process::ExitCode;

use clap::Parser;
use countersign::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain on one line, then done: an operator reads this, not a backtrace.
            let _ =
                std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("countersign: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

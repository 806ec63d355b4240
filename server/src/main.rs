//! `onscene`: see `onscene --help`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    onscene_server::cli::run(onscene_server::cli::Cli::parse())
}

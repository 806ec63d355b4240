//! The command line.

mod check;
mod serve;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::StartError;
use crate::config::{Config, ConfigError};
use crate::store::{Store, StoreError};

/// Onscene: offline-first field inspection with provable arrival.
#[derive(Debug, Parser)]
#[command(name = "onscene", version, about)]
pub struct Cli {
    /// Configuration file (TOML). Variables ONSCENE_<SECTION>__<KEY> take precedence over it.
    #[arg(long, short, env = "ONSCENE_CONFIG", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub until SIGTERM or Ctrl-C.
    ///
    /// Brings the database's schema up to date first. With the defaults everything lives in the
    /// folder ./data and the API listens on 127.0.0.1:8460.
    Serve,
    /// Bring the database's schema up to date and exit.
    Migrate,
    /// Check the configuration, the keys and the database without changing anything.
    ///
    /// Prints one line for each check; exits with 1 when one fails.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Print a configuration file with every key, its meaning and its default, and exit.
    #[arg(long)]
    print_example: bool,
}

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    #[error("configuration: `log.filter`: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("{0}")]
    Start(#[from] StartError),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("a part of the hub ended by itself; the log says why")]
    PartEnded,
    #[error("at least one check failed")]
    CheckFailed,
}

/// Runs a command; errors go to standard error in one line.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let result = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(dispatch(cli)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _nowhere_to_complain = writeln!(std::io::stderr(), "onscene: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), CliError> {
    if let Command::Check(CheckArgs { print_example: true }) = cli.command {
        std::io::stdout().write_all(Config::example().as_bytes())?;
        return Ok(());
    }
    let config = Config::load(cli.config.as_deref())?;
    crate::telemetry::start(&config.log)?;
    match cli.command {
        Command::Serve => serve::serve(config).await,
        Command::Migrate => migrate(&config).await,
        Command::Check(_) => check::check(&config, &mut std::io::stdout()).await,
    }
}

async fn migrate(config: &Config) -> Result<(), CliError> {
    std::fs::create_dir_all(&config.data.dir)?;
    let store = Store::open(&config.database_url(), config.database.connections).await?;
    let state = store.migrate().await?;
    store.close().await;
    writeln!(std::io::stdout(), "the database has schema {}", state.found)?;
    Ok(())
}

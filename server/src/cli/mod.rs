//! The command line.

mod audit;
mod bulletin;
mod bundle;
mod check;
mod draw;
mod import;
mod invite;
mod recover;
mod serve;
mod vault;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::StartError;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, ConfigError};
use crate::demo::{DemoArgs, DemoError};
use crate::hub::epoch;
use crate::hub::recover::RecoverError;
use crate::phone::cli::{PhoneArgs, PhoneError};
use crate::store::{Store, StoreError};

/// Onscene (到场): a city bureau's field work, recorded offline, with arrivals that can be proven.
///
/// `onscene demo` shows all of it at work. The server of a bureau is called the hub: `onscene serve` runs
/// it, and `onscene phone` plays an inspector's phone.
#[derive(Debug, Parser)]
#[command(name = "onscene", version)]
pub struct Cli {
    /// Configuration file (TOML). Variables `ONSCENE_<SECTION>__<KEY>` take precedence over it.
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
    Migrate(MigrateArgs),
    /// Check the configuration, the keys and the database without changing anything.
    ///
    /// Prints one line for each check; exits with 1 when one fails.
    Check(CheckArgs),
    /// Check the audit log, and prove what stands in it.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Take the sealed evidence of a case out of the hub, and check such a file anywhere.
    #[command(subcommand)]
    Bundle(bundle::BundleCommand),
    /// Repeat the weekly draw of closed cases that are looked at again, from its published files.
    #[command(subcommand)]
    Draw(draw::DrawCommand),
    /// Deliver what a phone that lost the key to its store handed in as a recovery file.
    ///
    /// Run it on the hub's machine, with the hub's configuration and keys. Safe to repeat.
    Recover(RecoverArgs),
    /// Write the bureau's bulletin (通报) of a month as a Word document.
    Bulletin(bulletin::BulletinArgs),
    /// Register cases from a file. The hub may run meanwhile.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Invite an administrator to choose a password, from the hub's own machine.
    ///
    /// For the first administrator, and for the day when none can sign in any more. The hub may run
    /// meanwhile.
    Invite(invite::InviteArgs),
    /// Look after the vault of complainants.
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Write the API's description (OpenAPI 3.1) to standard output: client libraries are generated from it.
    Openapi,
    /// Watch a day of a district bureau: the hub and 25 phones on a clock that runs fast.
    Demo(DemoArgs),
    /// Decode one picture from standard input: the hub runs this for itself.
    #[command(name = crate::picture::SUBCOMMAND, hide = true)]
    LookAtPicture,
    /// Play an inspector's phone: enrol, list work, arrive, record, sync, go offline and back.
    Phone(PhoneArgs),
}

#[derive(Debug, Args)]
struct MigrateArgs {
    /// The database was restored from a backup: begin a new epoch, so that phones deliver again what
    /// it has forgotten. Stop every process of the hub first.
    #[arg(long)]
    restored: bool,
}

#[derive(Debug, Args)]
struct RecoverArgs {
    /// The file, as the phone made it.
    file: PathBuf,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Print a configuration file with every key, its meaning and its default, and exit.
    #[arg(long)]
    print_example: bool,
    /// Read every file of evidence and compare its hash, not only look whether it is there.
    #[arg(long)]
    files: bool,
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
    #[error("{}: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Recover(#[from] RecoverError),
    #[error("a part of the hub ended by itself; the log says why")]
    PartEnded,
    #[error("{0}")]
    Demo(#[from] DemoError),
    #[error("{0}")]
    Phone(#[from] PhoneError),
    #[error("{0}")]
    Audit(String),
    #[error("{0}")]
    Bundle(String),
    #[error("{0}")]
    Vault(String),
    #[error("{0}")]
    Bulletin(String),
    #[error("{}: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Import(String),
    #[error("{0}")]
    Invite(String),
    #[error("not everything was registered")]
    NotAllImported,
    #[error("at least one check failed")]
    CheckFailed,
}

/// Runs a command; errors go to standard error in one line.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    if matches!(cli.command, Command::LookAtPicture) {
        return crate::picture::worker::main();
    }
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
    match cli.command {
        Command::Check(CheckArgs { print_example: true, .. }) => {
            std::io::stdout().write_all(Config::example().as_bytes())?;
        }
        Command::LookAtPicture => {}
        Command::Openapi => {
            std::io::stdout().write_all(crate::http::docs::written().as_bytes())?;
        }
        Command::Demo(args) => crate::demo::run(args, Box::new(std::io::stdout())).await?,
        Command::Phone(args) => crate::phone::cli::run(args, &mut std::io::stdout()).await?,
        Command::Audit(command) => {
            let config = configure(cli.config.as_deref())?;
            audit::run(command, &config, &mut std::io::stdout()).await?;
        }
        Command::Bundle(bundle::BundleCommand::Verify { file, key }) => {
            bundle::verify(&file, key, &mut std::io::stdout())?;
        }
        Command::Bundle(bundle::BundleCommand::Export { case, file }) => {
            let config = configure(cli.config.as_deref())?;
            bundle::export(&config, case, &file, &mut std::io::stdout()).await?;
        }
        Command::Bulletin(args) => {
            let config = configure(cli.config.as_deref())?;
            bulletin::run(args, &config, &mut std::io::stdout()).await?;
        }
        Command::Import(command) => {
            let config = configure(cli.config.as_deref())?;
            import::run(command, config, &mut std::io::stdout()).await?;
        }
        Command::Invite(args) => {
            let config = configure(cli.config.as_deref())?;
            invite::run(args, config, &mut std::io::stdout()).await?;
        }
        Command::Draw(draw::DrawCommand::Verify { folder, key }) => {
            draw::verify(&folder, key, &mut std::io::stdout())?;
        }
        Command::Vault(command) => {
            let config = configure(cli.config.as_deref())?;
            vault::run(command, &config, &mut std::io::stdout()).await?;
        }
        Command::Serve => serve::serve(configure(cli.config.as_deref())?).await?,
        Command::Migrate(MigrateArgs { restored }) => {
            migrate(&configure(cli.config.as_deref())?, restored).await?;
        }
        Command::Recover(RecoverArgs { file }) => {
            let config = configure(cli.config.as_deref())?;
            recover::recover(config, &file, &mut std::io::stdout()).await?;
        }
        Command::Check(CheckArgs { files, .. }) => {
            let config = configure(cli.config.as_deref())?;
            check::check(&config, files, &mut std::io::stdout()).await?;
        }
    }
    Ok(())
}

/// Reads the configuration and starts logging as it says.
fn configure(file: Option<&Path>) -> Result<Config, CliError> {
    let config = Config::load(file)?;
    crate::telemetry::start(&config.log)?;
    Ok(config)
}

async fn migrate(config: &Config, restored: bool) -> Result<(), CliError> {
    config.make_data_folder()?;
    let store = Store::open(&config.database_url(), config.database.connections).await?;
    let state = store.migrate().await?;
    let epoch = if restored { Some(epoch::begin(&store, SystemClock.now()).await?) } else { None };
    store.close().await;
    let mut out = std::io::stdout();
    writeln!(out, "the database has schema {}", state.found)?;
    if let Some(epoch) = epoch {
        writeln!(out, "the hub begins epoch {epoch}: phones deliver again what it has forgotten")?;
    }
    Ok(())
}

//! `onscene import …`: cases from files.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use onscene_sync_core::id::PersonId;
use onscene_sync_core::place::Datum;

use super::CliError;
use crate::app::App;
use crate::auth::{Action, Reach, Role};
use crate::config::Config;
use crate::intake::import::table::{Line, Table};
use crate::intake::import::{Report, import, open311, sheet};
use crate::intake::matters::{self, Matter};
use crate::store::{RowExt as _, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Register the cases of a CSV file with Chinese or English headings, in UTF-8, UTF-16 or GB18030.
    ///
    /// Each line that cannot be registered is named with the reason, and kept as it was in a file
    /// beside: mend it there and import that file. Importing a file again registers nothing twice.
    Cases(CasesArgs),
    /// Register the service requests of a GeoReport v2 (Open311) file, in JSON or XML.
    Open311(Open311Args),
}

#[derive(Debug, Args)]
struct Common {
    /// The file.
    file: PathBuf,
    /// Who registers them: the id of a person who may.
    #[arg(long, value_name = "PERSON")]
    by: PersonId,
    /// Name of the system that the file comes from: its references count within it.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Radius of the sites where the file says none, metres.
    #[arg(long, default_value_t = 100.0, value_name = "METRES")]
    radius: f64,
}

#[derive(Debug, Args)]
pub(super) struct CasesArgs {
    #[command(flatten)]
    common: Common,
    /// Datum of coordinates where no column says it.
    #[arg(long, value_enum)]
    datum: Option<DatumName>,
}

#[derive(Debug, Args)]
pub(super) struct Open311Args {
    #[command(flatten)]
    common: Common,
    /// Which kind of matter a service code is, as `CODE=KEY`; `*=KEY` for all others. May be repeated.
    #[arg(long = "map", value_name = "CODE=KEY", value_parser = pair)]
    maps: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DatumName {
    Wgs84,
    Gcj02,
    Bd09,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(code, key)| (code.to_owned(), key.to_owned()));
    pair.ok_or_else(|| "write CODE=KEY".to_owned())
}

pub(super) async fn run(
    command: ImportCommand,
    config: Config,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let common = match &command {
        ImportCommand::Cases(args) => &args.common,
        ImportCommand::Open311(args) => &args.common,
    };
    let path = common.file.clone();
    let bytes =
        std::fs::read(&path).map_err(|source| CliError::Read { path: path.clone(), source })?;
    let app = App::open(config).await?;
    let done = match command {
        ImportCommand::Cases(args) => cases(&app, &args, bytes, out).await,
        ImportCommand::Open311(args) => requests(&app, args, &bytes, out).await,
    };
    app.store.close().await;
    done
}

async fn cases(
    app: &App,
    args: &CasesArgs,
    bytes: Vec<u8>,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let open = prepare(app, args.common.by).await?;
    let table = Table::read(bytes).map_err(|error| CliError::Import(error.to_string()))?;
    let choices = sheet::Choices {
        datum: args.datum.map(|name| match name {
            DatumName::Wgs84 => Datum::Wgs84,
            DatumName::Gcj02 => Datum::Gcj02,
            DatumName::Bd09 => Datum::Bd09,
        }),
        utc_offset_min: app.config.bureau.utc_offset_min,
        radius_m: args.common.radius,
    };
    let sheet = sheet::read(&table, &open, choices).map_err(CliError::Import)?;
    writeln!(out, "{} cases, written in {}", sheet.items.len(), table.encoding())?;
    for heading in &sheet.unread {
        writeln!(out, "the column `{heading}` is not read")?;
    }
    let source = args.common.source.as_deref().unwrap_or("csv");
    let report = import(app, args.common.by, source, sheet.items).await?;
    let keep = |rejected: &[&Line]| {
        let lines = sheet.head.iter().chain(rejected.iter().copied());
        let mut kept = if table.bytes.starts_with(b"\xef\xbb\xbf") {
            vec![0xef, 0xbb, 0xbf]
        } else {
            Vec::new()
        };
        for line in lines {
            kept.extend(&table.bytes[line.raw.clone()]);
            if !kept.ends_with(b"\n") {
                kept.push(b'\n');
            }
        }
        kept
    };
    tell(&report, &args.common.file, "csv", keep, "line", out)
}

async fn requests(
    app: &App,
    args: Open311Args,
    bytes: &[u8],
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let open = prepare(app, args.common.by).await?;
    let matters: BTreeMap<_, _> = args.maps.into_iter().collect();
    let choices = open311::Choices { matters, radius_m: args.common.radius };
    let items = open311::read(bytes, &open, &choices).map_err(CliError::Import)?;
    writeln!(out, "{} service requests", items.len())?;
    let source = args.common.source.as_deref().unwrap_or("open311");
    let report = import(app, args.common.by, source, items).await?;
    let keep =
        |rejected: &[&serde_json::Value]| serde_json::to_vec_pretty(rejected).unwrap_or_default();
    tell(&report, &args.common.file, "json", keep, "request", out)
}

/// The open kinds of matter, once `by` is somebody who registers cases.
async fn prepare(app: &App, by: PersonId) -> Result<Vec<Matter>, CliError> {
    const SQL: &str = "SELECT role FROM person WHERE person_id = $1 AND closed_at IS NULL";
    let found = app.store.with_read("import.prepare", by, |tx, by| {
        Box::pin(async move {
            let query = sqlx::query(SQL).bind(&by.as_bytes()[..]);
            let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
            let role = row.map(|row| row.text("role")).transpose()?;
            Ok::<_, StoreError>((role, matters::list(tx).await?))
        })
    });
    let (role, matters) = found.await?;
    let role = role.and_then(|role| role.parse::<Role>().ok());
    if role.is_none_or(|role| role.reach(Action::RegisterCases) == Reach::Nothing) {
        return Err(CliError::Import(format!(
            "--by {by}: is nobody who registers cases: name a dispatcher"
        )));
    }
    Ok(matters.into_iter().filter(|matter| matter.closed_at.is_none()).collect())
}

/// Says what became of the file, and keeps what was not registered beside it.
fn tell<P>(
    report: &Report<P>,
    file: &Path,
    extension: &str,
    keep: impl Fn(&[&P]) -> Vec<u8>,
    what: &str,
    out: &mut impl Write,
) -> Result<(), CliError> {
    for (line, why, _) in &report.rejected {
        writeln!(out, "{what} {line}: {why}")?;
    }
    let (registered, known, rejected) = (report.registered, report.known, report.rejected.len());
    writeln!(out, "{registered} registered, {known} on record before, {rejected} not registered")?;
    if report.rejected.is_empty() {
        return Ok(());
    }
    let rejected: Vec<&P> = report.rejected.iter().map(|(_, _, raw)| raw).collect();
    let path = write_beside(file, extension, &keep(&rejected))?;
    writeln!(
        out,
        "what was not registered is kept in {}: mend it and import that file",
        path.display()
    )?;
    Err(CliError::NotAllImported)
}

/// Writes a file beside `file` that its owner alone can read: it may name complainants. None that is
/// there is written over, since somebody may be mending it.
fn write_beside(file: &Path, extension: &str, bytes: &[u8]) -> Result<PathBuf, CliError> {
    let mut number = 1;
    loop {
        let count = if number == 1 { String::new() } else { format!("-{number}") };
        let path = file.with_extension(format!("rejected{count}.{extension}"));
        let opened =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match opened {
            Ok(mut opened) => {
                opened.write_all(bytes)?;
                opened.sync_all()?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(CliError::Read { path, source }),
        }
    }
}

#[cfg(test)]
mod tests;

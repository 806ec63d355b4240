//! `onscene phone …`: a phone of the bureau on the command line, as a tester would use one.

mod arrive;
mod files;
mod handover;
mod jobs;
mod show;
mod syncing;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use onscene_mobile::{Device, DeviceError, HandoverError, Job, OpenConfig};
use onscene_sync_core::document::Answer;
use onscene_sync_core::fact::body::{Outcome, OutcomeReport};
use onscene_sync_core::id::FactId;
use onscene_sync_core::place::Datum;
use thiserror::Error;

use super::fixes::{NotAFix, TypedFix};
use super::folder::{Folder, FolderError};
use super::gnsslogger::NotARecording;
use super::lend;
use super::transport::Unanswered;
use crate::random::SystemRandom;
use files::FileCommand;
use syncing::{sync, upload, watch};

/// A phone on the command line.
#[derive(Debug, Args)]
pub struct PhoneArgs {
    /// The folder that plays the phone's storage. A copy of it is a cloned phone.
    #[arg(long, default_value = "phone", global = true, value_name = "FOLDER")]
    dir: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Become somebody's phone with a one-time code.
    Enrol {
        /// Address of the hub, as http://127.0.0.1:8460.
        #[arg(long, value_name = "URL")]
        server: String,
        /// The one-time code that an administrator or unit leader gave out.
        #[arg(long)]
        code: String,
        /// Revoke the phone that the person has now; without this such an enrolment is refused.
        #[arg(long)]
        replace: bool,
    },
    /// List the orders to be answered.
    Work,
    /// Say that an order was read.
    Accept(OrderArg),
    /// Claim to be on scene, with the positions that show it.
    Arrive(ArriveArgs),
    /// Add a remark to a visit.
    Note {
        #[command(flatten)]
        order: OrderArg,
        /// The remark.
        text: String,
    },
    /// Report what was done. The files of the visit go with it; each outcome but `unfounded` needs one.
    Outcome(OutcomeArgs),
    #[command(flatten)]
    File(FileCommand),
    /// Answer an item of the visit's checklist.
    Checklist {
        #[command(flatten)]
        order: OrderArg,
        /// The item: a-z, 0-9 and _.
        item: String,
        /// The answer.
        answer: AnswerArg,
    },
    /// Exchange everything with the hub now.
    Sync {
        /// Keep syncing until Ctrl-C: at once when the hub has news, and every so many seconds when
        /// it cannot say so.
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5",
            value_parser = clap::value_parser!(u64).range(1..=86_400))]
        watch: Option<u64>,
    },
    /// Exchange everything with the hub, then send files of evidence until none is left.
    Upload,
    /// Give a colleague's phone what it lacks, and take what this one lacks, without a network: run it
    /// on both phones, each reading what the other writes.
    Handover(handover::HandoverArgs),
    /// Go out of coverage: `sync` refuses until `online`.
    Offline,
    /// Come back into coverage.
    Online,
    /// Show what is saved, delivered, verified and refused.
    Status {
        /// Show every record, not the numbers only.
        #[arg(long)]
        records: bool,
    },
    /// Print the newest checkpoint of the hub's audit log that this phone has seen, for `onscene audit
    /// verify --checkpoint`.
    Witness,
    /// Show what the team disagrees about in a visit.
    Conflicts(OrderArg),
    /// Settle on one of several outcomes.
    Choose {
        #[command(flatten)]
        order: OrderArg,
        /// The outcome's id, as `conflicts` shows it.
        outcome: FactId,
    },
}

/// Which order.
#[derive(Debug, Clone, Args)]
struct OrderArg {
    /// The order: its number in `work`, its id, or the beginning of its id.
    order: String,
}

#[derive(Debug, Args)]
struct ArriveArgs {
    #[command(flatten)]
    order: OrderArg,
    /// Datum of the positions. A mix-up moves them by half a kilometre or more, so it is never
    /// assumed; recordings of GnssLogger are wgs84.
    #[arg(long)]
    datum: DatumArg,
    /// A position as `latitude,longitude,accuracy[,age[,mock]]` in degrees, metres and seconds
    /// before now; may be given several times. Three positions in each of two windows of half a minute
    /// prove a place; the tap is taken to be at the oldest one.
    #[arg(long = "fix", value_name = "LAT,LON,ACC[,AGE[,MOCK]]", allow_hyphen_values = true)]
    fixes: Vec<TypedFix>,
    /// A table of such positions, one a line.
    #[arg(long = "fixes", value_name = "FILE", conflicts_with = "fixes")]
    table: Option<PathBuf>,
    /// A recording of Google's GnssLogger app, replayed as if its last three minutes ended now.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fixes", "table"])]
    gnsslog: Option<PathBuf>,
    /// Take the positions from now on, as a phone on scene does: the command lasts as long as they
    /// do. Without it they lie in the past, which contradicts an order that came only just now.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct OutcomeArgs {
    #[command(flatten)]
    order: OrderArg,
    /// What was done.
    outcome: OutcomeArg,
    /// In words.
    #[arg(long)]
    text: String,
    /// Whether a complainant who was on scene was told there and then; leave out if none was there.
    #[arg(long)]
    told: Option<bool>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DatumArg {
    /// What satellites give.
    Wgs84,
    /// 火星坐标, the shifted datum of maps published in China.
    Gcj02,
    /// Baidu's shift on top of GCJ-02.
    Bd09,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AnswerArg {
    Yes,
    No,
    /// Does not apply here.
    Na,
}

/// The outcomes of the rule book.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OutcomeArg {
    /// The violation was stopped.
    Stopped,
    /// The party put it right.
    Corrected,
    /// A penalty was decided.
    Penalised,
    /// There is nothing to the complaint.
    Unfounded,
    /// What was complained of is gone.
    AlreadyGone,
    /// Place or party cannot be found.
    NotFound,
    /// Filed for investigation.
    Investigation,
    /// Needs another department.
    OtherDepartment,
    /// Needs coordination between units.
    NeedsCoordination,
    /// Takes long.
    LongTerm,
}

/// Why a command of the phone did not do what it should.
#[derive(Debug, Error)]
pub enum PhoneError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The device library.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A meeting with another phone.
    #[error(transparent)]
    Handover(#[from] HandoverError),
    /// The HTTP client.
    #[error(transparent)]
    Transport(#[from] Unanswered),
    /// Standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The output as JSON.
    #[error("the answer cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A file that was named.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A table of positions.
    #[error("{path}, line {line}: {source}")]
    Table {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        source: NotAFix,
    },
    /// A recording.
    #[error("{path}: {source}")]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: NotARecording,
    },
    /// The command makes no sense as it stands.
    #[error("{0}")]
    Usage(String),
    /// The hub did not take part.
    #[error("{0}. What is recorded stays on this phone and goes out with a later `sync`")]
    NotSynced(String),
}

/// Runs a command of the phone and writes what it shows to `out`.
///
/// # Errors
/// See [`PhoneError`]; what was recorded stays recorded.
pub async fn run(args: PhoneArgs, out: &mut (impl Write + Send)) -> Result<(), PhoneError> {
    let mut screen = show::Screen { out, json: args.json };
    if let Command::Enrol { server, code, replace } = &args.command {
        let folder = Folder::make(&args.dir, &SystemRandom)?;
        let mut device = open(&folder)?;
        device.enrol(server, code, None, *replace)?;
        sync(&folder, &mut device).await?;
        return screen.standing(&device);
    }
    let folder = Folder::existing(&args.dir)?;
    let mut device = open(&folder)?;
    match args.command {
        Command::Enrol { .. } => Ok(()),
        Command::Work => screen.work(&device),
        Command::Accept(order) => {
            let order = jobs::find(&device, &order.order)?;
            let fact = device.accept(order)?;
            screen.recorded("accepted", fact)
        }
        Command::Arrive(arrival) => arrive::arrive(&mut device, &arrival, &mut screen).await,
        Command::Note { order, text } => {
            let fact = device.note(job(&device, &order)?, &text)?;
            screen.recorded("note", fact)
        }
        Command::Outcome(report) => {
            let job = job(&device, &report.order)?;
            let mut report = OutcomeReport::from(report);
            report.evidence = files::of_visit(&device, job)?;
            let fact = device.outcome(job, report)?;
            screen.recorded("outcome", fact)
        }
        Command::File(command) => files::run(&mut device, command, &mut screen),
        Command::Upload => {
            upload(&folder, &mut device).await?;
            screen.status(&device, folder.is_offline(), true)
        }
        Command::Checklist { order, item, answer } => {
            device.answer(job(&device, &order)?, &item, answer.into())?;
            screen.said("answer", &item)
        }
        Command::Sync { watch: None } => {
            sync(&folder, &mut device).await?;
            screen.status(&device, folder.is_offline(), false)
        }
        Command::Sync { watch: Some(seconds) } => {
            let every = Duration::from_secs(seconds);
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
                ended = watch(&folder, &mut device, every, &mut screen) => ended,
            }
        }
        Command::Handover(args) => screen.given(&handover::meet(&mut device, &args).await?),
        Command::Offline => syncing::switch(&folder, true, &mut screen),
        Command::Online => syncing::switch(&folder, false, &mut screen),
        Command::Status { records } => screen.status(&device, folder.is_offline(), records),
        Command::Witness => match device.witnessed()? {
            Some(note) => screen.witnessed(&note),
            None => Err(PhoneError::NotSynced("no checkpoint has been seen yet".to_owned())),
        },
        Command::Conflicts(order) => {
            let job = job(&device, &order)?;
            screen.conflicts(&device, job)
        }
        Command::Choose { order, outcome } => {
            device.choose_outcome(job(&device, &order)?, outcome)?;
            screen.said("chosen", &outcome.to_string())
        }
    }
}

fn open(folder: &Folder) -> Result<Device, PhoneError> {
    let config = OpenConfig {
        path: folder.store_path(),
        model: "command-line phone".to_owned(),
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Ok(Device::open(config, lend::machine(folder.keys()?))?)
}

fn job(device: &Device, order: &OrderArg) -> Result<Job, PhoneError> {
    jobs::find(device, &order.order).map(Job::Order)
}

impl From<DatumArg> for Datum {
    fn from(datum: DatumArg) -> Self {
        match datum {
            DatumArg::Wgs84 => Self::Wgs84,
            DatumArg::Gcj02 => Self::Gcj02,
            DatumArg::Bd09 => Self::Bd09,
        }
    }
}

impl From<AnswerArg> for Answer {
    fn from(answer: AnswerArg) -> Self {
        match answer {
            AnswerArg::Yes => Self::Yes,
            AnswerArg::No => Self::No,
            AnswerArg::Na => Self::NotApplicable,
        }
    }
}

impl From<OutcomeArg> for Outcome {
    fn from(outcome: OutcomeArg) -> Self {
        match outcome {
            OutcomeArg::Stopped => Self::Stopped,
            OutcomeArg::Corrected => Self::Corrected,
            OutcomeArg::Penalised => Self::Penalised,
            OutcomeArg::Unfounded => Self::Unfounded,
            OutcomeArg::AlreadyGone => Self::AlreadyGone,
            OutcomeArg::NotFound => Self::NotFound,
            OutcomeArg::Investigation => Self::Investigation,
            OutcomeArg::OtherDepartment => Self::OtherDepartment,
            OutcomeArg::NeedsCoordination => Self::NeedsCoordination,
            OutcomeArg::LongTerm => Self::LongTerm,
        }
    }
}

impl From<OutcomeArgs> for OutcomeReport {
    fn from(args: OutcomeArgs) -> Self {
        Self {
            outcome: args.outcome.into(),
            text: args.text,
            evidence: Vec::new(),
            complainant_told: args.told,
        }
    }
}

#[cfg(test)]
mod tests;

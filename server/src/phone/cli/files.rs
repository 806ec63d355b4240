//! `photo`, `attach`, `recover`, `discard`: files that become evidence, or do not.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use onscene_mobile::{Device, Job, NewFile};
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::FactId;
use onscene_sync_core::limits::OUTCOME_EVIDENCE;

use super::show::Screen;
use super::{OrderArg, PhoneError, job};

/// What becomes of a file.
#[derive(Debug, Subcommand)]
pub(super) enum FileCommand {
    /// Make a file evidence as if the app's own camera had just taken it (a photo or video).
    Photo(FileArgs),
    /// Make a file evidence that the app's own camera has not taken: it counts as imported.
    Attach(FileArgs),
    /// Make a file evidence that was being taken when the app ended.
    Recover {
        /// Its number, as `status` shows it.
        capture: u64,
    },
    /// Throw away a file that was being taken when the app ended.
    Discard {
        /// Its number, as `status` shows it.
        capture: u64,
    },
}

/// A file that becomes evidence.
#[derive(Debug, Args)]
pub(super) struct FileArgs {
    #[command(flatten)]
    order: OrderArg,
    /// The file.
    file: PathBuf,
    /// What it is; told by the end of its name if absent.
    #[arg(long)]
    media: Option<MediaArg>,
    /// The evidence of this visit that shows the same before the work: the two are a pair.
    #[arg(long, value_name = "FACT")]
    before: Option<FactId>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MediaArg {
    Photo,
    Video,
    Audio,
    Document,
}

/// The files of a visit that an outcome can name.
pub(super) fn of_visit(device: &Device, job: Job) -> Result<Vec<FactId>, PhoneError> {
    let facts = device.visit(job)?.facts;
    let files = facts.iter().filter(|(_, fact)| matches!(fact.body, Body::Evidence(_)));
    Ok(files.map(|(id, _)| *id).take(OUTCOME_EVIDENCE).collect())
}

impl FileArgs {
    fn as_new(&self) -> NewFile {
        let extension = self.file.extension().unwrap_or_default().to_string_lossy();
        let extension = extension.to_ascii_lowercase();
        let media = match (self.media, &*extension) {
            (Some(MediaArg::Photo), _) => Media::Photo,
            (Some(MediaArg::Video), _) => Media::Video,
            (Some(MediaArg::Audio), _) => Media::Audio,
            (Some(MediaArg::Document), _) => Media::Document,
            (None, "jpg" | "jpeg" | "png" | "heic" | "webp") => Media::Photo,
            (None, "mp4" | "mov") => Media::Video,
            (None, "m4a" | "aac" | "mp3" | "wav") => Media::Audio,
            (None, _) => Media::Document,
        };
        NewFile { media, extension, before: self.before }
    }
}

/// Carries out a command about files.
pub(super) fn run<W: Write>(
    device: &mut Device,
    command: FileCommand,
    screen: &mut Screen<'_, W>,
) -> Result<(), PhoneError> {
    let fact = match command {
        FileCommand::Photo(args) => photo(device, &args)?,
        FileCommand::Attach(args) => {
            let job = job(device, &args.order)?;
            device.attach(job, &args.file, args.as_new(), None)?
        }
        FileCommand::Recover { capture } => device.finish_capture(capture, None)?,
        FileCommand::Discard { capture } => {
            device.discard_capture(capture)?;
            return screen.said("discarded", &capture.to_string());
        }
    };
    screen.recorded("evidence", fact)
}

/// Takes a file as an app does: the intent, the camera, the fact.
fn photo(device: &mut Device, args: &FileArgs) -> Result<FactId, PhoneError> {
    let failed = |source| PhoneError::File { path: args.file.clone(), source };
    fs::File::open(&args.file).map_err(failed)?;
    let capture = device.begin_capture(job(device, &args.order)?, args.as_new())?;
    fs::copy(&args.file, &capture.path).map_err(failed)?;
    Ok(device.finish_capture(capture.id, None)?)
}

//! `onscene bulletin`: the bureau's bulletin of a period, as a Word document.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use onscene_sync_core::id::UnitId;

use super::CliError;
use crate::audit::{self, Deed, Entry};
use crate::auth::Sweep;
use crate::cases::narrow::About;
use crate::cases::record::policy_in_force;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::statistics::bulletin::{document, story};
use crate::statistics::figures::Question;
use crate::statistics::period::Period;
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct BulletinArgs {
    /// A month of the bureau's calendar, such as 2026-10.
    #[arg(long, required_unless_present = "from", conflicts_with_all = ["from", "to"])]
    month: Option<String>,
    /// Or the first day, such as 2026-10-01,
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// and the last.
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// Only of this unit and those below it; the whole bureau if absent.
    #[arg(long)]
    unit: Option<UnitId>,
    /// Where to write the document (docx). What is there is replaced.
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(
    args: BulletinArgs,
    config: &Config,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::Bulletin(error.to_string());
    let period = Period::named(args.month.as_deref(), args.from.as_deref(), args.to.as_deref());
    let period = period.map_err(|error| failed(&error))?;
    let policy = policy_in_force().map_err(|error| failed(&error))?;
    let (from, until) = period.moments(&policy);
    let everything = args.unit.is_none();
    let unit = args.unit.unwrap_or(UnitId::from_bytes([0; 16]));
    let question = Question {
        sweep: Sweep { everything, unit, below: true },
        about: About::default(),
        from,
        until,
        as_of: SystemClock.now(),
        utc_offset_min: policy.utc_offset_min,
    };
    let store = Store::open(&config.database_url().replace("mode=rwc", "mode=rw"), 2).await?;
    store.require_current().await?;
    let noted = Entry::new(Deed::Exported, question.as_of).detail("bulletin.docx");
    let story = story(&store, period, question).await.map_err(|error| failed(&error))?;
    let bytes = document(&story).map_err(|error| failed(&error))?;
    let note = store.with_tx("bulletin.note", noted, |tx, entry| {
        Box::pin(audit::note(tx, std::slice::from_ref(entry)))
    });
    note.await?;
    store.close().await;
    std::fs::write(&args.out, &bytes)
        .map_err(|source| CliError::Write { path: args.out.clone(), source })?;
    Ok(writeln!(out, "{}: {}, {} bytes", args.out.display(), story.period, bytes.len())?)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::app::App;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: BulletinArgs,
    }

    #[tokio::test]
    async fn a_bulletin_is_written_and_stands_in_the_audit_log() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        App::open(config.clone()).await.unwrap().store.close().await;
        let file = dir.path().join("通报.docx");
        let path = file.to_str().unwrap();
        let line = Line::try_parse_from(["x", "--month", "2026-10", "--out", path]).unwrap();
        let mut out = Vec::new();
        run(line.args, &config, &mut out).await.unwrap();
        assert!(String::from_utf8(out).unwrap().contains("2026年10月"));
        assert_eq!(&std::fs::read(&file).unwrap()[..4], b"PK\x03\x04");
        let store = Store::open(&config.database_url(), 2).await.unwrap();
        let noted = store
            .read_one("test", || sqlx::query("SELECT detail FROM audit_entry WHERE action = 90"));
        assert_eq!(noted.await.unwrap().len(), 1);
    }

    #[test]
    fn a_bulletin_needs_a_period_and_one_only() {
        for wrong in [&["x", "--out", "a"][..], &["x", "--from", "2026-10-01", "--out", "a"]] {
            assert!(Line::try_parse_from(wrong).is_err());
        }
        let both =
            ["x", "--month", "2026-10", "--from", "2026-10-01", "--to", "2026-10-02", "--out", "a"];
        assert!(Line::try_parse_from(both).is_err());
    }
}

//! `onscene recover`: delivers what a phone that lost its key handed in as a file.

use std::io::Write;
use std::path::Path;

use onscene_sync_core::sync::message::PushResult;

use super::CliError;
use crate::app::App;
use crate::config::Config;
use crate::hub::recover::{self, Recovered};

/// Delivers the file and writes a line for each record, and one that adds them up.
pub(super) async fn recover(
    config: Config,
    path: &Path,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let bytes =
        std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let app = App::open(config).await?;
    let recovered = recover::recover(&app, &bytes).await;
    app.store.close().await;
    print(&recovered?, out)?;
    Ok(())
}

fn print(recovered: &Recovered, out: &mut impl Write) -> std::io::Result<()> {
    let Recovered { device, person, records, damaged } = recovered;
    let (mut delivered, mut known, mut kept, mut later) = (0, 0, 0, 0);
    for (n, push, result) in records {
        let word = match result {
            PushResult::Accepted => {
                delivered += 1;
                "delivered".to_owned()
            }
            PushResult::Duplicate => {
                known += 1;
                "known already".to_owned()
            }
            PushResult::Refused(refusal) => {
                kept += 1;
                format!("in quarantine: {}", refusal.detail)
            }
            PushResult::Later(why) => {
                later += 1;
                format!("not taken yet, recover the file again tomorrow: {why}")
            }
            PushResult::MissingDeps(_) => unreachable!("these are kept in quarantine"),
        };
        writeln!(out, "record {n} in {}: {word}", push.doc)?;
    }
    for n in damaged {
        writeln!(
            out,
            "record {n}: damaged in the file, and lost unless the phone can still read it"
        )?;
    }
    writeln!(
        out,
        "phone {device} of person {person}: {} records, {delivered} delivered, {known} known \
         already, {kept} in quarantine, {later} not taken yet, {} damaged",
        records.len() + damaged.len(),
        damaged.len()
    )
}

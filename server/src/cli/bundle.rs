//! `onscene bundle …`: a case's evidence as one file.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use onscene_sync_core::id::{DocId, Hash};

use super::{CliError, audit};
use crate::blob::Blobs;
use crate::bundle::export;
use crate::bundle::gather::gather;
use crate::bundle::verify::{Line, verify as check};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::keys::Keys;
use crate::random::SystemRandom;

#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Write the sealed evidence of a case into a new file. The export goes into the audit log.
    Export {
        /// The case's id.
        case: DocId,
        /// The file to be made.
        file: PathBuf,
    },
    /// Check a bundle and say in words what it proves and what not.
    ///
    /// Checks its seal, each signature and chain, the files of evidence, each verdict by running the
    /// arrival rule again, and the proofs from the audit log. Needs no database and no network;
    /// exits with 1 when something is not as it should be.
    Verify {
        /// The bundle.
        file: PathBuf,
        /// The hub's public key, 64 hexadecimal digits, as the bureau publishes it and invitations
        /// to phones name it. Without it nothing shows whose bundle it is.
        #[arg(long, value_name = "HEX")]
        key: Option<Hash>,
    },
}

pub(super) fn verify(file: &Path, key: Option<Hash>, out: &mut impl Write) -> Result<(), CliError> {
    let opened = File::open(file).map_err(|error| at(file, &error))?;
    let lines = check(BufReader::new(opened), key);
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    if lines.iter().any(|line| matches!(line, Line::Fails(_))) {
        return Err(CliError::CheckFailed);
    }
    Ok(())
}

pub(super) async fn export(
    config: &Config,
    case: DocId,
    file: &Path,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let said = |error: &dyn std::fmt::Display| CliError::Bundle(error.to_string());
    let dir = config.keys.dir.clone().unwrap_or_else(|| config.data.dir.join("keys"));
    let keys = Keys::open(&dir, false, &SystemRandom);
    let keys = keys.map_err(|error| CliError::Start(error.into()))?;
    let blobs = Blobs::open(&config.blob, &config.data.dir).map_err(|error| said(&error))?;
    let (store, now) = (audit::open(config).await?, SystemClock.now());
    let gathered = store.with_tx("bundle.gather", (case, now), |tx, (case, now)| {
        Box::pin(gather(tx, *case, None, *now))
    });
    let gathered = gathered.await.map_err(|error| said(&error))?;
    store.close().await;
    let mut options = OpenOptions::new();
    let made = options.read(true).write(true).create_new(true).mode(0o600).open(file);
    let made = made.map_err(|error| at(file, &error))?;
    let bundle = match export::export(gathered, &blobs, &keys.facts, now, made).await {
        Ok(bundle) => bundle,
        Err(error) => {
            fs::remove_file(file)?;
            return Err(said(&error));
        }
    };
    bundle.file.sync_all()?;
    for hash in bundle.missing {
        writeln!(out, "note the hub does not have the file {hash}: it is listed as missing")?;
    }
    Ok(writeln!(out, "ok   {} bytes in {}", bundle.bytes, file.display())?)
}

fn at(file: &Path, error: &std::io::Error) -> CliError {
    CliError::Bundle(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::fact::body::{CaseClass, Channel};
    use onscene_sync_core::id::PersonId;

    use super::*;
    use crate::app::App;
    use crate::audit::tend;
    use crate::cases::register::{Registration, register};

    fn noise() -> Registration {
        Registration {
            class: CaseClass::Complaint,
            channel: Channel::Telephone,
            matter: "noise".to_owned(),
            summary: "a saw at night".to_owned(),
            received_at: None,
            site: None,
            jurisdiction_clear: true,
            drill: None,
            grave: false,
            complainant: None,
            origin: None,
        }
    }

    #[tokio::test]
    async fn an_operator_writes_a_bundle_that_anybody_checks() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        let app = App::open(config.clone()).await.unwrap();
        let case = DocId::from_bytes(app.new_id());
        let registered = app.store.with_tx("test", (app.clone(), case), |tx, (app, case)| {
            let by = PersonId::from_bytes([1; 16]);
            Box::pin(async move { register(tx, app, *case, by, &noise()).await })
        });
        registered.await.unwrap();
        tend(&app).await.unwrap();
        let key = Hash::from_bytes(app.keys.facts.public_key());
        app.store.close().await;
        let (file, mut out) = (dir.path().join("case.zip"), Vec::new());
        export(&config, case, &file, &mut out).await.unwrap();
        let error = export(&config, case, &file, &mut out).await.unwrap_err().to_string();
        assert!(error.contains("case.zip"), "an old file is not overwritten: {error}");
        let (nothing, other) = (DocId::from_bytes([9; 16]), dir.path().join("other.zip"));
        let unknown = export(&config, nothing, &other, &mut out);
        assert!(unknown.await.unwrap_err().to_string().contains("there is no case"));
        verify(&file, Some(key), &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains("1 changes stand in the audit log"), "{said}");
        let other = verify(&file, Some(Hash::from_bytes([9; 32])), &mut Vec::new());
        assert!(matches!(other, Err(CliError::CheckFailed)));
        assert!(verify(&dir.path().join("none"), None, &mut Vec::new()).is_err());
    }
}

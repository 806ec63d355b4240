//! `onscene audit …`: the audit log in the hands of an auditor.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use onscene_sync_core::audit::checkpoint::SignedCheckpoint;
use onscene_sync_core::id::Hash;

use super::CliError;
use crate::audit::list::Listed;
use crate::audit::proof::{Proof, of_entry};
use crate::audit::verify::{Claim, verify};
use crate::config::Config;
use crate::keys::Keys;
use crate::random::SystemRandom;
use crate::store::Store;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check the whole log against its tree, the checkpoints that were signed, those that phones
    /// hold, and the record of changes. Changes nothing; exits with 1 when something does not fit.
    Verify {
        /// A checkpoint from elsewhere, as `onscene phone witness` prints it; may be given several
        /// times.
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
    },
    /// Print the proof that one entry is in the log.
    Prove {
        /// The entry's place, `n` in `GET /v1/audit`.
        #[arg(long, value_name = "N")]
        entry: u64,
    },
    /// Check a proof without the database, and print what the entry says.
    VerifyProof {
        /// The proof, as `onscene audit prove` prints it.
        file: PathBuf,
        /// The hub's public key, 64 hexadecimal digits, as invitations to phones name it; without
        /// it the key in the keys' folder is used.
        #[arg(long, value_name = "HEX")]
        hub_key: Option<Hash>,
    },
}

pub(super) async fn run(
    command: AuditCommand,
    config: &Config,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify { checkpoints } => {
            let key = hub_key(config)?;
            let claims = checkpoints.iter().map(|file| claim(file, &key));
            check(config, &key, claims.collect::<Result<_, _>>()?, out).await
        }
        AuditCommand::Prove { entry } => {
            let key = hub_key(config)?;
            let store = open(config).await?;
            let read = store.with_read("audit.prove", entry, |tx, n| Box::pin(of_entry(tx, *n)));
            let proof = read.await?;
            store.close().await;
            let missing =
                "no signed checkpoint covers this entry: check the number, or wait a minute";
            let proof = proof.ok_or(CliError::Audit(missing.to_owned()))?;
            Ok(out.write_all(proof.to_text(&key).as_bytes())?)
        }
        AuditCommand::VerifyProof { file, hub_key: given } => {
            let key = given.map_or_else(|| hub_key(config), |key| Ok(*key.as_bytes()))?;
            let proven = Proof::check(&read(&file)?, &key);
            let (proof, entry) = proven.map_err(|error| CliError::Audit(error.to_string()))?;
            let (index, log) = (proof.index, &proof.checkpoint.checkpoint);
            let shown = Listed::new(0, i64::try_from(index).ok(), entry);
            let shown = serde_json::to_string_pretty(&shown)
                .map_err(|error| CliError::Audit(error.to_string()))?;
            writeln!(out, "entry {index} is in the hub's log of {} entries:", log.size)?;
            Ok(writeln!(out, "{shown}")?)
        }
    }
}

async fn check(
    config: &Config,
    key: &[u8; 32],
    claims: Vec<Claim>,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let store = open(config).await?;
    let report = verify(&store, key, claims).await?;
    store.close().await;
    let sound = report.faults.is_empty();
    writeln!(
        out,
        "{} entries, {} more wait for their places; {} checkpoints; {} changes on record",
        report.entries, report.waiting, report.checkpoints, report.changes
    )?;
    report.notes.iter().try_for_each(|note| writeln!(out, "note {note}"))?;
    report.faults.iter().try_for_each(|fault| writeln!(out, "FAIL {fault}"))?;
    if sound {
        return Ok(writeln!(out, "ok   nothing was changed, taken out or cut off")?);
    }
    Err(CliError::CheckFailed)
}

pub(super) async fn open(config: &Config) -> Result<Store, CliError> {
    let url = config.database_url().replace("mode=rwc", "mode=rw");
    let store = Store::open(&url, 2).await?;
    store.require_current().await?;
    Ok(store)
}

fn hub_key(config: &Config) -> Result<[u8; 32], CliError> {
    let dir = config.keys.dir.clone().unwrap_or_else(|| config.data.dir.join("keys"));
    let keys = Keys::open(&dir, false, &SystemRandom);
    Ok(keys.map_err(|error| CliError::Start(error.into()))?.facts.public_key())
}

fn claim(file: &Path, key: &[u8; 32]) -> Result<Claim, CliError> {
    let signed = SignedCheckpoint::from_note(&read(file)?, key);
    let from = file.display().to_string();
    let signed = signed.map_err(|error| CliError::Audit(format!("{from}: {error}")))?;
    Ok(Claim { from, signed })
}

fn read(file: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(file)
        .map_err(|error| CliError::Audit(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;
    use crate::audit::tend;

    async fn lines(config: &Config, command: AuditCommand) -> (Result<(), CliError>, String) {
        let mut out = Vec::new();
        let result = run(command, config, &mut out).await;
        (result, String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn an_auditor_checks_the_log_proves_an_entry_and_sees_a_changed_row() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        let app = App::open(config.clone()).await.unwrap();
        assert_eq!(tend(&app).await.unwrap(), 2, "the first administrator and the key");
        app.store.close().await;
        let verify = |checkpoints| AuditCommand::Verify { checkpoints };
        let (passed, out) = lines(&config, verify(Vec::new())).await;
        assert!(passed.is_ok() && out.contains("ok   nothing was changed"), "{out}");

        let (_, proof) = lines(&config, AuditCommand::Prove { entry: 1 }).await;
        let file = dir.path().join("proof");
        std::fs::write(&file, &proof).unwrap();
        let hub_key = Some(Hash::from_bytes(hub_key(&config).unwrap()));
        let check = AuditCommand::VerifyProof { file: file.clone(), hub_key };
        let (passed, out) = lines(&Config::default(), check).await;
        assert!(passed.is_ok() && out.contains("\"key_issued\""), "{out}");
        std::fs::write(&file, proof.replace("index 1", "index 0")).unwrap();
        let check = AuditCommand::VerifyProof { file: file.clone(), hub_key };
        let (failed, _) = lines(&Config::default(), check).await;
        assert!(failed.unwrap_err().to_string().contains("do not lead to its root"));
        let (failed, _) = lines(&config, AuditCommand::Prove { entry: 2 }).await;
        assert!(failed.unwrap_err().to_string().contains("check the number"));

        let (_, note) = proof.split_once("\n\n").unwrap();
        std::fs::write(&file, note).unwrap();
        let (passed, _) = lines(&config, verify(vec![file.clone()])).await;
        assert!(passed.is_ok());
        sqlx::raw_sql("UPDATE audit_entry SET detail = 'auditor' WHERE n = 0")
            .execute(&sqlx::AnyPool::connect(&config.database_url()).await.unwrap())
            .await
            .unwrap();
        let (failed, out) = lines(&config, verify(vec![file])).await;
        assert!(failed.is_err() && out.contains("FAIL the hub's own checkpoint"), "{out}");
        assert!(out.contains("proof: its log of 2 entries is not this one"), "{out}");
    }
}

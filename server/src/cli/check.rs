//! `onscene check`: what an operator runs before and after a change.

use std::io::Write;

use super::CliError;
use crate::blob::Blobs;
use crate::cases::project;
use crate::config::Config;
use crate::evidence::inventory;
use crate::hub::verify::{Report, verify};
use crate::jobs;
use crate::keys::Keys;
use crate::random::SystemRandom;
use crate::store::{Store, StoreError};

/// Checks everything that `config` names and writes a line for each check. Changes nothing.
///
/// With `whole`, every file of evidence is read.
pub(super) async fn check(
    config: &Config,
    whole: bool,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let mut failed = false;
    let mut report = |name: &str, result: Result<String, String>| {
        failed |= result.is_err();
        let (mark, text) = match result {
            Ok(text) => ("ok  ", text),
            Err(text) => ("FAIL", text),
        };
        writeln!(out, "{mark} {name}: {text}")
    };
    report("configuration", Ok("every key is known and makes sense".to_owned()))?;
    let dir = config.keys.dir.clone().unwrap_or_else(|| config.data.dir.join("keys"));
    let keys = Keys::open(&dir, false, &SystemRandom);
    let hub_key = keys.as_ref().ok().map(|keys| keys.facts.public_key());
    report(
        "keys",
        keys.map(|_| format!("all in {}", dir.display())).map_err(|error| error.to_string()),
    )?;
    match database(config, hub_key, whole).await {
        Ok(Database { schema, faults, record, jobs, evidence }) => {
            report("database", Ok(format!("reachable, schema {schema}")))?;
            let whole = "no fault found".to_owned();
            report("files", if faults.is_empty() { Ok(whole) } else { Err(faults.join("; ")) })?;
            let text = format!(
                "{} documents of {} changes and {} feeds add up",
                record.documents, record.changes, record.buckets
            );
            let sound = record.faults.is_empty();
            report("record", if sound { Ok(text) } else { Err(record.faults.join("; ")) })?;
            let text = format!("{} wait, {} were given up", jobs.pending, jobs.failed);
            report("jobs", if jobs.failed == 0 { Ok(text) } else { Err(text) })?;
            report("evidence", evidence)?;
        }
        Err(error) => report("database", Err(error.to_string()))?,
    }
    if failed { Err(CliError::CheckFailed) } else { Ok(()) }
}

/// What the database says of itself.
struct Database {
    schema: i64,
    faults: Vec<String>,
    record: Report,
    jobs: jobs::Standing,
    evidence: Result<String, String>,
}

async fn database(
    config: &Config,
    hub_key: Option<[u8; 32]>,
    whole: bool,
) -> Result<Database, StoreError> {
    let url = config.database_url().replace("mode=rwc", "mode=rw");
    let store = Store::open(&url, 2).await?;
    let schema = store.require_current().await?.found;
    let faults = store.faults().await?;
    let mut record = verify(&store, hub_key).await?;
    record.faults.extend(project::faults(&store).await?);
    let jobs = store.with_read("check.jobs", (), |tx, ()| Box::pin(jobs::standing(tx))).await?;
    let evidence = evidence(config, &store, whole).await;
    store.close().await;
    Ok(Database { schema, faults, record, jobs, evidence })
}

/// Whether every file of evidence is there, and with `whole` what it was.
async fn evidence(config: &Config, store: &Store, whole: bool) -> Result<String, String> {
    let blobs = Blobs::open_existing(&config.blob, &config.data.dir);
    let blobs = blobs.map_err(|error| error.to_string())?;
    let inventory = inventory::take(store, blobs.as_ref(), whole).await;
    let inventory = inventory.map_err(|error| error.to_string())?;
    if inventory.faults.is_empty() {
        let how = if whole { "with the right hash" } else { "with the right size" };
        return Ok(format!("{} files are there {how}", inventory.files));
    }
    Err(inventory.faults.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    async fn lines(config: &Config) -> (bool, String) {
        let mut out = Vec::new();
        let passed = check(config, true, &mut out).await.is_ok();
        (passed, String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn an_empty_folder_fails_by_name_and_stays_empty() {
        let dir = tempfile::tempdir().unwrap();
        let (passed, out) = lines(&Config::for_tests(dir.path())).await;
        assert!(!passed);
        assert!(out.contains("FAIL keys: ") && out.contains("FAIL database: "), "{out}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
    }

    #[tokio::test]
    async fn a_hub_that_has_started_passes() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        App::open(config.clone()).await.unwrap().store.close().await;
        let (passed, out) = lines(&config).await;
        assert!(passed, "{out}");
        assert!(out.contains("ok   database: reachable, schema "), "{out}");
    }

    #[tokio::test]
    async fn a_reference_into_nothing_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        App::open(config.clone()).await.unwrap().store.close().await;
        sqlx::raw_sql(
            "PRAGMA foreign_keys = OFF; INSERT INTO team (team_id, unit_id, name, created_at) \
             VALUES (x'01', x'02', 'lost', 0)",
        )
        .execute(&sqlx::AnyPool::connect(&config.database_url()).await.unwrap())
        .await
        .unwrap();
        let (passed, out) = lines(&config).await;
        assert!(!passed);
        assert!(out.contains("FAIL files: a row of `team` names a row of `unit`"), "{out}");
    }

    #[tokio::test]
    async fn a_torn_page_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::for_tests(dir.path());
        App::open(config.clone()).await.unwrap().store.close().await;
        let file = dir.path().join("onscene.db");
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 4096].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        let (passed, out) = lines(&config).await;
        assert!(!passed && out.contains("FAIL"), "{out}");
    }
}

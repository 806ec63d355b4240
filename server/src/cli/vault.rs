//! `onscene vault …`: the vault in the hands of an operator.

use std::io::Write;
use std::sync::Arc;

use clap::Subcommand;

use super::CliError;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::keys::Keys;
use crate::random::SystemRandom;
use crate::store::Store;
use crate::vault::rotate::{Rotation, in_use, rotate};

#[derive(Debug, Subcommand)]
pub(super) enum VaultCommand {
    /// Put every complainant's record under a new master key. The hub may run meanwhile; stopped
    /// half-way, it goes on with the next call.
    Rotate,
}

pub(super) async fn run(
    VaultCommand::Rotate: VaultCommand,
    config: &Config,
    out: &mut (impl Write + Send),
) -> Result<(), CliError> {
    let ours = config.keys.dir.is_none();
    let dir = config.keys.dir.clone().unwrap_or_else(|| config.data.dir.join("keys"));
    let keys = Keys::open(&dir, false, &SystemRandom).map_err(|e| CliError::Start(e.into()))?;
    let url = config.database_url().replace("mode=rwc", "mode=rw");
    let store = Store::open(&url, 2).await?;
    store.require_current().await?;
    let former = in_use(&store).await?;
    if keys.vault.newest() <= former {
        let next = former + 1;
        if !ours {
            return Err(CliError::Vault(format!(
                "`keys.dir` is set, so keys are never made here: put vault.{next}.key (64 \
                 hexadecimal digits, mode 600, as `openssl rand -hex 32` prints them) into {} on \
                 every machine of the hub, then run this again",
                dir.display()
            )));
        }
        keys.vault.make(next, &SystemRandom).map_err(|error| CliError::Start(error.into()))?;
    }
    let rotation = Rotation {
        keys: Arc::new(keys),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    let rotated = rotate(&store, rotation).await;
    let (generation, records) = rotated.map_err(|error| CliError::Vault(error.to_string()))?;
    store.close().await;
    writeln!(out, "{records} records are under the master key vault.{generation}.key now")?;
    Ok(writeln!(
        out,
        "back that file up apart from the database. Older master keys open only older backups: once \
         one is destroyed, nobody can read the complainants in the backups of its time, erased \
         ones included"
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    #[tokio::test]
    async fn a_rotation_makes_the_next_key_unless_keys_are_given() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::for_tests(dir.path());
        App::open(config.clone()).await.unwrap().store.close().await;
        let mut out = Vec::new();
        run(VaultCommand::Rotate, &config, &mut out).await.unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("0 records are under the master key vault.2.key"), "{out}");
        let keys = dir.path().join("keys");
        assert!(keys.join("vault.1.key").exists() && keys.join("vault.2.key").exists());
        config.keys.dir = Some(keys.clone());
        let refused = run(VaultCommand::Rotate, &config, &mut Vec::new()).await.unwrap_err();
        assert!(refused.to_string().contains("put vault.3.key"), "{refused}");
        assert!(!keys.join("vault.3.key").exists());
    }
}

//! Programs of others, as `tests/run` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long one may run.
const PATIENCE: Duration = Duration::from_secs(240);

pub(super) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// Where they are; a run of continuous integration must have them.
pub(super) fn programs() -> Option<PathBuf> {
    let folder = clients().join("installed/bin");
    let installed = folder.join("schemathesis").is_file();
    assert!(installed || std::env::var_os("CI").is_none(), "tests/run installs {folder:?}");
    if !installed {
        println!("skipped: tests/run installs what this needs in {}", folder.display());
    }
    installed.then_some(folder)
}

/// Runs a program to its end and returns what it printed; all that it said is shown when it is not
/// content.
pub(super) async fn succeeds(mut program: Command) -> String {
    let run = tokio::task::spawn_blocking(move || program.output().expect("it runs"));
    let output = tokio::time::timeout(PATIENCE, run).await.expect("it ends in time");
    let output = output.expect("it does not panic");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{complained}");
    printed
}

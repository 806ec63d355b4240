//! Runs the process that decodes one picture, and ends it if it does not end.

use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::{Look, SUBCOMMAND};

/// How often it is asked whether it has ended.
const POLL: Duration = Duration::from_millis(10);
/// How long it may take, waiting for the processor included.
const POLLS: u32 = 2_000;
/// Bytes that it may answer with.
const ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of a reason.
const REASON_BYTES: u64 = 300;

/// Why there is no look at a picture, in words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoLook {
    /// The picture is broken or too large, and will be.
    #[error("{0}")]
    Picture(String),
    /// The machine had no room for it: another try may do.
    #[error("{0}")]
    Machine(String),
}

/// Looks at a picture with `program`, which is this program. Blocks for up to 20 s.
///
/// # Errors
/// [`NoLook`].
pub fn look(program: &Path, bytes: &[u8]) -> Result<Look, NoLook> {
    let mut child = Command::new(program)
        .arg(SUBCOMMAND)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| machine("the process to look at it did not start", &error))?;
    let (status, answer, reason) = thread::scope(|scope| {
        let stdin = child.stdin.take();
        scope.spawn(move || {
            // It may end before it has read everything; its status says why.
            stdin.map(|mut stdin| stdin.write_all(bytes))
        });
        let answer = child.stdout.take();
        let answer = scope.spawn(move || read(answer, ANSWER_BYTES));
        let reason = child.stderr.take();
        let reason = scope.spawn(move || read(reason, REASON_BYTES));
        let status = wait(&mut child);
        (status, answer.join().unwrap_or_default(), reason.join().unwrap_or_default())
    });
    let status = status?;
    if status.success() {
        return minicbor::decode(&answer)
            .map_err(|error| machine("the answer about it cannot be read", &error));
    }
    Err(NoLook::Picture(why(status, &String::from_utf8_lossy(&reason))))
}

fn machine(what: &str, error: &dyn std::error::Error) -> NoLook {
    NoLook::Machine(format!("{what}: {error}"))
}

fn read(pipe: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _cut_short = pipe.take(most).read_to_end(&mut bytes);
    }
    bytes
}

fn wait(child: &mut Child) -> Result<ExitStatus, NoLook> {
    for _ in 0..POLLS {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => thread::sleep(POLL),
            Err(error) => return Err(machine("the process to look at it is lost", &error)),
        }
    }
    let _already_ended = child.kill();
    let _reaped = child.wait();
    // It had less than 5 s of processor time in them.
    Err(NoLook::Machine("it took longer than 20 s".to_owned()))
}

fn why(status: ExitStatus, reason: &str) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(9 | 24) => "it took more than 5 s of processor time".to_owned(),
        Some(6) => "it took more than 512 MiB of memory".to_owned(),
        Some(signal) => format!("the process to look at it was ended by signal {signal}"),
        None if reason.is_empty() => "the process to look at it failed".to_owned(),
        None => reason.to_owned(),
    }
}

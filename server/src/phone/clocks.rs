//! The clocks of the machine that plays the phone.

use std::io;

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::BootId;
use onscene_sync_core::time::ClockReading;

use crate::clock::{Clock as _, SystemClock};

/// Where Linux tells which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Reads wall clock, boot clock and boot identifier together.
///
/// # Errors
/// On a system without a boot clock that counts sleep, or without Linux's boot identifier.
pub fn read() -> io::Result<ClockReading> {
    let boot_id = std::fs::read_to_string(BOOT_ID).map_err(|error| {
        let kind = error.kind();
        io::Error::new(kind, format!("cannot tell which boot this is from {BOOT_ID}: {error}"))
    })?;
    Ok(ClockReading { wall_ms: SystemClock.now().0, boot_ns: boot_ns()?, boot: boot_of(&boot_id) })
}

/// The identifier of a boot from the platform's own.
#[must_use]
pub fn boot_of(platform: &str) -> BootId {
    let mut id = [0; 8];
    id.copy_from_slice(&sha256(platform.trim().as_bytes()).as_bytes()[..8]);
    BootId::from_bytes(id)
}

#[cfg(target_os = "linux")]
fn boot_ns() -> io::Result<u64> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    match (seconds, nanos) {
        (Ok(seconds), Ok(nanos)) => Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)),
        _ => Err(io::Error::other("the boot clock shows a time before the boot")),
    }
}

#[cfg(not(target_os = "linux"))]
fn boot_ns() -> io::Result<u64> {
    Err(io::Error::other("the command-line phone runs on Linux, which has CLOCK_BOOTTIME"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_goes_forward_within_one_boot() {
        let (first, second) = (read().unwrap(), read().unwrap());
        assert_eq!(first.boot, second.boot);
        assert!(second.boot_ns >= first.boot_ns && first.boot_ns > 0);
    }

    #[test]
    fn another_boot_is_another_id_and_line_ends_do_not_matter() {
        assert_eq!(boot_of("a7\n"), boot_of("a7"));
        assert_ne!(boot_of("a7"), boot_of("a8"));
    }
}

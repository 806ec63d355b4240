//! `onscene phone arrive`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use onscene_mobile::Device;
use onscene_sync_core::place::{Datum, Fix};
use onscene_sync_core::time::ClockReading;

use super::show::Screen;
use super::{ArriveArgs, PhoneError, job};
use crate::phone::{clocks, fixes, gnsslogger};

/// The evidence window ends at most so long after the tap, nanoseconds.
const AFTER_TAP_NS: u64 = 150_000_000_000;

/// Records an arrival and shows what the rule is likely to say.
pub(super) async fn arrive<W: Write>(
    device: &mut Device,
    args: &ArriveArgs,
    screen: &mut Screen<'_, W>,
) -> Result<(), PhoneError> {
    let job = job(device, &args.order)?;
    let now = clocks::read()?;
    let mut fixes = gather(args, now)?;
    if fixes.is_empty() {
        let mend = "no position: give --fix, --fixes or --gnsslog";
        return Err(PhoneError::Usage(mend.to_owned()));
    }
    let mut tap = tap(&fixes, now);
    if args.wait {
        let lasts = Duration::from_nanos(now.boot_ns - tap.boot_ns);
        postpone(&mut fixes, &mut tap, lasts);
        screen.said("taking positions for", &format!("{} s", lasts.as_secs()))?;
        tokio::time::sleep(lasts).await;
    }
    let receipt = device.arrive(job, tap, args.datum.into(), fixes)?;
    screen.arrived(&receipt)
}

/// Moves an evidence window into the future.
fn postpone(fixes: &mut [Fix], tap: &mut ClockReading, by: Duration) {
    let ns = u64::try_from(by.as_nanos()).unwrap_or(0);
    let ms = i64::try_from(by.as_millis()).unwrap_or(0);
    for fix in fixes {
        fix.boot_ns += ns;
        fix.fix_wall_ms = fix.fix_wall_ms.map(|wall_ms| wall_ms + ms);
    }
    tap.boot_ns += ns;
    tap.wall_ms += ms;
}

fn gather(args: &ArriveArgs, now: ClockReading) -> Result<Vec<Fix>, PhoneError> {
    if let Some(path) = &args.gnsslog {
        if Datum::from(args.datum) != Datum::Wgs84 {
            let mend = "GnssLogger records wgs84: give --datum wgs84";
            return Err(PhoneError::Usage(mend.to_owned()));
        }
        let recording = gnsslogger::read(&bytes(path)?)
            .map_err(|source| PhoneError::Recording { path: path.clone(), source })?;
        return Ok(fixes::replayed(&recording.fixes, now));
    }
    let Some(path) = &args.table else { return Ok(fixes::placed(&args.fixes, now)) };
    let text = String::from_utf8_lossy(&bytes(path)?).into_owned();
    let typed = fixes::table(&text).map_err(|(line, source)| PhoneError::Table {
        path: path.clone(),
        line,
        source,
    })?;
    Ok(fixes::placed(&typed, now))
}

fn bytes(path: &Path) -> Result<Vec<u8>, PhoneError> {
    std::fs::read(path).map_err(|source| PhoneError::File { path: path.to_owned(), source })
}

/// The clocks at the oldest fix that can be in one window with the newest.
fn tap(fixes: &[Fix], now: ClockReading) -> ClockReading {
    let earliest = now.boot_ns.saturating_sub(AFTER_TAP_NS);
    let first = fixes.iter().map(|fix| fix.boot_ns).filter(|ns| *ns >= earliest).min();
    let boot_ns = first.unwrap_or(now.boot_ns);
    let age_ms = i64::try_from((now.boot_ns - boot_ns) / 1_000_000).unwrap_or(0);
    ClockReading { wall_ms: now.wall_ms - age_ms, boot_ns, ..now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onscene_sync_core::id::BootId;

    #[test]
    fn the_tap_is_at_the_oldest_fix_within_the_evidence_window() {
        let now = ClockReading {
            wall_ms: 1_000_000,
            boot_ns: 1_000_000_000_000,
            boot: BootId::from_bytes([1; 8]),
        };
        let typed = |text: &str| fixes::placed(&fixes::table(text).unwrap(), now);
        let two = typed("36.65,117,8,100\n36.65,117,8,0");
        assert_eq!(tap(&two, now).boot_ns, 900_000_000_000);
        assert_eq!(tap(&two, now).wall_ms, 900_000);
        let (mut later, mut then) = (two.clone(), tap(&two, now));
        postpone(&mut later, &mut then, Duration::from_secs(100));
        assert_eq!((then, later[1].boot_ns), (now, now.boot_ns + 100_000_000_000));
        let stale = typed("36.65,117,8,600\n36.65,117,8,20");
        assert_eq!(tap(&stale, now).boot_ns, 980_000_000_000);
    }
}

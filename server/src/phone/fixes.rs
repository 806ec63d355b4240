//! Position fixes as a tester gives them: on the command line, in a table, or from a recording.

use std::str::FromStr;

use onscene_sync_core::limits::FIXES;
use onscene_sync_core::place::{Fix, Position, Provider};
use onscene_sync_core::time::ClockReading;
use thiserror::Error;

/// The longest evidence window, milliseconds.
const WINDOW_MS: u64 = 180_000;

/// A fix as a person writes it: `latitude,longitude,accuracy[,age[,mock]]`, degrees, metres and
/// seconds before now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TypedFix {
    latitude: f64,
    longitude: f64,
    accuracy_m: f64,
    age_s: f64,
    mock: bool,
}

/// A fix that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a fix: {reason}. Write latitude,longitude,accuracy_m[,age_s[,mock]]")]
pub struct NotAFix {
    text: String,
    reason: String,
}

impl FromStr for TypedFix {
    type Err = NotAFix;

    fn from_str(text: &str) -> Result<Self, NotAFix> {
        let refuse = |reason: String| NotAFix { text: text.chars().take(80).collect(), reason };
        let fields: Vec<&str> = text.split(',').map(str::trim).collect();
        if !(3..=5).contains(&fields.len()) {
            return Err(refuse(format!("it has {} fields", fields.len())));
        }
        let number = |at: usize, name: &str, least: f64, most: f64| match fields.get(at) {
            None => Ok(0.0),
            Some(field) => field
                .parse()
                .ok()
                .filter(|number| (least..=most).contains(number))
                .ok_or_else(|| refuse(format!("its {name} is not between {least} and {most}"))),
        };
        Ok(Self {
            latitude: number(0, "latitude", -90.0, 90.0)?,
            longitude: number(1, "longitude", -180.0, 180.0)?,
            accuracy_m: number(2, "accuracy", 0.0, 1e6)?,
            age_s: number(3, "age", 0.0, 86_400.0)?,
            mock: match fields.get(4) {
                None | Some(&"0" | &"false") => false,
                Some(&"1" | &"true" | &"mock") => true,
                Some(_) => return Err(refuse("its mock mark is not 0 or 1".to_owned())),
            },
        })
    }
}

/// Reads a table: one fix a line, with empty lines, `#` comments and a header of names passed over.
///
/// # Errors
/// The number of the first line that is not a fix, and why.
pub fn table(text: &str) -> Result<Vec<TypedFix>, (usize, NotAFix)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .filter(|(number, line)| *number > 1 || !line.starts_with("lat"))
        .map(|(number, line)| line.parse().map_err(|error| (number, error)))
        .collect()
}

/// Places typed fixes on the boot clock: each so many seconds before `now`, oldest first.
#[must_use]
pub fn placed(typed: &[TypedFix], now: ClockReading) -> Vec<Fix> {
    let mut fixes: Vec<Fix> = typed.iter().map(|fix| fix.placed(now)).collect();
    fixes.sort_by_key(|fix| fix.boot_ns);
    fixes
}

/// Replays a recording as if it ended now: its fixes of the last three minutes, at most
/// [`FIXES`], moved from the recording phone's boot clock onto this one's.
#[must_use]
pub fn replayed(recorded: &[Fix], now: ClockReading) -> Vec<Fix> {
    let Some(end) = recorded.iter().map(|fix| fix.boot_ns).max() else { return Vec::new() };
    let mut fixes: Vec<Fix> = recorded
        .iter()
        .filter(|fix| end - fix.boot_ns <= WINDOW_MS * 1_000_000)
        .map(|fix| {
            let age_ns = end - fix.boot_ns;
            Fix {
                boot_ns: now.boot_ns.saturating_sub(age_ns),
                fix_wall_ms: fix.fix_wall_ms.map(|_| now.wall_ms - signed(age_ns / 1_000_000)),
                ..*fix
            }
        })
        .collect();
    fixes.sort_by_key(|fix| fix.boot_ns);
    fixes.split_off(fixes.len().saturating_sub(FIXES))
}

impl TypedFix {
    fn placed(&self, now: ClockReading) -> Fix {
        let age_ms = unsigned(self.age_s * 1e3);
        Fix {
            position: Position {
                lat_e7: rounded(self.latitude * 1e7),
                lon_e7: rounded(self.longitude * 1e7),
            },
            accuracy_mm: u32::try_from(unsigned(self.accuracy_m * 1e3)).unwrap_or(u32::MAX),
            boot_ns: now.boot_ns.saturating_sub(age_ms * 1_000_000),
            provider: Provider::Other,
            mock: self.mock,
            speed_mm_s: None,
            satellites: None,
            fix_wall_ms: Some(now.wall_ms - signed(age_ms)),
        }
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "latitudes and longitudes fit")]
fn rounded(number: f64) -> i32 {
    number.round() as i32
}

#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
#[expect(clippy::cast_sign_loss, reason = "a float cast saturates")]
fn unsigned(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::gnsslogger;
    use onscene_sync_core::id::BootId;

    const NOW: ClockReading = ClockReading {
        wall_ms: 1_790_000_000_000,
        boot_ns: 5_000_000_000_000,
        boot: BootId::from_bytes([1; 8]),
    };

    #[test]
    fn a_typed_fix_is_so_many_seconds_old() {
        let typed = ["36.65,117.0,8,0", "36.6501, 117.0001, 9.5, 40, mock"];
        let fixes = placed(&typed.map(|text| text.parse().unwrap()), NOW);
        assert_eq!(fixes[0].boot_ns, 4_960_000_000_000, "oldest first");
        assert_eq!(fixes[0].position, Position { lat_e7: 366_501_000, lon_e7: 1_170_001_000 });
        assert_eq!((fixes[0].accuracy_mm, fixes[0].mock), (9_500, true));
        assert_eq!((fixes[1].boot_ns, fixes[1].mock), (NOW.boot_ns, false));
        assert_eq!(fixes[0].fix_wall_ms, Some(NOW.wall_ms - 40_000));
    }

    #[test]
    fn a_wrong_fix_is_refused_with_its_mend() {
        for (text, reason) in [
            ("36.65,117.0", "it has 2 fields"),
            ("91,117.0,8", "latitude is not between -90 and 90"),
            ("36.65,NaN,8", "longitude"),
            ("36.65,117.0,-1", "accuracy is not between 0"),
            ("36.65,117.0,8,0,perhaps", "mock mark"),
        ] {
            let error = text.parse::<TypedFix>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("Write latitude"), "{error}");
        }
    }

    #[test]
    fn a_table_may_have_a_header_and_names_its_wrong_line() {
        let good = "lat,lon,accuracy_m,age_s\n# two windows\n36.65,117.0,8,45\n\n36.65,117.0,8,0\n";
        assert_eq!(table(good).unwrap().len(), 2);
        assert_eq!(table("36.65,117.0,8\nlat,lon\n").unwrap_err().0, 2);
    }

    #[test]
    fn a_recording_is_replayed_as_if_it_ended_now() {
        let file = include_bytes!("../../../tests/fixtures/gnsslogger_pixel6.txt");
        let recording = gnsslogger::read(file).unwrap();
        let fixes = replayed(&recording.fixes, NOW);
        assert_eq!(fixes.last().unwrap().boot_ns, NOW.boot_ns);
        assert!(fixes.len() > 20 && fixes.len() <= FIXES);
        assert!(fixes.is_sorted_by_key(|fix| fix.boot_ns));
        assert!(NOW.boot_ns - fixes[0].boot_ns <= 180_000_000_000);
        assert_eq!(replayed(&[], NOW), []);
    }
}

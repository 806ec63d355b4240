//! Reads recordings of Google's GnssLogger app: the position fixes of a real Android phone.
//!
//! The format is comma-separated lines, each kind with a header comment that names its columns
//! (`# Fix,Provider,LatitudeDegrees,…`; Google's *gps-measurement-tools*). Only `Fix` lines are of
//! interest here; they are in WGS 84, since Android's location service gives nothing else.
//! A recording ends where the app was killed, so a torn last line is ordinary: a line that cannot
//! be read is reported with its number and the others are kept.

use std::collections::BTreeMap;

use onscene_sync_core::place::{Fix, Position, Provider};
use thiserror::Error;

/// What one recording holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The fixes in the order recorded, WGS 84.
    pub fixes: Vec<Fix>,
    /// `Fix` lines that could not be read.
    pub faults: Vec<Fault>,
}

/// A `Fix` line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct Fault {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A file that is not a GnssLogger recording of use here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotARecording {
    /// No comment names the columns of `Fix` lines.
    #[error(
        "no header comment `# Fix,Provider,…` names the columns: this is not a GnssLogger file"
    )]
    NoHeader,
    /// A needed column is not recorded.
    #[error("its `Fix` lines have no column {0}: record with GnssLogger 3 or newer")]
    NoColumn(&'static str),
}

const PROVIDER: &str = "Provider";
const LATITUDE: &str = "LatitudeDegrees";
const LONGITUDE: &str = "LongitudeDegrees";
const ACCURACY: &str = "AccuracyMeters";
const BOOT_NS: &str = "elapsedRealtimeNanos";
const MOCK: &str = "MockLocation";
const SPEED: &str = "SpeedMps";
const WALL_MS: &str = "UnixTimeMillis";
const NEEDED: [&str; 6] = [PROVIDER, LATITUDE, LONGITUDE, ACCURACY, BOOT_NS, MOCK];

/// Largest accuracy radius taken for a number: half of the Earth's circumference, metres.
const MAX_ACCURACY_M: f64 = 20_037_508.0;
/// Fastest speed taken for a number, metres a second: above any aircraft.
const MAX_SPEED_M_S: f64 = 1_000.0;

/// Reads a recording.
///
/// # Errors
/// When the file has no header for `Fix` lines, or one without a needed column.
pub fn read(file: &[u8]) -> Result<Recording, NotARecording> {
    let lines =
        || file.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line)).enumerate();
    let columns = lines().find_map(|(_, line)| header(&line)).ok_or(NotARecording::NoHeader)?;
    if let Some(missing) = NEEDED.into_iter().find(|name| !columns.contains_key(*name)) {
        return Err(NotARecording::NoColumn(missing));
    }
    let mut recording = Recording { fixes: Vec::new(), faults: Vec::new() };
    for (index, line) in lines() {
        let Some(fields) = line.trim_end().strip_prefix("Fix,") else { continue };
        let row = Row { columns: &columns, fields: fields.split(',').collect() };
        match row.fix() {
            Ok(fix) => recording.fixes.push(fix),
            Err(reason) => recording.faults.push(Fault { line: index + 1, reason }),
        }
    }
    Ok(recording)
}

/// The columns by name, if this is the header comment of `Fix` lines.
fn header(line: &str) -> Option<BTreeMap<String, usize>> {
    let columns = line.strip_prefix('#')?.trim().strip_prefix("Fix,")?;
    Some(columns.split(',').enumerate().map(|(at, name)| (name.trim().to_owned(), at)).collect())
}

struct Row<'a> {
    columns: &'a BTreeMap<String, usize>,
    fields: Vec<&'a str>,
}

impl Row<'_> {
    fn fix(&self) -> Result<Fix, String> {
        let degrees = |name, limit: f64| self.number(name, -limit, limit);
        Ok(Fix {
            position: Position {
                lat_e7: rounded(degrees(LATITUDE, 90.0)? * 1e7),
                lon_e7: rounded(degrees(LONGITUDE, 180.0)? * 1e7),
            },
            accuracy_mm: magnitude(self.number(ACCURACY, 0.0, MAX_ACCURACY_M)? * 1e3),
            boot_ns: self.parsed(BOOT_NS)?,
            provider: match self.text(PROVIDER)? {
                "GPS" => Provider::Gnss,
                "FLP" => Provider::Fused,
                "NLP" => Provider::Network,
                _ => Provider::Other,
            },
            mock: match self.text(MOCK)? {
                "0" | "false" => false,
                "1" | "true" => true,
                other => return Err(format!("{MOCK} `{other}` is neither 0 nor 1")),
            },
            speed_mm_s: self
                .given(SPEED)
                .then(|| self.number(SPEED, 0.0, MAX_SPEED_M_S))
                .transpose()?
                .map(|speed| magnitude(speed * 1e3)),
            // The app counts signals; one satellite sends several.
            satellites: None,
            fix_wall_ms: self.given(WALL_MS).then(|| self.parsed(WALL_MS)).transpose()?,
        })
    }

    fn given(&self, name: &str) -> bool {
        self.text(name).is_ok()
    }

    fn text(&self, name: &str) -> Result<&str, String> {
        let field = self.columns.get(name).and_then(|at| self.fields.get(*at));
        match field.map(|text| text.trim()) {
            None => Err(format!("the line ends before {name}")),
            Some("") => Err(format!("{name} is empty")),
            Some(text) => Ok(text),
        }
    }

    fn number(&self, name: &str, least: f64, most: f64) -> Result<f64, String> {
        let number: f64 = self.parsed(name)?;
        if (least..=most).contains(&number) {
            Ok(number)
        } else {
            Err(format!("{name} {number} is not between {least} and {most}"))
        }
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T, String> {
        let text = self.text(name)?;
        text.parse().map_err(|_| format!("{name} `{text}` is not a number of its kind"))
    }
}

/// To the nearest integer; the caller has bounded it to less than 2^31 either way.
#[expect(clippy::cast_possible_truncation, reason = "bounded by the caller")]
fn rounded(number: f64) -> i32 {
    number.round() as i32
}

/// To the nearest integer, at most `u32::MAX`.
#[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
#[expect(clippy::cast_sign_loss, reason = "a float cast saturates")]
fn magnitude(number: f64) -> u32 {
    number.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REAL: &[u8] = include_bytes!("../../../tests/fixtures/gnsslogger_pixel6.txt");
    const HEADER: &str = "# Fix,Provider,LatitudeDegrees,LongitudeDegrees,AltitudeMeters,SpeedMps,\
                          AccuracyMeters,BearingDegrees,UnixTimeMillis,SpeedAccuracyMps,\
                          BearingAccuracyDegrees,elapsedRealtimeNanos,VerticalAccuracyMeters,\
                          MockLocation";

    fn one(line: &str) -> Recording {
        read(format!("{HEADER}\n\n{line}\n").as_bytes()).unwrap()
    }

    #[test]
    fn a_real_recording_is_read_whole() {
        let recording = read(REAL).unwrap();
        assert_eq!(recording.faults, []);
        assert_eq!(recording.fixes.len(), 243);
        let of = |provider| recording.fixes.iter().filter(|fix| fix.provider == provider).count();
        assert_eq!((of(Provider::Gnss), of(Provider::Fused), of(Provider::Network)), (94, 95, 54));
        assert_eq!(
            recording.fixes[0],
            Fix {
                position: Position { lat_e7: 374_265_080, lon_e7: -1_221_737_080 },
                accuracy_mm: 4_237,
                boot_ns: 16_124_559_129_000,
                provider: Provider::Gnss,
                mock: false,
                speed_mm_s: Some(0),
                satellites: None,
                fix_wall_ms: Some(1_699_400_582_000),
            }
        );
        assert_eq!(recording.fixes[2].speed_mm_s, None, "the network provider gives no speed");
        assert!(recording.fixes.iter().all(|fix| !fix.mock && fix.accuracy_mm > 1_000));
    }

    #[test]
    fn a_real_recording_cut_anywhere_keeps_the_lines_before_the_cut() {
        for cut in (20_000..REAL.len()).step_by(9_973) {
            let recording = read(&REAL[..cut]).unwrap();
            let whole = REAL[..cut].split(|byte| *byte == b'\n').rev().skip(1);
            let fixes = whole.filter(|line| line.starts_with(b"Fix,")).count();
            assert!(recording.fixes.len() >= fixes && recording.faults.len() <= 1, "cut at {cut}");
        }
    }

    #[test]
    fn a_simulated_location_is_seen() {
        let line = "Fix,GPS,36.65,117.0,23.6,0.0,4.2,,1699400582000,0.19,,161,3.0";
        assert!(one(&format!("{line},1")).fixes[0].mock);
        assert!(one(&format!("{line},true")).fixes[0].mock);
        assert!(!one(&format!("{line},0\r")).fixes[0].mock, "a file with CR LF");
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_with_its_number_and_reason() {
        for (line, reason) in [
            ("Fix,GPS,91.0,117.0,23.6,0.0,4.2,,1,0.1,,161,3.0,0", "LatitudeDegrees 91"),
            ("Fix,GPS,36.6,NaN,23.6,0.0,4.2,,1,0.1,,161,3.0,0", "LongitudeDegrees NaN"),
            ("Fix,GPS,36.6,117.0,23.6,0.0,-4.2,,1,0.1,,161,3.0,0", "AccuracyMeters -4.2"),
            ("Fix,GPS,36.6,117.0,23.6,0.0,,,1,0.1,,161,3.0,0", "AccuracyMeters is empty"),
            ("Fix,GPS,36.6,117.0,23.6,0.0,4.2,,1,0.1,,-161,3.0,0", "elapsedRealtimeNanos `-161`"),
            ("Fix,GPS,36.6,117.0,23.6,0.0,4.2,,1,0.1,,161,3.0,perhaps", "MockLocation `perhaps`"),
            ("Fix,GPS,36.6,117.0,23.6,0.0,4.2,,1,0.1,,161", "the line ends before MockLocation"),
            ("Fix,GPS,36.6,11", "the line ends before AccuracyMeters"),
        ] {
            let recording = one(line);
            assert_eq!(recording.fixes, [], "{line}");
            let fault = &recording.faults[0];
            assert_eq!(fault.line, 3, "{line}");
            assert!(fault.reason.contains(reason), "{}", fault.reason);
        }
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        assert_eq!(read(b""), Err(NotARecording::NoHeader));
        assert_eq!(read(b"Fix,GPS,36.6,117.0"), Err(NotARecording::NoHeader));
        let old = "# Fix,Provider,LatitudeDegrees,LongitudeDegrees,AltitudeMeters,AccuracyMeters";
        assert_eq!(read(old.as_bytes()), Err(NotARecording::NoColumn(BOOT_NS)));
    }

    proptest! {
        #[test]
        fn garbled_bytes_never_panic_and_never_cost_another_line(
            at in 3_000..REAL.len(), byte in any::<u8>(),
        ) {
            let mut file = REAL.to_vec();
            file[at] = byte;
            let recording = read(&file).unwrap();
            let read = recording.fixes.len() + recording.faults.len();
            prop_assert!((242..=244).contains(&read));
            prop_assert!(recording.fixes.len() >= 241);
        }
    }
}

//! Words and times as people and spreadsheets write them.

use onscene_sync_core::fact::body::{CaseClass, Channel};
use onscene_sync_core::place::Datum;
use onscene_sync_core::time::Millis;
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Days of a spreadsheet's calendar from its beginning to 1970.
const SPREADSHEET_EPOCH: f64 = 25_569.0;
/// Such days between 1954 and 2119: any other number is no date.
const SPREADSHEET_DAYS: std::ops::Range<f64> = 20_000.0..80_000.0;
const DAY_MS: f64 = 86_400_000.0;

/// The class of this name; `None` for an empty cell.
///
/// # Errors
/// The names that there are.
pub fn class(word: &str) -> Result<Option<CaseClass>, String> {
    Ok(Some(match word.trim_end_matches('类').to_lowercase().as_str() {
        "" => return Ok(None),
        "咨询" | "consultation" => CaseClass::Consultation,
        "求助" | "help" => CaseClass::Help,
        "投诉" | "举报" | "投诉举报" | "complaint" => CaseClass::Complaint,
        "建议" | "意见建议" | "suggestion" => CaseClass::Suggestion,
        _ => return Err("is none of 咨询, 求助, 投诉, 建议".to_owned()),
    }))
}

/// The channel of this name; `None` for an empty cell.
///
/// # Errors
/// The names that there are.
pub fn channel(word: &str) -> Result<Option<Channel>, String> {
    Ok(Some(match word.to_lowercase().as_str() {
        "" => return Ok(None),
        "电话" | "来电" | "telephone" | "phone" => Channel::Telephone,
        "短信" | "sms" => Channel::Sms,
        "网络" | "网站" | "网页" | "微信" | "app" | "web" => Channel::Web,
        "信件" | "来信" | "letter" => Channel::Letter,
        "媒体" | "media" => Channel::Media,
        "转办" | "转送" | "转交" | "12345" | "transfer" => Channel::Transfer,
        "巡查" | "patrol" => Channel::Patrol,
        _ => return Err("is none of 电话, 短信, 网络, 信件, 媒体, 转办, 巡查".to_owned()),
    }))
}

/// The datum of this name; `None` for an empty cell.
///
/// # Errors
/// The names that there are.
pub fn datum(word: &str) -> Result<Option<Datum>, String> {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(Some(match plain.to_lowercase().as_str() {
        "" if word.is_empty() => return Ok(None),
        "wgs84" => Datum::Wgs84,
        "gcj02" => Datum::Gcj02,
        "bd09" | "bd09ll" => Datum::Bd09,
        _ => return Err("is none of WGS84, GCJ02, BD09".to_owned()),
    }))
}

/// Yes or no; an empty cell is no.
///
/// # Errors
/// The words that there are.
pub fn yes(word: &str) -> Result<bool, String> {
    match word.to_lowercase().as_str() {
        "" | "否" | "no" | "0" | "false" | "n" => Ok(false),
        "是" | "yes" | "1" | "true" | "y" => Ok(true),
        _ => Err("is neither 是 nor 否".to_owned()),
    }
}

/// A moment on the bureau's clocks: `2026-11-23 08:15:30`, `2026/11/23 8:15`, `2026年11月23日 下午3点15分`,
/// `20261123`, `20261123081530`, a spreadsheet's number of days, or RFC 3339 with its own offset. `None` for
/// an empty cell.
///
/// # Errors
/// What is wrong, with a form that is right.
pub fn moment(text: &str, utc_offset_min: i32) -> Result<Option<Millis>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(Some(millis(moment)));
    }
    let offset = UtcOffset::from_whole_seconds(utc_offset_min * 60).unwrap_or(UtcOffset::UTC);
    if let Some(days) = text.parse().ok().filter(|days| SPREADSHEET_DAYS.contains(days)) {
        return Ok(Some(spreadsheet(days, offset)));
    }
    let wrong = || "is no time: write it as 2026-11-23 08:15".to_owned();
    let afternoon =
        text.contains("下午") || text.contains("晚上") || text.to_lowercase().ends_with("pm");
    let mut numbers: Vec<u32> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()
        .or_else(|_| run_together(text).ok_or_else(wrong))?;
    if let [date, rest @ ..] = &numbers[..]
        && (10_000_101..=99_991_231).contains(date)
    {
        let date = [date / 10_000, date / 100 % 100, date % 100];
        numbers = date.into_iter().chain(rest.iter().copied()).collect();
    }
    let [year, month, day, time @ ..] = &numbers[..] else { return Err(wrong()) };
    if *year < 1000 {
        return Err(
            "does not begin with a year, so that day and month may be mixed up: write it as \
                    2026-11-23 08:15"
                .to_owned(),
        );
    }
    let [hour, minute, second] = match time {
        [] => [0, 0, 0],
        [hour] => [*hour, 0, 0],
        [hour, minute] => [*hour, *minute, 0],
        [hour, minute, second, ..] => [*hour, *minute, *second],
    };
    let hour = if afternoon && (1..12).contains(&hour) { hour + 12 } else { hour };
    build([*year, *month, *day], [hour, minute, second], offset).ok_or_else(wrong).map(Some)
}

/// The numbers of `20261123081530`.
fn run_together(text: &str) -> Option<Vec<u32>> {
    let part = |from: usize, until: usize| text.get(from..until)?.parse().ok();
    let whole = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    let cuts = [(0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)];
    if whole { cuts.into_iter().map(|(from, until)| part(from, until)).collect() } else { None }
}

fn build(date: [u32; 3], time: [u32; 3], offset: UtcOffset) -> Option<Millis> {
    let small = |number: u32| u8::try_from(number).ok();
    let month = Month::try_from(small(date[1])?).ok()?;
    let date =
        Date::from_calendar_date(i32::try_from(date[0]).ok()?, month, small(date[2])?).ok()?;
    let time = Time::from_hms(small(time[0])?, small(time[1])?, small(time[2])?).ok()?;
    Some(millis(date.with_time(time).assume_offset(offset)))
}

fn millis(moment: OffsetDateTime) -> Millis {
    Millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

#[expect(clippy::cast_possible_truncation, reason = "days of two centuries")]
fn spreadsheet(days: f64, offset: UtcOffset) -> Millis {
    let seconds = ((days - SPREADSHEET_EPOCH) * DAY_MS / 1000.0).round() as i64;
    Millis((seconds - i64::from(offset.whole_seconds())) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 08:15 at Jinan.
    const QUARTER_PAST: i64 = 1_795_392_900_000;

    #[test]
    fn times_are_read_as_people_and_spreadsheets_write_them() {
        for text in [
            "2026-11-23 08:15",
            "2026-11-23 08:15:00",
            "2026/11/23 8:15",
            "2026.11.23 8:15",
            "2026年11月23日 8时15分",
            "2026年11月23日上午8点15分",
            "20261123 08:15",
            "20261123081500",
            "46349.34375",
            "2026-11-23T08:15:00+08:00",
            "2026-11-23T00:15:00Z",
        ] {
            assert_eq!(moment(text, 480), Ok(Some(Millis(QUARTER_PAST))), "{text}");
        }
        let twelve_hours = Millis(QUARTER_PAST + 12 * 3_600_000);
        assert_eq!(moment("2026年11月23日 下午8:15", 480), Ok(Some(twelve_hours)));
        let midnight = Millis(QUARTER_PAST - 495 * 60_000);
        assert_eq!(moment("2026-11-23", 480), Ok(Some(midnight)));
        assert_eq!(moment("", 480), Ok(None));
    }

    #[test]
    fn what_is_no_time_or_may_be_two_is_refused() {
        for wrong in [
            "11/23/2026 8:15",
            "23-11-26",
            "昨天",
            "2026-13-01",
            "2026-02-30",
            "7",
            "2026-11-23 25:00",
        ] {
            assert!(moment(wrong, 480).is_err(), "{wrong}");
        }
        assert!(moment("11/23/2026", 480).unwrap_err().contains("mixed up"));
    }

    #[test]
    fn words_are_known_in_both_languages_and_others_are_refused() {
        assert_eq!(class("投诉类"), Ok(Some(CaseClass::Complaint)));
        assert_eq!(class("Suggestion"), Ok(Some(CaseClass::Suggestion)));
        assert!(class("表扬").is_err() && channel("飞鸽").is_err() && yes("maybe").is_err());
        assert_eq!(channel("短信"), Ok(Some(Channel::Sms)));
        assert_eq!(datum("GCJ-02"), Ok(Some(Datum::Gcj02)));
        assert!(datum("火星").is_err());
        assert_eq!((yes("是"), yes("")), (Ok(true), Ok(false)));
    }
}

//! The columns of a list of cases for people.

use std::collections::BTreeMap;

use onscene_sync_core::id::UnitId;
use onscene_sync_core::time::Millis;
use time::{OffsetDateTime, UtcOffset};

use crate::cases::list::Row;
use crate::statistics::words;

/// The heads of the columns.
pub const HEADS: [&str; 16] = [
    "编号",
    "类别",
    "渠道",
    "事项",
    "内容",
    "状态",
    "责任单位",
    "接收时间",
    "受理时间",
    "派遣时间",
    "到达认定",
    "告知时间",
    "办结时间",
    "按时办结",
    "纬度(WGS-84)",
    "经度(WGS-84)",
];

/// What a row is read with.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Names of units.
    pub units: BTreeMap<UnitId, String>,
    /// Names of kinds of matter.
    pub matters: BTreeMap<String, String>,
    /// Minutes that local time is ahead of UTC.
    pub utc_offset_min: i32,
}

impl Reading {
    /// A case in the order of [`HEADS`].
    #[must_use]
    pub fn cells(&self, row: &Row) -> [String; HEADS.len()] {
        let about = |key: &str| row.about[key].as_str().unwrap_or_default().to_owned();
        let unit =
            row.unit.map(|unit| self.units.get(&unit).cloned().unwrap_or_else(|| unit.to_string()));
        let degrees = |degrees: Option<f64>| degrees.map(|one| format!("{one:.7}"));
        [
            row.number.clone(),
            words::class(&about("class")).to_owned(),
            words::channel(&about("channel")).to_owned(),
            self.matters.get(&about("matter")).cloned().unwrap_or_else(|| about("matter")),
            about("summary"),
            words::phase(&row.phase).to_owned(),
            unit.unwrap_or_default(),
            self.moment(row.received_at),
            self.moment(Some(row.registered_at)),
            self.moment(row.ordered_at),
            row.verdict.as_deref().map(words::verdict).unwrap_or_default().to_owned(),
            self.moment(row.told_at),
            self.moment(row.closed_at),
            row.closed_on_time.map_or("", |on_time| if on_time { "是" } else { "否" }).to_owned(),
            degrees(row.place.map(|place| place.lat)).unwrap_or_default(),
            degrees(row.place.map(|place| place.lon)).unwrap_or_default(),
        ]
    }

    /// `2026-10-31 08:05:00`, local time; empty for none.
    #[must_use]
    pub fn moment(&self, at: Option<Millis>) -> String {
        let offset = UtcOffset::from_whole_seconds(self.utc_offset_min * 60);
        let moment = at.map(|at| OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1000)));
        let (Some(Ok(moment)), Ok(offset)) = (moment, offset) else { return String::new() };
        let Some(local) = moment.checked_to_offset(offset) else { return String::new() };
        let (hour, minute, second) = local.to_hms();
        format!("{} {hour:02}:{minute:02}:{second:02}", local.date())
    }
}

/// A cell that a spreadsheet shows and does not compute: what a citizen said may begin with `=`.
/// OWASP, "CSV Injection"; the full-width signs count too, Excel reads them alike.
#[must_use]
pub fn defused(cell: &str) -> String {
    let risky = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    let number = cell.parse::<f64>().is_ok();
    if cell.trim_start_matches(' ').starts_with(risky) && !number {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_text_and_a_number_stays_one() {
        for risky in ["=1+1", "+86-531", "@SUM(A1)", "-cmd|' /C calc'!A0", "\t=1", " =1", "＝1+1"]
        {
            assert!(defused(risky).starts_with('\''), "{risky}");
        }
        for plain in ["占道经营", "", "-36.5", "12=3", "+1.5"] {
            assert_eq!(defused(plain).trim_start_matches('\''), plain);
        }
        assert_eq!(defused("-36.5"), "-36.5");
    }

    #[test]
    fn moments_are_local() {
        let reading = Reading { utc_offset_min: 480, ..Reading::default() };
        assert_eq!(reading.moment(Some(Millis(1_795_392_000_000))), "2026-11-23 08:00:00");
        assert_eq!(reading.moment(None), "");
        assert_eq!(reading.moment(Some(Millis(i64::MAX))), "");
    }
}

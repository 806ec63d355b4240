//! The table at the end: nothing recorded may be unaccounted for.

use std::fmt;

/// What became of what one phone recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Whose phone.
    pub who: String,
    /// Records made on it.
    pub recorded: u64,
    /// Of those, on the hub's record.
    pub delivered: u64,
    /// Of those, still on the phone alone.
    pub waiting: u64,
    /// Of those, kept whole at the hub for a supervisor to look at.
    pub quarantined: u64,
    /// Photos taken with it.
    pub photos: u64,
    /// Of those, whole at the hub.
    pub stored: u64,
    /// Of those, still on the phone alone.
    pub unsent: u64,
    /// What is odd about the phone.
    pub remark: String,
}

impl Line {
    /// Whether every record and every photo is accounted for exactly once.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.recorded == self.delivered + self.waiting + self.quarantined
            && self.photos == self.stored + self.unsent
    }
}

/// All phones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table(pub Vec<Line>);

impl Table {
    /// The sum of all lines.
    #[must_use]
    pub fn total(&self) -> Line {
        let mut total = Line { who: format!("{} phones", self.0.len()), ..Line::default() };
        for line in &self.0 {
            total.recorded += line.recorded;
            total.delivered += line.delivered;
            total.waiting += line.waiting;
            total.quarantined += line.quarantined;
            total.photos += line.photos;
            total.stored += line.stored;
            total.unsent += line.unsent;
        }
        total
    }

    /// Whether every phone's line adds up.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.0.iter().all(Line::adds_up)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = "─".repeat(124);
        row(f, HEADINGS, "")?;
        writeln!(f, "{rule}")?;
        let total = self.total();
        for (index, line) in self.0.iter().chain([&total]).enumerate() {
            if index == self.0.len() {
                writeln!(f, "{rule}")?;
            }
            let Line { recorded, delivered, waiting, quarantined, .. } = *line;
            let numbers =
                [recorded, delivered, waiting, quarantined, line.photos, line.stored, line.unsent]
                    .map(|number| number.to_string());
            let [recorded, delivered, waiting, quarantined, photos, stored, unsent] = &numbers;
            let cells =
                [&*line.who, recorded, delivered, waiting, quarantined, photos, stored, unsent];
            let verdict = if line.adds_up() { "" } else { "DOES NOT ADD UP " };
            let remark = format!("{verdict}{}", line.remark);
            row(f, cells, &remark)?;
        }
        Ok(())
    }
}

const HEADINGS: [&str; 8] = [
    "phone",
    "recorded",
    "= delivered",
    "+ waiting",
    "+ quarantined",
    "photos",
    "= at hub",
    "+ waiting",
];

fn row(f: &mut fmt::Formatter<'_>, cells: [&str; 8], remark: &str) -> fmt::Result {
    let [who, recorded, delivered, waiting, quarantined, photos, stored, unsent] = cells;
    let line = format!(
        "{}{recorded:>9}{delivered:>13}{waiting:>11}{quarantined:>15} │{photos:>7}{stored:>10}\
         {unsent:>11}   {remark}",
        padded(who, 24)
    );
    writeln!(f, "{}", line.trim_end())
}

/// `text` filled with spaces to `columns` of a terminal, where a Chinese character takes two.
#[must_use]
pub fn padded(text: &str, columns: usize) -> String {
    let width: usize = text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(columns.saturating_sub(width)))
}

/// East Asian wide characters, as far as names and rules of the bureau use them.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(recorded: u64, delivered: u64, waiting: u64, quarantined: u64) -> Line {
        let who = "张伟 Zhang Wei".to_owned();
        Line { who, recorded, delivered, waiting, quarantined, ..Line::default() }
    }

    #[test]
    fn a_table_adds_up_only_if_every_line_does() {
        assert!(Table(vec![line(5, 3, 1, 1), line(0, 0, 0, 0)]).adds_up());
        let lost_and_doubled = Table(vec![line(5, 4, 0, 0), line(5, 6, 0, 0)]);
        assert_eq!(lost_and_doubled.total().recorded, lost_and_doubled.total().delivered);
        assert!(!lost_and_doubled.adds_up(), "a loss here and a double there do not cancel");
        assert!(lost_and_doubled.to_string().contains("DOES NOT ADD UP"));
        let photo_lost = Line { photos: 2, stored: 1, unsent: 0, ..line(5, 5, 0, 0) };
        assert!(!photo_lost.adds_up());
        assert!(Line { unsent: 1, ..photo_lost }.adds_up());
    }

    #[test]
    fn columns_stand_under_each_other_for_either_script() {
        assert_eq!(padded("张伟", 6), "张伟  ");
        assert_eq!(padded("Li", 6), "Li    ");
        let text = Table(vec![line(5, 3, 1, 1)]).to_string();
        assert!(text.lines().nth(2).is_some_and(|line| {
            line.contains("5            3          1              1 │      0")
        }));
    }
}

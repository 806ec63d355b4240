//! What a bulletin holds: its tables, and where its sentences stand.

use std::collections::BTreeMap;

use onscene_sync_core::id::UnitId;

use super::sentences::{notes, on_days, on_matters, on_units, quality, summary};
use crate::cases::CaseError;
use crate::cases::project::place::corners;
use crate::cases::record::policy_in_force;
use crate::statistics::counts::{Counts, share};
use crate::statistics::export::sheet::Reading;
use crate::statistics::figures::{Figures, Question, figures};
use crate::statistics::period::{Period, in_chinese, local_day};
use crate::statistics::words::{self, per_cent};
use crate::store::Store;

/// Kinds of matter that are told apart.
const MATTERS: usize = 12;
/// Places that are named.
const PLACES: usize = 10;

/// A bulletin before it is a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Who issues it.
    pub bureau: String,
    /// `2026年10月`.
    pub period: String,
    /// When it was counted, local time.
    pub as_of: String,
    /// The day on which it is dated.
    pub dated: String,
    /// Paragraphs on the whole.
    pub summary: Vec<String>,
    /// One line for each unit.
    pub units: Vec<UnitLine>,
    /// Paragraphs on units.
    pub on_units: Vec<String>,
    /// Kinds of matter with their number, the most frequent first.
    pub matters: Vec<(String, i64)>,
    /// Channels with their number.
    pub channels: Vec<(String, i64)>,
    /// A sentence on kinds and channels.
    pub on_matters: String,
    /// Cases registered on each day of the period, and the day.
    pub days: Vec<(String, i64)>,
    /// A sentence on the days.
    pub on_days: String,
    /// Busy places: where, how many, the share of all.
    pub places: Vec<(String, i64, String)>,
    /// Paragraphs on the quality of work.
    pub quality: Vec<String>,
    /// How it was counted.
    pub notes: Vec<String>,
}

/// A unit's line.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitLine {
    /// Its name.
    pub name: String,
    /// How far below the bureau it stands.
    pub depth: usize,
    /// Its figures, with those of all below it.
    pub counts: Counts,
}

/// What the bulletin of `period` says of what `question` counts.
///
/// # Errors
/// When the database refuses, or no policy is known.
pub async fn story(store: &Store, period: Period, question: Question) -> Result<Story, CaseError> {
    let policy = policy_in_force()?;
    let read = |question: Question| {
        store
            .with_read("bulletin.figures", question, |tx, question| Box::pin(figures(tx, question)))
    };
    let now = read(question.clone()).await?;
    let before = match period.before() {
        Some(before) => {
            let (from, until) = before.moments(&policy);
            Some((before, read(Question { from, until, ..question.clone() }).await?))
        }
        None => None,
    };
    let reading = Reading { utc_offset_min: policy.utc_offset_min, ..Reading::default() };
    let dated = local_day(question.as_of, &policy).map_or_else(String::new, in_chinese);
    let as_of = reading.moment(Some(question.as_of));
    Ok(tell(period, &now, before.as_ref(), as_of, dated))
}

/// Tells it; a pure function of the figures.
#[must_use]
pub fn tell(
    period: Period,
    now: &Figures,
    before: Option<&(Period, Figures)>,
    as_of: String,
    dated: String,
) -> Story {
    let units = unit_lines(now);
    let bureau = units.first().map_or_else(String::new, |unit| unit.name.clone());
    let matters = ranked(&now.matters, |key| now.matter(key));
    let channels = ranked(&now.channels, words::channel);
    let days: Vec<_> = now.days.iter().map(|(day, count)| (day.to_string(), *count)).collect();
    Story {
        bureau,
        period: period.to_string(),
        summary: summary(period, now, before),
        on_units: on_units(&units),
        on_matters: on_matters(&matters, &channels, now.total.of("registered")),
        on_days: on_days(now),
        places: places(now),
        quality: quality(&now.total),
        notes: notes(&as_of, now.not_yet_counted),
        matters: matters.into_iter().take(MATTERS).collect(),
        as_of,
        dated,
        units,
        channels,
        days,
    }
}

/// Units as a tree: each below the one that it belongs to. Those without work are left out.
fn unit_lines(figures: &Figures) -> Vec<UnitLine> {
    let known: Vec<UnitId> = figures.units.iter().map(|(unit, _)| unit.id).collect();
    let mut lines = Vec::new();
    let roots = figures
        .units
        .iter()
        .filter(|(unit, _)| unit.parent.is_none_or(|parent| !known.contains(&parent)));
    for (root, _) in roots {
        descend(figures, root.id, 0, &mut lines);
    }
    lines
}

fn descend(figures: &Figures, id: UnitId, depth: usize, lines: &mut Vec<UnitLine>) {
    let Some((unit, counts)) = figures.units.iter().find(|(unit, _)| unit.id == id) else { return };
    let idle = counts.of("orders") == 0 && counts.of("registered") == 0;
    if idle && depth > 0 {
        return;
    }
    lines.push(UnitLine { name: unit.name.clone(), depth, counts: counts.clone() });
    for (below, _) in figures.units.iter().filter(|(unit, _)| unit.parent == Some(id)) {
        descend(figures, below.id, depth + 1, lines);
    }
}

/// Groups by their number of cases, the most frequent first.
pub(super) fn ranked<'f>(
    groups: &'f BTreeMap<String, Counts>,
    word: impl Fn(&'f str) -> &'f str,
) -> Vec<(String, i64)> {
    let mut ranked: Vec<_> = groups
        .iter()
        .map(|(key, counts)| (word(key).to_owned(), counts.of("registered")))
        .filter(|(_, count)| *count > 0)
        .collect();
    ranked.sort_by_key(|(name, count)| (-count, name.clone()));
    ranked
}

fn places(figures: &Figures) -> Vec<(String, i64, String)> {
    let all = figures.total.of("registered");
    let place = |(cell, counts): &(i64, Counts)| {
        let (low, high) = corners(*cell);
        let count = counts.of("registered");
        let area =
            format!("北纬{:.2}°–{:.2}°，东经{:.2}°–{:.2}°", low.lat, high.lat, low.lon, high.lon);
        (area, count, per_cent(share(count, all)))
    };
    figures.places.iter().take(PLACES).map(place).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::http::units::Unit;
    use crate::statistics::indicator::{CASES, ORDERS};
    use onscene_sync_core::time::Millis;

    pub(in crate::statistics::bulletin) fn counts(given: &[(&str, i64)]) -> Counts {
        let mut counts = Counts::default();
        for (name, count) in given {
            if let Some(place) = CASES.iter().position(|one| one.name == *name) {
                counts.cases[place] = *count;
            }
            if let Some(place) = ORDERS.iter().position(|one| one.name == *name) {
                counts.orders[place] = *count;
            }
        }
        counts
    }

    fn unit(id: u8, parent: Option<u8>, name: &str) -> Unit {
        let id_of = |n: u8| UnitId::from_bytes([n; 16]);
        Unit {
            id: id_of(id),
            parent: parent.map(id_of),
            name: name.to_owned(),
            created_at: Millis(0),
        }
    }

    pub(in crate::statistics::bulletin) fn october() -> Period {
        Period::month("2026-10").unwrap()
    }

    #[test]
    fn units_stand_below_their_district_and_idle_ones_are_left_out() {
        let work = counts(&[("orders", 4), ("arrival_on_time", 3), ("arrival_late", 1)]);
        let poor = counts(&[("orders", 2), ("arrival_late", 1), ("arrival_silent", 1)]);
        let figures = Figures {
            units: vec![
                (unit(1, None, "历下区局"), work.clone()),
                (unit(2, Some(1), "二中队"), poor),
                (unit(3, Some(1), "一中队"), work),
                (unit(4, Some(1), "空中队"), Counts::default()),
            ],
            ..Figures::default()
        };
        let said = tell(october(), &figures, None, String::new(), String::new());
        let lines: Vec<_> = said.units.iter().map(|one| (&one.name[..], one.depth)).collect();
        assert_eq!(lines, [("历下区局", 0), ("二中队", 1), ("一中队", 1)]);
        assert_eq!(said.bureau, "历下区局");
        assert!(
            said.on_units[0].contains("较高的单位：一中队（75.0%）；较低的单位：二中队（0.0%）")
        );
        assert!(said.on_units[1].contains("二中队1件"));
    }

    #[test]
    fn an_empty_month_is_told_without_a_number_that_is_none() {
        let said = tell(october(), &Figures::default(), None, String::new(), String::new());
        let all = format!("{said:?}");
        assert!(!all.contains("NaN") && !all.contains("inf"), "{all}");
        assert!(said.summary[2].contains("无到达时限届满"));
    }
}

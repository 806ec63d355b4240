//! What a bulletin says.

use std::collections::BTreeMap;

use onscene_sync_core::id::UnitId;

use crate::cases::CaseError;
use crate::cases::project::place::corners;
use crate::cases::record::policy_in_force;
use crate::statistics::counts::{Counts, Rate, share};
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

fn ranked<'f>(
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

fn summary(period: Period, now: &Figures, before: Option<&(Period, Figures)>) -> Vec<String> {
    let total = &now.total;
    let registered = total.of("registered");
    let classes: Vec<_> = ranked(&now.classes, words::class)
        .into_iter()
        .map(|(class, count)| format!("{class}{count}件"))
        .collect();
    let of_classes = if classes.is_empty() {
        String::new()
    } else {
        format!("，其中{}", classes.join("、"))
    };
    let mut intake = format!("{period}，全局共受理市民诉求{registered}件{of_classes}。");
    if let Some((before, figures)) = before {
        intake.push_str(&compared(*before, figures.total.of("registered"), registered));
    }
    let rate = |name| total.rate_of(name);
    let closing = format!(
        "已办结{}件，办结率{}；{}。共派遣处置指令{}件。",
        total.of("closed"),
        per_cent(rate("closing").and_then(|rate| rate.share)),
        in_time(rate("closing_on_time"), "按时办结"),
        total.of("orders"),
    );
    let arrival = arrival(rate("arrival_on_time"), total.of("arrival_running"));
    let telling = format!(
        "{}；{}；{}。",
        in_time(rate("feedback_on_time"), "按时反馈"),
        in_time(rate("telling_on_time"), "按时告知投诉人"),
        in_time(rate("dispatch_on_time"), "按时派遣"),
    );
    vec![intake, closing, arrival, telling]
}

/// How this period stands to the one before.
fn compared(before: Period, then: i64, now: i64) -> String {
    if then == 0 {
        return format!("{before}无受理记录，不作比较。");
    }
    let name =
        if before.is_month() { "上月".to_owned() } else { format!("上期（{before}）") };
    match now - then {
        0 => format!("与{name}持平。"),
        more if more > 0 => {
            format!("较{name}{then}件增加{more}件，上升{}。", per_cent(share(more, then)))
        }
        less => format!("较{name}{then}件减少{}件，下降{}。", -less, per_cent(share(-less, then))),
    }
}

/// `按时办结780件，按时办结率95.1%`
fn in_time(rate: Option<Rate>, what: &str) -> String {
    match rate.filter(|rate| rate.of > 0) {
        Some(rate) => format!("{what}{}件，{}{}", rate.met, rate.title, per_cent(rate.share)),
        None => format!("无应{what}事项"),
    }
}

/// The sentence on arrivals: what is not known is said beside what is.
fn arrival(rate: Option<Rate>, running: i64) -> String {
    let Some(rate) = rate.filter(|rate| rate.of > 0) else {
        return "本期无到达时限届满的处置指令。".to_owned();
    };
    let mut text = format!(
        "到达时限已届满的处置指令{}件，其中按时到达{}件，按时到达率{}。",
        rate.of,
        rate.met,
        per_cent(rate.share)
    );
    if rate.undecided + rate.silent > 0 {
        text.push_str(&format!(
            "另有到达情况待复核{}件（占{}）、逾期未回传{}件（占{}），尚未认定，以上比率暂按未按时计算；\
             如全部认定为按时，按时到达率为{}。",
            rate.undecided,
            per_cent(share(rate.undecided, rate.of)),
            rate.silent,
            per_cent(share(rate.silent, rate.of)),
            per_cent(rate.at_most),
        ));
    }
    if running > 0 {
        text.push_str(&format!("另有{running}件尚在到达时限内，未计入。"));
    }
    text
}

/// The best and the worst, among units without others below them.
fn on_units(units: &[UnitLine]) -> Vec<String> {
    let leaf =
        |place: usize| units.get(place + 1).is_none_or(|next| next.depth <= units[place].depth);
    let mut ranked: Vec<(f64, &UnitLine, Rate)> = units
        .iter()
        .enumerate()
        .filter(|(place, _)| leaf(*place))
        .filter_map(|(_, unit)| {
            let rate = unit.counts.rate_of("arrival_on_time")?;
            Some((rate.share?, unit, rate))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    let name =
        |one: &(f64, &UnitLine, Rate)| format!("{}（{}）", one.1.name, per_cent(Some(one.0)));
    if ranked.len() < 2 {
        return Vec::new();
    }
    let few = (ranked.len() / 2).min(3);
    let best: Vec<_> = ranked.iter().take(few).map(name).collect();
    let worst: Vec<_> = ranked.iter().rev().take(few).map(name).collect();
    let mut said = vec![format!(
        "按时到达率较高的单位：{}；较低的单位：{}。",
        best.join("、"),
        worst.join("、")
    )];
    let unsettled: Vec<_> = ranked
        .iter()
        .filter(|(_, _, rate)| rate.undecided + rate.silent > 0)
        .map(|(_, unit, rate)| format!("{}{}件", unit.name, rate.undecided + rate.silent))
        .collect();
    if !unsettled.is_empty() {
        said.push(format!(
            "待复核和逾期未回传事项尚未认定，请有关单位督促人员联网上传、配合复核：{}。",
            unsettled.join("、")
        ));
    }
    said
}

fn on_matters(matters: &[(String, i64)], channels: &[(String, i64)], all: i64) -> String {
    let some = |ranked: &[(String, i64)], few: usize| {
        let named = ranked.iter().take(few);
        let named = named
            .map(|(name, count)| format!("{name}{count}件（{}）", per_cent(share(*count, all))));
        named.collect::<Vec<_>>().join("、")
    };
    if matters.is_empty() {
        return "本期无受理事项。".to_owned();
    }
    format!("反映较多的事项依次为{}。来源渠道：{}。", some(matters, 3), some(channels, 7))
}

fn on_days(figures: &Figures) -> String {
    let busiest =
        figures.days.iter().max_by_key(|(day, count)| (**count, std::cmp::Reverse(**day)));
    busiest.map_or_else(
        || "本期无受理事项。".to_owned(),
        |(day, count)| format!("受理最多的一天为{}，共{count}件。", in_chinese(*day)),
    )
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

fn quality(total: &Counts) -> Vec<String> {
    let orders = total.of("orders");
    let of_orders = |name| {
        let count = total.of(name);
        format!("{count}件（占派遣指令的{}）", per_cent(share(count, orders)))
    };
    let satisfaction = total.rate_of("satisfaction");
    let opinions = format!(
        "投诉人明确表示意见{}件，其中满意{}件、基本满意{}件、不满意{}件，满意率{}；不满意待处理{}件，\
         短信未送达{}件。",
        satisfaction.map_or(0, |rate| rate.of),
        total.of("opinion_satisfied"),
        total.of("opinion_partly"),
        total.of("opinion_not_satisfied"),
        per_cent(satisfaction.and_then(|rate| rate.share)),
        total.of("opinion_open"),
        total.of("message_not_delivered"),
    );
    let work = format!(
        "退办{}，催办{}；办结后重新办理{}件，移交问责{}件。责任单位未在5分钟内确认、按规定视为接收的\
         指令{}。",
        of_orders("returned"),
        of_orders("urged"),
        total.of("reopened"),
        total.of("referral"),
        of_orders("receipt_deemed"),
    );
    vec![opinions, work]
}

fn notes(as_of: &str, not_yet_counted: i64) -> Vec<String> {
    let mut notes = vec![
        format!(
            "本通报数据统计至{as_of}，诉求按受理日期、处置指令按签发日期计入，模拟事项不计入。"
        ),
        "到达时间由现场终端记录并经服务器签名时间佐证；待复核指证据不足、须由督查人员认定的到达，\
         逾期未回传指到达时限已过而现场终端尚未回传记录，回传后自动更正。"
            .to_owned(),
        "按时办结指责任单位的反馈、整改均未超时；上级单位数字含所属单位。".to_owned(),
    ];
    if not_yet_counted > 0 {
        notes.push(format!("另有{not_yet_counted}件历史事项正在整理，尚未计入，以上数字偏低。"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::units::Unit;
    use crate::statistics::indicator::{CASES, ORDERS};
    use onscene_sync_core::time::Millis;

    fn counts(given: &[(&str, i64)]) -> Counts {
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

    pub(super) fn unit(id: u8, parent: Option<u8>, name: &str) -> Unit {
        let id_of = |n: u8| UnitId::from_bytes([n; 16]);
        Unit {
            id: id_of(id),
            parent: parent.map(id_of),
            name: name.to_owned(),
            created_at: Millis(0),
        }
    }

    fn october() -> Period {
        Period::month("2026-10").unwrap()
    }

    #[test]
    fn what_is_undecided_is_said_beside_every_rate_of_arrival() {
        let total = counts(&[
            ("registered", 120),
            ("orders", 110),
            ("arrival_on_time", 90),
            ("arrival_late", 4),
            ("arrival_undecided", 3),
            ("arrival_silent", 3),
            ("arrival_running", 10),
        ]);
        let figures = Figures { total, ..Figures::default() };
        let said = tell(october(), &figures, None, String::new(), String::new());
        let arrival = &said.summary[2];
        for part in ["100件", "90.0%", "待复核3件（占3.0%）", "未回传3件", "为96.0%", "另有10件"]
        {
            assert!(arrival.contains(part), "{part}: {arrival}");
        }
    }

    #[test]
    fn more_or_less_than_the_month_before_is_said_in_words() {
        let of = |count| Figures { total: counts(&[("registered", count)]), ..Figures::default() };
        let said = |then, now| {
            let before = (october().before().unwrap(), of(then));
            let story = tell(october(), &of(now), Some(&before), String::new(), String::new());
            story.summary[0].clone()
        };
        assert!(said(100, 125).contains("增加25件，上升25.0%"));
        assert!(said(100, 80).contains("减少20件，下降20.0%"));
        assert!(said(7, 7).contains("与上月持平"));
        assert!(said(0, 7).contains("不作比较"));
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

//! What a bulletin says of its figures, in sentences.

use super::story::{UnitLine, ranked};
use crate::statistics::counts::{Counts, Rate, share};
use crate::statistics::figures::Figures;
use crate::statistics::period::{Period, in_chinese};
use crate::statistics::words::{self, per_cent};

pub(super) fn summary(
    period: Period,
    now: &Figures,
    before: Option<&(Period, Figures)>,
) -> Vec<String> {
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
pub(super) fn on_units(units: &[UnitLine]) -> Vec<String> {
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

pub(super) fn on_matters(
    matters: &[(String, i64)],
    channels: &[(String, i64)],
    all: i64,
) -> String {
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

pub(super) fn on_days(figures: &Figures) -> String {
    let busiest =
        figures.days.iter().max_by_key(|(day, count)| (**count, std::cmp::Reverse(**day)));
    busiest.map_or_else(
        || "本期无受理事项。".to_owned(),
        |(day, count)| format!("受理最多的一天为{}，共{count}件。", in_chinese(*day)),
    )
}

pub(super) fn quality(total: &Counts) -> Vec<String> {
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

pub(super) fn notes(as_of: &str, not_yet_counted: i64) -> Vec<String> {
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
    use super::super::story::tell;
    use super::super::story::tests::{counts, october};
    use super::*;

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
}

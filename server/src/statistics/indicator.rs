//! What is counted. An indicator is one condition on a row; the figure counts the rows that meet it and
//! the list behind the figure shows them, so the two cannot say different things.

/// Something that cases or orders are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indicator {
    /// Its name in the API.
    pub name: &'static str,
    /// In Chinese, for documents.
    pub title: &'static str,
    /// The condition, on `c` (`case_row`) or `o` (`dispatch_order`). Each `?` is the moment as of which
    /// is counted.
    pub when: &'static str,
}

const fn indicator(name: &'static str, title: &'static str, when: &'static str) -> Indicator {
    Indicator { name, title, when }
}

/// What cases are counted by.
pub const CASES: [Indicator; 31] = [
    indicator("registered", "受理", "c.registered_at >= 0"),
    indicator("closed", "办结", "c.closed_at IS NOT NULL"),
    indicator("closed_on_time", "按时办结", "c.closed_on_time = 1"),
    indicator("not_closed", "未办结", "c.closed_at IS NULL"),
    indicator("not_ordered", "未派遣", "c.unit_id IS NULL"),
    indicator("told", "已告知投诉人", "c.told_at IS NOT NULL"),
    indicator("reopened", "重新办理", "c.reopened > 0"),
    indicator("referral", "达到问责条件", "c.referral = 1"),
    indicator("opinion_satisfied", "满意", "c.opinion = 'satisfied'"),
    indicator("opinion_partly", "基本满意", "c.opinion = 'partly'"),
    indicator("opinion_not_satisfied", "不满意", "c.opinion = 'not_satisfied'"),
    indicator("opinion_not_asked", "未征询意见", "c.opinion = 'not_asked'"),
    indicator("opinion_not_reached", "征询未果", "c.opinion = 'not_reached'"),
    indicator("opinion_open", "不满意待处理", "c.opinion_open = 1"),
    // What the gateway never took was no attempt and is in no fact; what was overtaken was not to arrive.
    indicator(
        "message_not_delivered",
        "短信未送达",
        "(c.undelivered = 1 OR EXISTS (SELECT 1 FROM message m WHERE m.case_id = c.case_id \
         AND m.state IN ('not_delivered', 'expired') AND m.reason <> 'overtaken'))",
    ),
    indicator("grave", "重大事项", "c.grave = 1"),
    indicator("verdict_on_time", "认定按时到达", "c.verdict = 'on_time'"),
    indicator("verdict_late", "认定迟到", "c.verdict = 'late'"),
    indicator("verdict_needs_review", "到达待复核", "c.verdict = 'needs_review'"),
    indicator("registration_on_time", "按时登记", "c.registration = 'on_time'"),
    indicator("registration_late", "超时登记", "c.registration = 'late'"),
    indicator("dispatch_on_time", "按时派遣", "c.dispatch = 'on_time'"),
    indicator(
        "dispatch_late",
        "超时派遣",
        "(c.dispatch = 'late' OR (c.dispatch = 'open' AND c.dispatch_due < ?))",
    ),
    indicator(
        "dispatch_running",
        "派遣时限内",
        "(c.dispatch = 'open' AND (c.dispatch_due IS NULL OR c.dispatch_due >= ?))",
    ),
    indicator("coordination_on_time", "按时协调", "c.coordination = 'on_time'"),
    indicator(
        "coordination_late",
        "超时协调",
        "(c.coordination = 'late' OR (c.coordination = 'open' AND c.coordination_due < ?))",
    ),
    indicator(
        "coordination_running",
        "协调时限内",
        "(c.coordination = 'open' AND (c.coordination_due IS NULL OR c.coordination_due >= ?))",
    ),
    indicator("telling_on_time", "按时告知", "c.telling = 'on_time'"),
    indicator(
        "telling_late",
        "超时告知",
        "(c.telling = 'late' OR (c.telling = 'open' AND c.telling_due < ?))",
    ),
    indicator(
        "telling_running",
        "告知时限内",
        "(c.telling = 'open' AND (c.telling_due IS NULL OR c.telling_due >= ?))",
    ),
    indicator("without_place", "无地点", "c.cell IS NULL"),
];

/// What orders are counted by. Those of arrival divide all orders into parts, and those of feedback
/// too.
pub const ORDERS: [Indicator; 16] = [
    indicator("orders", "派遣", "o.issued_at >= 0"),
    indicator("receipt_deemed", "未确认接收", "o.receipt = 'deemed'"),
    indicator("arrival_on_time", "按时到达", "o.arrival = 'on_time'"),
    indicator("arrival_late", "超时到达", "o.arrival = 'late'"),
    indicator("arrival_undecided", "到达待复核", "o.arrival = 'undecided'"),
    indicator("arrival_silent", "逾期未回传", "(o.arrival = 'open' AND o.arrival_due < ?)"),
    indicator(
        "arrival_running",
        "到达时限内",
        "(o.arrival = 'open' AND (o.arrival_due IS NULL OR o.arrival_due >= ?))",
    ),
    indicator("arrival_not_owed", "无需到达", "o.arrival IN ('', 'lifted')"),
    indicator("feedback_on_time", "按时反馈", "o.feedback = 'on_time'"),
    indicator(
        "feedback_late",
        "超时反馈",
        "(o.feedback = 'late' OR (o.feedback = 'open' AND o.feedback_due < ?))",
    ),
    indicator(
        "feedback_running",
        "反馈时限内",
        "(o.feedback = 'open' AND (o.feedback_due IS NULL OR o.feedback_due >= ?))",
    ),
    indicator("feedback_not_owed", "无需反馈", "o.feedback IN ('', 'lifted')"),
    indicator("fed_back", "已反馈结果", "o.fed_back_at IS NOT NULL"),
    indicator("result_unproven", "结果无证据", "o.unproven = 1"),
    indicator("returned", "退办", "o.returns > 0"),
    indicator("urged", "催办", "o.urges > 0"),
];

/// The indicator of this name.
#[must_use]
pub fn find(among: &'static [Indicator], name: &str) -> Option<&'static Indicator> {
    among.iter().find(|indicator| indicator.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_titles_are_of_one_measure_each() {
        for among in [&CASES[..], &ORDERS[..]] {
            let names: BTreeSet<_> = among.iter().map(|indicator| indicator.name).collect();
            let titles: BTreeSet<_> = among.iter().map(|indicator| indicator.title).collect();
            assert_eq!((names.len(), titles.len()), (among.len(), among.len()));
        }
        assert_eq!(find(&CASES, "closed").map(|indicator| indicator.title), Some("办结"));
        assert_eq!(find(&CASES, "orders"), None);
    }
}

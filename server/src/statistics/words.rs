//! The API's names in the words of the bureau's papers.

/// Classes.
const CLASSES: [(&str, &str); 4] =
    [("consultation", "咨询"), ("help", "求助"), ("complaint", "投诉"), ("suggestion", "建议")];

/// Channels.
const CHANNELS: [(&str, &str); 7] = [
    ("telephone", "电话"),
    ("sms", "短信"),
    ("web", "网络"),
    ("letter", "信函"),
    ("media", "媒体"),
    ("transfer", "转办"),
    ("patrol", "巡查"),
];

/// Phases.
const PHASES: [(&str, &str); 11] = [
    ("registered", "已登记"),
    ("coordinating", "协调中"),
    ("ordered", "已派遣"),
    ("received", "已接收"),
    ("on_scene", "已到场"),
    ("in_progress", "办理中"),
    ("fed_back", "已反馈"),
    ("returned", "已退办"),
    ("told", "已告知"),
    ("closed", "已办结"),
    ("reopened", "重新办理"),
];

/// Verdicts on an arrival.
const VERDICTS: [(&str, &str); 4] = [
    ("on_time", "按时到达"),
    ("late", "超时到达"),
    ("needs_review", "待复核"),
    ("not_on_scene", "未到现场"),
];

fn word<'n>(among: &[(&'static str, &'static str)], name: &'n str) -> &'n str {
    among.iter().find(|one| one.0 == name).map_or(name, |one| one.1)
}

/// A class; an unknown name stays as it is, here and below.
#[must_use]
pub fn class(name: &str) -> &str {
    word(&CLASSES, name)
}

/// A channel.
#[must_use]
pub fn channel(name: &str) -> &str {
    word(&CHANNELS, name)
}

/// A phase.
#[must_use]
pub fn phase(name: &str) -> &str {
    word(&PHASES, name)
}

/// A verdict.
#[must_use]
pub fn verdict(name: &str) -> &str {
    word(&VERDICTS, name)
}

/// A share as a percentage with one digit; a dash where there is none.
#[must_use]
pub fn per_cent(share: Option<f64>) -> String {
    share.map_or_else(|| "—".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::fact::body::{CaseClass, Channel};
    use onscene_sync_core::rules::phase::Phase;

    use super::*;
    use crate::cases::project::name;

    #[test]
    fn what_the_api_names_has_a_word() {
        let classes =
            [CaseClass::Consultation, CaseClass::Help, CaseClass::Complaint, CaseClass::Suggestion];
        assert!(classes.iter().all(|one| class(&name(one)) != name(one)));
        for one in [Channel::Telephone, Channel::Transfer, Channel::Patrol] {
            assert_ne!(channel(&name(&one)), name(&one));
        }
        for one in [Phase::Registered, Phase::InProgress, Phase::Closed, Phase::Reopened] {
            assert_ne!(phase(&name(&one)), name(&one));
        }
        assert_eq!((per_cent(Some(0.9514)), per_cent(None)), ("95.1%".to_owned(), "—".to_owned()));
    }
}

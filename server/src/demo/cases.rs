//! What citizens report on one day of the demonstration, of the kinds that the hotline's own
//! records name: street vending, noise, illegal building, litter, mud trucks, advertising, smoke.

use onscene_sync_core::fact::body::{Channel, Outcome};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::places::{PLACES, Place};

/// A kind of matter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matter {
    /// Key in the reference data.
    pub key: &'static str,
    /// What it is called.
    pub chinese: &'static str,
    /// In English.
    pub english: &'static str,
    /// What a citizen says, after the place's name.
    pub complaint: &'static str,
    /// How a visit ends.
    pub outcomes: [(Outcome, &'static str); 2],
}

/// The kinds.
pub const MATTERS: [Matter; 8] = [
    Matter {
        key: "street_vending",
        chinese: "占道经营",
        english: "street vending",
        complaint: "流动摊贩占用人行道，行人无法通行",
        outcomes: [
            (Outcome::Stopped, "摊贩已劝离，人行道恢复通行"),
            (Outcome::AlreadyGone, "到场时摊贩已离开"),
        ],
    },
    Matter {
        key: "noise",
        chinese: "噪声扰民",
        english: "noise",
        complaint: "商铺高音喇叭揽客，影响居民休息",
        outcomes: [
            (Outcome::Corrected, "商铺已关闭喇叭并承诺整改"),
            (Outcome::Unfounded, "现场测量未超标"),
        ],
    },
    Matter {
        key: "illegal_building",
        chinese: "违法建设",
        english: "illegal building",
        complaint: "有人在楼顶加建彩钢房",
        outcomes: [
            (Outcome::Investigation, "已拍照取证，立案调查"),
            (Outcome::OtherDepartment, "需规划部门认定"),
        ],
    },
    Matter {
        key: "litter",
        chinese: "乱倒垃圾",
        english: "dumped rubbish",
        complaint: "路边堆放生活垃圾，气味难闻",
        outcomes: [(Outcome::Corrected, "垃圾已清运"), (Outcome::NotFound, "现场未发现垃圾堆放")],
    },
    Matter {
        key: "mud_trucks",
        chinese: "渣土车撒漏",
        english: "mud trucks",
        complaint: "渣土车沿途撒漏，尘土飞扬",
        outcomes: [
            (Outcome::Penalised, "已对车辆依法处罚，路面冲洗完毕"),
            (Outcome::AlreadyGone, "车辆已驶离，已调取监控"),
        ],
    },
    Matter {
        key: "outdoor_advertising",
        chinese: "违规户外广告",
        english: "outdoor advertising",
        complaint: "店外私设落地灯箱和横幅",
        outcomes: [
            (Outcome::Corrected, "灯箱、横幅已拆除"),
            (Outcome::Investigation, "责令限期拆除，立案"),
        ],
    },
    Matter {
        key: "smoke",
        chinese: "油烟扰民",
        english: "kitchen smoke",
        complaint: "露天烧烤油烟直排居民楼",
        outcomes: [
            (Outcome::Stopped, "炉具已暂扣，烧烤停止"),
            (Outcome::Penalised, "未装净化设备，已处罚"),
        ],
    },
    Matter {
        key: "occupied_road",
        chinese: "占道停放",
        english: "blocked pavement",
        complaint: "共享单车堆满盲道",
        outcomes: [
            (Outcome::Corrected, "车辆已清理归位"),
            (Outcome::NeedsCoordination, "需协调运营企业"),
        ],
    },
];

/// One case of the day, before anybody knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Milliseconds after the day's start when a citizen reports it.
    pub after_ms: i64,
    /// What.
    pub matter: &'static Matter,
    /// Where.
    pub place: &'static Place,
    /// How it reaches the command centre.
    pub channel: Channel,
    /// How the visit will end: an index into the matter's outcomes.
    pub ending: usize,
}

impl Planned {
    /// The text on record: place and complaint, no word of who complains.
    #[must_use]
    pub fn summary(&self) -> String {
        format!("{}{}", self.place.chinese, self.matter.complaint)
    }
}

const CHANNELS: [Channel; 5] =
    [Channel::Telephone, Channel::Telephone, Channel::Sms, Channel::Web, Channel::Transfer];
/// Citizens report within this many milliseconds of the day's start.
const REPORTS_WITHIN_MS: i64 = 150 * 60_000;

/// The cases of the `day`-th day (from 0) in the order of their reports: one for each place, so
/// that basements come up every day, and `extra` more at random.
#[must_use]
pub fn of_day(seed: u64, day: u32, extra: usize) -> Vec<Planned> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(day) + 1);
    let mut cases: Vec<Planned> = (0..PLACES.len() + extra)
        .map(|n| Planned {
            after_ms: rng.random_range(0..REPORTS_WITHIN_MS),
            matter: &MATTERS[rng.random_range(0..MATTERS.len())],
            place: PLACES.get(n).unwrap_or_else(|| &PLACES[rng.random_range(0..PLACES.len())]),
            channel: CHANNELS[rng.random_range(0..CHANNELS.len())],
            ending: rng.random_range(0..2),
        })
        .collect();
    cases.sort_by_key(|case| case.after_ms);
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_repeatable_and_days_differ() {
        assert_eq!(of_day(1, 0, 6), of_day(1, 0, 6));
        assert_ne!(of_day(1, 0, 6), of_day(1, 1, 6));
        assert_ne!(of_day(1, 0, 6), of_day(2, 0, 6));
    }

    #[test]
    fn a_day_visits_every_place_in_the_order_of_time() {
        let cases = of_day(9, 3, 6);
        assert_eq!(cases.len(), 30);
        assert!(cases.is_sorted_by_key(|case| case.after_ms));
        for place in &PLACES {
            assert!(cases.iter().any(|case| case.place == place), "{}", place.english);
        }
    }

    #[test]
    fn a_summary_names_the_place_and_nobody() {
        let case = &of_day(1, 0, 0)[0];
        assert!(case.summary().starts_with(case.place.chinese));
    }
}

//! The bureau of the demonstration: a district bureau, three squads, 25 inspectors and what is odd
//! about some of their phones. Names of people are made up.

use super::plane::Point;

/// The district bureau.
pub const BUREAU: (&str, &str) = ("历下区城市管理局", "Lixia District Urban Management Bureau");

/// A squad of the district bureau.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Squad {
    /// Its name.
    pub chinese: &'static str,
    /// Its name in English.
    pub english: &'static str,
    /// Where its people wait for orders: latitude and longitude, degrees, WGS 84.
    pub base: (f64, f64),
}

impl Squad {
    /// Its base on the map.
    #[must_use]
    pub fn base(&self) -> Point {
        Point::from_degrees(self.base.0, self.base.1)
    }
}

/// The squads.
pub const SQUADS: [Squad; 3] = [
    Squad {
        chinese: "泉城路中队", english: "Quancheng Road squad", base: (36.6680, 117.0140)
    },
    Squad { chinese: "千佛山中队", english: "Qianfoshan squad", base: (36.6500, 117.0330) },
    Squad { chinese: "甸柳中队", english: "Dianliu squad", base: (36.6590, 117.0700) },
];

/// What is odd about a phone or its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Nothing.
    None,
    /// Its wall clock is off by so many milliseconds.
    WrongClock(i64),
    /// It restarts on the way to the scene, before it was online again.
    Restarts,
    /// Its owner has a flat tyre and comes too late, and truthfully says so.
    FlatTyre,
    /// Its owner stays at base and simulates the location.
    Cheat,
    /// Somebody copied its storage onto a second phone and uses both.
    Cloned,
    /// An enrolled phone in the hands of an attacker: it sends forged and garbled changes.
    Hostile,
}

/// An inspector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inspector {
    /// Name.
    pub chinese: &'static str,
    /// Name in Latin letters.
    pub english: &'static str,
    /// Index into [`SQUADS`].
    pub squad: usize,
    /// What is odd about the phone.
    pub oddity: Oddity,
}

const fn inspector(
    chinese: &'static str,
    english: &'static str,
    squad: usize,
    oddity: Oddity,
) -> Inspector {
    Inspector { chinese, english, squad, oddity }
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

use Oddity::{Cheat, Cloned, FlatTyre, Hostile, None as Usual, Restarts, WrongClock};

/// All inspectors.
pub const INSPECTORS: [Inspector; 25] = [
    inspector("张伟", "Zhang Wei", 0, Usual),
    inspector("王芳", "Wang Fang", 0, Usual),
    inspector("李娜", "Li Na", 0, WrongClock(-26 * HOUR)),
    inspector("刘洋", "Liu Yang", 0, Usual),
    inspector("陈杰", "Chen Jie", 0, Restarts),
    inspector("杨静", "Yang Jing", 0, Usual),
    inspector("赵磊", "Zhao Lei", 0, Cheat),
    inspector("黄丽", "Huang Li", 0, Usual),
    inspector("周强", "Zhou Qiang", 0, Usual),
    inspector("吴敏", "Wu Min", 1, Usual),
    inspector("徐涛", "Xu Tao", 1, WrongClock(47 * MINUTE)),
    inspector("孙燕", "Sun Yan", 1, Usual),
    inspector("马超", "Ma Chao", 1, Cloned),
    inspector("朱琳", "Zhu Lin", 1, Usual),
    inspector("胡斌", "Hu Bin", 1, Restarts),
    inspector("郭颖", "Guo Ying", 1, Usual),
    inspector("何军", "He Jun", 1, FlatTyre),
    inspector("高洁", "Gao Jie", 2, Usual),
    inspector("林峰", "Lin Feng", 2, Usual),
    inspector("罗云", "Luo Yun", 2, Restarts),
    inspector("郑浩", "Zheng Hao", 2, Usual),
    inspector("梁雪", "Liang Xue", 2, WrongClock(-(56 * 365 * 24) * HOUR)),
    inspector("宋刚", "Song Gang", 2, Usual),
    inspector("唐慧", "Tang Hui", 2, Usual),
    inspector("许诺", "Xu Nuo", 2, Hostile),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_of_each_villain_and_names_differ() {
        let count = |oddity| INSPECTORS.iter().filter(|who| who.oddity == oddity).count();
        assert_eq!((count(Cheat), count(Cloned), count(Hostile)), (1, 1, 1));
        assert!(count(Restarts) >= 3 && count(Usual) >= 12);
        let names: std::collections::BTreeSet<_> =
            INSPECTORS.iter().map(|who| (who.chinese, who.english)).collect();
        assert_eq!(names.len(), INSPECTORS.len());
    }

    #[test]
    fn every_squad_has_people() {
        for squad in 0..SQUADS.len() {
            assert!(INSPECTORS.iter().filter(|who| who.squad == squad).count() >= 8);
        }
    }
}

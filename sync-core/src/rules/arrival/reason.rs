//! Why a verdict is what it is, in words for a screen or a hearing.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::flag::Flag;
use crate::id::FactId;

/// One reason for a conclusion. The numbers behind it stand in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Two windows half a minute apart are inside the site.
    #[n(0)]
    TwoWindowsInside,
    /// Some fix is probably inside, but no two windows prove it.
    #[n(1)]
    OnlyProbablyInside,
    /// The fixes neither show the site nor another place.
    #[n(2)]
    PlaceUncertain,
    /// No usable fix.
    #[n(3)]
    NoUsableFix,
    /// All fixes are elsewhere.
    #[n(4)]
    AllFixesOutside,
    /// The order has no site.
    #[n(5)]
    NoSite,
    /// Even the latest possible moment is within the limit.
    #[n(6)]
    LatestInTime,
    /// Even the earliest possible moment is past the deadline.
    #[n(7)]
    EarliestTooLate,
    /// The deadline lies between the earliest and the latest possible moment.
    #[n(8)]
    DeadlineWithinBounds,
    /// The time rests on the phone's word alone.
    #[n(9)]
    TimeOnlyClaimed,
    /// Nothing bounds the time.
    #[n(10)]
    TimeUnknown,
    /// A flag that needs a person's eye.
    #[n(11)]
    Flagged(#[n(0)] Flag),
    /// The claim of this arrival fact rests on the same track.
    #[n(12)]
    SameTrackAs(#[n(0)] FactId),
}

/// A language that reasons are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese, simplified.
    Chinese,
}

impl Reason {
    /// The other claim that it speaks of.
    #[must_use]
    pub const fn names(self) -> Option<FactId> {
        if let Self::SameTrackAs(claim) = self { Some(claim) } else { None }
    }

    /// The reason as one sentence.
    #[must_use]
    pub const fn sentence(self, language: Language) -> &'static str {
        let (english, chinese) = match self {
            Self::TwoWindowsInside => (
                "Two position windows at least half a minute apart are inside the site.",
                "相隔半分钟以上的两个定位窗口均在现场范围内。",
            ),
            Self::OnlyProbablyInside => (
                "A position is probably inside the site, but two windows do not prove it.",
                "有定位点很可能在现场范围内，但不足以由两个定位窗口证实。",
            ),
            Self::PlaceUncertain => (
                "The positions show neither the site nor another place.",
                "定位数据无法确定是否在现场。",
            ),
            Self::NoUsableFix => {
                ("The claim holds no usable position.", "到场记录中没有可用的定位点。")
            }
            Self::AllFixesOutside => {
                ("All positions are outside the site.", "全部定位点均在现场范围之外。")
            }
            Self::NoSite => ("The order names no site.", "该调度指令未指定现场范围。"),
            Self::LatestInTime => (
                "Even the latest possible moment of arrival is within the limit.",
                "即使按最晚可能时间计算，到达也在时限之内。",
            ),
            Self::EarliestTooLate => (
                "Even the earliest possible moment of arrival is past the deadline.",
                "即使按最早可能时间计算，到达也已超过时限。",
            ),
            Self::DeadlineWithinBounds => (
                "The deadline lies between the earliest and the latest possible moment of arrival.",
                "时限处于最早与最晚可能到达时间之间，无法自动认定。",
            ),
            Self::TimeOnlyClaimed => (
                "The time of arrival rests on the phone's word alone.",
                "到达时间仅有手机自身的记录，缺少可信时间依据。",
            ),
            Self::TimeUnknown => {
                ("Nothing bounds the time of arrival.", "没有任何依据可以限定到达时间。")
            }
            Self::SameTrackAs(_) => return Flag::SameTrack.sentence(language),
            Self::Flagged(flag) => return flag.sentence(language),
        };
        match language {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }
}

impl Flag {
    /// The flag as one sentence.
    #[must_use]
    pub const fn sentence(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english(),
            Language::Chinese => self.chinese(),
        }
    }

    const fn english(self) -> &'static str {
        match self {
            Self::MockLocation => "The phone marked a position as simulated.",
            Self::Teleport => "Two positions lie further apart than any vehicle goes in the time.",
            Self::ConstantAccuracy => "All positions report one and the same accuracy.",
            Self::FrozenPosition => "All positions lie on one spot, without a receiver's noise.",
            Self::WhiteNoise => {
                "The errors of the positions do not wander like a receiver's: each is drawn anew."
            }
            Self::NoiselessTrack => {
                "The positions run along ideal lines, without a receiver's noise."
            }
            Self::RoundedPositions => "All positions are rounded to a coarse grid.",
            Self::ConstantReadings => {
                "Neither the accuracy nor the number of satellites ever changes."
            }
            Self::NoiseUntested => "Too few positions to tell a receiver from a simulation.",
            Self::SameTrack => "Another claim rests on the same track, to the centimetre.",
            Self::GnssTimeMismatch => "Satellite time contradicts the phone's running clock.",
            Self::DatumSuspect => {
                "Read in another datum than the named one, the positions would be on the site."
            }
            Self::StaleFixes => "Some positions were taken too long before the tap and left out.",
            Self::CoarseFixes => "Some positions were too coarse and left out.",
            Self::NoAnchor => "The phone had no time anchor of the hub.",
            Self::Rebooted => "The phone was started anew between its time anchor and the claim.",
            Self::ClockRate => "The phone's running clock did not keep pace between two anchors.",
            Self::ClockInconsistent => "The bounds on the time of arrival contradict each other.",
            Self::OrderNotNamed => "The claim does not name the order that it answers.",
            Self::SiteUnusable => "The site on record is not a usable outline.",
            Self::SignedLate => "The claim was signed long after its evidence was collected.",
            Self::ChainGap => "Earlier records of this phone are missing.",
            Self::ChainFork => "The phone signed two different records for one place in its chain.",
            Self::Restated => "The claim states again what an earlier record stated.",
            Self::ScopeLost => "The order no longer belonged to this phone's unit.",
            Self::Revoked => "The phone's access had been withdrawn.",
            Self::HiddenAnchor => "The phone does not refer to a time anchor issued to it.",
        }
    }

    const fn chinese(self) -> &'static str {
        match self {
            Self::MockLocation => "手机系统标记该定位为模拟位置。",
            Self::Teleport => "两个定位点之间的移动速度超过任何车辆。",
            Self::ConstantAccuracy => "全部定位点的精度值完全相同。",
            Self::FrozenPosition => "全部定位点位于同一坐标，缺少正常的定位噪声。",
            Self::WhiteNoise => "定位误差逐点随机，不像接收机那样缓慢漂移。",
            Self::NoiselessTrack => "定位点沿理想直线移动，缺少正常的定位噪声。",
            Self::RoundedPositions => "全部定位点的坐标均被取整到粗略网格。",
            Self::ConstantReadings => "精度值与卫星数始终不变，不像真实接收机。",
            Self::NoiseUntested => "定位点过少，无法区分真实接收机与模拟定位。",
            Self::SameTrack => "另一份到场记录使用了同一条轨迹，误差在厘米级以内。",
            Self::GnssTimeMismatch => "卫星时间与手机运行时钟不一致。",
            Self::DatumSuspect => "若按另一坐标系解读，定位点会落在现场范围内，坐标系可能有误。",
            Self::StaleFixes => "部分定位点早于点击到场过久，未予采用。",
            Self::CoarseFixes => "部分定位点精度过低，未予采用。",
            Self::NoAnchor => "手机没有服务器签发的时间锚点。",
            Self::Rebooted => "手机在取得时间锚点之后、到场之前重新启动过。",
            Self::ClockRate => "手机运行时钟在两个时间锚点之间走速异常。",
            Self::ClockInconsistent => "关于到达时间的各项依据相互矛盾。",
            Self::OrderNotNamed => "到场记录未注明所响应的调度指令。",
            Self::SiteUnusable => "登记的现场范围无法使用。",
            Self::SignedLate => "到场记录在取证结束很久之后才签名。",
            Self::ChainGap => "该手机此前的部分记录缺失。",
            Self::ChainFork => "该手机对同一序号签署了两份不同的记录。",
            Self::Restated => "该记录是对此前记录的重新提交。",
            Self::ScopeLost => "该调度指令已不属于此手机所在单位。",
            Self::Revoked => "该手机的使用权限已被撤销。",
            Self::HiddenAnchor => "手机未引用服务器已签发的某个时间锚点。",
        }
    }
}

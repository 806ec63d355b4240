//! The one-time code that makes a phone somebody's, and the words that two people compare.
//!
//! The phone and the hub each compute the words from the phone's public key and the code. Whoever
//! sits between the two and puts a key of their own in place cannot show the same words on both
//! screens.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub mod message;

/// Crockford's base 32: no I, L, O or U, which are misread or misheard.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters of a code, the hyphen not counted.
const CODE_CHARS: usize = 8;
/// Sets these words apart from every other use of SHA-256.
const CHECK_WORDS_LABEL: &[u8] = b"onscene check words v1\0";

/// A text that is not an enrolment code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an enrolment code has eight letters and digits, such as 7K3F-9QXD")]
pub struct InvalidCode;

/// A one-time enrolment code: 40 bits, written `XXXX-XXXX`.
///
/// Reading is forgiving (lower case, spaces, no hyphen, O for 0, I or L for 1); writing is not.
/// `Debug` does not show it: whoever reads a code can become that inspector.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(into = "String", try_from = "String")]
pub struct EnrolmentCode([u8; CODE_CHARS]);

impl EnrolmentCode {
    /// Writes five random bytes as a code.
    #[must_use]
    pub fn from_random(bytes: [u8; 5]) -> Self {
        let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
        let digit = |at: usize| (0..5).fold(0, |digit, next| digit << 1 | bit(5 * at + next));
        Self(std::array::from_fn(|at| ALPHABET[usize::from(digit(at))]))
    }

    /// Reads what a person typed or a camera scanned.
    ///
    /// # Errors
    /// When it is not eight letters and digits of the alphabet.
    pub fn parse(text: &str) -> Result<Self, InvalidCode> {
        let mut code = [0; CODE_CHARS];
        let mut given = text.chars().filter(|c| !matches!(c, '-' | ' '));
        for place in &mut code {
            *place = given.next().and_then(canonical).ok_or(InvalidCode)?;
        }
        if given.next().is_none() { Ok(Self(code)) } else { Err(InvalidCode) }
    }

    /// The first four characters: enough to find a code without comparing the rest.
    #[must_use]
    pub fn selector(&self) -> String {
        self.half(0)
    }

    fn half(&self, half: usize) -> String {
        self.0[half * 4..half * 4 + 4].iter().map(|byte| char::from(*byte)).collect()
    }
}

impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.half(0), self.half(1))
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(…)")
    }
}

impl From<EnrolmentCode> for String {
    fn from(code: EnrolmentCode) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for EnrolmentCode {
    type Error = InvalidCode;
    fn try_from(text: String) -> Result<Self, InvalidCode> {
        Self::parse(&text)
    }
}

fn canonical(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte))
}

/// Four words for a phone's public key (SEC1, uncompressed, 65 bytes) enrolled with `code`:
/// 32 bits, compared by two people within the fifteen minutes of the code.
#[must_use]
pub fn check_words(public_key: &[u8], code: &EnrolmentCode) -> [&'static str; 4] {
    let mut hasher = Sha256::new();
    hasher.update(CHECK_WORDS_LABEL);
    hasher.update(code.0);
    hasher.update(public_key);
    let digest: [u8; 32] = hasher.finalize().into();
    std::array::from_fn(|at| WORDS[usize::from(digest[at])])
}

/// Things that everybody knows and nobody confuses when read out on the telephone.
#[rustfmt::skip]
const WORDS: [&str; 256] = [
    "高山", "大海", "小溪", "湖泊", "森林", "草原", "沙漠", "冰川", "瀑布", "峡谷", "岛屿", "海滩", "平原", "山洞", "泉水", "悬崖",
    "太阳", "月亮", "星星", "彩虹", "白云", "闪电", "雪花", "春风", "细雨", "晨雾", "露珠", "冰雹", "晚霞", "流星", "极光", "寒霜",
    "老虎", "狮子", "大象", "熊猫", "猴子", "兔子", "松鼠", "狐狸", "骆驼", "绵羊", "水牛", "骏马", "刺猬", "袋鼠", "河马", "犀牛",
    "孔雀", "鸽子", "燕子", "老鹰", "天鹅", "企鹅", "鹦鹉", "喜鹊", "蝴蝶", "蜜蜂", "蜻蜓", "蚂蚁", "螃蟹", "海豚", "鲸鱼", "乌龟",
    "苹果", "香蕉", "葡萄", "西瓜", "樱桃", "草莓", "菠萝", "柠檬", "石榴", "核桃", "荔枝", "芒果", "椰子", "橘子", "柿子", "红枣",
    "白菜", "萝卜", "土豆", "南瓜", "茄子", "黄瓜", "番茄", "辣椒", "大蒜", "蘑菇", "豆腐", "面条", "饺子", "馒头", "米饭", "鸡蛋",
    "牡丹", "玫瑰", "荷花", "菊花", "梅花", "兰花", "桂花", "茉莉", "杨柳", "松树", "竹子", "银杏", "梧桐", "枫叶", "青草", "芦苇",
    "茶杯", "水壶", "饭碗", "筷子", "勺子", "盘子", "菜刀", "铁锅", "炉子", "冰箱", "台灯", "蜡烛", "镜子", "梳子", "毛巾", "肥皂",
    "桌子", "椅子", "沙发", "书柜", "窗户", "大门", "楼梯", "屋顶", "地板", "墙壁", "窗帘", "枕头", "被子", "床单", "地毯", "挂钟",
    "帽子", "围巾", "手套", "外套", "衬衫", "裤子", "裙子", "皮鞋", "袜子", "雨衣", "雨伞", "眼镜", "手表", "戒指", "项链", "纽扣",
    "铅笔", "钢笔", "毛笔", "橡皮", "尺子", "剪刀", "胶水", "信封", "邮票", "日历", "地图", "报纸", "字典", "书包", "黑板", "算盘",
    "汽车", "火车", "飞机", "轮船", "单车", "卡车", "地铁", "马车", "帆船", "火箭", "卫星", "风筝", "气球", "雪橇", "电梯", "缆车",
    "锤子", "钳子", "螺丝", "钉子", "锯子", "斧头", "铲子", "绳子", "梯子", "水桶", "扫帚", "钥匙", "铁锁", "齿轮", "弹簧", "磁铁",
    "钢琴", "吉他", "笛子", "二胡", "古筝", "喇叭", "铃铛", "口琴", "足球", "篮球", "象棋", "围棋", "拼图", "积木", "陀螺", "秋千",
    "学校", "医院", "公园", "车站", "机场", "码头", "桥梁", "隧道", "灯塔", "城墙", "宝塔", "花园", "果园", "农田", "鱼塘", "水库",
    "石头", "沙子", "泥土", "黄金", "白银", "钻石", "珍珠", "玻璃", "纸张", "木头", "棉花", "丝绸", "陶瓷", "蜂蜜", "食盐", "茶叶",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_span_the_alphabet_and_read_back() {
        assert_eq!(EnrolmentCode::from_random([0; 5]).to_string(), "0000-0000");
        assert_eq!(EnrolmentCode::from_random([0xff; 5]).to_string(), "ZZZZ-ZZZZ");
        assert_eq!(EnrolmentCode::from_random([0, 0, 0, 0, 1]).to_string(), "0000-0001");
        assert_eq!(EnrolmentCode::from_random([0x08, 0, 0, 0, 0]).to_string(), "1000-0000");
    }

    #[test]
    fn reading_forgives_what_people_type() {
        let code = EnrolmentCode::parse("10AB-CDEF").expect("a code");
        for typed in ["10abcdef", "lOab cdef", " I0AB-CDEF "] {
            assert_eq!(EnrolmentCode::parse(typed), Ok(code), "{typed}");
        }
        for wrong in ["", "10AB-CDE", "10AB-CDEFG", "10AB-CDEU", "10AB_CDEF", "１0AB-CDEF"] {
            assert_eq!(EnrolmentCode::parse(wrong), Err(InvalidCode), "{wrong}");
        }
    }

    #[test]
    fn a_code_is_not_printed_by_debug() {
        let code = EnrolmentCode::parse("10AB-CDEF").expect("a code");
        assert!(!format!("{code:?}").contains("10AB"));
    }

    #[test]
    fn no_two_words_are_alike() {
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), 256);
        assert!(WORDS.iter().all(|word| word.chars().count() == 2));
    }

    #[test]
    fn another_key_or_code_gives_other_words() {
        let code = EnrolmentCode::from_random([1, 2, 3, 4, 5]);
        let words = check_words(&[4; 65], &code);
        assert_eq!(words, check_words(&[4; 65], &code));
        assert_ne!(words, check_words(&[5; 65], &code));
        assert_ne!(words, check_words(&[4; 65], &EnrolmentCode::from_random([1, 2, 3, 4, 6])));
    }

    proptest! {
        #[test]
        fn every_code_survives_its_text(bytes: [u8; 5]) {
            let code = EnrolmentCode::from_random(bytes);
            prop_assert_eq!(EnrolmentCode::parse(&code.to_string()), Ok(code));
            prop_assert!(code.to_string().starts_with(&code.selector()));
        }
    }
}

//! How alike two texts are, by the pairs of neighbouring characters that they share.
//!
//! Pairs need no dictionary, so that a phone and the hub find the same, and the names of streets and
//! shops, which no dictionary cuts alike twice, count like any other words.

/// How many [bands](Pairs::bands) a text has.
pub const BANDS: usize = 8;
/// Least hashes that make one band.
const ROWS: usize = 2;

/// The different pairs of neighbouring characters of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs(Vec<u64>);

impl Pairs {
    /// The pairs of `text`. Only letters, digits and Chinese characters count; width and case do
    /// not. A text of one character has one pair.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let chars: Vec<u64> = text
            .chars()
            .map(half_width)
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .map(|c| u64::from(u32::from(c)))
            .collect();
        let mut pairs: Vec<u64> = match chars[..] {
            [one] => vec![one],
            _ => chars.windows(2).map(|pair| pair[0] << 32 | pair[1]).collect(),
        };
        pairs.sort_unstable();
        pairs.dedup();
        Self(pairs)
    }

    /// The Dice coefficient: 0 for nothing in common, or for an empty text; 1 for the same pairs.
    #[must_use]
    pub fn likeness(&self, other: &Self) -> f64 {
        let total = self.0.len() + other.0.len();
        if total == 0 {
            return 0.0;
        }
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = 0_u32;
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(left.next()),
                std::cmp::Ordering::Greater => drop(right.next()),
                std::cmp::Ordering::Equal => {
                    shared += 1;
                    left.next();
                    right.next();
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "texts have a few thousand characters")]
        let total = total as f64;
        2.0 * f64::from(shared) / total
    }

    /// Numbers of which two texts share one the more likely, the more pairs they share (`MinHash` with
    /// banding, Broder 1997): of texts that share half of all their pairs nine in ten share a band,
    /// of texts that share a tenth one in thirteen. None for an empty text.
    #[must_use]
    pub fn bands(&self) -> Vec<i64> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let least = |seed: usize| {
            let seed = mix(seed as u64 + 1);
            self.0.iter().map(|pair| mix(pair ^ seed)).min().unwrap_or_default()
        };
        (0..BANDS)
            .map(|band| {
                let rows = (0..ROWS).map(|row| least(band * ROWS + row));
                rows.fold(band as u64, |hash, row| mix(hash ^ row)).cast_signed()
            })
            .collect()
    }
}

/// Full-width forms of ASCII, as Chinese input methods write them, are the same characters.
fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// The finaliser of `SplitMix64` (Steele et al. 2014): every bit of the input changes half of the
/// output's. The bands stand in databases, so it must never change.
const fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Puts texts that are alike into groups: each joins the group of the first text before it that it is
/// like, or begins one. Groups are in order of size, their members in order of the texts.
#[must_use]
pub fn groups(texts: &[Pairs], least: f64) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let found = groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| texts[*first].likeness(text) >= least));
        match found {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups.sort_by_key(|group| (std::cmp::Reverse(group.len()), group.first().copied()));
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(a: &str, b: &str) -> f64 {
        Pairs::of(a).likeness(&Pairs::of(b))
    }

    #[test]
    fn the_same_matter_in_other_words_is_liker_than_another_matter() {
        let said = "山大路与花园路交叉口流动摊贩占用人行道，行人无法通行";
        let again = "市民反映花园路山大路路口有摊贩占道，人行道走不了人";
        let other = "泉城广场东侧渣土车沿途撒漏，尘土飞扬";
        assert!(like(said, again) > 0.3, "{}", like(said, again));
        assert!(like(said, other) < 0.1, "{}", like(said, other));
        assert!(like("Stalls block the pavement", "stalls are blocking the pavement!") > 0.7);
    }

    #[test]
    fn width_case_and_punctuation_do_not_count() {
        assert!((like("解放路１２号，ＫＴＶ噪声。", "解放路12号 ktv 噪声") - 1.0).abs() < 1e-9);
        assert!(like("", "").abs() < 1e-9 && like("，。", "噪声").abs() < 1e-9);
        assert!((like("吵", "吵！") - 1.0).abs() < 1e-9);
    }

    #[test]
    fn bands_never_change() {
        let bands = Pairs::of("流动摊贩占用人行道").bands();
        assert_eq!(bands, BANDS_OF_STALLS, "they stand in databases");
        assert!(Pairs::of("…").bands().is_empty());
    }

    const BANDS_OF_STALLS: [i64; BANDS] = [
        570_452_934_778_395_487,
        3_420_543_278_096_686_578,
        4_250_086_763_738_373_262,
        919_417_101_715_966_306,
        -4_503_595_199_313_817_180,
        6_423_324_257_052_391_100,
        8_875_364_607_035_832_828,
        4_326_906_448_886_332_362,
    ];

    #[test]
    fn alike_suggestions_fall_into_one_group() {
        let texts = [
            "建议在泉城路增设公共厕所",
            "建议增加夜间公交班次",
            "建议泉城路多设公共厕所",
            "希望泉城路增设公共厕所",
        ];
        let texts: Vec<_> = texts.iter().map(|text| Pairs::of(text)).collect();
        assert_eq!(groups(&texts, 0.5), [vec![0, 2, 3], vec![1]]);
    }

    proptest! {
        #[test]
        fn likeness_is_symmetric_and_bounded(a in "\\PC{0,40}", b in "\\PC{0,40}") {
            let found = like(&a, &b);
            prop_assert!((0.0..=1.0).contains(&found));
            prop_assert!((found - like(&b, &a)).abs() < 1e-12);
            let a = Pairs::of(&a);
            prop_assert!(a.0.is_empty() || (a.likeness(&a) - 1.0).abs() < 1e-12);
        }

        /// What [`Pairs::bands`] promises, on texts of which a known share is the same.
        #[test]
        fn texts_that_share_most_pairs_share_a_band(seed in any::<u32>()) {
            let text = |from: u32| -> String {
                (from..from + 40).filter_map(|n| char::from_u32(0x4e00 + (seed % 5_000) + n)).collect()
            };
            let shared = |other: &str| {
                let (own, other) = (Pairs::of(&text(0)).bands(), Pairs::of(other).bands());
                own.iter().zip(&other).filter(|(own, other)| own == other).count()
            };
            prop_assert_eq!(shared(&text(0)), BANDS);
            prop_assert_eq!(shared(&text(100)), 0);
            prop_assert!(shared(&text(3)) > 0, "39 of 42 pairs are the same");
        }
    }
}

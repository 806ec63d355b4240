//! 64 bits that alike pictures share nearly all of: the signs of the 64 lowest frequencies of its
//! brightness (a perceptual hash by DCT).

use image::DynamicImage;
use image_hasher::{HashAlg, HasherConfig};
use minicbor::{Decode, Encode};

/// Pictures that differ in at most so many bits are taken for the same one.
pub const RADIUS: u32 = 7;
/// Bands that a likeness is cut into to be found by.
pub const BANDS: u32 = 4;
const BAND_BITS: u32 = 64 / BANDS;
/// Spread of brightness (standard deviation of 0 to 255) below which a picture is of one colour.
const PLAIN: f64 = 4.0;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Likeness(#[n(0)] pub u64);

impl Likeness {
    /// Of a picture; `None` for one of nearly one colour.
    #[must_use]
    pub fn of(picture: &DynamicImage) -> Option<Self> {
        let small = picture.thumbnail_exact(64, 64).into_luma8();
        let count = small.len() as f64;
        let mean = small.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let spread = small.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>();
        if (spread / count).sqrt() < PLAIN {
            return None;
        }
        let hasher = HasherConfig::with_bytes_type::<[u8; 8]>()
            .hash_size(8, 8)
            .hash_alg(HashAlg::Median)
            .preproc_dct()
            .to_hasher();
        let hash = hasher.hash_image(picture);
        Some(Self(u64::from_be_bytes(hash.into_inner())))
    }

    /// Bits that differ.
    #[must_use]
    pub const fn distance(self, other: Self) -> u32 {
        (self.0 ^ other.0).count_ones()
    }

    /// Its bands, each as its number and value.
    pub fn bands(self) -> impl Iterator<Item = (i64, i64)> {
        (0..BANDS).map(move |band| (i64::from(band), self.band(band)))
    }

    fn band(self, band: u32) -> i64 {
        i64::try_from((self.0 >> (band * BAND_BITS)) & ((1 << BAND_BITS) - 1)).unwrap_or(0)
    }

    /// Values of a band among which every likeness within [`RADIUS`] has one in at least one band:
    /// seven differing bits in four bands leave at least one band with at most one.
    pub fn probes(self, band: u32) -> impl Iterator<Item = i64> {
        let own = self.band(band);
        std::iter::once(own).chain((0..BAND_BITS).map(move |bit| own ^ (1 << bit)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_within_the_radius_is_found_in_a_band(
            value: u64,
            bits in proptest::collection::btree_set(0_u32..64, 0..=RADIUS as usize),
        ) {
            let own = Likeness(value);
            let other = Likeness(bits.iter().fold(value, |value, bit| value ^ (1 << bit)));
            prop_assert_eq!(own.distance(other), u32::try_from(bits.len()).unwrap());
            let found = (0..BANDS).any(|band| own.probes(band).any(|probe| probe == other.band(band)));
            prop_assert!(found);
        }
    }
}

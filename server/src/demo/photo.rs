//! Photos of nothing in particular: small, real JPEG files, each another.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
/// Things that stand about on a photo.
const THINGS: u32 = 12;
const QUALITY: u8 = 80;

/// The photo that `seed` decides.
#[must_use]
pub fn photo(seed: u64) -> Vec<u8> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let sky: [u8; 3] = chance.random();
    let mut picture = RgbImage::from_fn(WIDTH, HEIGHT, |_, y| {
        let shade = u8::try_from(y / 4).unwrap_or(u8::MAX);
        Rgb(sky.map(|part| part.saturating_sub(shade)))
    });
    for _ in 0..THINGS {
        let (left, top) = (chance.random_range(0..WIDTH), chance.random_range(0..HEIGHT));
        let (wide, high) = (chance.random_range(10..120), chance.random_range(10..90));
        let colour = Rgb(chance.random());
        for y in top..(top + high).min(HEIGHT) {
            for x in left..(left + wide).min(WIDTH) {
                picture.put_pixel(x, y, colour);
            }
        }
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode_image(&picture)
        .expect("a picture of this size can be written to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_gives_a_small_jpeg_of_its_own() {
        let (one, other) = (photo(1), photo(2));
        assert_eq!(one, photo(1));
        assert_ne!(one, other);
        for bytes in [&one, &other] {
            assert!(bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9]));
            assert!((1_000..40_000).contains(&bytes.len()), "{}", bytes.len());
        }
    }
}

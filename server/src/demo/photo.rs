//! Photos of nothing in particular: small, real JPEG files, each clearly another, and what a chat
//! makes of one.
//!
//! Light and shade of a photo are 64 slow waves of random height. Looked at from afar they are what
//! tells photos apart, so two of them are as different as two photos can be.

use std::f32::consts::PI;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
/// Waves across, and as many down.
const WAVES: usize = 8;
const QUALITY: u8 = 85;
/// A chat makes photos smaller and coarser.
const RESENT_WIDTH: u32 = 256;
const RESENT_QUALITY: u8 = 60;

/// The photo that `seed` decides.
#[must_use]
pub fn photo(seed: u64) -> Vec<u8> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let heights: [[f32; WAVES]; WAVES] =
        std::array::from_fn(|_| std::array::from_fn(|_| chance.random_range(-1.0..1.0)));
    let tint: [f32; 3] = std::array::from_fn(|_| chance.random_range(0.8..1.2));
    let (across, down) = (waves(WIDTH), waves(HEIGHT));
    let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let (across, down) = (&across[x as usize], &down[y as usize]);
        let rows = heights.iter().zip(down).map(|(row, down)| down * dot(row, across));
        let light = 128.0 + 14.0 * rows.sum::<f32>();
        Rgb(tint.map(|part| shade(part * light)))
    });
    jpeg(&picture.into(), QUALITY)
}

/// The same photo after it went through a chat: smaller, coarser, and another file. Bytes that are no
/// photo come back as they are.
#[must_use]
pub fn resent(photo: &[u8]) -> Vec<u8> {
    let Ok(picture) = image::load_from_memory_with_format(photo, ImageFormat::Jpeg) else {
        return photo.to_vec();
    };
    let small = picture.resize(RESENT_WIDTH, RESENT_WIDTH, FilterType::Triangle);
    jpeg(&small, RESENT_QUALITY)
}

/// For each place along a side, how high each wave stands there.
fn waves(side: u32) -> Vec<[f32; WAVES]> {
    let at = |place: u32| (place as f32 + 0.5) / side as f32;
    (0..side).map(|place| std::array::from_fn(|n| (PI * n as f32 * at(place)).cos())).collect()
}

fn dot(one: &[f32; WAVES], other: &[f32; WAVES]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
fn shade(light: f32) -> u8 {
    light.clamp(0.0, 255.0) as u8
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .expect("a picture of this size can be written to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::likeness::{Likeness, RADIUS};

    fn likeness(photo: &[u8]) -> Likeness {
        let picture = image::load_from_memory(photo).expect("a photo");
        Likeness::of(&picture).expect("not of one colour")
    }

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

    #[test]
    fn photos_are_far_from_being_alike_but_for_one_that_was_resent() {
        let seen: Vec<Likeness> = (0..40).map(|seed| likeness(&photo(seed))).collect();
        for (number, one) in seen.iter().enumerate() {
            for other in &seen[..number] {
                assert!(one.distance(*other) > 2 * RADIUS, "{}", one.distance(*other));
            }
        }
        for seed in 0..10 {
            let (original, copy) = (photo(seed), resent(&photo(seed)));
            assert_ne!(original, copy);
            let distance = likeness(&original).distance(likeness(&copy));
            assert!(distance <= RADIUS, "{seed}: {distance}");
        }
    }

    #[test]
    fn what_is_no_photo_is_resent_as_it_is() {
        assert_eq!(resent(b"no photo"), b"no photo");
    }
}

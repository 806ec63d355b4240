//! The process that decodes pictures: it takes what it can and gives a reason for the rest.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use onscene_server::picture::likeness::{Likeness, RADIUS};
use onscene_server::picture::process::{NoLook, look};

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_onscene"))
}

/// A made-up scene: a gradient with stalls, signs and shadows on it; another for each seed.
fn scene(seed: u32, width: u32, height: u32) -> DynamicImage {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state >> 33).unwrap_or(0) % below
    };
    let tints = [draw(256), draw(256), draw(256)];
    let mut picture = RgbImage::from_fn(width, height, |x, y| {
        let shade = |tint: u32| u8::try_from((tint + x * 60 / width + y * 90 / height) % 256);
        Rgb(tints.map(|tint| shade(tint).unwrap_or(0)))
    });
    for _ in 0..24 {
        let (left, top) = (draw(width), draw(height));
        let (across, down) = (1 + draw(width / 3), 1 + draw(height / 3));
        let paint = [draw(256), draw(256), draw(256)].map(|tint| u8::try_from(tint).unwrap_or(0));
        for y in top..(top + down).min(height) {
            for x in left..(left + across).min(width) {
                picture.put_pixel(x, y, Rgb(paint));
            }
        }
    }
    DynamicImage::ImageRgb8(picture)
}

fn jpeg(picture: &DynamicImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))
        .expect("a JPEG can be written");
    bytes
}

/// An EXIF segment that says which way up the camera was, and where it stood.
fn with_exif(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    tiff.extend([0, orientation, 0, 0, 0, 0, 0, 0]);
    tiff.extend(b"GPS 36.6512N 117.1201E, 13800138000");
    let length = u16::try_from(tiff.len() + 2).expect("a short block").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &tiff, &jpeg[2..]].concat()
}

#[test]
fn a_photo_gets_upright_copies_without_what_its_camera_wrote() {
    let photo = with_exif(&jpeg(&scene(1, 1_200, 900), 90), 6);
    let look = look(program(), &photo).unwrap();
    assert_eq!((look.width, look.height), (900, 1_200), "turned by a quarter");
    for (copy, width) in [(&look.thumbnail, 360), (&look.outward, 900)] {
        let decoded = image::load_from_memory_with_format(copy, ImageFormat::Jpeg).unwrap();
        assert_eq!(decoded.width(), width);
        for trace in [&b"Exif"[..], b"GPS", b"13800138000"] {
            assert!(!copy.windows(trace.len()).any(|window| window == trace));
        }
    }
    assert!(look.likeness.is_some());
}

#[test]
fn a_broken_picture_gets_a_reason() {
    let whole = jpeg(&scene(2, 400, 300), 80);
    let mut seed = 7_u32;
    for n in 0..40_usize {
        let mut broken = whole.clone();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = seed as usize % broken.len();
        broken[at] ^= 0x55;
        broken.truncate(whole.len() * (n + 1) / 40);
        match look(program(), &broken) {
            Ok(look) => assert!(look.width <= 12_000),
            Err(why) => assert!(matches!(why, NoLook::Picture(_)), "{why}"),
        }
    }
    for nothing in [&b""[..], b"GIF89a", b"\xff\xd8\xff", b"<svg/>"] {
        assert!(!look(program(), nothing).unwrap_err().to_string().is_empty());
    }
}

#[test]
fn a_picture_that_is_small_to_send_and_huge_to_hold_is_refused() {
    let mut bomb = Vec::new();
    let black = DynamicImage::new_luma8(12_001, 200);
    black.write_to(&mut Cursor::new(&mut bomb), ImageFormat::Png).unwrap();
    assert!(bomb.len() < 100_000);
    let why = look(program(), &bomb).unwrap_err().to_string();
    assert!(why.to_lowercase().contains("limit"), "{why}");
    // The header claims 12,000 by 12,000 pixels of four bytes.
    let mut claimed = bomb.clone();
    claimed[16..24].copy_from_slice(&[0, 0, 0x2e, 0xe0, 0, 0, 0x2e, 0xe0]);
    assert!(look(program(), &claimed).is_err());
}

/// What a photo may go through on its way into another case.
fn alterations(picture: &DynamicImage) -> Vec<(&'static str, DynamicImage)> {
    let (width, height) = (picture.width(), picture.height());
    let again = |quality| {
        image::load_from_memory(&jpeg(picture, quality)).expect("what was written can be read")
    };
    let filter = image::imageops::FilterType::Triangle;
    let margin = |percent: u32| (width * percent / 100, height * percent / 100);
    let cropped = |percent: u32| {
        let (x, y) = margin(percent);
        picture.crop_imm(x, y, width - 2 * x, height - 2 * y)
    };
    vec![
        ("recompressed to 30", again(30)),
        ("halved", picture.resize(width / 2, height / 2, filter)),
        ("a quarter", picture.resize(width / 4, height / 4, filter)),
        ("brighter", picture.brighten(25)),
        ("darker", picture.brighten(-25)),
        ("more contrast", picture.adjust_contrast(20.0)),
        ("cropped by 1 %", cropped(1)),
        ("cropped by 3 %", cropped(3)),
    ]
}

#[test]
fn the_same_photo_is_known_again_and_another_is_not() {
    const SCENES: u32 = 120;
    let scenes: Vec<_> = (0..SCENES).map(|seed| scene(seed + 100, 320, 240)).collect();
    let likenesses: Vec<_> = scenes.iter().map(|scene| Likeness::of(scene).unwrap()).collect();
    let mut missed = std::collections::BTreeMap::<_, u32>::new();
    for (scene, likeness) in scenes.iter().zip(&likenesses) {
        for (name, altered) in alterations(scene) {
            let distance = likeness.distance(Likeness::of(&altered).unwrap());
            *missed.entry(name).or_default() += u32::from(distance > RADIUS);
        }
    }
    let mut nearest = u32::MAX;
    let (mut pairs, mut wrong) = (0_u32, 0_u32);
    for (n, one) in likenesses.iter().enumerate() {
        for other in &likenesses[n + 1..] {
            pairs += 1;
            nearest = nearest.min(one.distance(*other));
            wrong += u32::from(one.distance(*other) <= RADIUS);
        }
    }
    println!("missed of {SCENES}: {missed:?}; {wrong} of {pairs} pairs alike, nearest {nearest}");
    let kept =
        ["recompressed to 30", "halved", "a quarter", "brighter", "darker", "cropped by 1 %"];
    for name in kept {
        assert!(missed[name] <= SCENES / 20, "{name}: {missed:?}");
    }
    assert!(wrong <= pairs / 1_000, "{wrong} of {pairs}");
}

#[test]
fn a_picture_of_one_colour_is_like_nothing() {
    assert_eq!(Likeness::of(&DynamicImage::new_rgb8(300, 200)), None);
}

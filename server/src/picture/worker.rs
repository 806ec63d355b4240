//! The process that decodes one picture: reads it from standard input, writes a [`Look`] to standard
//! output, or ends with a reason on standard error.
//!
//! Before it reads a byte it bounds itself: 512 MiB of address space, 5 s of processor time, no file
//! written, no process started. It needs no network and no file.

use std::io::{Cursor, Read as _, Write as _};
use std::process::ExitCode;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits};
use onscene_sync_core::limits::EVIDENCE_PHOTO_BYTES;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::likeness::Likeness;
use super::{Look, OUTWARD, THUMBNAIL};

/// Bytes of address space.
const MEMORY: u64 = 512 * 1024 * 1024;
/// Seconds of processor time.
const CPU_S: u64 = 5;
/// Pixels of a side.
const SIDE: u32 = 12_000;
/// Bytes that decoding may ask for, so that a picture too large is refused in words.
const DECODED: u64 = 400 * 1024 * 1024;
const THUMBNAIL_QUALITY: u8 = 80;
const OUTWARD_QUALITY: u8 = 90;

/// Runs the process.
#[must_use]
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _nowhere_to_complain = write!(std::io::stderr(), "{why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    bound().map_err(|error| format!("it could not bound itself: {error}"))?;
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(EVIDENCE_PHOTO_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > EVIDENCE_PHOTO_BYTES {
        return Err("the file is larger than a photo may be".to_owned());
    }
    let look = look(&bytes).map_err(|error| error.to_string())?;
    let look = minicbor::to_vec(&look).map_err(|error| error.to_string())?;
    std::io::stdout().write_all(&look).map_err(|error| error.to_string())
}

fn bound() -> rustix::io::Result<()> {
    let limits = [
        (Resource::As, MEMORY),
        (Resource::Cpu, CPU_S),
        (Resource::Fsize, 0),
        (Resource::Nproc, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

fn look(bytes: &[u8]) -> image::ImageResult<Look> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(DECODED);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let decoded = DynamicImage::from_decoder(decoder)?;
    // The copies are made small before they are turned: turning takes as much memory again.
    let mut outward = within(decoded, OUTWARD);
    outward.apply_orientation(orientation);
    let outward = DynamicImage::ImageRgb8(outward.into_rgb8());
    let thumbnail = within(outward.clone(), THUMBNAIL);
    Ok(Look {
        width: outward.width(),
        height: outward.height(),
        likeness: Likeness::of(&thumbnail),
        thumbnail: jpeg(&thumbnail, THUMBNAIL_QUALITY)?,
        outward: jpeg(&outward, OUTWARD_QUALITY)?,
    })
}

fn within(picture: DynamicImage, side: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= side {
        return picture;
    }
    picture.resize(side, side, FilterType::Triangle)
}

/// Encoded from the pixels alone: nothing that stood beside them in the original is carried over.
fn jpeg(picture: &DynamicImage, quality: u8) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, quality))?;
    Ok(bytes)
}

//! What a file of evidence may be: by its first bytes, never by its name, and never by decoding it.

pub use onscene_sync_core::evidence::limit;
use onscene_sync_core::fact::body::Media;

/// First bytes that tell the type.
pub const HEAD_BYTES: usize = 4096;

/// The types taken of each kind, as `infer` names them. SVG and HTML are not among them.
const fn allowed(media: Media) -> &'static [&'static str] {
    match media {
        Media::Photo => &["image/jpeg", "image/png", "image/webp", "image/heif"],
        Media::Video => &["video/mp4", "video/quicktime", "video/webm", "video/x-m4v"],
        Media::Audio => &[
            "audio/m4a",
            "audio/aac",
            "audio/mpeg",
            "audio/ogg",
            "audio/opus",
            "audio/amr",
            "audio/x-wav",
        ],
        Media::Document => &["application/pdf"],
    }
}

/// The type of a file that begins with `head`.
///
/// # Errors
/// When a file of this kind may not be of that type, in words.
pub fn type_of(media: Media, head: &[u8]) -> Result<&'static str, String> {
    let found = infer::get(head).map(|kind| kind.mime_type());
    match found {
        Some(mime) if allowed(media).contains(&mime) => Ok(mime),
        _ => Err(format!(
            "the file begins like {}, and its manifest says {media:?}: that is {}",
            found.unwrap_or("nothing known"),
            allowed(media).join(", "),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_goes_with_its_kind_and_text_with_none() {
        let jpeg = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00";
        let mp4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2";
        let heic = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic";
        assert_eq!(type_of(Media::Photo, jpeg), Ok("image/jpeg"));
        assert_eq!(type_of(Media::Photo, heic), Ok("image/heif"));
        assert_eq!(type_of(Media::Video, mp4), Ok("video/mp4"));
        assert_eq!(type_of(Media::Document, b"%PDF-1.7\n"), Ok("application/pdf"));
        let wrong = type_of(Media::Photo, mp4).unwrap_err();
        assert!(wrong.contains("video/mp4") && wrong.contains("image/jpeg"), "{wrong}");
        for text in [
            &b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"[..],
            b"<!DOCTYPE html><script>",
            b"PK\x03\x04",
            b"MZ\x90\x00",
            b"",
        ] {
            for media in [Media::Photo, Media::Video, Media::Audio, Media::Document] {
                assert!(type_of(media, text).is_err(), "{media:?} {text:?}");
            }
        }
    }
}

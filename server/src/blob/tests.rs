use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use onscene_sync_core::crypto::sha256;

use super::*;

fn folder() -> (tempfile::TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::folder(dir.path()).unwrap();
    (dir, blobs)
}

/// Bytes that no two offsets share.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).collect()
}

async fn keep(blobs: &Blobs, expected: Hash, bytes: &[u8]) -> Result<(), KeepError> {
    let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(piece.to_vec().into())).collect();
    blobs.keep_stream(expected, stream::iter(pieces)).await
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn a_file_comes_back_by_its_hash_whole_or_in_part() {
    let (_dir, blobs) = folder();
    for length in [0, 1, 99_999, 100_000, 9_000_000, 17_000_000] {
        let bytes = bytes(length);
        let hash = sha256(&bytes);
        keep(&blobs, hash, &bytes).await.unwrap();
        keep(&blobs, hash, &bytes).await.unwrap();
        assert_eq!(blobs.size(hash).await.unwrap(), Some(length as u64));
        assert_eq!(blobs.bytes(hash, length as u64).await.unwrap(), bytes);
        if length > 10 {
            let part = blobs.read_part(hash, 3..9).await.unwrap();
            assert_eq!(part.size, length as u64);
            let part: Vec<_> = part.bytes.try_collect().await.unwrap();
            assert_eq!(part.concat(), bytes[3..9]);
        }
        blobs.remove(hash).await.unwrap();
        blobs.remove(hash).await.unwrap();
        assert_eq!(blobs.size(hash).await.unwrap(), None);
        assert!(
            matches!(blobs.read(hash).await, Err(BlobError::Missing(missing)) if missing == hash)
        );
    }
}

#[tokio::test]
async fn bytes_of_another_hash_leave_nothing_behind() {
    let (dir, blobs) = folder();
    for length in [10, 20_000_000] {
        let bytes = bytes(length);
        let error = keep(&blobs, sha256(b"other"), &bytes).await.unwrap_err();
        assert!(matches!(error, KeepError::OtherBytes { found, .. } if found == sha256(&bytes)));
        assert_eq!(files(dir.path()), Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test]
async fn a_damaged_file_never_comes_out_whole() {
    let (dir, blobs) = folder();
    let bytes = bytes(300_000);
    let hash = blobs.keep(bytes.clone()).await.unwrap();
    let path = files(dir.path()).pop().unwrap();
    let mut flipped = bytes.clone();
    flipped[12] ^= 1;
    for wrong in [flipped, bytes[..299_999].to_vec(), [&bytes[..], b"x"].concat()] {
        std::fs::write(&path, &wrong).unwrap();
        let mut out = 0;
        let mut stream = blobs.read(hash).await.unwrap().bytes;
        let error = loop {
            match stream.next().await.expect("an error ends it") {
                Ok(piece) => out += piece.len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, BlobError::Damaged(damaged) if damaged == hash), "{error}");
        assert!(out < wrong.len(), "who got everything would believe it");
        assert!(blobs.verify(hash).await.is_err());
        assert!(blobs.bytes(hash, 1_000_000).await.is_err());
    }
    std::fs::write(&path, &bytes).unwrap();
    blobs.verify(hash).await.unwrap();
}

#[tokio::test]
async fn pieces_are_replaced_cut_and_cleared_by_folder() {
    let (_dir, blobs) = folder();
    blobs.stage("one", "000000-1", b"abc".to_vec()).await.unwrap();
    blobs.stage("one", "000000-1", b"abcdef".to_vec()).await.unwrap();
    blobs.stage("two", "000000-1", b"z".to_vec()).await.unwrap();
    assert_eq!(&blobs.staged("one", "000000-1", 4).await.unwrap()[..], b"abcd");
    assert!(blobs.staged("one", "000000-1", 7).await.is_err());
    let mut folders = blobs.staging_folders().await.unwrap();
    folders.sort();
    assert_eq!(folders, ["one", "two"]);
    blobs.clear("one").await.unwrap();
    blobs.unstage("two", "000000-1").await.unwrap();
    blobs.unstage("two", "000000-1").await.unwrap();
    assert!(blobs.staged("one", "000000-1", 0).await.is_err());
}

#[tokio::test]
async fn files_of_a_new_folder_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    Blobs::open(&crate::config::Blob::default(), dir.path()).unwrap();
    let mode = std::fs::metadata(dir.path().join("blobs")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

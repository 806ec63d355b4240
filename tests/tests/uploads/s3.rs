//! The blob store over S3: a server in this process, or another one that `ONSCENE_TEST_S3` names
//! (`http://key:secret@host:port/bucket`).

use std::path::Path;

use futures_util::{TryStreamExt as _, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use onscene_server::blob::{BlobError, Blobs, KeepError};
use onscene_server::config::{Blob, Secret};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::Hash;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

/// Starts an S3 server over `dir`, which checks signatures, with one bucket.
async fn serve(dir: &Path) -> Blob {
    std::fs::create_dir(dir.join("evidence")).unwrap();
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(dir).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let http = Builder::new(TokioExecutor::new());
                let _gone = http.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    Blob {
        bucket: "evidence".to_owned(),
        endpoint,
        access_key_id: Secret("key".to_owned()),
        secret_access_key: Secret("secret".to_owned()),
        ..Blob::default()
    }
}

fn named_by(url: &str) -> Option<Blob> {
    let (scheme, rest) = url.split_once("://")?;
    let (credentials, rest) = rest.split_once('@')?;
    let (key, secret) = credentials.split_once(':')?;
    let (host, bucket) = rest.split_once('/')?;
    Some(Blob {
        bucket: bucket.to_owned(),
        endpoint: format!("{scheme}://{host}"),
        access_key_id: Secret(key.to_owned()),
        secret_access_key: Secret(secret.to_owned()),
        ..Blob::default()
    })
}

async fn config(dir: &Path) -> Blob {
    match std::env::var("ONSCENE_TEST_S3") {
        Ok(url) => named_by(&url).expect("http://key:secret@host:port/bucket"),
        Err(_) => serve(dir).await,
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[2]).collect()
}

async fn keep(blobs: &Blobs, expected: Hash, bytes: &[u8]) -> Result<(), KeepError> {
    let pieces: Vec<_> = bytes.chunks(262_144).map(|piece| Ok(piece.to_vec().into())).collect();
    blobs.keep_stream(expected, stream::iter(pieces)).await
}

#[tokio::test]
async fn files_are_kept_in_an_s3_store_as_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&config(dir.path()).await, dir.path()).unwrap();
    for length in [1, 300_000, 20_000_000] {
        let bytes = bytes(length);
        let hash = sha256(&bytes);
        let refused = keep(&blobs, sha256(b"other"), &bytes).await.unwrap_err();
        assert!(matches!(refused, KeepError::OtherBytes { .. }), "{refused}");
        assert_eq!(blobs.size(sha256(b"other")).await.unwrap(), None);
        keep(&blobs, hash, &bytes).await.unwrap();
        keep(&blobs, hash, &bytes).await.unwrap();
        assert_eq!(blobs.size(hash).await.unwrap(), Some(length as u64));
        assert_eq!(blobs.bytes(hash, length as u64).await.unwrap(), bytes);
        if length > 9 {
            let part = blobs.read_part(hash, 3..9).await.unwrap().bytes;
            let part: Vec<u8> = part
                .try_fold(Vec::new(), |mut all, piece| async move {
                    all.extend_from_slice(&piece);
                    Ok(all)
                })
                .await
                .unwrap();
            assert_eq!(part, bytes[3..9]);
        }
        blobs.remove(hash).await.unwrap();
        blobs.remove(hash).await.unwrap();
        assert!(matches!(blobs.read(hash).await, Err(BlobError::Missing(_))));
    }
}

#[tokio::test]
async fn pieces_are_kept_in_an_s3_store_as_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&config(dir.path()).await, dir.path()).unwrap();
    let folder = sha256(b"an upload").to_string();
    blobs.stage(&folder, "000000-1", b"abc".to_vec()).await.unwrap();
    blobs.stage(&folder, "000000-1", b"abcdef".to_vec()).await.unwrap();
    assert_eq!(&blobs.staged(&folder, "000000-1", 4).await.unwrap()[..], b"abcd");
    assert_eq!(blobs.staging_folders().await.unwrap(), std::slice::from_ref(&folder));
    blobs.clear(&folder).await.unwrap();
    assert!(blobs.staged(&folder, "000000-1", 0).await.is_err());
    assert_eq!(blobs.staging_folders().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_wrong_key_is_an_error_and_nothing_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path()).await;
    let right = Blobs::open(&config, dir.path()).unwrap();
    let wrong = Blob { secret_access_key: Secret("guessed".to_owned()), ..config };
    let wrong = Blobs::open(&wrong, dir.path()).unwrap();
    let error = wrong.keep(b"file".to_vec()).await.unwrap_err();
    assert!(error.to_string().contains("section `blob`"), "{error}");
    assert_eq!(right.size(sha256(b"file")).await.unwrap(), None);
}

//! What this machine can do at most: measured in the same run, since such figures differ from
//! machine to machine and from hour to hour.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use onscene_server::auth::jwk::verify_p256_fast;
use onscene_sync_core::crypto::{Signer as _, SoftwareP256};
use onscene_sync_core::document::Document;
use onscene_sync_core::guard::{Author, admit_run};
use onscene_sync_core::id::{DeviceId, DocId};
use onscene_sync_core::sync::message::Push;
use tokio::time::Instant;

use super::usage::cpu_here;

const VERIFICATIONS: u32 = 5_000;
const SYNCS: u32 = 500;

/// P-256 signatures of 300 bytes that one core checks a second, with the server's own verifier.
pub(crate) fn verifications_per_second() -> f64 {
    let key = SoftwareP256::from_scalar(&[7; 32]).expect("a scalar");
    let (public, message) = (key.public_key(), [5; 300]);
    let signature = key.sign(&message).expect("a key in memory signs");
    let before = cpu_here();
    for _ in 0..VERIFICATIONS {
        assert!(verify_p256_fast(&public, &message, &signature), "it was signed");
    }
    f64::from(VERIFICATIONS) / (cpu_here() - before).as_secs_f64()
}

/// Appends of 512 bytes that the disk makes durable a second, one after the other.
pub(crate) fn syncs_per_second(dir: &Path) -> f64 {
    let mut file = std::fs::File::create(dir.join("syncs")).expect("a file");
    let before = Instant::now();
    for _ in 0..SYNCS {
        file.write_all(&[1; 512]).and_then(|()| file.sync_data()).expect("there is room");
    }
    f64::from(SYNCS) / before.elapsed().as_secs_f64()
}

/// One phone's push, as the guard sees it.
pub(crate) struct Pushed {
    pub(crate) device: DeviceId,
    pub(crate) key: Vec<u8>,
    pub(crate) push: Vec<Push>,
}

/// Changes of visits to fresh documents that the guard alone lets in, signatures included, a CPU
/// second: the bound of any server that does what ours promises.
pub(crate) fn guarded_per_second(pushed: &[Pushed]) -> f64 {
    let mut changes = 0;
    let mut spent = 0.0;
    for phone in pushed {
        let Pushed { device, key, push } = phone;
        let author = Author { device: *device, install: 1, key, verify: verify_p256_fast };
        let mut documents: BTreeMap<DocId, (Document, Vec<&[u8]>)> = BTreeMap::new();
        for one in push {
            let new = || (Document::new(one.doc, one.kind), Vec::new());
            documents.entry(one.doc).or_insert_with(new).1.push(&one.change);
        }
        let before = cpu_here();
        for (document, run) in documents.values_mut() {
            let results = admit_run(document, run.iter().copied(), &author);
            assert!(results.iter().all(Result::is_ok), "the server accepted the same");
            changes += results.len();
        }
        spent += (cpu_here() - before).as_secs_f64();
    }
    changes as f64 / spent
}

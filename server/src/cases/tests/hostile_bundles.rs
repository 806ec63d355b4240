//! Bundles in which somebody changed something, or that try to harm who reads them.

use std::io::{Cursor, Read as _, Write as _};

use onscene_sync_core::crypto::{SoftwareEd25519, sha256};
use onscene_sync_core::id::Hash;
use onscene_sync_core::limits::{BUNDLE_ENTRIES, BUNDLE_PART_BYTES};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::bundle::{bundle, failures, key, lines, photo, sign_checkpoint, worked_case};
use super::bureau::Bureau;
use crate::bundle::format::{
    Listed, Log, MANIFEST, Manifest, SIGNATURE, document_of, evidence_name, sign,
};
use crate::store::testing::TestStore;

type Entries = Vec<(String, Vec<u8>)>;

/// A sound bundle, as bytes and as entries, and the key that sealed it.
struct Sound {
    bytes: Vec<u8>,
    entries: Entries,
    key: Hash,
    bureau: Bureau,
}

impl Sound {
    async fn new() -> Self {
        let bureau = Bureau::new(TestStore::sqlite().await).await;
        let case = worked_case(&bureau, true).await;
        sign_checkpoint(&bureau).await;
        let bytes = bundle(&bureau, &case).await;
        let mut zip = ZipArchive::new(Cursor::new(&bytes[..])).unwrap();
        let mut entries = Vec::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let (name, mut content) = (entry.name().unwrap().into_owned(), Vec::new());
            entry.read_to_end(&mut content).unwrap();
            entries.push((name, content));
        }
        let sound = Self { bytes, entries, key: key(&bureau), bureau };
        assert!(failures(&lines(&packed(&sound.entries), Some(sound.key))).is_empty());
        sound
    }

    /// The first thing that is wrong with these bytes.
    #[track_caller]
    fn why(&self, bytes: &[u8]) -> String {
        let lines = lines(bytes, Some(self.key));
        let failures = failures(&lines);
        failures.first().unwrap_or_else(|| panic!("nothing was found: {lines:#?}")).to_string()
    }

    #[track_caller]
    fn refuses(&self, bytes: &[u8], why: &str) {
        let said = self.why(bytes);
        assert!(said.contains(why), "{why}: {said}");
    }

    /// The entries after `change`.
    fn with(&self, change: impl FnOnce(&mut Entries)) -> Vec<u8> {
        let mut entries = self.entries.clone();
        change(&mut entries);
        packed(&entries)
    }

    /// The same, sealed anew by a key.
    fn resealed(&self, seal: &SoftwareEd25519, change: impl FnOnce(&mut Entries)) -> Vec<u8> {
        let mut entries = self.entries.clone();
        change(&mut entries);
        let list = part(&mut entries, MANIFEST);
        let mut manifest: Manifest = serde_json::from_slice(list).unwrap();
        manifest.hub_key = Hash::from_bytes(seal.public_key());
        manifest.entries = entries
            .iter()
            .filter(|(name, _)| name != MANIFEST && name != SIGNATURE)
            .map(|(name, content)| {
                let listed = Listed { sha256: sha256(content), bytes: content.len() as u64 };
                (name.clone(), listed)
            })
            .collect();
        let list = serde_json::to_vec(&manifest).unwrap();
        *part(&mut entries, SIGNATURE) = sign(&list, seal).unwrap().to_vec();
        *part(&mut entries, MANIFEST) = list;
        packed(&entries)
    }
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

fn packed(entries: &Entries) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(name, stored()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn part<'e>(entries: &'e mut Entries, name: &str) -> &'e mut Vec<u8> {
    &mut entries.iter_mut().find(|(known, _)| known == name).unwrap().1
}

/// Writes `new` over each `old`, which has as many bytes.
fn patched(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<_> =
        (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

#[tokio::test]
async fn a_file_that_is_cut_or_has_more_around_it_is_refused() {
    let sound = Sound::new().await;
    let whole = &sound.bytes[..];
    for length in [0, 1, 21, 22, 500, whole.len() / 2, whole.len() - 1] {
        sound.refuses(&whole[..length], "it is cut off");
    }
    sound.refuses(b"no zip file at all, but longer than the end of one", "is no zip file");
    sound.refuses(&[whole, b"x"].concat(), "has something after its end");
    sound.refuses(&[b"x", whole].concat(), "bytes that belong to no entry");
    let end = whole.len() - 2;
    let commented = [&whole[..end], &[1, 0], b"!"].concat();
    sound.refuses(&commented, "has something after its end");
}

#[tokio::test]
async fn what_was_changed_taken_out_or_put_in_is_named() {
    let sound = Sound::new().await;
    let file = evidence_name(sha256(&photo()));
    let swapped = sound.with(|entries| part(entries, &file)[100] ^= 1);
    sound.refuses(&swapped, &format!("{file} was changed"));
    let case = sound.entries.iter().find(|(name, _)| document_of(name).is_some()).unwrap();
    let altered = sound.with(|entries| *part(entries, &case.0).last_mut().unwrap() ^= 1);
    sound.refuses(&altered, &format!("{} was changed", case.0));
    let less = sound.with(|entries| entries.retain(|(name, _)| *name != file));
    sound.refuses(&less, &format!("{file} was taken out"));
    let more = sound.with(|entries| entries.push(("evidence/more".to_owned(), vec![1])));
    sound.refuses(&more, "evidence/more was put in");
    for (name, why) in
        [(MANIFEST, "manifest.json is missing"), (SIGNATURE, "manifest.sig is missing")]
    {
        sound.refuses(&sound.with(|entries| entries.retain(|(known, _)| known != name)), why);
    }
    let unsigned = sound.with(|entries| part(entries, SIGNATURE)[0] ^= 1);
    sound.refuses(&unsigned, "manifest.sig is not the signature of manifest.json");
    let listed = sound.with(|entries| part(entries, MANIFEST).push(b' '));
    sound.refuses(&listed, "manifest.sig is not the signature of manifest.json");
}

#[tokio::test]
async fn who_seals_it_anew_is_found_out() {
    let sound = Sound::new().await;
    let file = evidence_name(sha256(&photo()));
    let stranger = SoftwareEd25519::from_seed(&[9; 32]);
    let anew = sound.resealed(&stranger, |_| ());
    sound.refuses(&anew, "not the one that was given");
    let without_key = lines(&anew, None);
    assert!(failures(&without_key).iter().any(|why| why.contains("signature")), "{without_key:#?}");

    // Even the hub itself cannot change what it has in its log or what phones signed.
    let hub = &sound.bureau.app.keys.facts;
    assert!(failures(&lines(&sound.resealed(hub, |_| ()), Some(sound.key))).is_empty());
    let swapped = sound.resealed(hub, |entries| part(entries, &file)[100] ^= 1);
    sound.refuses(&swapped, "its hash or size is not what the phone signed");
    let cut = sound.resealed(hub, |entries| {
        for (name, content) in entries {
            if document_of(name).is_some() {
                let mut log: Log = minicbor::decode(content).unwrap();
                log.changes.pop();
                *content = minicbor::to_vec(&log).unwrap();
            }
        }
    });
    let cut = lines(&cut, Some(sound.key));
    assert!(failures(&cut).iter().any(|why| why.contains("which was taken out")), "{cut:#?}");
    let moved = sound.resealed(hub, |entries| {
        let (name, _) = entries.iter_mut().find(|(name, _)| name.starts_with("audit/")).unwrap();
        *name = "audit/999.tlog-proof".to_owned();
    });
    sound.refuses(&moved, "audit/999.tlog-proof proves the entry");
    let stranger = sound.resealed(hub, |entries| entries.push(("notes.txt".to_owned(), vec![1])));
    sound.refuses(&stranger, "nothing in the case asks for notes.txt");
}

#[tokio::test]
async fn names_that_lead_elsewhere_or_stand_twice_are_refused() {
    let sound = Sound::new().await;
    for name in [
        "../evil",
        "/etc/passwd",
        "a//b",
        "a/../../b",
        "a\\b",
        "C:evil",
        ".hidden",
        "documents/",
        "证据",
    ] {
        let bytes = sound.with(|entries| entries.push((name.to_owned(), vec![1])));
        sound.refuses(&bytes, "is not a name that a bundle uses");
    }
    let long = sound.with(|entries| entries.push(("a".repeat(101), vec![1])));
    sound.refuses(&long, "is not a name that a bundle uses");
    let two = sound.with(|entries| {
        entries.push(("twice-1".to_owned(), vec![1]));
        entries.push(("twice-2".to_owned(), vec![2]));
    });
    sound.refuses(&patched(&two, b"twice-2", b"twice-1"), "two of its entries have one name");
}

#[tokio::test]
async fn bombs_do_not_go_off() {
    let sound = Sound::new().await;
    // An entry that says it is compressed: it could unfold to anything.
    let marked = sound.with(|entries| entries.push(("packed".to_owned(), vec![1; 50])));
    let at = marked.windows(6).position(|bytes| bytes == b"packed").unwrap() - 30;
    let directory = marked.windows(6).rposition(|bytes| bytes == b"packed").unwrap() - 46;
    let mut packed = marked.clone();
    (packed[at + 8], packed[directory + 10]) = (8, 8);
    sound.refuses(&packed, "packed is compressed or encrypted");
    // One that says that it has more bytes than there are.
    let mut large = marked;
    large[directory + 20..directory + 28].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f].repeat(2));
    assert!(sound.why(&large).contains("its entries and its directory do not agree"));
    // Many entries of one and the same bytes.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("evidence/1", stored()).unwrap();
    zip.write_all(&[7; 10_000]).unwrap();
    (2..100).for_each(|n| zip.shallow_copy_file("evidence/1", &format!("evidence/{n}")).unwrap());
    let shared = zip.finish().unwrap().into_inner();
    sound.refuses(&shared, "its entries and its directory do not agree");
    let many = sound.with(|entries| {
        entries.extend((0..=BUNDLE_ENTRIES).map(|n| (format!("evidence/{n}"), Vec::new())));
    });
    sound.refuses(&many, "or 10000 entries: no bundle does");
    let part = sound.with(|entries| {
        entries.push(("documents/large".to_owned(), vec![0; BUNDLE_PART_BYTES + 1]));
    });
    sound.refuses(&part, "documents/large: a bundle's documents have at most");
}

/// Whatever byte is changed: either it shows, or nothing that is said depends on it.
#[tokio::test]
async fn no_changed_byte_breaks_the_reader_or_passes_for_the_truth() {
    let sound = Sound::new().await;
    let truth = lines(&sound.bytes, Some(sound.key));
    let mut state = 0x9e37_79b9_u32;
    for _ in 0..400 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = usize::try_from(state >> 4).unwrap() % sound.bytes.len();
        let mut bytes = sound.bytes.clone();
        bytes[at] ^= 1 << (state % 8);
        let found = lines(&bytes, Some(sound.key));
        assert!(found == truth || !failures(&found).is_empty(), "byte {at}: {found:#?}");
    }
}

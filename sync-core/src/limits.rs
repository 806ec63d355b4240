//! Every bound on what comes from outside, in one place.

/// Bytes of one Automerge change (chunk header included).
pub const CHANGE_BYTES: usize = 64 * 1024;
/// Operations in one change. A 104-byte change can otherwise claim a million.
pub const CHANGE_OPS: usize = 512;
/// Predecessors named by all operations of one change together.
pub const CHANGE_PREDS: usize = 1024;
/// Bytes of one key that a change writes.
pub const CHANGE_KEY_BYTES: usize = 64;
/// Facts in one change: each costs the hub a signature check.
pub const CHANGE_FACTS: usize = 16;
/// Dependencies of one change.
pub const CHANGE_DEPS: usize = 16;
/// Other actors named by one change.
pub const CHANGE_ACTORS: usize = 64;
/// Changes in one document; past this the hub refuses more and a person is told.
pub const DOCUMENT_CHANGES: usize = 20_000;
/// Operations in one document.
pub const DOCUMENT_OPS: usize = 200_000;
/// Bytes of the changes of one document together; past this the hub refuses more, so that its
/// snapshot fits into one reply.
pub const DOCUMENT_BYTES: usize = 2 * 1024 * 1024 - 2 * CHANGE_BYTES;
/// Bytes of one snapshot.
pub const SNAPSHOT_BYTES: usize = MESSAGE_BYTES;
/// Highest operation counter in a document: far above honest use, far below overflow.
pub const DOCUMENT_MAX_OP: u64 = 10_000_000;

/// Bytes of one signed fact.
pub const FACT_BYTES: usize = 48 * 1024;
/// Highest place in a phone's chain of facts: far above honest use, and exact in every database.
pub const CHAIN_SEQ: u64 = 1 << 40;
/// Characters (Unicode scalar values) of a free text.
pub const TEXT_CHARS: usize = 4_000;
/// Characters of a complainant's name or number.
pub const COMPLAINANT_CHARS: usize = 60;
/// Characters of a complainant's address.
pub const COMPLAINANT_ADDRESS_CHARS: usize = 200;
/// Position fixes in one arrival claim.
pub const FIXES: usize = 200;
/// Anchors that one fact may newly refer to.
pub const ANCHOR_REFS: usize = 8;
/// Evidence items that one outcome may name.
pub const OUTCOME_EVIDENCE: usize = 64;
/// Bytes of one evidence file (a video).
pub const EVIDENCE_BYTES: u64 = 300 * 1024 * 1024;
/// Bytes of one photo.
pub const EVIDENCE_PHOTO_BYTES: u64 = 25 * 1024 * 1024;
/// Bytes of one sound recording.
pub const EVIDENCE_AUDIO_BYTES: u64 = 100 * 1024 * 1024;
/// Bytes of one document.
pub const EVIDENCE_DOCUMENT_BYTES: u64 = 25 * 1024 * 1024;
/// Bytes in which a file under way is kept; what a cut costs at most.
pub const UPLOAD_PIECE_BYTES: usize = 256 * 1024;
/// Bytes of a signed receipt for such a file.
pub const RECEIPT_BYTES: usize = 256;

/// Bytes of the hub's signed recovery key.
pub const OFFER_BYTES: usize = 512;
/// Bytes of a recovery file.
pub const RECOVERY_BYTES: u64 = 1024 * 1024 * 1024;

/// Points of a site's outline, holes included.
pub const SITE_VERTICES: usize = 1_000;
/// Holes of a polygon.
pub const SITE_HOLES: usize = 20;
/// Largest extent of a site from its centre, metres.
pub const SITE_EXTENT_M: f64 = 20_000.0;
/// Smallest area of a site, square metres.
pub const SITE_AREA_M2: f64 = 1.0;

/// Patrols that the hub takes from one phone in 24 hours; further ones wait on the phone. Each is a
/// document that every phone of the unit fetches.
pub const PATROLS_PER_DAY: u64 = 200;

/// Changes in one sync request.
pub const PUSH_CHANGES: usize = 500;
/// Bytes of all changes in one sync request.
pub const PUSH_BYTES: usize = 256 * 1024;
/// Buckets that one device may follow.
pub const BUCKETS: usize = 64;
/// Documents asked for whole in one request.
pub const WANTED: usize = 100;
/// Bytes of one request or reply after decompression.
pub const MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of frames that the hub puts into one reply at most.
pub const REPLY_FRAME_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of an evidence bundle: what a zip file can hold without its 64-bit form.
pub const BUNDLE_BYTES: u64 = 0xffff_ffff;
/// Entries of an evidence bundle.
pub const BUNDLE_ENTRIES: usize = 10_000;
/// Bytes of the directory of an evidence bundle.
pub const BUNDLE_DIRECTORY_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of one entry of an evidence bundle that is not a file of evidence.
pub const BUNDLE_PART_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of all such entries together.
pub const BUNDLE_KEPT_BYTES: usize = 64 * 1024 * 1024;

/// Characters of a link to a picture that came with a report.
pub const LINK_CHARS: usize = 2_000;
/// Cases, or supervisors, in a list that is drawn from.
pub const DRAW_CASES: usize = 100_000;
/// Bytes of a published file of a draw that are read.
pub const DRAW_FILE_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of the public value that decides a draw: one length, so that nobody picks among several.
pub const DRAW_SEED_BYTES: usize = 32;

/// Bytes of a checkpoint of the audit log as a signed note, signatures of others included.
pub const CHECKPOINT_BYTES: usize = 64 * 1024;
/// Times that a hub may have been restored from a backup.
pub const RESTORES: usize = 1_000;
/// Bytes of a phone's certificate.
pub const CERTIFICATE_BYTES: usize = 512;
/// Documents that one phone hands over with one signature.
pub const LISTED_DOCS: usize = 64;
/// Changes that one phone hands over with one signature.
pub const LISTED_CHANGES: usize = 256;
/// Bytes of the list that is signed.
pub const STATEMENT_BYTES: usize = 16 * 1024;
/// Such lists in one sync request or in one message between phones.
pub const STATEMENTS: usize = 64;
/// Orders, and changes, that a phone names as known when it meets another.
pub const HELLO_KNOWN: usize = 512;
/// Bytes of one message between two phones: one change always fits, with its proofs.
pub const HANDOVER_MESSAGE_BYTES: usize = 3 * CHANGE_BYTES;
/// Bytes that a message between two phones is filled up to; one item may go beyond.
pub const HANDOVER_FILL_BYTES: usize = 24 * 1024;
/// Bytes of statements in such a message that only make documents known.
pub const INTRODUCTION_BYTES: usize = 16 * 1024;
/// Messages that one phone gives another in one meeting.
pub const HANDOVER_PARTS: u32 = 4_096;
/// Changes of colleagues that a phone carries and the hub has not answered for.
pub const CARRIED_CHANGES: u64 = 2_000;
/// Bytes of these changes.
pub const CARRIED_BYTES: u64 = 16 * 1024 * 1024;
/// Signed statements of colleagues that a phone keeps.
pub const CARRIED_STATEMENTS: u64 = 4_096;
/// Facts of cases that a phone keeps on a colleague's word until it has synced.
pub const TOLD_FACTS: u64 = 4_000;

/// Bytes of a file of cases.
pub const IMPORT_BYTES: usize = 64 * 1024 * 1024;
/// Cases in such a file.
pub const IMPORT_ROWS: usize = 200_000;

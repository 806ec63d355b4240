//! What stands in a bundle, a zip file of stored (not compressed) entries.
//!
//! | entry | holds |
//! |---|---|
//! | `README.txt` | what it is and how to check it |
//! | `documents/{id}.cbor` | a [`Log`]: the case, and each of its visits |
//! | `phones.json` | [`PhoneKey`]s of all that wrote in the visits |
//! | `grounds/{sha256}.cbor` | the [`Grounds`](onscene_sync_core::rules::arrival::Grounds) of verdicts |
//! | `receipts/{fact}.cbor` | the hub's receipt for the file that a fact names, COSE_Sign1 |
//! | `evidence/{sha256}` | a file |
//! | `audit/{n}.tlog-proof` | that entry `n` is in the audit log (C2SP `tlog-proof`) |
//! | `manifest.json` | the [`Manifest`]: all other entries |
//! | `manifest.sig` | the hub's Ed25519 signature over it, 64 bytes |

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use onscene_sync_core::crypto::{Signer, SigningFailed, verify_ed25519};
use onscene_sync_core::document::DocKind;
use onscene_sync_core::id::{DeviceId, DocId, FactId, Hash, PersonId};
use onscene_sync_core::time::Millis;
use serde::{Deserialize, Serialize};

/// The form that this program writes and reads.
pub const FORMAT: &str = "onscene evidence bundle 1";
/// Signed before the manifest and never sent: no other statement of the hub verifies as one.
const PURPOSE: &[u8] = b"onscene evidence bundle v1\0";

/// Entry of the text for people.
pub const README: &str = "README.txt";
/// Entry of the phones' keys.
pub const PHONES: &str = "phones.json";
/// Entry of the list of entries.
pub const MANIFEST: &str = "manifest.json";
/// Entry of its signature.
pub const SIGNATURE: &str = "manifest.sig";
/// Folder of files.
pub const EVIDENCE: &str = "evidence/";
/// Folder of proofs.
pub const AUDIT: &str = "audit/";

/// The text for people.
pub const README_TEXT: &str = "\
This is the sealed evidence bundle of one case of Onscene: the signed record of the case and of its
visits, the public keys of the phones that signed, the files of evidence with the hub's receipts,
what each verdict rests on, and proofs that all of it stands in the audit log.

To check it, on any machine, without a network:   onscene bundle verify FILE --key KEY
KEY is the public key of the bureau's hub: 64 digits, which the bureau publishes. Do not take it from
this bundle. The command says in words what is proven and what is not. A file that the hub did not
have is listed in manifest.json under \"missing\". Who complained is not in this bundle.

这是“到场”系统中一个案件的封存证据包：案件及其各次到场的签名记录、签名手机的公钥、证据文件及服务器回执、
每项判定的依据，以及上述内容已载入审计日志的证明。

验证方法（任何电脑，无需联网）：onscene bundle verify 文件名 --key 公钥
公钥为本局服务器的公钥（64 位十六进制数），由本局公布，请勿取自本证据包。该命令会用文字说明哪些内容已得到证明、
哪些没有。服务器没有的文件列在 manifest.json 的 “missing” 中。本证据包不含投诉人信息。
";

/// All entries but itself and its signature, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The case.
    pub case: DocId,
    /// When it was exported, Unix milliseconds by the hub's clock.
    pub made_at: Millis,
    /// The Ed25519 key that signs the manifest, the hub's facts and its audit log.
    pub hub_key: Hash,
    /// The other entries by their names in the archive.
    pub entries: BTreeMap<String, Listed>,
    /// Files that facts name and the hub does not have, ascending.
    pub missing: Vec<Hash>,
}

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// SHA-256.
    pub sha256: Hash,
    /// Bytes.
    pub bytes: u64,
}

/// A phone that wrote in a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneKey {
    /// The phone.
    pub device: DeviceId,
    /// Its newest installation.
    pub install: u32,
    /// Its P-256 key, a SEC1 point in base64.
    pub key: String,
    /// Whom it is of.
    pub person: PersonId,
}

/// The changes of a document.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Log {
    /// What it is.
    #[n(0)]
    pub kind: DocKind,
    /// Its changes, in the order in which they were admitted.
    #[n(1)]
    pub changes: Vec<Logged>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Logged {
    /// Who wrote it, see [`Actor`](onscene_sync_core::id::Actor).
    #[cbor(n(0), with = "minicbor::bytes")]
    pub actor: [u8; 16],
    /// The Automerge change.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub change: Vec<u8>,
}

/// Entry of a document.
#[must_use]
pub fn document_name(id: DocId) -> String {
    format!("documents/{id}.cbor")
}

/// The document that an entry of this name holds.
#[must_use]
pub fn document_of(name: &str) -> Option<DocId> {
    name.strip_prefix("documents/")?.strip_suffix(".cbor")?.parse().ok()
}

/// Entry of what verdicts rest on.
#[must_use]
pub fn grounds_name(hash: Hash) -> String {
    format!("grounds/{hash}.cbor")
}

/// Entry of a receipt.
#[must_use]
pub fn receipt_name(fact: FactId) -> String {
    format!("receipts/{fact}.cbor")
}

/// Entry of a file.
#[must_use]
pub fn evidence_name(sha256: Hash) -> String {
    format!("{EVIDENCE}{sha256}")
}

/// Entry of a proof.
#[must_use]
pub fn proof_name(n: u64) -> String {
    format!("{AUDIT}{n}.tlog-proof")
}

/// Signs a manifest's bytes.
///
/// # Errors
/// When the key cannot sign.
pub fn sign(manifest: &[u8], key: &dyn Signer) -> Result<[u8; 64], SigningFailed> {
    key.sign(&[PURPOSE, manifest].concat())
}

/// Whether `signature` is the hub's over a manifest's bytes.
#[must_use]
pub fn is_signed(manifest: &[u8], signature: &[u8], key: &[u8; 32]) -> bool {
    verify_ed25519(key, &[PURPOSE, manifest].concat(), signature)
}

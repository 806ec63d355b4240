//! Entries of the log: who did what to what, as ids and hashes.

use minicbor::Encoder;
use onscene_sync_core::audit::tree;
use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::Receipt;
use onscene_sync_core::id::{DeviceId, Hash, PersonId};
use onscene_sync_core::time::Millis;
use sqlx::any::AnyRow;

use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Form of an entry's bytes.
const VERSION: u8 = 1;

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $text:literal;)+) => {
        /// What was done. Numbers stand in the log and are never used again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Deed {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Deed {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As the API and the command line write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

actions! {
    /// The database was restored from a backup; `object` is the epoch (4 bytes), the size (8) and
    /// the root (32) of the log that the backup held.
    HubRestored = 0, "hub_restored";
    /// A phone's changes were admitted to the document `subject`; `object` is their hashes.
    ChangesAdmitted = 1, "changes_admitted";
    /// The hub stated facts in the case `subject`; `object` is the hashes of their changes, `detail`
    /// their kinds.
    FactsStated = 2, "facts_stated";
    /// A phone's changes to the document `subject` were refused and kept; `object` is their hashes.
    ChangesRefused = 3, "changes_refused";
    /// A supervisor settled a refused change; `object` is its number.
    QuarantineSettled = 4, "quarantine_settled";
    /// A unit was created.
    UnitCreated = 5, "unit_created";
    /// A unit was renamed.
    UnitRenamed = 6, "unit_renamed";
    /// A team was created.
    TeamCreated = 7, "team_created";
    /// A person was put on record; `detail` is the role.
    PersonCreated = 8, "person_created";
    /// A person got another post; `detail` is the role, `object` the unit.
    PersonAppointed = 9, "person_appointed";
    /// A person left.
    PersonClosed = 10, "person_closed";
    /// A personal key was issued to `subject`; `object` is its hash.
    KeyIssued = 11, "key_issued";
    /// A personal key of `subject` was revoked; `object` is its hash.
    KeyRevoked = 12, "key_revoked";
    /// An enrolment code was given out for `subject`.
    CodeIssued = 13, "code_issued";
    /// A phone was enrolled for `person`; `object` is its public key.
    DeviceEnrolled = 14, "device_enrolled";
    /// Somebody compared a phone's check words.
    DeviceConfirmed = 15, "device_confirmed";
    /// A phone was revoked.
    DeviceRevoked = 16, "device_revoked";
    /// A phone holds a checkpoint that this log does not agree with; `object` is its root.
    LogDisputed = 17, "log_disputed";
    /// A phone holds a checkpoint of entries that were lost in a restore; `object` is its root.
    LossWitnessed = 18, "loss_witnessed";
    /// The complainant of the case `subject` was stored.
    ComplainantStored = 19, "complainant_stored";
    /// Somebody looked at the complainant of the case `subject`; `detail` is the purpose, `object` a
    /// salted hash of the reason.
    ComplainantRead = 20, "complainant_read";
    /// The complainant of the case `subject` was erased.
    ComplainantErased = 21, "complainant_erased";
    /// A team asked the complainant of the case `subject` through the command centre; `object` is the
    /// question's number.
    CallBackAsked = 22, "call_back_asked";
    /// The command centre answered; `object` is the question's number.
    CallBackAnswered = 23, "call_back_answered";
    /// The vault got another master key; `object` is its generation.
    VaultRotated = 24, "vault_rotated";
    /// A caller's number was compared with those of earlier cases; `object` is a hash of its keyed hash.
    CallerCompared = 25, "caller_compared";
    /// The original file of the manifest `subject` was read.
    EvidenceRead = 40, "evidence_read";
    /// A flag on a photo that was used before was settled; `object` is its number.
    ReuseSettled = 41, "reuse_settled";
    /// The evidence bundle of the case `subject` was exported.
    BundleExported = 50, "bundle_exported";
    /// The list of the draw `subject` was settled; `object` is the hash of its commitment.
    DrawCommitted = 51, "draw_committed";
    /// The draw `subject` was made; `object` is the hashes of its commitment, seed and outcome.
    DrawMade = 52, "draw_made";
    /// A kind of matter was added; `detail` is its key.
    MatterAdded = 60, "matter_added";
    /// A kind of matter was changed, closed or opened again; `detail` is its key, `object` the version
    /// (8 bytes).
    MatterChanged = 61, "matter_changed";
    /// A person signed in; `detail` is how, `object` the session.
    SignedIn = 70, "signed_in";
    /// Tries to sign in went over the limit: `subject` is the person, if the account is one's, and
    /// `detail` whether an account or an address has to wait.
    SignInDelayed = 71, "sign_in_delayed";
    /// The person `subject` was invited to sign in.
    SignInInvited = 72, "sign_in_invited";
    /// A person chose a password and connected an authenticator.
    SignInSet = 73, "sign_in_set";
    /// The password, authenticator and codes of the person `subject` were taken away.
    SignInReset = 74, "sign_in_reset";
    /// Sessions of the person `subject` were ended; `object` is which, `detail` why.
    SessionsEnded = 75, "sessions_ended";
    /// A person has new recovery codes.
    RecoveryCodesRenewed = 76, "recovery_codes_renewed";
    /// A person changed their password.
    PasswordChanged = 77, "password_changed";
    /// The person `subject` is known to the identity provider; `object` is a keyed hash of as whom.
    IdentityLinked = 78, "identity_linked";
    /// The person `subject` is not known to the identity provider any more.
    IdentityUnlinked = 79, "identity_unlinked";
    /// A unit's territory was set or removed (`detail`); `object` is its version (8 bytes) and the
    /// SHA-256 of its outline.
    TerritoryChanged = 80, "territory_changed";
    /// A shift of the person `subject` was planned, changed, swapped or removed (`detail`); `object` is
    /// its number, version, beginning and end (8 bytes each), its unit (16) and its post.
    ShiftChanged = 81, "shift_changed";
    /// Somebody took over a shift or left it: `detail` is `on` or `off`, `object` its number.
    DutySigned = 82, "duty_signed";
    /// A text message to the complainant of the case `subject` was ordered; `object` is its id.
    MessageOrdered = 85, "message_ordered";
    /// Somebody read what a complainant wrote back; `subject` is the reply, `object` a salted hash of the
    /// reason.
    ReplyRead = 86, "reply_read";
    /// A reply that needed a person was settled; `subject` is the reply.
    ReplySettled = 87, "reply_settled";
    /// A text for messages was added or changed; `detail` is its key, `object` the version (8 bytes).
    TemplateChanged = 88, "template_changed";
    /// A bureau leader approved a drill; `object` is the approval's number.
    DrillApproved = 92, "drill_approved";
    /// A special check of the unit `subject` was begun or concluded (`detail`); `object` is its number.
    SpeciallyChecked = 93, "specially_checked";
    /// A list or figures were exported; `detail` is the file's name, `object` a hash of what was asked.
    Exported = 90, "exported";
}

impl Deed {
    /// The deed of this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| *action as i64 == number)
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, by the hub's clock.
    pub at: Millis,
    /// What; a number that this program does not know is a newer program's.
    pub action: i64,
    /// Who; `None` for the hub itself.
    pub person: Option<PersonId>,
    /// The phone that it was done with or to.
    pub device: Option<DeviceId>,
    /// The id of the document, person, unit or team that it was done to.
    pub subject: Option<[u8; 16]>,
    /// A word of a fixed list, such as a role; never what a person wrote.
    pub detail: String,
    /// Hashes and numbers: see [`Deed`].
    pub object: Vec<u8>,
}

impl Entry {
    /// Something that the hub did.
    #[must_use]
    pub const fn new(action: Deed, at: Millis) -> Self {
        Self {
            at,
            action: action as i64,
            person: None,
            device: None,
            subject: None,
            detail: String::new(),
            object: Vec::new(),
        }
    }

    /// Done by this person.
    #[must_use]
    pub const fn by(mut self, person: PersonId) -> Self {
        self.person = Some(person);
        self
    }

    /// Done with or to this phone.
    #[must_use]
    pub const fn device(mut self, device: DeviceId) -> Self {
        self.device = Some(device);
        self
    }

    /// Done to this.
    #[must_use]
    pub const fn to(mut self, subject: &[u8; 16]) -> Self {
        self.subject = Some(*subject);
        self
    }

    /// With this word.
    #[must_use]
    pub fn detail(mut self, word: impl Into<String>) -> Self {
        self.detail = word.into();
        self
    }

    /// With these hashes or numbers.
    #[must_use]
    pub fn object(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.object = bytes.into();
        self
    }

    /// With these hashes.
    #[must_use]
    pub fn hashes<'a>(self, hashes: impl IntoIterator<Item = &'a Hash>) -> Self {
        self.object(hashes.into_iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>())
    }

    /// What stands in the tree: a CBOR array of the version and the fields in their order.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96 + self.object.len());
        let mut to = Encoder::new(&mut bytes);
        let subject = self.subject.map(minicbor::bytes::ByteArray::from);
        let written = to.array(8).and_then(|to| to.u8(VERSION)).and_then(|to| {
            to.i64(self.at.0)?.i64(self.action)?;
            to.encode(self.person)?.encode(self.device)?.encode(subject)?;
            to.str(&self.detail)?.bytes(&self.object)
        });
        debug_assert!(written.is_ok(), "writing to memory cannot fail");
        bytes
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        tree::leaf(&self.to_bytes())
    }
}

/// Reads an entry's bytes, as far as this program knows their form.
///
/// # Errors
/// What is wrong with them.
pub fn from_bytes(bytes: &[u8]) -> Result<Entry, minicbor::decode::Error> {
    let mut from = minicbor::Decoder::new(bytes);
    let wrong = minicbor::decode::Error::message;
    if from.array()? != Some(8) || from.u8()? != VERSION {
        return Err(wrong("the entry is of a form that this program does not know"));
    }
    let (at, action) = (Millis(from.i64()?), from.i64()?);
    let entry = Entry {
        at,
        action,
        person: from.decode()?,
        device: from.decode()?,
        subject: from.decode::<Option<minicbor::bytes::ByteArray<16>>>()?.map(Into::into),
        detail: from.str()?.to_owned(),
        object: from.bytes()?.to_vec(),
    };
    if from.position() == bytes.len() { Ok(entry) } else { Err(wrong("more bytes follow")) }
}

/// Logs what is done in this transaction.
///
/// # Errors
/// When the database refuses.
pub async fn note(tx: &mut Tx, entries: &[Entry]) -> Result<(), StoreError> {
    const HEAD: &str =
        "INSERT INTO audit_entry (at, action, person, device, subject, detail, object)";
    insert_many(tx, HEAD, 7, entries, "", |query, entry| {
        query
            .bind(entry.at.0)
            .bind(entry.action)
            .bind(entry.person.map(|person| person.as_bytes().to_vec()))
            .bind(entry.device.map(|device| device.as_bytes().to_vec()))
            .bind(entry.subject.map(|subject| subject.to_vec()))
            .bind(&entry.detail[..])
            .bind(&entry.object[..])
    })
    .await?;
    Ok(())
}

/// Columns that [`read`] needs.
pub(super) const COLUMNS: &str = "id, n, at, action, person, device, subject, detail, object";

pub(super) fn read(row: &AnyRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        at: row.millis("at")?,
        action: row.int("action")?,
        person: row.opt_array("person")?.map(PersonId::from_bytes),
        device: row.opt_array("device")?.map(DeviceId::from_bytes),
        subject: row.opt_array("subject")?,
        detail: row.text("detail")?,
        object: row.bytes("object")?,
    })
}

/// The person behind a fact that the hub states, if there is one.
#[must_use]
pub fn author_of(body: &Body) -> Option<PersonId> {
    match body {
        Body::Registered(registered) => Some(registered.by),
        Body::Ordered(ordered) => Some(ordered.by),
        Body::OrderWithdrawn(about) | Body::Urged(about) | Body::Returned(about) => Some(about.by),
        Body::ReviewSettled(settled) => Some(settled.by),
        Body::MeasureTaken(measure) => measure.by,
        Body::MeasureConcluded(concluded) => Some(concluded.by),
        Body::Refused(refused) => Some(refused.by),
        Body::AnsweredFrom(answered) => Some(answered.by),
        Body::RepeatOf(repeat) => Some(repeat.by),
        Body::RepeatTakenBack(taken) => Some(taken.by),
        Body::Rechecked(rechecked) => Some(rechecked.by),
        Body::Supervised(supervised) => Some(supervised.by),
        Body::CoordinationOpened(text) | Body::ComplainantTold(text) | Body::Closed(text) => {
            text.by
        }
        Body::Reopened(reopening) => reopening.by,
        Body::NotReached(attempt) => attempt.by,
        Body::ToldByMessage(told) => Some(told.by),
        Body::OpinionGiven(opinion) => opinion.by,
        Body::OpinionSettled(settled) => Some(settled.by),
        Body::OrderReceived(received) => match received.receipt {
            Receipt::Desk { by } => Some(by),
            _ => None,
        },
        _ => None,
    }
}

/// What a kind of fact is called, in the log and on a case's history.
#[must_use]
pub const fn kind_of(body: &Body) -> &'static str {
    match body {
        Body::Registered(_) => "registered",
        Body::CoordinationOpened(_) => "coordination_opened",
        Body::Ordered(_) => "ordered",
        Body::OrderReceived(_) => "order_received",
        Body::OrderWithdrawn(_) => "order_withdrawn",
        Body::Judged(_) => "judged",
        Body::ReviewSettled(_) => "review_settled",
        Body::Overdue(_) => "overdue",
        Body::FedBack(_) => "fed_back",
        Body::Returned(_) => "returned",
        Body::Urged(_) => "urged",
        Body::ComplainantTold(_) => "complainant_told",
        Body::Closed(_) => "closed",
        Body::Reopened(_) => "reopened",
        Body::TakenBack(_) => "taken_back",
        Body::ToldOnScene(_) => "told_on_scene",
        Body::MeasureTaken(_) => "measure_taken",
        Body::MeasureConcluded(_) => "measure_concluded",
        Body::Refused(_) => "refused",
        Body::AnsweredFrom(_) => "answered_from",
        Body::RepeatOf(_) => "repeat_of",
        Body::RepeatTakenBack(_) => "repeat_taken_back",
        Body::Originated(_) => "originated",
        Body::NotReached(_) => "not_reached",
        Body::ToldByMessage(_) => "told_by_message",
        Body::OpinionGiven(_) => "opinion_given",
        Body::OpinionSettled(_) => "opinion_settled",
        Body::RecheckOrdered(_) => "recheck_ordered",
        Body::Rechecked(_) => "rechecked",
        Body::Supervised(_) => "supervised",
        Body::Accepted(_) => "accepted",
        Body::Arrival(_) => "arrival",
        Body::Note(_) => "note",
        Body::Evidence(_) => "evidence",
        Body::Outcome(_) => "outcome",
        Body::Told(_) => "told",
        Body::Withdrawal(_) => "withdrawal",
        Body::Finding(_) => "finding",
        Body::SiteCorrection(_) => "site_correction",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_entry_survives_its_bytes_and_every_field_counts() {
        let plain = Entry::new(Deed::KeyIssued, Millis(5));
        let full = plain
            .clone()
            .by(PersonId::from_bytes([1; 16]))
            .device(DeviceId::from_bytes([2; 8]))
            .to(&[3; 16])
            .detail("auditor")
            .object([4; 32]);
        for entry in [&plain, &full] {
            assert_eq!(from_bytes(&entry.to_bytes()).unwrap(), *entry);
            assert!(from_bytes(&entry.to_bytes()[1..]).is_err());
            assert!(from_bytes(&[&entry.to_bytes()[..], &[0]].concat()).is_err());
        }
        let other = |change: fn(&mut Entry)| {
            let mut other = full.clone();
            change(&mut other);
            other.leaf()
        };
        let leaves = [
            full.leaf(),
            plain.leaf(),
            other(|entry| entry.at = Millis(6)),
            other(|entry| entry.action = 9),
            other(|entry| entry.person = None),
            other(|entry| entry.device = None),
            other(|entry| entry.subject = Some([9; 16])),
            other(|entry| entry.detail = "leader".to_owned()),
            other(|entry| entry.object = vec![4; 31]),
        ];
        assert_eq!(leaves.iter().collect::<BTreeSet<_>>().len(), leaves.len());
    }

    #[test]
    fn no_two_actions_share_a_number_or_a_name() {
        let numbers: BTreeSet<_> = Deed::ALL.iter().map(|action| *action as i64).collect();
        let names: BTreeSet<_> = Deed::ALL.iter().map(|action| action.name()).collect();
        assert_eq!((numbers.len(), names.len()), (Deed::ALL.len(), Deed::ALL.len()));
        assert!(Deed::ALL.iter().all(|a| Deed::from_number(*a as i64) == Some(*a)));
    }
}

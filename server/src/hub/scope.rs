//! Which documents a phone may write to: those in a bucket that it follows, and those it once
//! followed, because it may have been offline when they were taken from it.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::id::{DeviceId, DocId, PersonId, UnitId};
use onscene_sync_core::sync::bucket::State;
use onscene_sync_core::sync::message::Bucket;

use super::buckets;
use super::sql::{bucket_key, bucket_of, count, fetch_in};
use crate::auth::{Action, Reach, Role};
use crate::store::{RowExt as _, StoreError, Tx};

/// A phone that has proven who it is, and what it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The phone.
    pub device: DeviceId,
    /// Whose it is.
    pub person: PersonId,
    /// That person's unit.
    pub unit: UnitId,
    /// The buckets it follows now.
    pub buckets: BTreeSet<Bucket>,
}

impl Caller {
    /// The phone of a person of this role and unit. Teams read their unit's work, supervisors that
    /// of everybody below them; everyone reads what is theirs alone.
    #[must_use]
    pub fn new(device: DeviceId, person: PersonId, role: Role, unit: UnitId) -> Self {
        let work = match role.reach(Action::Sync) {
            Reach::Nothing => None,
            Reach::OwnUnit => Some(Bucket::Unit(unit)),
            Reach::Subtree | Reach::Everything => Some(Bucket::Supervision(unit)),
        };
        let buckets = work.into_iter().chain([Bucket::Person(person)]).collect();
        Self { device, person, unit, buckets }
    }
}

/// How a document stands to a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In a bucket that it follows.
    Now,
    /// Not any more.
    Once,
    /// Never.
    Never,
}

/// A document's stay in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stay {
    bucket: Bucket,
    first_seq: u64,
    left_seq: Option<u64>,
}

/// What part of a bucket's log a phone has followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Followed {
    from_seq: u64,
    to_seq: u64,
}

/// How each of `docs` stands to the caller.
pub(crate) async fn of_documents(
    tx: &mut Tx,
    caller: &Caller,
    docs: impl IntoIterator<Item = DocId>,
) -> Result<BTreeMap<DocId, Scope>, StoreError> {
    const HEAD: &str = "SELECT doc_id, bucket, first_seq, left_seq FROM doc_bucket WHERE doc_id";
    let docs: BTreeSet<DocId> = docs.into_iter().collect();
    let keys: Vec<_> = docs.iter().map(|doc| doc.as_bytes().to_vec()).collect();
    let mut stays: BTreeMap<DocId, Vec<Stay>> = BTreeMap::new();
    for row in fetch_in(tx, HEAD, &keys, "").await? {
        let stay = Stay {
            bucket: bucket_of(&row.bytes("bucket")?)?,
            first_seq: row.number("first_seq")?,
            left_seq: row.opt_int("left_seq")?.map(i64::cast_unsigned),
        };
        stays.entry(DocId::from_bytes(row.array("doc_id")?)).or_default().push(stay);
    }
    let followed = followed(tx, caller.device).await?;
    let scope =
        |doc| judge(stays.get(&doc).map_or(&[][..], Vec::as_slice), &caller.buckets, &followed);
    Ok(docs.into_iter().map(|doc| (doc, scope(doc))).collect())
}

fn judge(
    stays: &[Stay],
    current: &BTreeSet<Bucket>,
    followed: &BTreeMap<Bucket, Followed>,
) -> Scope {
    let now = |stay: &Stay| stay.left_seq.is_none() && current.contains(&stay.bucket);
    let once = |stay: &Stay| {
        followed.get(&stay.bucket).is_some_and(|part| {
            stay.first_seq <= part.to_seq && stay.left_seq.is_none_or(|left| left > part.from_seq)
        })
    };
    if stays.iter().any(now) {
        Scope::Now
    } else if stays.iter().any(once) {
        Scope::Once
    } else {
        Scope::Never
    }
}

/// What the device has followed so far.
pub(crate) async fn followed(
    tx: &mut Tx,
    device: DeviceId,
) -> Result<BTreeMap<Bucket, Followed>, StoreError> {
    const SQL: &str = "SELECT bucket, from_seq, to_seq FROM device_bucket WHERE device = $1";
    let rows = sqlx::query(SQL).bind(&device.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter()
        .map(|row| {
            let part =
                Followed { from_seq: row.number("from_seq")?, to_seq: row.number("to_seq")? };
            Ok((bucket_of(&row.bytes("bucket")?)?, part))
        })
        .collect()
}

/// How far each of the caller's buckets goes, noted as what its phone is about to be told. Nothing
/// beyond is told to it before the next note. A bucket that nothing has entered yet is of epoch 0, so
/// that its first entry makes it another.
pub(crate) async fn follow(
    tx: &mut Tx,
    caller: &Caller,
) -> Result<BTreeMap<Bucket, State>, StoreError> {
    const SQL: &str = "INSERT INTO device_bucket (device, bucket, from_seq, to_seq) \
         VALUES ($1, $2, $3, $3) \
         ON CONFLICT (device, bucket) DO UPDATE SET to_seq = $3";
    let mut states = BTreeMap::new();
    let known = followed(tx, caller.device).await?;
    let found = buckets::states(tx, caller.buckets.iter().copied(), false).await?;
    for bucket in &caller.buckets {
        let state = found.get(bucket).copied().unwrap_or_default();
        if known.get(bucket).is_none_or(|part| part.to_seq < state.seq) {
            let query = sqlx::query(SQL).bind(&caller.device.as_bytes()[..]);
            let query = query.bind(bucket_key(bucket)).bind(count(state.seq));
            query.execute(tx.conn()).await?;
        }
        states.insert(*bucket, state);
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(byte: u8) -> Bucket {
        Bucket::Unit(UnitId::from_bytes([byte; 16]))
    }

    fn stay(bucket: u8, first_seq: u64, left_seq: Option<u64>) -> Stay {
        Stay { bucket: unit(bucket), first_seq, left_seq }
    }

    #[test]
    fn a_role_decides_what_a_phone_follows() {
        let unit = UnitId::from_bytes([2; 16]);
        let person = PersonId::from_bytes([3; 16]);
        let follows = |role| Caller::new(DeviceId::from_bytes([1; 8]), person, role, unit).buckets;
        let (mine, own) = (Bucket::Person(person), Bucket::Unit(unit));
        assert_eq!(follows(Role::Inspector), BTreeSet::from([own, mine]));
        assert_eq!(follows(Role::UnitLeader), BTreeSet::from([own, mine]));
        assert_eq!(follows(Role::Supervisor), BTreeSet::from([Bucket::Supervision(unit), mine]));
        assert_eq!(follows(Role::Administrator), BTreeSet::from([mine]));
    }

    #[test]
    fn a_document_is_in_scope_now_once_or_never() {
        let current = BTreeSet::from([unit(2)]);
        let followed = BTreeMap::from([
            (unit(1), Followed { from_seq: 10, to_seq: 20 }),
            (unit(2), Followed { from_seq: 5, to_seq: 9 }),
        ]);
        let judge = |stays: &[Stay]| judge(stays, &current, &followed);
        assert_eq!(judge(&[stay(2, 12, None)]), Scope::Now, "even before it was told");
        assert_eq!(judge(&[stay(2, 6, Some(8))]), Scope::Once, "it left the bucket");
        assert_eq!(judge(&[stay(1, 15, None)]), Scope::Once, "its person left the unit");
        assert_eq!(judge(&[stay(1, 21, None)]), Scope::Never, "it came after the person left");
        assert_eq!(judge(&[stay(1, 3, Some(9))]), Scope::Never, "it left before the person came");
        assert_eq!(judge(&[stay(1, 3, Some(11))]), Scope::Once);
        assert_eq!(judge(&[stay(3, 1, None)]), Scope::Never, "a stranger's");
        assert_eq!(judge(&[]), Scope::Never);
    }
}

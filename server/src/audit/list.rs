//! The log as an auditor reads it.

use onscene_sync_core::id::{DeviceId, Hash, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::entry::{self, COLUMNS, Deed, Entry};
use crate::store::{RowExt as _, StoreError, Tx};

/// Which entries.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these deeds.
    pub deed: Option<Deed>,
    /// Only by this person.
    pub person: Option<PersonId>,
    /// Only with or to this phone.
    pub device: Option<DeviceId>,
    /// Only to this.
    pub subject: Option<[u8; 16]>,
    /// Only from this moment on.
    pub from: Option<Millis>,
    /// Only before this moment.
    pub until: Option<Millis>,
    /// Only those written before the one of this row.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Listed {
    /// Its row, for paging.
    pub id: i64,
    /// Its place in the log; `null` until the next checkpoint.
    pub n: Option<i64>,
    /// When.
    pub at: Millis,
    /// What was done; its number when this program does not know it.
    pub action: String,
    /// Who; `null` for the hub itself.
    pub person: Option<PersonId>,
    /// The phone that it was done with or to.
    pub device: Option<DeviceId>,
    /// The id of the document, person, unit or team that it was done to, as hyphenated hexadecimal.
    pub subject: Option<onscene_sync_core::id::DocId>,
    /// A word of a fixed list, such as a role.
    pub detail: String,
    /// Hashes and numbers, as hexadecimal.
    #[serde(serialize_with = "hex")]
    #[schemars(with = "String")]
    pub object: Vec<u8>,
    /// Its hash in the tree.
    pub leaf: Hash,
}

fn hex<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

impl Listed {
    /// An entry as it is shown.
    #[must_use]
    pub fn new(id: i64, n: Option<i64>, entry: Entry) -> Self {
        let name = Deed::from_number(entry.action).map(|deed| deed.name().to_owned());
        Self {
            id,
            n,
            at: entry.at,
            action: name.unwrap_or_else(|| entry.action.to_string()),
            person: entry.person,
            device: entry.device,
            subject: entry.subject.map(onscene_sync_core::id::DocId::from_bytes),
            leaf: entry.leaf(),
            detail: entry.detail,
            object: entry.object,
        }
    }
}

/// The entries, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, filter: &Filter) -> Result<Vec<Listed>, StoreError> {
    let conditions = [
        (filter.deed.is_some(), "action ="),
        (filter.from.is_some(), "at >="),
        (filter.until.is_some(), "at <"),
        (filter.after.is_some(), "id <"),
        (filter.person.is_some(), "person ="),
        (filter.device.is_some(), "device ="),
        (filter.subject.is_some(), "subject ="),
    ];
    let mut sql = format!("SELECT {COLUMNS} FROM audit_entry WHERE 1 = 1");
    let given = conditions.iter().filter(|(given, _)| *given);
    for (number, (_, condition)) in given.enumerate() {
        sql.push_str(&format!(" AND {condition} ${}", number + 1));
    }
    sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", filter.limit));
    let numbers = [
        filter.deed.map(|deed| deed as i64),
        filter.from.map(|at| at.0),
        filter.until.map(|at| at.0),
        filter.after,
    ];
    let ids = [
        filter.person.map(|id| id.as_bytes().to_vec()),
        filter.device.map(|id| id.as_bytes().to_vec()),
        filter.subject.map(|id| id.to_vec()),
    ];
    let query = sqlx::query(sqlx::AssertSqlSafe(sql));
    let query = numbers.into_iter().flatten().fold(query, |query, number| query.bind(number));
    let query = ids.into_iter().flatten().fold(query, |query, id| query.bind(id));
    let rows = query.fetch_all(tx.conn()).await?;
    rows.iter()
        .map(|row| Ok(Listed::new(row.int("id")?, row.opt_int("n")?, entry::read(row)?)))
        .collect()
}

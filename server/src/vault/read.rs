//! Looking at a complainant: for a purpose, on record before the answer leaves, shown with the name of
//! who looked.

use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VaultError;
use super::record::{Complainant, find, unknown_purpose};
use super::seal::{self, Fresh, Place};
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::random;
use crate::store::{RowExt as _, StoreError, Tx};

/// What somebody looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To ask the complainant something.
    CallBack,
    /// To tell the complainant the result.
    TellResult,
    /// To hear from the complainant whether a report is true.
    VerifyReport,
    /// A court, the police or a discipline body asks in writing.
    Authority,
    /// For the hub to send a text message that a person ordered; nobody sees the number.
    Message,
}

impl Purpose {
    const ALL: [Self; 5] =
        [Self::CallBack, Self::TellResult, Self::VerifyReport, Self::Authority, Self::Message];

    /// As it stands in the database and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallBack => "call_back",
            Self::TellResult => "tell_result",
            Self::VerifyReport => "verify_report",
            Self::Authority => "authority",
            Self::Message => "message",
        }
    }
}

/// Somebody's wish to look.
#[derive(Debug, Clone)]
pub struct Look {
    /// At the complainant of this case.
    pub case: DocId,
    /// Who looks.
    pub by: PersonId,
    /// What for.
    pub purpose: Purpose,
    /// The same in their words.
    pub reason: String,
    salt: [u8; 16],
    fresh: Fresh,
}

impl Look {
    /// A wish to look.
    #[must_use]
    pub fn new(app: &App, case: DocId, by: PersonId, purpose: Purpose, reason: String) -> Self {
        let salt = random::bytes(&*app.random);
        Self { case, by, purpose, reason, salt, fresh: Fresh::draw(&*app.random) }
    }
}

/// Puts a look on record and opens the record. What it returns may leave the program only after the
/// transaction was committed.
///
/// # Errors
/// When there is nothing to be read, and the database's.
pub async fn look(tx: &mut Tx, app: &App, look: &Look) -> Result<Complainant, VaultError> {
    const SQL: &str = "INSERT INTO complainant_read (case_id, person_id, at, purpose, reason, salt) \
         VALUES ($1, $2, $3, $4, $5, $6)";
    let now = app.now();
    let found = find(tx, app, look.case).await?;
    let place = Place::Reason(look.case, look.salt);
    let reason = seal::seal(&found.key, look.fresh, place, look.reason.as_bytes());
    let query = sqlx::query(SQL).bind(&look.case.as_bytes()[..]).bind(&look.by.as_bytes()[..]);
    let query = query.bind(now.0).bind(look.purpose.name()).bind(reason).bind(&look.salt[..]);
    query.execute(tx.conn()).await.map_err(StoreError::from)?;
    let commitment = sha256(&[&look.salt[..], look.reason.as_bytes()].concat());
    let entry = Entry::new(Deed::ComplainantRead, now).by(look.by).to(look.case.as_bytes());
    let entry = entry.detail(look.purpose.name()).hashes([&commitment]);
    audit::note(tx, &[entry]).await?;
    found.open(look.case)
}

/// A look on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Looked {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Millis,
    /// What for.
    pub purpose: Purpose,
    /// In their words; `null` once the complainant was erased.
    pub reason: Option<String>,
}

/// Everybody who looked at the complainant of a case, oldest first.
///
/// # Errors
/// When the master key is absent, and the database's.
pub async fn looks(tx: &mut Tx, app: &App, case: DocId) -> Result<Vec<Looked>, VaultError> {
    const SQL: &str = "SELECT person_id, at, purpose, reason, salt FROM complainant_read \
         WHERE case_id = $1 ORDER BY id";
    let found = match find(tx, app, case).await {
        Ok(found) => Some(found),
        Err(VaultError::Erased(_) | VaultError::Absent(_)) => None,
        Err(error) => return Err(error),
    };
    let rows = sqlx::query(SQL).bind(&case.as_bytes()[..]).fetch_all(tx.conn()).await;
    let mut looks = Vec::new();
    for row in rows.map_err(StoreError::from)? {
        let name = row.text("purpose")?;
        let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.name() == name);
        let place = Place::Reason(case, row.array("salt")?);
        let sealed = row.bytes("reason")?;
        let reason = found.as_ref().and_then(|found| seal::open(&found.key, place, &sealed));
        looks.push(Looked {
            person: PersonId::from_bytes(row.array("person_id")?),
            at: row.millis("at")?,
            purpose: purpose.ok_or_else(|| unknown_purpose(&name))?,
            reason: reason.and_then(|reason| String::from_utf8(reason).ok()),
        });
    }
    Ok(looks)
}

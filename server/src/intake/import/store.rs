//! Puts one case from elsewhere on record, once however often it comes.

use std::collections::BTreeMap;

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::Text;
use onscene_sync_core::fact::intake::Origin;
use onscene_sync_core::id::{DocId, PersonId};

use super::Draft;
use crate::app::App;
use crate::cases::CaseError;
use crate::cases::project::number_of;
use crate::cases::record::{Stated, load};
use crate::cases::register::{Registration, register};
use crate::intake::matters;
use crate::poke::Poke;
use crate::store::{RowExt as _, StoreError, Tx};
use crate::vault::record::Sealed;

/// Characters of a reference.
const REFERENCE_CHARS: usize = 100;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is on record now.
    Registered,
    /// It was before.
    Known,
    /// It is not, and why.
    Refused(String),
}

/// Registers a case that stands in no file twice. Without a reference of its own it is known by what is
/// read of it, and `seen` counts those that say the same, which are as many cases.
pub(super) async fn store(
    app: &App,
    by: PersonId,
    source: &str,
    mut draft: Draft,
    seen: &mut BTreeMap<Vec<u8>, u32>,
) -> Result<Stored, StoreError> {
    let content = app.keys.vault.fingerprint(&draft.content);
    let reference = match draft.reference.take() {
        Some(reference) if reference.chars().count() > REFERENCE_CHARS => {
            let why = format!("its reference has more than {REFERENCE_CHARS} characters");
            return Ok(Stored::Refused(why));
        }
        Some(reference) => reference,
        None => {
            let count = seen.entry(content.clone()).or_insert(0);
            *count += 1;
            let name: String = content.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("{name}-{count}")
        }
    };
    let case = DocId::from_bytes(app.new_id());
    let origin = Origin {
        source: source.to_owned(),
        reference,
        raised_at: draft.raised_at,
        link: draft.link.take(),
    };
    let complainant = draft.complainant.as_ref().map(|who| Sealed::new(app, case, who));
    let input = (app.clone(), by, Arrival { case, origin, content, draft, complainant });
    let stored = app.store.with_tx("intake.import", input, |tx, (app, by, arrival)| {
        Box::pin(arrival.store(tx, app, *by))
    });
    match stored.await {
        Ok((stored, pokes)) => {
            pokes.into_iter().for_each(|poke| app.pokes.ring(poke));
            Ok(stored)
        }
        Err(CaseError::Store(error)) => Err(error),
        Err(error) => Ok(Stored::Refused(error.to_string())),
    }
}

/// A case at the door.
struct Arrival {
    case: DocId,
    origin: Origin,
    content: Vec<u8>,
    draft: Draft,
    complainant: Option<Sealed>,
}

impl Arrival {
    async fn store(
        &self,
        tx: &mut Tx,
        app: &App,
        by: PersonId,
    ) -> Result<(Stored, Vec<Poke>), CaseError> {
        if !claim(tx, &self.origin, self.case, &self.content).await? {
            return Ok((self.known(tx).await?, Vec::new()));
        }
        let matter = matters::require_open(tx, &self.draft.matter).await?;
        let draft = &self.draft;
        let new = Registration {
            class: draft.class.unwrap_or(matter.class),
            channel: draft.channel,
            matter: draft.matter.clone(),
            summary: draft.summary.clone(),
            received_at: None,
            site: draft.site.clone(),
            jurisdiction_clear: true,
            drill: None,
            grave: draft.grave,
            origin: Some(self.origin.clone()),
            complainant: self.complainant.clone(),
        };
        let mut stated = register(tx, app, self.case, by, &new).await?;
        if let Some(words) = &draft.closed {
            stated.then(self.close(tx, app, by, words).await?);
        }
        Ok((Stored::Registered, stated.pokes))
    }

    async fn close(
        &self,
        tx: &mut Tx,
        app: &App,
        by: PersonId,
        words: &str,
    ) -> Result<Stated, CaseError> {
        let mut case = load(tx, self.case, true).await?;
        let words = Text { text: words.to_owned(), by: Some(by) };
        case.state(tx, app, vec![Body::Closed(words)]).await
    }

    async fn known(&self, tx: &mut Tx) -> Result<Stored, CaseError> {
        const SQL: &str =
            "SELECT case_id, content FROM case_origin WHERE source = $1 AND reference = $2";
        let query = sqlx::query(SQL).bind(&self.origin.source).bind(&self.origin.reference);
        let row = query.fetch_one(tx.conn()).await.map_err(StoreError::from)?;
        if row.bytes("content")? == self.content {
            return Ok(Stored::Known);
        }
        let case = DocId::from_bytes(row.array("case_id")?);
        let number = number_of(tx, case).await?.unwrap_or_default();
        let why = format!(
            "`{}` is on record as case {number} with another content: nothing of it was changed",
            self.origin.reference
        );
        Ok(Stored::Refused(why))
    }
}

/// Takes a reference for a case; `false` when another one has it.
///
/// # Errors
/// When the database refuses.
pub async fn claim(
    tx: &mut Tx,
    origin: &Origin,
    case: DocId,
    content: &[u8],
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO case_origin (source, reference, case_id, content, link) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source, reference) DO NOTHING";
    let query = sqlx::query(SQL).bind(&origin.source).bind(&origin.reference);
    let query = query.bind(&case.as_bytes()[..]).bind(content).bind(origin.link.as_deref());
    Ok(query.execute(tx.conn()).await?.rows_affected() == 1)
}

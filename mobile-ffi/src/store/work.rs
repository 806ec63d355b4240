//! What lists show of each case, kept beside the documents so that a list need not fold them all.

use std::collections::{BTreeMap, BTreeSet};

use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::{Author, Body, Fact, envelope};
use onscene_sync_core::guard;
use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::rules::phase::phase;
use onscene_sync_core::rules::record::{CaseRecord, Order};
use rusqlite::{OptionalExtension, params};

use super::db::{Column, Db};
use super::{carried, documents, meta, told};
use crate::error::DeviceError;
use crate::work::WorkItem;

const ITEMS: Column = Column { table: "work", name: "items" };

/// Works out anew the rows of the cases that these documents belong to; returns those cases.
pub(super) fn refresh(
    db: Db<'_>,
    touched: BTreeSet<DocId>,
) -> Result<BTreeSet<DocId>, DeviceError> {
    let mut cases = BTreeSet::new();
    for doc in touched {
        cases.extend(case_of(db, doc)?);
    }
    for case in &cases {
        match write(db, *case) {
            // A list that lags behind must not keep anything from being recorded.
            Err(DeviceError::Damaged { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(cases)
}

/// Works out every row anew.
pub(crate) fn rebuild(db: Db<'_>) -> Result<(), DeviceError> {
    db.execute("DELETE FROM work", [])?;
    let cases = documents::of_kind(db, DocKind::Case)?.into_iter().chain(told::cases(db)?);
    for case in cases.collect::<BTreeSet<DocId>>() {
        write(db, case)?;
    }
    Ok(())
}

/// The orders to be answered in all cases, in no order. A row that is damaged is worked out anew.
pub(super) fn all(db: Db<'_>) -> Result<Vec<WorkItem>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT case_doc, items FROM work")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let case = DocId::from_bytes(row.get(0)?);
        match read(db, case, &row.get::<_, Vec<u8>>(1)?) {
            Some(items) => all.extend(items),
            None => all.extend(items(db, case)?),
        }
    }
    Ok(all)
}

/// The orders to be answered in a case.
pub(super) fn of(db: Db<'_>, case: DocId) -> Result<Vec<WorkItem>, DeviceError> {
    let mut statement = db.prepare_cached("SELECT items FROM work WHERE case_doc = ?1")?;
    let sealed: Option<Vec<u8>> =
        statement.query_row([case.as_bytes()], |row| row.get(0)).optional()?;
    match sealed {
        Some(sealed) => read(db, case, &sealed).map_or_else(|| items(db, case), Ok),
        None => Ok(Vec::new()),
    }
}

fn read(db: Db<'_>, case: DocId, sealed: &[u8]) -> Option<Vec<WorkItem>> {
    serde_json::from_slice(&db.open(ITEMS, case.as_bytes(), sealed).ok()?).ok()
}

fn write(db: Db<'_>, case: DocId) -> Result<(), DeviceError> {
    let items = items(db, case)?;
    if items.is_empty() {
        db.execute("DELETE FROM work WHERE case_doc = ?1", [case.as_bytes()])?;
        return Ok(());
    }
    let plain = serde_json::to_vec(&items)
        .map_err(|error| DeviceError::Store(format!("its work list cannot be written: {error}")))?;
    db.prepare_cached(
        "INSERT INTO work (case_doc, items) VALUES (?1, ?2)
         ON CONFLICT (case_doc) DO UPDATE SET items = excluded.items",
    )?
    .execute(params![case.as_bytes(), db.seal(ITEMS, case.as_bytes(), &plain)])?;
    Ok(())
}

/// The case that a document is, or whose order it answers.
fn case_of(db: Db<'_>, doc: DocId) -> Result<Option<DocId>, DeviceError> {
    match documents::row(db, doc)? {
        Some(row) if row.kind == DocKind::Case => Ok(Some(doc)),
        Some(_) => {
            let mut statement =
                db.prepare_cached("SELECT case_doc FROM ordered WHERE inspection = ?1")?;
            let case = statement.query_row([doc.as_bytes()], |row| row.get(0)).optional()?;
            Ok(case.map(DocId::from_bytes))
        }
        // A case that is known from a colleague, or was.
        None => Ok(Some(doc)),
    }
}

/// The orders of a case that are to be answered: neither withdrawn nor ended by a closure.
fn items(db: Db<'_>, case: DocId) -> Result<Vec<WorkItem>, DeviceError> {
    let record = match record(db, case) {
        Err(DeviceError::NotEnrolled) => return Ok(Vec::new()),
        record => record?,
    };
    let open = record.orders.iter().filter(|order| record.ended(order).is_none());
    open.map(|order| item(db, case, &record, order)).collect()
}

fn item(
    db: Db<'_>,
    case: DocId,
    record: &CaseRecord,
    order: &Order,
) -> Result<WorkItem, DeviceError> {
    let ordered = &order.issued.body;
    let facts = facts(db, ordered.inspection)?;
    let withdrawn = withdrawn(&facts);
    let standing = || facts.iter().filter(|(id, _)| !withdrawn.contains(id));
    let any = |test: fn(&Body) -> bool| standing().any(|(_, fact)| test(&fact.body));
    let registered = record.registration.as_ref().map(|stated| &stated.body);
    Ok(WorkItem {
        order: order.issued.fact,
        case,
        inspection: ordered.inspection,
        phase: phase(record),
        matter: registered.map(|body| body.matter.clone()).unwrap_or_default(),
        summary: registered.map(|body| body.summary.clone()).unwrap_or_default(),
        text: ordered.text.clone(),
        site: ordered.site.clone(),
        issued_at: order.issued.at,
        received_at: order.receipts.iter().map(|receipt| receipt.body.at).min(),
        accepted: any(|body| matches!(body, Body::Accepted(_))),
        arrived: any(|body| matches!(body, Body::Arrival(_))),
        done: any(|body| matches!(body, Body::Outcome(_))),
    })
}

/// The facts of a case that bear the hub's signature, folded: those of its document, and those that
/// colleagues told.
pub(crate) fn record(db: Db<'_>, case: DocId) -> Result<CaseRecord, DeviceError> {
    let facts = case_facts(db, case)?;
    Ok(CaseRecord::from_facts(facts.into_iter().map(|(id, (fact, _))| (id, fact))))
}

/// These facts with their envelopes.
pub(crate) fn case_facts(
    db: Db<'_>,
    case: DocId,
) -> Result<BTreeMap<FactId, (Fact, Vec<u8>)>, DeviceError> {
    let key = meta::identity(db)?.hub_key;
    let base = documents::base(db, case)?.map(|case| case.facts()).unwrap_or_default();
    let all = base.into_iter().chain(told::of_case(db, case)?);
    let signed = all.filter_map(|(id, bytes)| {
        let fact = envelope::read_from_hub(&bytes, &key).ok()?;
        (fact.doc == case).then_some((id, (fact, bytes)))
    });
    Ok(signed.collect())
}

/// These facts, oldest first by the hub's clock.
pub(crate) fn case_history(db: Db<'_>, case: DocId) -> Result<Vec<(FactId, Fact)>, DeviceError> {
    let facts = case_facts(db, case)?.into_iter().map(|(id, (fact, _))| (id, fact));
    let mut facts: Vec<(FactId, Fact)> = facts.collect();
    facts.sort_by_key(|(id, fact)| match fact.author {
        Author::Hub(at) => (Some(at), *id),
        Author::Device(_) => (None, *id),
    });
    Ok(facts)
}

/// The facts of an inspection, oldest first. The hub or, for what a colleague handed over, this phone
/// has checked those of other phones.
pub(crate) fn facts(db: Db<'_>, doc: DocId) -> Result<Vec<(FactId, Fact)>, DeviceError> {
    let view = documents::view(db, doc)?;
    let mut facts: BTreeMap<FactId, Vec<u8>> =
        view.map(|view| view.facts()).unwrap_or_default().into_iter().collect();
    // A change that builds on what is not here yet stands in no document; its facts do for themselves.
    for (_, change) in carried::waiting(db, doc)? {
        let envelopes = guard::peek(&change).unwrap_or_default();
        facts.extend(envelopes.into_iter().map(|bytes| (fact_id(&bytes), bytes)));
    }
    let mut facts: Vec<(FactId, Fact)> = facts
        .into_iter()
        .filter_map(|(id, bytes)| Some((id, envelope::read(&bytes).ok()?)))
        .collect();
    facts.sort_by_key(|(id, fact)| {
        let author = fact.device();
        (author.map(|author| (author.clock.wall_ms, author.device, author.seq)), *id)
    });
    Ok(facts)
}

/// What its authors took back of these facts.
pub(crate) fn withdrawn(facts: &[(FactId, Fact)]) -> BTreeSet<FactId> {
    let named = |fact: &Fact| match &fact.body {
        Body::Withdrawal(withdrawal) => Some(withdrawal.fact),
        _ => None,
    };
    facts.iter().filter_map(|(_, fact)| named(fact)).collect()
}

//! What is settled at the first call: a matter that is not the bureau's, and one that an earlier case
//! answers. Both are on record like any other, and closed.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::{CaseClass, Text};
use onscene_sync_core::fact::intake::{AnsweredFrom, NotOurs, Refused};
use onscene_sync_core::id::{DocId, PersonId};
use onscene_sync_core::rules::record::CaseRecord;

use super::repeats;
use crate::app::App;
use crate::cases::record::{Case, Stated, load};
use crate::cases::{CaseError, required_text};
use crate::store::Tx;

/// Refuses a matter that is not the bureau's, with where to go instead: the rules' words unless
/// `referral` has others.
///
/// # Errors
/// A conflict when the case is closed or a unit works on it.
pub async fn refuse(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    why: NotOurs,
    referral: Option<&str>,
) -> Result<Stated, CaseError> {
    let referral = referral.unwrap_or(why.referral()).to_owned();
    required_text("referral", &referral)?;
    let mut case = load(tx, id, true).await?;
    require_untouched(&case)?;
    let closed = Text { text: referral.clone(), by: Some(by) };
    case.state(tx, app, vec![Body::Refused(Refused { why, referral, by }), Body::Closed(closed)])
        .await
}

/// Answers the caller from the case `from`. A matter that is no consultation is `from`'s matter again,
/// which is put on record too unless somebody did.
///
/// # Errors
/// [`CaseError::Invalid`] when there is no such earlier case; a conflict when it holds no answer, or
/// when this case is closed or a unit works on it.
pub async fn answer(
    tx: &mut Tx,
    app: &App,
    id: DocId,
    by: PersonId,
    from: DocId,
    text: &str,
) -> Result<Stated, CaseError> {
    required_text("text", text)?;
    let mut case = load(tx, id, true).await?;
    require_untouched(&case)?;
    let earlier = repeats::other(tx, id, from, "from").await?;
    let consulted = class(&case.record) == Some(CaseClass::Consultation);
    if !holds_an_answer(&earlier.record) {
        return Err(CaseError::Conflict {
            code: "nothing_to_answer_from",
            why: "the earlier case is neither answered nor in a unit's hands: link it as a repeat and \
                  dispatch one of them"
                .to_owned(),
        });
    }
    let mut stated = Stated::default();
    if !consulted {
        stated.then(repeats::state(tx, app, &mut case, &earlier, by, "").await?);
    }
    let answered = AnsweredFrom { case: from, text: text.to_owned(), by };
    let closed = Text { text: text.to_owned(), by: Some(by) };
    let bodies = vec![Body::AnsweredFrom(answered), Body::Closed(closed)];
    stated.then(case.state(tx, app, bodies).await?);
    Ok(stated)
}

/// It was closed with words, or a unit has it in hand. A refusal is no answer to anybody else.
fn holds_an_answer(record: &CaseRecord) -> bool {
    record.refused.is_none() && (record.is_closed() || record.live_order().is_some())
}

fn class(record: &CaseRecord) -> Option<CaseClass> {
    record.registration.as_ref().map(|registration| registration.body.class)
}

fn require_untouched(case: &Case) -> Result<(), CaseError> {
    case.require_open()?;
    if case.record.live_order().is_some() {
        return Err(CaseError::Conflict {
            code: "already_ordered",
            why: "a unit has an order for this case: withdraw the order first".to_owned(),
        });
    }
    Ok(())
}

//! A supervisor settles a verdict that needed review. The machine's verdict stays beside it.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::body::ReviewSettled;
use onscene_sync_core::id::DocId;
use onscene_sync_core::rules::arrival::Conclusion;

use super::record::{Stated, load};
use super::{CaseError, required_text};
use crate::app::App;
use crate::store::Tx;

/// Puts a ruling on record.
///
/// # Errors
/// [`CaseError::UnknownVerdict`]; [`CaseError::Invalid`] without a reason; a conflict when the
/// verdict needs no review or a newer one took its place.
pub async fn settle(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    ruling: &ReviewSettled,
) -> Result<Stated, CaseError> {
    required_text("reason", &ruling.reason)?;
    let mut case = load(tx, case, true).await?;
    let (_, claim) =
        case.record.verdict(ruling.judged).ok_or(CaseError::UnknownVerdict(ruling.judged))?;
    let newest = claim.judged.last().ok_or(CaseError::UnknownVerdict(ruling.judged))?;
    if newest.fact != ruling.judged {
        return Err(CaseError::Conflict {
            code: "newer_verdict",
            why: format!("the claim was judged anew: look at verdict {}", newest.fact),
        });
    }
    if newest.body.verdict.conclusion != Conclusion::NeedsReview {
        return Err(CaseError::Conflict {
            code: "not_under_review",
            why: "the verdict is settled by the rule itself: only `needs_review` takes a ruling"
                .to_owned(),
        });
    }
    case.state(tx, app, vec![Body::ReviewSettled(ruling.clone())]).await
}

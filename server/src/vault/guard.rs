//! Free texts before they are written where they travel: no telephone numbers, no identity cards,
//! nothing of the case's own complainant. The rule has no exception, so there is no override.

use onscene_sync_core::fact::Body;
use onscene_sync_core::id::DocId;
use onscene_sync_core::privacy::{Identity, Place, scan};

use super::VaultError;
use super::record;
use crate::app::App;
use crate::store::Tx;

/// A text that was refused: which, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The field.
    pub field: &'static str,
    /// The places.
    pub places: Vec<Place>,
}

impl Exposed {
    /// What is wrong, without what it says.
    #[must_use]
    pub fn in_words(&self) -> String {
        let places = self.places.iter().map(|place| {
            format!("characters {} to {} are {}", place.from, place.to, place.kind.in_words())
        });
        let places: Vec<_> = places.collect();
        format!(
            "`{}`: {}: take it out. Who raised the matter belongs into `complainant`, other numbers \
             into evidence",
            self.field,
            places.join("; ")
        )
    }
}

/// Looks at one text, given who raised the case.
///
/// # Errors
/// What was found.
pub fn check(field: &'static str, text: &str, of: Option<&Identity<'_>>) -> Result<(), Exposed> {
    let places = scan(text, of);
    if places.is_empty() { Ok(()) } else { Err(Exposed { field, places }) }
}

/// Looks at what people at desks wrote in facts that are about to be stated in a case.
///
/// # Errors
/// When the vault cannot be opened; what was found is the value.
pub async fn check_facts(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    bodies: &[Body],
) -> Result<Result<(), Exposed>, VaultError> {
    let texts: Vec<_> = bodies.iter().flat_map(texts).filter(|(_, t)| !t.is_empty()).collect();
    if texts.is_empty() {
        return Ok(Ok(()));
    }
    let complainant = record::for_guard(tx, app, case).await?;
    let identity = complainant.as_ref().map(record::Complainant::identity);
    Ok(texts.into_iter().try_for_each(|(field, text)| check(field, text, identity.as_ref())))
}

/// Looks at one text that is about a case.
///
/// # Errors
/// As [`check_facts`].
pub async fn check_text(
    tx: &mut Tx,
    app: &App,
    case: DocId,
    field: &'static str,
    text: &str,
) -> Result<Result<(), Exposed>, VaultError> {
    let complainant = record::for_guard(tx, app, case).await?;
    let identity = complainant.as_ref().map(record::Complainant::identity);
    Ok(check(field, text, identity.as_ref()))
}

fn texts(body: &Body) -> impl Iterator<Item = (&'static str, &str)> {
    let second = match body {
        Body::Supervised(supervised) => Some(("result", &supervised.result[..])),
        _ => None,
    };
    words(body).into_iter().chain(second)
}

fn words(body: &Body) -> Option<(&'static str, &str)> {
    match body {
        Body::Registered(registered) => Some(("summary", &registered.summary)),
        Body::Ordered(ordered) => Some(("text", &ordered.text)),
        Body::OrderWithdrawn(about) | Body::Urged(about) | Body::Returned(about) => {
            Some(("reason", &about.reason))
        }
        Body::ReviewSettled(settled) => Some(("reason", &settled.reason)),
        Body::MeasureTaken(measure) => Some(("reason", &measure.reason)),
        Body::MeasureConcluded(concluded) => Some(("text", &concluded.text)),
        Body::Refused(refused) => Some(("referral", &refused.referral)),
        Body::AnsweredFrom(answered) => Some(("text", &answered.text)),
        Body::RepeatOf(repeat) => Some(("reason", &repeat.reason)),
        Body::Originated(origin) => Some(("reference", &origin.reference)),
        Body::RepeatTakenBack(taken) => Some(("reason", &taken.reason)),
        Body::Supervised(supervised) => Some(("handling", &supervised.handling)),
        Body::CoordinationOpened(text) | Body::ComplainantTold(text) | Body::Closed(text) => {
            Some(("text", &text.text))
        }
        Body::Reopened(reopening) => Some(("text", &reopening.text)),
        Body::NotReached(attempt) => Some(("text", &attempt.text)),
        Body::OpinionGiven(opinion) => Some(("reason", &opinion.reason)),
        Body::OpinionSettled(settled) => Some(("reason", &settled.reason)),
        _ => None,
    }
}

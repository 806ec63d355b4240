//! What the gateway says of a message becomes its state, and a fact of its case.
//!
//! Receipts come late, twice and in the wrong order. What arrived has arrived: nothing turns *delivered*
//! back, and *delivered* after *not delivered* counts. Where the gateway says one thing and then the
//! other, the message shows that it did. What follows counts from when the message left, however late the
//! gateway says so: the telling clock measures the command centre, not the gateway.

use onscene_sync_core::fact::Body;
use onscene_sync_core::fact::telling::{NoReach, NotReached, ToldByMessage};
use onscene_sync_core::id::MessageId;
use onscene_sync_core::time::Millis;

use super::gateway::Standing;
use super::order::{standing_result, tells_what_stands};
use super::outbox::{self, Message, State};
use crate::app::App;
use crate::cases::CaseError;
use crate::cases::record::{Case, load};
use crate::poke::Poke;
use crate::store::Tx;

/// Notes what the gateway says; `None` when there is no such message.
///
/// # Errors
/// When the case cannot be read or written.
pub async fn take(
    tx: &mut Tx,
    app: &App,
    id: MessageId,
    standing: &Standing,
) -> Result<Option<Vec<Poke>>, CaseError> {
    let Some(found) = outbox::find(tx, id).await? else { return Ok(None) };
    // Whoever changes a message holds its case.
    let mut case = load(tx, found.case, true).await?;
    let Some(message) = outbox::find(tx, id).await? else { return Ok(None) };
    take_with(tx, app, &mut case, message, standing).await.map(Some)
}

/// The same for a message whose case is held.
pub(super) async fn take_with(
    tx: &mut Tx,
    app: &App,
    case: &mut Case,
    mut message: Message,
    standing: &Standing,
) -> Result<Vec<Poke>, CaseError> {
    let before = message.state;
    if !step(&mut message, standing, app.now()) {
        return Ok(Vec::new());
    }
    outbox::update(tx, &message).await?;
    metrics::counter!("onscene_messages_total", "state" => message.state.name()).increment(1);
    let body = match message.state {
        State::Delivered if before != State::Delivered => {
            let left_at = Some(left_at(case, &message));
            let (message_id, by) = (message.id, message.by);
            let told = Body::ToldByMessage(ToldByMessage { message: message_id, by, left_at });
            tells_what_stands(&case.record, &message).then_some(told)
        }
        // What the gateway never took, or tells of a result that was replaced, was no attempt.
        State::NotDelivered | State::Expired
            if !before.settled()
                && message.sent_at.is_some()
                && tells_what_stands(&case.record, &message) =>
        {
            Some(Body::NotReached(NotReached {
                why: NoReach::NotDelivered,
                text: format!("text message {}: {}", message.state.name(), message.reason),
                by: None,
                message: Some(message.id),
                left_at: Some(left_at(case, &message)),
            }))
        }
        _ => None,
    };
    match body {
        Some(body) => Ok(case.state(tx, app, vec![body]).await?.pokes),
        None => Ok(Vec::new()),
    }
}

/// When a message left: never before what it tells of was stated, also if the hub's clock was set back.
fn left_at(case: &Case, message: &Message) -> Millis {
    let told_of = standing_result(&case.record).map(|result| result.at);
    message.sent_at.unwrap_or(message.send_at).max(told_of.unwrap_or(Millis(i64::MIN)))
}

/// The next state; `false` when nothing is new.
fn step(message: &mut Message, standing: &Standing, now: Millis) -> bool {
    let failed = match standing {
        Standing::Accepted => {
            let new = message.state == State::Queued;
            if new {
                message.state = State::Sent;
                message.sent_at = Some(message.send_at);
            }
            return new;
        }
        Standing::Delivered => None,
        Standing::Failed(reason) => Some((State::NotDelivered, reason.as_str())),
        Standing::Expired => Some((State::Expired, "no_receipt")),
    };
    match (message.state, failed) {
        (State::Delivered, None) | (State::NotDelivered | State::Expired, Some(_)) => false,
        (State::Delivered, Some((_, reason))) => {
            let new = message.contradicted_at.is_none();
            if new {
                message.contradicted_at = Some(now);
                reason.clone_into(&mut message.reason);
            }
            new
        }
        (before, None) => {
            if before.settled() {
                message.contradicted_at = Some(now);
            }
            message.state = State::Delivered;
            message.reason.clear();
            message.sent_at.get_or_insert(message.send_at);
            message.settled_at = Some(now);
            true
        }
        (State::Queued | State::Sent, Some((state, reason))) => {
            message.state = state;
            reason.clone_into(&mut message.reason);
            message.settled_at = Some(now);
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use onscene_sync_core::id::{DocId, PersonId};
    use proptest::prelude::*;

    use super::super::gateway::Reason;
    use super::*;

    fn message() -> Message {
        Message {
            id: MessageId::from_bytes([1; 16]),
            case: DocId::from_bytes([2; 16]),
            result: None,
            template: String::new(),
            text: String::new(),
            parts: 1,
            asks: false,
            by: PersonId::from_bytes([3; 16]),
            state: State::Queued,
            reason: String::new(),
            attempts: 1,
            queued_at: Millis(0),
            expires_at: Millis(9),
            send_at: Millis(0),
            sent_at: None,
            settled_at: None,
            contradicted_at: None,
            resent_as: None,
        }
    }

    fn standing() -> impl Strategy<Value = Standing> {
        prop_oneof![
            Just(Standing::Accepted),
            Just(Standing::Delivered),
            Just(Standing::Failed(Reason::new("absent"))),
            Just(Standing::Expired),
        ]
    }

    proptest! {
        #[test]
        fn whatever_comes_in_whatever_order_what_arrived_has_arrived(
            all in prop::collection::vec(standing(), 0..12),
        ) {
            let mut message = message();
            for (at, one) in all.iter().enumerate() {
                let at = Millis(i64::try_from(at).unwrap());
                step(&mut message, one, at);
                let settled = message.clone();
                prop_assert!(!step(&mut message, one, at.plus(1)), "doubled: {:?}", one);
                prop_assert_eq!(&message, &settled);
            }
            let failing = |one: &&Standing| matches!(one, Standing::Failed(_) | Standing::Expired);
            let arrived = all.contains(&Standing::Delivered);
            let failed = all.iter().any(|one| failing(&one));
            prop_assert_eq!(message.state == State::Delivered, arrived);
            prop_assert_eq!(message.contradicted_at.is_some(), arrived && failed);
            prop_assert_eq!(message.settled_at.is_some(), arrived || failed);
            if !arrived && !failed {
                let accepted = all.contains(&Standing::Accepted);
                let expected = if accepted { State::Sent } else { State::Queued };
                prop_assert_eq!(message.state, expected);
            }
        }
    }
}

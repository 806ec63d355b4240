//! Verdicts: the arrival rule is run again on the signed order, the signed claim and the grounds
//! that the verdict names.

use onscene_sync_core::fact::body::{ArrivalClaim, Judged, Ordered};
use onscene_sync_core::fact::{Author, Body, DeviceAuthor};
use onscene_sync_core::id::{FactId, Hash};
use onscene_sync_core::rules::arrival::Grounds;
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::Millis;

use super::record::Record;
use super::{Contents, Line};
use crate::bundle::format::grounds_name;

pub(super) fn check(bundle: &Contents, record: &Record, lines: &mut Vec<Line>) {
    for (id, judged) in verdicts(record) {
        let found = match judged.grounds {
            None => Ok(Line::Open(format!(
                "verdict {id}: it is from before the hub kept what verdicts rest on"
            ))),
            Some(hash) => again(bundle, record, judged, hash),
        };
        lines.push(found.map_or_else(
            |why| Line::Fails(format!("verdict {id}: {why}")),
            |line| match line {
                Line::Proven(text) => Line::Proven(format!("verdict {id}: {text}")),
                line => line,
            },
        ));
    }
}

pub(super) fn asks_for(record: &Record, name: &str) -> bool {
    verdicts(record).any(|(_, judged)| judged.grounds.is_some_and(|it| name == grounds_name(it)))
}

fn verdicts(record: &Record) -> impl Iterator<Item = (FactId, &Judged)> {
    record.bodies().filter_map(|(id, body)| match body {
        Body::Judged(judged) => Some((id, &**judged)),
        _ => None,
    })
}

fn again(bundle: &Contents, record: &Record, judged: &Judged, hash: Hash) -> Result<Line, String> {
    let order = order(record, judged.order).ok_or("its order is not in the bundle")?;
    let claim = claim(record, judged.arrival).ok_or("its arrival is not in the bundle")?;
    let kept = bundle.content(&grounds_name(hash)).filter(|found| found.sha256 == hash);
    let kept = kept.ok_or("what it rests on is not in the bundle")?;
    let grounds = Grounds::from_bytes(&kept.content).map_err(|error| error.to_string())?;
    lawful(record, judged.order, order, &grounds)?;
    let verdict = grounds.judge(order, claim);
    if verdict != judged.verdict {
        let (ours, theirs) = (verdict.conclusion, judged.verdict.conclusion);
        return Err(if ours == theirs {
            format!("the rule, run again, says {ours:?} too, but with other numbers")
        } else {
            format!("it says {theirs:?}; the rule, run again on what it rests on, says {ours:?}")
        });
    }
    let (fixes, anchors) = (claim.0.fixes.len(), grounds.anchors.len());
    Ok(Line::Proven(format!(
        "the rule, run again on {fixes} positions and {anchors} anchors, says the same: {:?}",
        verdict.conclusion
    )))
}

/// The thresholds are the policy's, and the clock began when the case says that it did.
fn lawful(
    record: &Record,
    id: FactId,
    (order, issued): (&Ordered, Millis),
    grounds: &Grounds,
) -> Result<(), String> {
    let policies = Policies::built_in();
    let policy = policies.get(order.policy).map_err(|error| error.to_string())?;
    let mut thresholds = policy.arrival.clone();
    thresholds.limit_ms = grounds.policy.limit_ms;
    if thresholds != grounds.policy || grounds.policy.limit_ms < policy.arrival.limit_ms {
        return Err(format!("its thresholds are not those of policy {}", order.policy));
    }
    let received = record.bodies().filter_map(|(_, body)| match body {
        Body::OrderReceived(received) if received.order == id => Some(received.at.max(issued)),
        _ => None,
    });
    let deemed = issued.plus(policy.deemed_receipt_ms);
    if received.chain([deemed]).any(|moment| moment == grounds.started_at) {
        return Ok(());
    }
    Err("its clock did not begin with a receipt of the order".to_owned())
}

fn order(record: &Record, id: FactId) -> Option<(&Ordered, Millis)> {
    let fact = record.facts.get(&id)?;
    match (&fact.body, &fact.author) {
        (Body::Ordered(order), Author::Hub(at)) => Some((order, *at)),
        _ => None,
    }
}

fn claim(record: &Record, id: FactId) -> Option<(&ArrivalClaim, &DeviceAuthor)> {
    let fact = record.facts.get(&id)?;
    match &fact.body {
        Body::Arrival(claim) => Some((claim, fact.device()?)),
        _ => None,
    }
}

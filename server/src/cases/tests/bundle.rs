//! A case becomes a bundle, and the bundle says by itself what it proves.

use std::io::Cursor;

use axum::body::Body;
use axum::http::Request;
use onscene_sync_core::fact::body::{Judged, Outcome};
use onscene_sync_core::fact::{Body as Statement, Fact};
use onscene_sync_core::id::{FactId, Hash};
use onscene_sync_core::rules::arrival::Conclusion;

use super::bureau::{Bureau, DISTRICT, MINUTE, SQUAD, text};
use super::phone::Phone;
use crate::auth::Role;
use crate::bundle::verify::{Line, verify};
use crate::cases::record::{Case, load};
use crate::evidence::manifest::named;
use crate::evidence::uploads;
use crate::store::testing::{TestStore, on_each_engine};

/// Bytes that begin like a JPEG file.
pub(super) fn photo() -> Vec<u8> {
    [&b"\xff\xd8\xff\xe0"[..], &[7; 9_000]].concat()
}

/// A case with an arrival, a photo and an outcome; the photo's bytes are with the hub if `uploaded`.
pub(super) async fn worked_case(bureau: &Bureau, uploaded: bool) -> String {
    let mut phone = Phone::new(bureau, 1, SQUAD).await;
    let case = bureau.register().await;
    let order = bureau.order(&case, SQUAD).await;
    phone.catch_up(bureau).await;
    let visit = text(&bureau.case(&case).await["orders"][0]["inspection"]);
    bureau.clock.advance(20 * MINUTE);
    phone.arrive(bureau, &visit, &order, 10);
    let photo = phone.photograph(bureau, &visit, &photo());
    phone.conclude(bureau, &visit, Outcome::Corrected);
    phone.catch_up(bureau).await;
    if uploaded {
        upload(bureau, photo).await;
    }
    case
}

async fn upload(bureau: &Bureau, fact: FactId) {
    let (id, now) = (uploads::id_of("capability"), bureau.app.now());
    let begun = bureau.app.store.with_tx("test", (fact, id, now), |tx, (fact, id, now)| {
        Box::pin(async move {
            let named = named(tx, *fact).await?;
            uploads::begin(tx, &named, *id, *now, now.plus(60 * MINUTE)).await
        })
    });
    begun.await.unwrap();
    let request = Request::patch("/v1/uploads/capability")
        .header("tus-resumable", "1.0.0")
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", "0");
    let (status, answer) = bureau.raw(request.body(Body::from(photo())).unwrap()).await;
    assert_eq!(status, 204, "{}", String::from_utf8_lossy(&answer));
}

/// The log takes in what was done, and signs a checkpoint over it.
pub(super) async fn sign_checkpoint(bureau: &Bureau) {
    bureau.clock.advance(2 * MINUTE);
    crate::audit::tend(&bureau.app).await.unwrap();
}

pub(super) async fn bundle(bureau: &Bureau, case: &str) -> Vec<u8> {
    let path = format!("/v1/cases/{case}/bundle");
    let (status, bytes) = bureau.download((Role::Supervisor, DISTRICT), &path).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    bytes
}

pub(super) fn key(bureau: &Bureau) -> Hash {
    Hash::from_bytes(bureau.app.keys.facts.public_key())
}

pub(super) fn lines(bundle: &[u8], key: Option<Hash>) -> Vec<String> {
    verify(Cursor::new(bundle), key).iter().map(Line::to_string).collect()
}

pub(super) fn failures(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("FAIL        ")).collect()
}

#[track_caller]
fn says(lines: &[String], begin: &str, rest: &str) {
    let found = lines.iter().any(|line| line.starts_with(begin) && line.contains(rest));
    assert!(found, "{begin} … {rest}: {lines:#?}");
}

async fn a_bundle_proves_its_case_without_the_hub(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = worked_case(&bureau, true).await;
    sign_checkpoint(&bureau).await;
    let bytes = bundle(&bureau, &case).await;
    let found = lines(&bytes, Some(key(&bureau)));
    assert_eq!(failures(&found), Vec::<&str>::new(), "{found:#?}");
    for (begin, rest) in [
        ("proven      the hub of the given key sealed it", "entries"),
        ("proven      case ", "bear the signatures of the hub"),
        ("proven      response ", "bear the signatures of their phones"),
        ("proven      the case has all its 1 visits", ""),
        ("proven      the 3 facts of phones stand in their places", ""),
        ("proven      the file of fact", "whose hash the phone signed"),
        ("proven      the hub signed that it had the file", ""),
        ("proven      verdict", "on 20 positions and"),
        ("proven      verdict", "says the same: OnTime"),
        ("proven      ", "changes stand in the audit log"),
        ("proven      the key of phone", "from its enrolment"),
        ("not proven  that this is the log that everybody sees", "compare"),
        ("not proven  that what a phone recorded is true", ""),
        ("not proven  the times by the hub's own clock", ""),
        ("not proven  that this is all", ""),
    ] {
        says(&found, begin, rest);
    }
    says(&lines(&bytes, None), "not proven  whose bundle it is", "--key");
    let other = lines(&bytes, Some(Hash::from_bytes([9; 32])));
    assert!(failures(&other)[0].contains("not the one that was given"), "{other:?}");
    let exports = "audit_entry WHERE action = 50";
    assert_eq!(bureau.count(exports).await, 1, "the export is on record");
    let (status, _) =
        bureau.download((Role::UnitLeader, SQUAD), &format!("/v1/cases/{case}/bundle")).await;
    assert_eq!((status, bureau.count(exports).await), (403, 1));
}

async fn what_a_bundle_lacks_it_does_not_prove(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = worked_case(&bureau, false).await;
    let found = lines(&bundle(&bureau, &case).await, Some(key(&bureau)));
    assert_eq!(failures(&found), Vec::<&str>::new(), "{found:#?}");
    says(&found, "not proven  that any of it is in the audit log", "no signed checkpoint");
    says(&found, "not proven  what the file of fact", "the hub did not have it");

    sign_checkpoint(&bureau).await;
    bureau
        .post(&format!("/v1/cases/{case}/telling"), serde_json::json!({ "text": "told" }))
        .await
        .ok();
    let found = lines(&bundle(&bureau, &case).await, Some(key(&bureau)));
    says(&found, "not proven  that 1 changes are in the audit log", "a minute later");
}

/// Has the hub state a verdict that `change` made of the first one.
async fn state_another(bureau: &Bureau, case: &str, change: fn(&mut Judged)) {
    let input = (bureau.app.clone(), case.parse().unwrap(), change);
    let stated = bureau.app.store.with_tx("test", input, |tx, (app, case, change)| {
        Box::pin(async move {
            let mut case: Case = load(tx, *case, true).await?;
            let is_verdict = |(_, fact): &(FactId, Fact)| match &fact.body {
                Statement::Judged(judged) => Some((**judged).clone()),
                _ => None,
            };
            let mut judged = case.facts.iter().find_map(is_verdict).expect("a verdict");
            change(&mut judged);
            case.state(tx, app, vec![Statement::Judged(Box::new(judged))]).await
        })
    });
    stated.await.unwrap();
}

async fn a_verdict_that_the_rule_does_not_give_shows(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = worked_case(&bureau, true).await;
    state_another(&bureau, &case, |judged| judged.verdict.conclusion = Conclusion::Late).await;
    state_another(&bureau, &case, |judged| judged.verdict.time.anchors += 1).await;
    state_another(&bureau, &case, |judged| judged.grounds = Some(Hash::from_bytes([1; 32]))).await;
    state_another(&bureau, &case, |judged| judged.order = FactId::from_bytes([1; 16])).await;
    state_another(&bureau, &case, |judged| judged.grounds = None).await;
    let found = lines(&bundle(&bureau, &case).await, Some(key(&bureau)));
    let failures = failures(&found);
    for why in [
        "it says Late; the rule, run again on what it rests on, says OnTime",
        "says OnTime too, but with other numbers",
        "what it rests on is not in the bundle",
        "its order is not in the bundle",
    ] {
        assert!(failures.iter().any(|line| line.contains(why)), "{why}: {found:#?}");
    }
    assert_eq!(failures.len(), 4);
    says(&found, "not proven  verdict", "from before the hub kept what verdicts rest on");
    let faults = crate::cases::project::faults(&bureau.app.store).await.unwrap();
    assert!(faults.iter().any(|fault| fault.contains("the grounds of verdict")), "{faults:?}");
}

on_each_engine!(
    a_bundle_proves_its_case_without_the_hub,
    what_a_bundle_lacks_it_does_not_prove,
    a_verdict_that_the_rule_does_not_give_shows,
);

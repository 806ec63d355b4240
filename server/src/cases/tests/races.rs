//! Several desks and several nodes at once.

use axum::http::Method;
use futures_util::future::join_all;
use onscene_sync_core::id::DocId;
use serde_json::json;

use super::bureau::{Bureau, DISTRICT, MINUTE, OTHER_SQUAD, SQUAD, text, vending};
use crate::auth::Role;
use crate::hub::documents::{self, DocRow};
use crate::hub::snapshots;
use crate::jobs::run_due;
use crate::store::testing::{TestStore, on_each_engine};

async fn a_command_sent_many_times_at_once_is_done_once(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let dispatcher = (Role::Dispatcher, DISTRICT);
    let replies = join_all((0..8).map(|_| {
        let body = Some(vending().to_string().into_bytes());
        bureau.send(dispatcher, Method::POST, "/v1/cases", Some("one call"), body)
    }))
    .await;
    let replies: Vec<_> = replies.into_iter().map(super::bureau::Answer::ok).collect();
    assert!(replies.iter().all(|reply| *reply == replies[0]));
    let cases = bureau.get("/v1/cases").await.ok();
    assert_eq!(cases["cases"].as_array().unwrap().len(), 1);
}

async fn cases_that_change_hands_at_once_end_in_one_hand_each(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut cases = Vec::new();
    for n in 0..6 {
        let unit = if n % 2 == 0 { SQUAD } else { OTHER_SQUAD };
        let case = bureau.register().await;
        bureau.order(&case, unit).await;
        cases.push((case, unit));
    }
    let other = |unit| if unit == SQUAD { OTHER_SQUAD } else { SQUAD };
    let moves = cases.iter().map(|(case, unit)| bureau.order(case, other(*unit)));
    join_all(moves).await;
    for (case, unit) in &cases {
        let view = bureau.case(case).await;
        let orders = view["orders"].as_array().unwrap();
        let live: Vec<_> = orders.iter().filter(|order| order["withdrawn"].is_null()).collect();
        assert_eq!(live.len(), 1, "{view}");
        assert_eq!(text(&live[0]["unit"]), other(*unit).to_string());
    }
    let hub_key = bureau.app.keys.facts.public_key();
    let report = crate::hub::verify::verify(&bureau.app.store, Some(hub_key)).await.unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
}

async fn a_case_is_read_as_it_was_when_its_row_was(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let id: DocId = case.parse().unwrap();
    let row = async || {
        let read = bureau.app.store.with_read("test", id, |tx, id| {
            Box::pin(async move { documents::rows(tx, [*id], false).await })
        });
        read.await.unwrap()[&id]
    };
    let load = async |row: DocRow| {
        let read = bureau.app.store.with_tx("test", row, |tx, row| {
            Box::pin(async move { documents::load(tx, row).await })
        });
        read.await.unwrap()
    };
    let before = row().await;
    // What a transaction meets that reads the row of a case, and its log after somebody wrote to it.
    bureau.order(&case, SQUAD).await;
    assert_eq!(load(before).await.len() as u64, before.changes);
    let whole = load(row().await).await;
    assert!(whole.len() as u64 > before.changes);
    snapshots::sum_up(&bureau.app, vec![whole]).await;
    assert_eq!(bureau.count("snapshot").await, 1);
    assert_eq!(load(before).await.len() as u64, before.changes, "a newer snapshot is passed over");
}

async fn two_desks_that_dispatch_one_case_agree_on_one_order(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let case = bureau.register().await;
    let path = format!("/v1/cases/{case}/orders");
    let send = |unit| bureau.post(&path, json!({ "unit": unit }));
    let (one, two) = tokio::join!(send(SQUAD), send(OTHER_SQUAD));
    one.ok();
    two.ok();
    let view = bureau.case(&case).await;
    let orders = view["orders"].as_array().unwrap();
    assert_eq!(orders.iter().filter(|order| order["withdrawn"].is_null()).count(), 1, "{view}");
}

async fn two_runners_do_each_job_once(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut cases = Vec::new();
    for _ in 0..8 {
        let case = bureau.register().await;
        bureau.order(&case, SQUAD).await;
        cases.push(case);
    }
    bureau.clock.advance(66 * MINUTE);
    for _ in 0..2 {
        let (one, two) = tokio::join!(run_due(&bureau.app), run_due(&bureau.app));
        one.unwrap();
        two.unwrap();
    }
    for case in cases {
        let order = &bureau.case(&case).await["orders"][0];
        assert_eq!(order["receipts"].as_array().unwrap().len(), 1);
        assert_eq!(order["overdue"].as_array().unwrap().len(), 1);
    }
}

on_each_engine!(
    a_command_sent_many_times_at_once_is_done_once,
    cases_that_change_hands_at_once_end_in_one_hand_each,
    a_case_is_read_as_it_was_when_its_row_was,
    two_desks_that_dispatch_one_case_agree_on_one_order,
    two_runners_do_each_job_once,
);

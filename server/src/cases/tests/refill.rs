//! Rows that an earlier program wrote.

use super::bureau::{Bureau, SQUAD};
use crate::cases::project::faults;
use crate::cases::project::refill::REFILL;
use crate::jobs::{NewJob, enqueue};
use crate::store::StoreError;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(rows_of_an_earlier_program_are_worked_out_by_a_job);

/// What the program before this one wrote of a case, and no more.
const FORGET: [&str; 3] = [
    "UPDATE case_row SET class = '', channel = '', matter = '', received_at = NULL, lat = NULL, \
     lon = NULL, cell = NULL, dispatch = '', dispatch_due = NULL",
    "UPDATE dispatch_order SET receipt = '', arrival = '', arrival_due = NULL, feedback = '', \
     feedback_due = NULL",
    "DELETE FROM case_gram",
];

async fn rows_of_an_earlier_program_are_worked_out_by_a_job(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for _ in 0..120 {
        bureau.register().await;
    }
    let case = bureau.register().await;
    bureau.order(&case, SQUAD).await;
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
    for sql in FORGET {
        let forget = bureau.app.store.with_tx("test", sql, |tx, sql| {
            Box::pin(
                async move { sqlx::query(*sql).execute(tx.conn()).await.map_err(StoreError::from) },
            )
        });
        assert!(forget.await.unwrap().rows_affected() > 0);
    }
    let said = bureau.get("/v1/statistics?month=2026-11").await.ok();
    assert_eq!(said["not_yet_counted"], 121, "the figures say that they are too low");
    assert!(faults(&bureau.app.store).await.unwrap().len() > 121);
    let planted = bureau.app.store.with_tx("test", bureau.app.now(), |tx, now| {
        Box::pin(async move {
            let job = NewJob::new(REFILL, *now, &"").unwrap();
            enqueue(tx, job.once("figures")).await
        })
    });
    assert!(planted.await.unwrap());
    bureau.run_jobs().await;
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
    let said = bureau.get("/v1/statistics?month=2026-11").await.ok();
    assert_eq!(said["not_yet_counted"], 0);
    assert_eq!(said["total"]["counts"]["registered"], 121);
}

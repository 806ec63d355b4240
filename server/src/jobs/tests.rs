use std::sync::atomic::{AtomicUsize, Ordering};

use onscene_sync_core::id::UnitId;
use onscene_sync_core::sync::message::Bucket;

use super::*;
use crate::store::RowExt as _;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    a_job_runs_when_it_is_due_and_only_once,
    two_hubs_share_the_work_and_do_each_job_once,
    a_failing_job_waits_longer_each_time_and_is_given_up,
    a_failed_effect_leaves_nothing_behind,
    a_claim_that_died_is_taken_over_and_cannot_come_back,
    a_clock_set_back_does_not_hold_a_job,
    a_panicking_handler_is_a_failed_try,
    kinds_of_a_newer_program_are_left_alone,
    a_pending_job_can_be_moved,
    done_jobs_are_forgotten_after_their_time_and_others_never,
);

const HANDLERS: &[(&str, Effect)] = &[
    ("note", |tx, _, job| Box::pin(note(tx, job))),
    ("fail", |tx, _, job| {
        Box::pin(async move {
            note(tx, job).await?;
            Err(JobError::Failed("as the test wants".into()))
        })
    }),
    ("panic", |_, _, _| Box::pin(async { panic!("as the test wants") })),
];

async fn note(tx: &mut Tx, job: &Job) -> Result<Vec<Poke>, JobError> {
    let key: String = job.payload()?;
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, 'done')")
        .bind(key)
        .execute(tx.conn())
        .await
        .map_err(StoreError::from)?;
    Ok(vec![Poke { bucket: Bucket::Unit(UnitId::from_bytes([7; 16])), seq: 1 }])
}

async fn hub(test: &TestStore) -> (App, crate::clock::ManualClock) {
    let (mut app, clock) = test.app().await;
    app.jobs = Jobs::new(HANDLERS, &[]);
    (app, clock)
}

async fn add(app: &App, kind: &'static str, note: &str, in_ms: i64) -> bool {
    let job = NewJob::new(kind, app.now().plus(in_ms), &note).unwrap().once(note);
    app.store.with_tx("test.add", job, |tx, job| Box::pin(enqueue(tx, job.clone()))).await.unwrap()
}

async fn noted(app: &App) -> usize {
    app.store
        .with_read("test.noted", (), |tx, ()| {
            Box::pin(async move {
                let row = sqlx::query("SELECT count(*) AS n FROM meta WHERE value = 'done'")
                    .fetch_one(tx.conn())
                    .await?;
                row.number::<usize>("n")
            })
        })
        .await
        .unwrap()
}

async fn state(app: &App) -> Standing {
    app.store.with_read("test.standing", (), |tx, ()| Box::pin(standing(tx))).await.unwrap()
}

async fn a_job_runs_when_it_is_due_and_only_once(test: TestStore) {
    let (app, clock) = hub(&test).await;
    let mut bell = app.pokes.listen();
    assert!(add(&app, "note", "a", 1_000).await);
    assert!(!add(&app, "note", "a", 2_000).await, "the key is taken");
    assert_eq!(run_due(&app).await.unwrap(), 0);
    clock.advance(999);
    assert_eq!(run_due(&app).await.unwrap(), 0);
    assert!(bell.try_recv().is_err());
    clock.advance(1);
    assert_eq!(run_due(&app).await.unwrap(), 1);
    assert_eq!(bell.try_recv().unwrap().seq, 1, "rung after the commit");
    clock.advance(1_000_000);
    assert_eq!(run_due(&app).await.unwrap(), 0);
    assert_eq!(noted(&app).await, 1);
    assert!(!add(&app, "note", "a", 0).await, "done jobs keep their key");
}

async fn two_hubs_share_the_work_and_do_each_job_once(test: TestStore) {
    const JOBS: usize = 60;
    let (app, _) = hub(&test).await;
    for n in 0..JOBS {
        add(&app, "note", &format!("n{n}"), 0).await;
    }
    let mut other = app.clone();
    other.store = test.another().await;
    let (a, b) = (app.clone(), other.clone());
    let (a, b) = tokio::join!(
        tokio::spawn(async move { run_due(&a).await.unwrap() }),
        tokio::spawn(async move { run_due(&b).await.unwrap() })
    );
    assert_eq!(a.unwrap() + b.unwrap(), JOBS, "no job was claimed twice");
    assert_eq!(noted(&app).await, JOBS);
    assert_eq!(state(&app).await, Standing { pending: 0, failed: 0 });
}

async fn a_failing_job_waits_longer_each_time_and_is_given_up(test: TestStore) {
    let (app, clock) = hub(&test).await;
    add(&app, "fail", "f", 0).await;
    let mut tries = run_due(&app).await.unwrap();
    assert_eq!(run_due(&app).await.unwrap(), 0, "not at once");
    clock.advance(999);
    assert_eq!(run_due(&app).await.unwrap(), 0, "the first wait is at least a second");
    for _ in 0..40 {
        clock.advance(2 * 3_600_000);
        tries += run_due(&app).await.unwrap();
    }
    assert_eq!(tries, 12);
    assert_eq!(state(&app).await, Standing { pending: 0, failed: 1 });
}

async fn a_failed_effect_leaves_nothing_behind(test: TestStore) {
    let (app, _) = hub(&test).await;
    add(&app, "fail", "f", 0).await;
    assert_eq!(run_due(&app).await.unwrap(), 1);
    assert_eq!(noted(&app).await, 0);
    assert_eq!(state(&app).await, Standing { pending: 1, failed: 0 });
}

async fn claim_one(app: &App) -> Option<Job> {
    app.store
        .with_tx("test.claim", app.now(), |tx, now| Box::pin(table::claim(tx, &["note"], *now, 1)))
        .await
        .unwrap()
        .pop()
}

async fn a_claim_that_died_is_taken_over_and_cannot_come_back(test: TestStore) {
    let (app, clock) = hub(&test).await;
    add(&app, "note", "a", 0).await;
    let dead = claim_one(&app).await.unwrap();
    assert_eq!(run_due(&app).await.unwrap(), 0, "the lease holds");
    clock.advance(60_000);
    let taker = claim_one(&app).await.unwrap();
    assert_eq!((dead.attempt, taker.attempt), (1, 2));
    let late = app
        .store
        .with_tx("test.late", (dead, app.now()), |tx, (job, now)| {
            Box::pin(table::complete(tx, job, *now))
        })
        .await
        .unwrap();
    assert!(!late, "the first claim no longer holds the job");
    clock.advance(60_000);
    assert_eq!(run_due(&app).await.unwrap(), 1);
    assert_eq!(noted(&app).await, 1);
}

async fn a_clock_set_back_does_not_hold_a_job(test: TestStore) {
    let (app, clock) = hub(&test).await;
    add(&app, "note", "a", -1_000_000_000).await;
    assert!(claim_one(&app).await.is_some());
    clock.advance(-500_000_000);
    assert_eq!(run_due(&app).await.unwrap(), 1, "a lease from the future is over");
}

async fn a_panicking_handler_is_a_failed_try(test: TestStore) {
    let (app, _) = hub(&test).await;
    add(&app, "panic", "p", 0).await;
    add(&app, "note", "after", 0).await;
    assert_eq!(run_due(&app).await.unwrap(), 2);
    assert_eq!(noted(&app).await, 1);
    assert_eq!(state(&app).await, Standing { pending: 1, failed: 0 });
}

async fn kinds_of_a_newer_program_are_left_alone(test: TestStore) {
    let (app, _) = hub(&test).await;
    add(&app, "from the future", "x", 0).await;
    assert_eq!(run_due(&app).await.unwrap(), 0);
    assert_eq!(state(&app).await, Standing { pending: 1, failed: 0 });
}

async fn a_pending_job_can_be_moved(test: TestStore) {
    let (app, clock) = hub(&test).await;
    add(&app, "note", "a", 1_000).await;
    let move_to = |at: Millis| {
        app.store.with_tx("test.move", at, |tx, at| Box::pin(reschedule(tx, "note", "a", *at)))
    };
    assert!(move_to(app.now().plus(5_000)).await.unwrap());
    clock.advance(1_000);
    assert_eq!(run_due(&app).await.unwrap(), 0);
    clock.advance(4_000);
    assert_eq!(run_due(&app).await.unwrap(), 1);
    assert!(!move_to(app.now()).await.unwrap(), "it is done");
}

async fn done_jobs_are_forgotten_after_their_time_and_others_never(test: TestStore) {
    const DAY_MS: i64 = 24 * 3_600_000;
    let (app, clock) = hub(&test).await;
    for n in 0..510 {
        add(&app, "note", &format!("n{n}"), 0).await;
    }
    add(&app, "from the future", "x", 0).await;
    run_due(&app).await.unwrap();
    clock.advance(35 * DAY_MS);
    assert_eq!(tidy(&app).await.unwrap(), 0);
    clock.advance(1);
    assert_eq!(tidy(&app).await.unwrap(), 510, "more than one bite");
    assert_eq!(state(&app).await, Standing { pending: 1, failed: 0 });
    assert!(add(&app, "note", "n0", 0).await, "its key is free again");
}

#[tokio::test]
async fn the_runner_wakes_at_the_bell_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (mut app, _) = App::for_tests(dir.path()).await.unwrap();
    static RAN: AtomicUsize = AtomicUsize::new(0);
    let count: Effect = |_, _, _| {
        Box::pin(async {
            RAN.fetch_add(1, Ordering::SeqCst);
            Ok(Vec::new())
        })
    };
    app.jobs = Jobs::new(&[("count", count)], &[]);
    let runner = tokio::spawn(keep_running(app.clone()));
    add(&app, "count", "c", 0).await;
    app.jobs.wake();
    let ran = async {
        while RAN.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), ran).await.unwrap();
    app.stopper.stop();
    tokio::time::timeout(std::time::Duration::from_secs(10), runner).await.unwrap().unwrap();
}

static WORKED: AtomicUsize = AtomicUsize::new(0);

#[tokio::test]
async fn long_work_is_done_outside_a_transaction_and_tried_again_when_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (mut app, clock) = App::for_tests(dir.path()).await.unwrap();
    let work: Work = |app, _| {
        Box::pin(async move {
            // It would wait for ever if a transaction were open: SQLite has one writer.
            app.store.with_tx("test", (), |tx, ()| Box::pin(standing(tx))).await?;
            match WORKED.fetch_add(1, Ordering::SeqCst) {
                0 => Err(JobError::Failed("not yet".to_owned())),
                1 => panic!("a bug"),
                _ => Ok(()),
            }
        })
    };
    app.jobs = Jobs::new(&[], &[("look", work)]);
    add(&app, "look", "c", 0).await;
    assert_eq!(run_due(&app).await.unwrap(), 0, "not the runner's");
    for done in 1..=3 {
        assert_eq!(work_due(&app).await.unwrap(), 1);
        assert_eq!(WORKED.load(Ordering::SeqCst), done);
        clock.advance(3_600_000);
    }
    assert_eq!(work_due(&app).await.unwrap(), 0);
}

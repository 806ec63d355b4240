//! What every engine must do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use sqlx::{Executor as _, Row as _};

use super::testing::{TestStore, on_each_engine};
use super::{RowExt as _, Store, StoreError, Tx, insert_many};

on_each_engine!(
    values_of_every_kind_come_back,
    a_value_of_another_kind_is_refused_by_column,
    an_error_undoes_and_success_stays,
    a_panic_undoes_and_passes_on,
    an_expected_conflict_is_a_count_and_the_transaction_goes_on,
    many_rows_go_in_together,
    counters_do_not_lose_updates_between_processes,
    a_deadlock_is_run_again,
    contention_is_retried_with_a_bound_and_other_errors_are_not,
    a_reader_sees_one_moment_and_cannot_write,
    a_client_that_hangs_up_loses_nothing,
    a_connection_that_returns_inside_a_transaction_is_cleaned,
    one_statement_needs_no_transaction,
    a_client_that_hangs_up_in_a_single_statement_harms_nobody,
    a_closed_store_lends_nothing,
    two_processes_may_migrate_at_once,
);

async fn set_meta(tx: &mut Tx, key: &str, value: &str) -> Result<u64, StoreError> {
    let done =
        sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(tx.conn())
            .await?;
    Ok(done.rows_affected())
}

async fn put(store: &Store, key: &str) -> Result<u64, StoreError> {
    store
        .with_tx("test.put", key.to_owned(), |tx, key| {
            Box::pin(async move { set_meta(tx, key, "x").await })
        })
        .await
}

async fn count(store: &Store, pattern: &'static str) -> i64 {
    store
        .with_read("test.count", pattern, |tx, pattern| Box::pin(count_in(tx, pattern)))
        .await
        .unwrap()
}

async fn count_in(tx: &mut Tx, pattern: &str) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) AS n FROM meta WHERE key LIKE $1")
        .bind(pattern)
        .fetch_one(tx.conn())
        .await?;
    row.int("n")
}

async fn values_of_every_kind_come_back(test: TestStore) {
    test.store
        .with_tx("test.values", (), |tx, ()| {
            Box::pin(async move {
                for (n, install) in [i64::MIN, -1, 0, i64::MAX].into_iter().enumerate() {
                    let fact = vec![u8::try_from(n).unwrap(); n];
                    sqlx::query(
                        "INSERT INTO anchor (device, number, install, head_seq, head_fact, at, \
                         proof, boot) VALUES ($1, $2, $3, 0, $4, 0, $5, $6)",
                    )
                    .bind(&b"\x00\xff"[..])
                    .bind(i64::try_from(n).unwrap())
                    .bind(install)
                    .bind((n > 0).then_some(fact.clone()))
                    .bind(fact.clone())
                    .bind(Option::<Vec<u8>>::None)
                    .execute(tx.conn())
                    .await?;
                    let row = sqlx::query("SELECT * FROM anchor WHERE number = $1")
                        .bind(i64::try_from(n).unwrap())
                        .fetch_one(tx.conn())
                        .await?;
                    assert_eq!(row.array::<2>("device")?, [0, 0xff]);
                    assert_eq!(row.int("install")?, install);
                    assert_eq!(row.opt_bytes("head_fact")?, (n > 0).then_some(fact.clone()));
                    assert_eq!(row.bytes("proof")?, fact);
                    assert_eq!(row.opt_bytes("boot")?, None);
                    assert_eq!(row.opt_int("sent_boot_ns")?, None);
                }
                set_meta(tx, "text", "到场 ' \" ; --").await?;
                let row = sqlx::query("SELECT value FROM meta WHERE key = $1")
                    .bind("text")
                    .fetch_one(tx.conn())
                    .await?;
                assert_eq!(row.text("value")?, "到场 ' \" ; --");
                let row = sqlx::query(
                    "SELECT max(seq) AS m, CAST(coalesce(sum(seq), 0) AS BIGINT) AS s FROM fact",
                )
                .fetch_one(tx.conn())
                .await?;
                assert_eq!((row.opt_int("m")?, row.int("s")?), (None, 0));
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
}

async fn a_value_of_another_kind_is_refused_by_column(test: TestStore) {
    let read = |column: &'static str| {
        test.store.with_read("test.kind", column, |tx, column| {
            Box::pin(async move {
                let sql = "SELECT key, CAST(300 AS BIGINT) AS big FROM meta LIMIT 1";
                let row = sqlx::query(sql).fetch_one(tx.conn()).await?;
                assert!(row.number::<u8>("big").unwrap_err().to_string().contains("`big`"));
                assert_eq!(row.number::<u16>("big")?, 300);
                row.int(column)
            })
        })
    };
    assert_eq!(read("big").await.unwrap(), 300);
    let error = read("key").await.unwrap_err().to_string();
    assert!(error.contains("key"), "{error}");
    let error = read("absent").await.unwrap_err().to_string();
    assert!(error.contains("absent"), "{error}");
}

async fn an_error_undoes_and_success_stays(test: TestStore) {
    let result = test
        .store
        .with_tx("test.undo", (), |tx, ()| {
            Box::pin(async move {
                set_meta(tx, "undone", "x").await?;
                Err::<(), _>(StoreError::NotOurs { what: "a reason".into() })
            })
        })
        .await;
    assert!(matches!(result, Err(StoreError::NotOurs { .. })));
    put(&test.store, "stays").await.unwrap();
    let other = test.another().await;
    assert_eq!((count(&other, "undone").await, count(&other, "stays").await), (0, 1));
}

async fn a_panic_undoes_and_passes_on(test: TestStore) {
    let body = test.store.with_tx("test.panic", (), |tx, ()| {
        Box::pin(async move {
            set_meta(tx, "panicked", "x").await?;
            if tx.engine() == tx.engine() {
                panic!("as the test wants");
            }
            Ok::<_, StoreError>(())
        })
    });
    assert!(std::panic::AssertUnwindSafe(body).catch_unwind().await.is_err());
    put(&test.store, "next").await.unwrap();
    assert_eq!((count(&test.store, "panicked").await, count(&test.store, "next").await), (0, 1));
}

async fn an_expected_conflict_is_a_count_and_the_transaction_goes_on(test: TestStore) {
    let counts = test
        .store
        .with_tx("test.conflict", (), |tx, ()| {
            Box::pin(async move {
                Ok::<_, StoreError>([
                    set_meta(tx, "twice", "1").await?,
                    set_meta(tx, "twice", "2").await?,
                    set_meta(tx, "after", "3").await?,
                ])
            })
        })
        .await
        .unwrap();
    assert_eq!(counts, [1, 0, 1]);
    assert_eq!(count(&test.store, "after").await, 1);
}

async fn many_rows_go_in_together(test: TestStore) {
    let keys = |range: std::ops::Range<usize>| -> Vec<String> {
        range.map(|n| format!("many{n:04}")).collect()
    };
    let insert = |keys: Vec<String>| {
        test.store.with_tx("test.many", keys, |tx, keys| {
            Box::pin(insert_many(
                tx,
                "INSERT INTO meta (key, value)",
                2,
                keys,
                "ON CONFLICT (key) DO NOTHING",
                |query, key| query.bind(key).bind("x"),
            ))
        })
    };
    assert_eq!(insert(keys(0..0)).await.unwrap(), 0);
    assert_eq!(insert(keys(0..1)).await.unwrap(), 1);
    assert_eq!(insert(keys(0..679)).await.unwrap(), 678, "one was there");
    assert_eq!(count(&test.store, "many%").await, 679);
}

/// Two pools and several threads draw numbers from one counter row and use each as a unique key.
async fn counters_do_not_lose_updates_between_processes(test: TestStore) {
    const TASKS: usize = 4;
    const EACH: i64 = 15;
    let bucket = b"b".to_vec();
    test.store
        .with_tx("test.bucket", bucket.clone(), |tx, bucket| {
            Box::pin(async move {
                sqlx::query("INSERT INTO bucket (bucket, n, epoch, checksum) VALUES ($1, 0, 0, 0)")
                    .bind(bucket.as_slice())
                    .execute(tx.conn())
                    .await?;
                Ok::<_, StoreError>(())
            })
        })
        .await
        .unwrap();
    let mut drawers = tokio::task::JoinSet::new();
    for store in [test.store.clone(), test.another().await] {
        for _ in 0..TASKS {
            let (store, bucket) = (store.clone(), bucket.clone());
            drawers.spawn(async move {
                for _ in 0..EACH {
                    store
                        .with_tx("test.draw", bucket.clone(), |tx, bucket| {
                            Box::pin(draw(tx, bucket))
                        })
                        .await
                        .unwrap();
                }
            });
        }
    }
    drawers.join_all().await;
    let (n, rows, last) = test
        .store
        .with_read("test.drawn", (), |tx, ()| {
            Box::pin(async move {
                let n = sqlx::query("SELECT n FROM bucket").fetch_one(tx.conn()).await?.int("n")?;
                let row = sqlx::query("SELECT count(*) AS c, max(seq) AS m FROM bucket_log")
                    .fetch_one(tx.conn())
                    .await?;
                Ok::<_, StoreError>((n, row.int("c")?, row.int("m")?))
            })
        })
        .await
        .unwrap();
    let expected = 2 * i64::try_from(TASKS).unwrap() * EACH;
    assert_eq!((n, rows, last), (expected, expected, expected));
}

async fn draw(tx: &mut Tx, bucket: &[u8]) -> Result<(), StoreError> {
    let sql = format!("SELECT n FROM bucket WHERE bucket = $1{}", tx.engine().for_update());
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(bucket).fetch_one(tx.conn()).await?;
    let next = row.int("n")? + 1;
    tokio::task::yield_now().await;
    sqlx::query("UPDATE bucket SET n = $1 WHERE bucket = $2")
        .bind(next)
        .bind(bucket)
        .execute(tx.conn())
        .await?;
    sqlx::query("INSERT INTO bucket_log (bucket, seq, kind, doc_id) VALUES ($1, $2, 0, $3)")
        .bind(bucket)
        .bind(next)
        .bind(&b"doc"[..])
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn a_deadlock_is_run_again(test: TestStore) {
    for key in ["left", "right"] {
        put(&test.store, key).await.unwrap();
    }
    let tries = Arc::new(AtomicU32::new(0));
    let cross = |first: &'static str, second: &'static str| {
        test.store.with_tx("test.cross", (first, second, Arc::clone(&tries)), |tx, keys| {
            Box::pin(async move {
                keys.2.fetch_add(1, Ordering::SeqCst);
                for key in [keys.0, keys.1] {
                    sqlx::query("UPDATE meta SET value = value || '.' WHERE key = $1")
                        .bind(key)
                        .execute(tx.conn())
                        .await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok::<_, StoreError>(())
            })
        })
    };
    let (a, b) = tokio::join!(cross("left", "right"), cross("right", "left"));
    a.unwrap();
    b.unwrap();
    let values = test
        .store
        .with_read("test.crossed", (), |tx, ()| {
            Box::pin(async move {
                let sql = "SELECT value FROM meta WHERE key IN ('left', 'right')";
                let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
                rows.iter().map(|row| row.text("value")).collect::<Result<Vec<_>, _>>()
            })
        })
        .await
        .unwrap();
    assert_eq!(values, ["x..", "x.."], "each took effect once");
    let least = if test.store.engine() == super::Engine::Postgres { 3 } else { 2 };
    assert!(tries.load(Ordering::SeqCst) >= least, "the victim ran again");
}

async fn contention_is_retried_with_a_bound_and_other_errors_are_not(test: TestStore) {
    let fail = |contended: bool| {
        let calls = Arc::new(AtomicU32::new(0));
        let run = test.store.with_tx("test.fail", (contended, Arc::clone(&calls)), |_, input| {
            Box::pin(async move {
                input.1.fetch_add(1, Ordering::SeqCst);
                Err::<(), _>(match input.0 {
                    true => StoreError::Contended("test".into()),
                    false => StoreError::CommitUnknown("test".into()),
                })
            })
        });
        async move {
            assert!(run.await.is_err());
            calls.load(Ordering::SeqCst)
        }
    };
    assert_eq!(fail(true).await, 6);
    assert_eq!(fail(false).await, 1);
}

async fn a_reader_sees_one_moment_and_cannot_write(test: TestStore) {
    let counts = test
        .store
        .with_read("test.moment", test.another().await, |tx, other| {
            Box::pin(async move {
                let before = count_in(tx, "moment%").await?;
                put(other, "moment").await?;
                Ok::<_, StoreError>((before, count_in(tx, "moment%").await?))
            })
        })
        .await
        .unwrap();
    assert_eq!(counts, (0, 0));
    assert_eq!(count(&test.store, "moment%").await, 1);
    let refused = test
        .store
        .with_read("test.write", (), |tx, ()| {
            Box::pin(async move { set_meta(tx, "by a reader", "x").await })
        })
        .await;
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
}

/// Callers vanish at each point where they wait, while later writes over the same connection are
/// acknowledged.
async fn a_client_that_hangs_up_loses_nothing(test: TestStore) {
    const ROUNDS: usize = 24;
    let one = Store::open(&test.url, 1).await.unwrap();
    for round in 0..ROUNDS {
        let key = format!("doomed{round}");
        hang_up_after(round % 12 + 1, put(&one, &key).boxed()).await;
        put(&one, &format!("kept{round}")).await.unwrap();
    }
    one.close().await;
    let expected = i64::try_from(ROUNDS).unwrap();
    assert_eq!(count(&test.store, "kept%").await, expected, "acknowledged");
    assert_eq!(count(&test.store, "doomed%").await, expected, "begun, so done to its end");
}

/// Drops `future` when it waits for the `waits`-th time.
async fn hang_up_after<F: Future + Unpin>(mut waits: usize, mut future: F) {
    std::future::poll_fn(|context| {
        if future.poll_unpin(context).is_pending() {
            waits -= 1;
            if waits > 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    })
    .await;
}

async fn a_connection_that_returns_inside_a_transaction_is_cleaned(test: TestStore) {
    let one = Store::open(&test.url, 1).await.unwrap();
    let mut conn = one.writers.lend().await.unwrap();
    conn.execute("BEGIN").await.unwrap();
    conn.execute("INSERT INTO meta (key, value) VALUES ('left open', 'x')").await.unwrap();
    drop(conn);
    let row = sqlx::query("INSERT INTO meta (key, value) VALUES ('kept', 'x') RETURNING key")
        .fetch_one(&mut *one.writers.lend().await.unwrap())
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "kept");
    one.close().await;
    assert_eq!((count(&test.store, "kept").await, count(&test.store, "left open").await), (1, 0));
}

/// Inserts a key with a single statement.
async fn put_one(store: &Store, key: String) -> Result<u64, StoreError> {
    const SQL: &str = "INSERT INTO meta (key, value) VALUES ($1, 'x') ON CONFLICT (key) DO NOTHING";
    store.write_one("test.put_one", || sqlx::query(SQL).bind(key.clone())).await
}

async fn one_statement_needs_no_transaction(test: TestStore) {
    for round in 0..20 {
        assert_eq!(put_one(&test.store, format!("one{round}")).await.unwrap(), 1);
        assert_eq!(put_one(&test.store, format!("one{round}")).await.unwrap(), 0);
        put(&test.store, &format!("more{round}")).await.unwrap();
    }
    let count = || sqlx::query("SELECT count(*) AS n FROM meta WHERE key LIKE $1").bind("one%");
    let rows = test.store.read_one("test.count", count).await.unwrap();
    assert_eq!(rows[0].int("n").unwrap(), 20);
    let wrong = || sqlx::query("SELECT nothing FROM meta");
    assert!(matches!(test.store.read_one("test", wrong).await, Err(StoreError::Other(_))));
    assert!(matches!(test.store.write_one("test", wrong).await, Err(StoreError::Other(_))));
    assert_eq!(put_one(&test.another().await, "one0".to_owned()).await.unwrap(), 0);
}

async fn a_client_that_hangs_up_in_a_single_statement_harms_nobody(test: TestStore) {
    let one = Store::open(&test.url, 1).await.unwrap();
    for round in 0..24 {
        let doomed = put_one(&one, format!("doomed{round}"));
        hang_up_after(round % 4 + 1, Box::pin(doomed)).await;
        put_one(&one, format!("kept{round}")).await.unwrap();
        put(&one, &format!("also{round}")).await.unwrap();
    }
    one.close().await;
    assert_eq!((count(&test.store, "kept%").await, count(&test.store, "also%").await), (24, 24));
}

async fn a_closed_store_lends_nothing(test: TestStore) {
    put(&test.store, "before").await.unwrap();
    assert_eq!(count(&test.store, "before").await, 1);
    test.store.close().await;
    assert!(matches!(put(&test.store, "after").await, Err(StoreError::Unreachable(_))));
}

async fn two_processes_may_migrate_at_once(test: TestStore) {
    let url = match test.store.engine() {
        super::Engine::Sqlite => Store::sqlite_url(&test.dir.path().join("fresh.db")),
        super::Engine::Postgres => super::testing::postgres_schema().await.unwrap(),
    };
    let mut processes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        processes.spawn(async move {
            let store = Store::open(&url, 2).await?;
            store.migrate().await?;
            store.require_current().await
        });
    }
    for state in processes.join_all().await {
        let state = state.unwrap();
        assert_eq!(state.found, state.known);
    }
}

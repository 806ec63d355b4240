//! Databases that must be refused, each with words that name the mend.

use std::path::PathBuf;

use sqlx::{AnyPool, AssertSqlSafe};

use super::testing::{TestStore, on_each_engine, postgres_schema};
use super::{Store, StoreError};

on_each_engine!(a_newer_schema_is_refused, an_unmigrated_one_says_so);

async fn run(url: &str, sql: &str) {
    sqlx::any::install_default_drivers();
    let pool = AnyPool::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("some file?#%41.db");
    (dir, file)
}

async fn a_newer_schema_is_refused(test: TestStore) {
    run(
        &test.url,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 999, 'from the future', success, checksum, 0 FROM _sqlx_migrations LIMIT 1",
    )
    .await;
    let error = Store::open(&test.url, 2).await.unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 999, known: 1..999 }), "{error}");
    assert!(error.to_string().contains("upgrade the program"));
    assert!(matches!(test.store.migrate().await, Err(StoreError::TooNew { .. })));
}

async fn an_unmigrated_one_says_so(test: TestStore) {
    let url = match test.store.engine() {
        super::Engine::Sqlite => Store::sqlite_url(&test.dir.path().join("empty.db")),
        super::Engine::Postgres => postgres_schema().await.unwrap(),
    };
    let store = Store::open(&url, 2).await.unwrap();
    let error = store.require_current().await.unwrap_err();
    assert!(matches!(error, StoreError::TooOld { found: 0, known: 1.. }), "{error}");
    assert!(error.to_string().contains("onscene migrate"));
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_alone() {
    let (_dir, file) = file();
    let url = Store::sqlite_url(&file);
    run(&url, "CREATE TABLE recipes (name TEXT)").await;
    let before = std::fs::read(&file).unwrap();
    let error = Store::open(&url, 2).await.unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(file.is_file(), "the odd name was taken literally");
}

#[tokio::test]
async fn a_file_with_another_application_id_is_refused() {
    let (_dir, file) = file();
    let url = Store::sqlite_url(&file);
    run(&url, "PRAGMA application_id = 12345; CREATE TABLE meta (key TEXT, value TEXT)").await;
    assert!(matches!(Store::open(&url, 2).await, Err(StoreError::NotOurs { .. })));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (_dir, file) = file();
    let text = "Not a database, but long enough to have a header to look at. ".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let error = Store::open(&Store::sqlite_url(&file), 2).await.unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    let Some(url) = postgres_schema().await else { return };
    run(&url, "CREATE TABLE meta (key TEXT, value TEXT)").await;
    let error = Store::open(&url, 2).await.unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
}

#[tokio::test]
async fn a_read_only_database_says_so() {
    let test = TestStore::sqlite().await;
    let store = Store::open(&test.url.replace("mode=rwc", "mode=ro"), 2).await.unwrap();
    assert_read_only(&store).await;
    let Some(test) = TestStore::postgres().await else { return };
    let url = format!("{}&options[default_transaction_read_only]=on", test.url);
    let store = Store::open(&url, 2).await.unwrap();
    assert_read_only(&store).await;
}

async fn assert_read_only(store: &Store) {
    let error = write_bytes(store, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
    assert!(error.to_string().contains("write access"));
}

#[tokio::test]
async fn a_full_disk_says_so_and_what_was_written_stays() {
    let test = TestStore::sqlite().await;
    write_bytes(&test.store, 1000).await.unwrap();
    // A limit on pages gives the very error of a full disk.
    limit_pages(&test.store, "PRAGMA max_page_count = 1").await;
    let error = write_bytes(&test.store, 1_000_000).await.unwrap_err();
    assert!(matches!(error, StoreError::Full(_)), "{error:?}");
    assert!(error.to_string().contains("free space"));
    limit_pages(&test.store, "PRAGMA max_page_count = 1000000").await;
    write_bytes(&test.store, 1_000_000).await.unwrap();
    let rows = sqlx::query("SELECT 1 FROM meta WHERE key LIKE 'bytes%'");
    assert_eq!(
        rows.fetch_all(&mut *test.store.readers.lend().await.unwrap()).await.unwrap().len(),
        2
    );
}

async fn limit_pages(store: &Store, sql: &'static str) {
    let mut conn = store.writers.lend().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut *conn).await.unwrap();
}

async fn write_bytes(store: &Store, bytes: usize) -> Result<(), StoreError> {
    store
        .with_tx("test.bytes", bytes, |tx, bytes| {
            Box::pin(async move {
                sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2)")
                    .bind(format!("bytes{bytes}"))
                    .bind("x".repeat(*bytes))
                    .execute(tx.conn())
                    .await?;
                Ok(())
            })
        })
        .await
}

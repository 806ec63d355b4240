//! A fresh database of each engine for one test.

use onscene_sync_core::id::DeviceId;
use tempfile::TempDir;

use super::Store;
use crate::app::App;
use crate::clock::ManualClock;
use crate::random::{self, SystemRandom};

/// A migrated, empty database that lives as long as this value (in PostgreSQL: a schema of its
/// own, which goes with the test server).
pub(crate) struct TestStore {
    pub(crate) store: Store,
    pub(crate) url: String,
    pub(crate) dir: TempDir,
}

impl TestStore {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = Store::sqlite_url(&dir.path().join("test.db"));
        Self::open(url, dir).await
    }

    /// `None`, loudly, without `ONSCENE_TEST_POSTGRES`; a failure where `CI` is set.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = postgres_schema().await?;
        Some(Self::open(url, tempfile::tempdir().unwrap()).await)
    }

    async fn open(url: String, dir: TempDir) -> Self {
        let store = Store::open(&url, 8).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, url, dir }
    }

    /// Another pool on the same database, as another process would hold.
    pub(crate) async fn another(&self) -> Store {
        Store::open(&self.url, 8).await.unwrap()
    }

    /// The whole program over this database.
    pub(crate) async fn app(&self) -> (App, ManualClock) {
        App::for_tests_on(self.dir.path(), self.store.clone()).await.unwrap()
    }
}

/// The URL of a new, empty schema.
pub(crate) async fn postgres_schema() -> Option<String> {
    let Ok(url) = std::env::var("ONSCENE_TEST_POSTGRES") else {
        assert!(std::env::var("CI").is_err(), "ONSCENE_TEST_POSTGRES must be set where CI is");
        eprintln!("SKIPPED on PostgreSQL: set ONSCENE_TEST_POSTGRES, or use tests/run");
        return None;
    };
    let name = format!("t{}", DeviceId::from_bytes(random::bytes(&SystemRandom)));
    sqlx::any::install_default_drivers();
    let admin = sqlx::AnyPool::connect(&url).await.unwrap();
    let create = format!("CREATE SCHEMA {name}");
    sqlx::query(sqlx::AssertSqlSafe(create)).execute(&admin).await.unwrap();
    admin.close().await;
    let separator = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{separator}options[search_path]={name}"))
}

/// Stamps each named `async fn(TestStore)` as a test on each engine.
macro_rules! on_each_engine {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                super::$name($crate::store::testing::TestStore::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                if let Some(store) = $crate::store::testing::TestStore::postgres().await {
                    super::$name(store).await;
                }
            })+
        }
    };
}
pub(crate) use on_each_engine;

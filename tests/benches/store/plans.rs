//! The texts of statements, heard from the product's own trace, and what SQLite does with them.

use std::fmt;
use std::sync::{Arc, Mutex};

use onscene_server::store::{Engine, Store};
use sqlx::Row as _;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::questions::Asked;

/// The statements that were run since they were last taken.
#[derive(Clone, Default)]
pub(crate) struct Statements(Arc<Mutex<Vec<String>>>);

impl Statements {
    /// Begins to listen.
    pub(crate) fn listen() -> Self {
        let statements = Self::default();
        tracing_subscriber::registry().with(statements.clone()).init();
        statements
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "onscene::sql" {
            event.record(&mut Heard(self));
        }
    }
}

struct Heard<'s>(&'s Statements);

impl Visit for Heard<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "sql" {
            self.0.0.lock().expect("no panic").push(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The plans of the slowest questions' statements.
pub(crate) async fn of_the_slowest(store: &Store, asked: &[Asked], few: usize) -> Vec<String> {
    if store.engine() != Engine::Sqlite {
        return vec!["plans are shown of SQLite alone".to_owned()];
    }
    let mut slowest: Vec<&Asked> = asked.iter().collect();
    slowest.sort_by_key(|one| std::cmp::Reverse(one.within(95)));
    let mut lines = Vec::new();
    for one in slowest.into_iter().take(few) {
        lines.push(format!("plan of: {}", one.name));
        for sql in &one.statements {
            let explain = format!("EXPLAIN QUERY PLAN {sql}");
            let plan = store
                .read_one("bench.plan", || sqlx::query(sqlx::AssertSqlSafe(explain.clone())))
                .await
                .expect("a plan");
            lines.extend(
                plan.iter()
                    .filter_map(|row| row.try_get::<String, _>("detail").ok())
                    .map(|step| format!("    {step}")),
            );
            lines.push(String::new());
        }
    }
    lines
}

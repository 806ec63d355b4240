//! What screens ask, through the product's own functions.

use std::time::Duration;

use tokio::time::Instant;

use onscene_server::auth::Sweep;
use onscene_server::cases::due::due;
use onscene_server::cases::list::{self, Filter};
use onscene_server::cases::narrow::{About, Rectangle};
use onscene_server::cases::orders;
use onscene_server::statistics::figures::{Question, figures};
use onscene_server::statistics::indicator::{CASES, ORDERS, find};
use onscene_server::statistics::period::Period;
use onscene_server::store::Store;
use onscene_sync_core::id::UnitId;
use onscene_sync_core::place::Position;
use onscene_sync_core::rules::phase::Phase;
use onscene_sync_core::rules::policy::Policy;
use onscene_sync_core::time::Millis;

use crate::city::{City, NOW};
use crate::plans::Statements;

/// How often each question is asked.
const TIMES: usize = 40;
const LIST: Duration = Duration::from_millis(100);
const STATISTICS: Duration = Duration::from_secs(1);

/// A question and how long its answers took, shortest first.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) goal: Duration,
    took: Vec<Duration>,
    pub(crate) statements: Vec<String>,
}

impl Asked {
    /// The time within which this many of a hundred answers came.
    pub(crate) fn within(&self, per_cent: usize) -> Duration {
        self.took[((self.took.len() - 1) * per_cent).div_ceil(100)]
    }
}

/// Asks everything.
pub(crate) async fn ask(store: &Store, city: &City, statements: &Statements) -> Vec<Asked> {
    let mut asked = Vec::new();
    for (name, filter) in lists(city) {
        let answer = async || {
            let read = store
                .with_read("bench", filter.clone(), |tx, filter| Box::pin(list::list(tx, filter)));
            read.await.expect("an answer").rows.len()
        };
        asked.push(time(name, LIST, statements, TIMES, answer).await);
    }
    let whole = everything();
    let answer = async || {
        let read = store.with_read("bench", whole, |tx, sweep| Box::pin(due(tx, sweep, NOW, 50)));
        read.await.expect("an answer").len()
    };
    asked.push(time("clocks due next", LIST, statements, TIMES, answer).await);
    let late = orders::Filter {
        sweep: whole,
        about: About::default(),
        issued: Some(month("2026-10")),
        counted_in: find(&ORDERS, "arrival_late"),
        as_of: NOW,
        after: None,
        limit: 50,
    };
    let answer = async || {
        let read =
            store.with_read("bench", late.clone(), |tx, filter| Box::pin(orders::list(tx, filter)));
        read.await.expect("an answer").len()
    };
    asked.push(time("late orders of a month", LIST, statements, TIMES, answer).await);
    for (name, sweep) in [("a month's statistics", whole), ("… of one district", of(city.units[1]))]
    {
        let (from, until) = month("2026-10");
        let about = About::default();
        let question = Question { sweep, about, from, until, as_of: NOW, utc_offset_min: 480 };
        let answer = async || {
            let read = store.with_read("bench", question.clone(), |tx, question| {
                Box::pin(figures(tx, question))
            });
            usize::try_from(read.await.expect("an answer").total.of("registered")).unwrap_or(0)
        };
        asked.push(time(name, STATISTICS, statements, TIMES / 4, answer).await);
    }
    asked
}

async fn time(
    name: &str,
    goal: Duration,
    statements: &Statements,
    times: usize,
    answer: impl AsyncFn() -> usize,
) -> Asked {
    statements.take();
    let found = answer().await;
    let statements = statements.take();
    let mut took = Vec::new();
    for _ in 0..times {
        let begun = Instant::now();
        answer().await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    Asked { name: format!("{name} ({found})"), goal, took, statements }
}

fn lists(city: &City) -> Vec<(&'static str, Filter)> {
    let all = Filter {
        sweep: everything(),
        about: About::default(),
        phase: None,
        overdue: None,
        needs_review: None,
        registered: None,
        counted_in: None,
        inside: None,
        text: None,
        as_of: NOW,
        after: None,
        limit: 50,
    };
    let (from, until) = month("2026-10");
    let corner = |lat, lon| Position::from_degrees(lat, lon).expect("a place");
    let street = Rectangle::between(corner(36.655, 117.045), corner(36.665, 117.06));
    let town = Rectangle::between(corner(36.62, 117.02), corner(36.67, 117.07));
    let text = |text: &str| Filter { text: Some(text.to_owned()), ..all.clone() };
    let today = Some((NOW.plus(-8 * 3_600_000), NOW.plus(16 * 3_600_000)));
    vec![
        ("the day's list", Filter { registered: today, ..all.clone() }),
        ("the newest of one squad", Filter { sweep: own(city.units[40]), ..all.clone() }),
        ("the newest of one district", Filter { sweep: of(city.units[2]), ..all.clone() }),
        ("in one phase", Filter { phase: Some(Phase::Ordered), ..all.clone() }),
        ("overdue", Filter { overdue: Some(true), ..all.clone() }),
        ("to be reviewed", Filter { needs_review: Some(true), ..all.clone() }),
        (
            "a rare kind of a month",
            Filter {
                registered: Some((from, until)),
                about: About { matter: Some("sewage".to_owned()), ..About::default() },
                counted_in: find(&CASES, "verdict_late"),
                ..all.clone()
            },
        ),
        ("text of two characters", text("油烟")),
        ("text of a street and a matter", text("大明湖路渣土车")),
        ("text that is nowhere as such", text("经十路盲道井盖")),
        ("one number in a text", text("编号123456")),
        ("places on a street", Filter { inside: street, ..all.clone() }),
        ("places in the town's centre", Filter { inside: town, ..all.clone() }),
    ]
}

fn everything() -> Sweep {
    Sweep { everything: true, unit: UnitId::from_bytes([0; 16]), below: true }
}

fn of(unit: UnitId) -> Sweep {
    Sweep { everything: false, unit, below: true }
}

fn own(unit: UnitId) -> Sweep {
    Sweep { everything: false, unit, below: false }
}

fn month(name: &str) -> (Millis, Millis) {
    Period::month(name).expect("a month").moments(&Policy::v1())
}

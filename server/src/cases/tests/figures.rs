//! Every figure against a count of our own, and against the list behind it.

use axum::http::Method;
use onscene_sync_core::fact::body::{MeasureStep, Outcome, Receipt};
use onscene_sync_core::fact::telling::{NoReach, Opinion};
use onscene_sync_core::rules::clocks::{Clock, ClockKind, ClockState, clocks};
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::rules::record::{Closure, Order};
use onscene_sync_core::time::Millis;
use serde_json::Value;

use super::bureau::{Bureau, DISTRICT, MINUTE, OTHER_SQUAD, SQUAD, text};
use super::histories::{DAY, MATTERS, put, unit_of};
use crate::auth::Role;
use crate::cases::project::name;
use crate::cases::record::Case;
use crate::statistics::indicator::{CASES, ORDERS};
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(
    every_figure_is_what_a_count_by_hand_says,
    every_figure_opens_to_as_many_rows,
    a_search_finds_exactly_the_cases_that_hold_the_words,
    clocks_that_run_are_listed_by_when_they_run_out,
    bad_questions_are_refused_by_name,
);

/// 2026-11-23 08:00 and 40 days of cases before it.
const DAYS: i64 = 40;
const MONTHS: [&str; 3] = ["month=2026-10", "month=2026-11", "from=2026-10-20&to=2026-11-10"];

/// The moments of [`MONTHS`], written out by hand.
fn in_period(period: &str, at: Millis) -> bool {
    let (first, last) = match period {
        "month=2026-10" => (1_790_784_000_000, 1_793_462_400_000),
        "month=2026-11" => (1_793_462_400_000, 1_796_054_400_000),
        _ => (1_792_425_600_000, 1_794_326_400_000),
    };
    (first..last).contains(&at.0)
}

async fn every_figure_is_what_a_count_by_hand_says(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let cases = put(&bureau.app, 7, 160, DAYS).await;
    let now = bureau.app.now();
    for period in MONTHS {
        let said = bureau.get(&format!("/v1/statistics?{period}")).await.ok();
        assert_eq!(said["not_yet_counted"], 0);
        let by_hand = |part: &dyn Fn(&Case, Option<&Order>) -> bool, name: &str| {
            count_by_hand(&cases, period, now, name, part)
        };
        compare(&said["total"], &|name| by_hand(&|_, _| true, name));
        for (matter, _) in MATTERS {
            let group = group(&said["matters"], matter);
            let of = |case: &Case, _: Option<&Order>| registered(case).matter == matter;
            compare(group, &|name| by_hand(&of, name));
        }
        for class in ["complaint", "help", "consultation"] {
            let of = |case: &Case, _: Option<&Order>| {
                super::super::project::name(&registered(case).class) == class
            };
            compare(group(&said["classes"], class), &|name| by_hand(&of, name));
        }
        for unit in [SQUAD, OTHER_SQUAD] {
            let of = |case: &Case, order: Option<&Order>| match order {
                Some(order) => order.issued.body.unit == unit,
                None => unit_of(case) == Some(unit),
            };
            compare(group(&said["units"], &unit.to_string()), &|name| by_hand(&of, name));
        }
        let any = |case: &Case, order: Option<&Order>| order.is_some() || unit_of(case).is_some();
        let district = group(&said["units"], &DISTRICT.to_string());
        compare(district, &|name| by_hand(&any, name));
        let days: i64 = said["days"].as_object().unwrap().values().filter_map(Value::as_i64).sum();
        assert_eq!(days, said["total"]["counts"]["registered"].as_i64().unwrap());
    }
}

#[track_caller]
fn compare(said: &Value, by_hand: &dyn Fn(&str) -> i64) {
    for indicator in CASES.iter().chain(&ORDERS) {
        let said = said["counts"][indicator.name].as_i64();
        assert_eq!(said, Some(by_hand(indicator.name)), "{}", indicator.name);
    }
}

/// The group of `key`; an empty one where there is none.
fn group<'g>(groups: &'g Value, key: &str) -> &'g Value {
    let found = groups.as_array().unwrap().iter().find(|group| group["key"] == key);
    found.unwrap_or_else(|| panic!("no group {key}"))
}

fn registered(case: &Case) -> &onscene_sync_core::fact::body::Registered {
    &case.record.registration.as_ref().unwrap().body
}

fn count_by_hand(
    cases: &[Case],
    period: &str,
    now: Millis,
    name: &str,
    part: &dyn Fn(&Case, Option<&Order>) -> bool,
) -> i64 {
    let of_orders = ORDERS.iter().any(|indicator| indicator.name == name);
    let mut found = 0;
    for case in cases.iter().filter(|case| !registered(case).drill) {
        let clocks = clocks(&case.record, &Policies::built_in(), now).unwrap();
        if !of_orders {
            let at = case.record.registration.as_ref().unwrap().at;
            found += i64::from(
                in_period(period, at) && part(case, None) && case_meets(name, case, &clocks),
            );
            continue;
        }
        for order in &case.record.orders {
            let own: Vec<_> =
                clocks.iter().filter(|clock| clock.order == Some(order.issued.fact)).collect();
            found += i64::from(
                in_period(period, order.issued.at)
                    && part(case, Some(order))
                    && order_meets(name, order, &own),
            );
        }
    }
    found
}

/// Which of three ways clocks of one kind came out: late, running, in time.
fn came_out<'c>(clocks: impl Iterator<Item = &'c Clock> + Clone) -> &'static str {
    let any = |wanted: fn(&ClockState) -> bool| clocks.clone().any(|clock| wanted(&clock.state));
    if any(|state| *state == ClockState::Breached) {
        "late"
    } else if any(|state| matches!(state, ClockState::Running { .. } | ClockState::Paused { .. })) {
        "running"
    } else if any(|state| *state == ClockState::Met) {
        "on_time"
    } else {
        "not_owed"
    }
}

fn case_meets(indicator: &str, case: &Case, clocks: &[Clock]) -> bool {
    let record = &case.record;
    let closed = record.is_closed();
    let verdict = record
        .live_order()
        .or_else(|| record.orders.last())
        .and_then(|order| order.deciding_claim())
        .map(|claim| name(&claim.1));
    let of = |kind| came_out(clocks.iter().filter(move |clock| clock.kind == kind));
    let ended = |prefix: &str, kind| {
        indicator.strip_prefix(prefix).is_some_and(|how| how.strip_prefix('_') == Some(of(kind)))
    };
    match indicator {
        "registered" => true,
        "closed" => closed,
        "not_closed" => !closed,
        "closed_on_time" => closed && nobody_was_late(case, clocks),
        "not_ordered" => record.orders.is_empty(),
        "told" => !record.tellings().is_empty(),
        "reopened" => {
            record.closures.iter().any(|closure| matches!(closure.body, Closure::Reopened(_)))
        }
        "referral" => record
            .measures
            .iter()
            .any(|one| one.taken.body.step == MeasureStep::AccountabilityReferral),
        "opinion_open" => {
            let newest = record.opinions.last();
            newest.is_some_and(|one| {
                one.given.body.opinion == Opinion::NotSatisfied && one.settled.is_empty()
            })
        }
        "message_not_delivered" => {
            record.not_reached.iter().any(|one| one.body.why == NoReach::NotDelivered)
        }
        _ if indicator.starts_with("opinion_") => {
            let newest = record.opinions.last().map(|one| name(&one.given.body.opinion));
            indicator.strip_prefix("opinion_") == newest.as_deref()
        }
        "grave" => registered(case).grave,
        "without_place" => registered(case).site.is_none(),
        "verdict_on_time" | "verdict_late" | "verdict_needs_review" => {
            indicator.strip_prefix("verdict_") == verdict.as_deref()
        }
        _ => {
            ended("registration", ClockKind::Registration)
                || ended("dispatch", ClockKind::Dispatch)
                || ended("coordination", ClockKind::Coordination)
                || ended("telling", ClockKind::ComplainantFeedback)
        }
    }
}

fn nobody_was_late(case: &Case, clocks: &[Clock]) -> bool {
    let late = |kinds: &[ClockKind], clock: &Clock| {
        kinds.contains(&clock.kind) && clock.state == ClockState::Breached
    };
    let stood = case.record.orders.iter().rfind(|order| order.withdrawn.is_none());
    let Some(last) = stood else {
        let kinds = [ClockKind::Registration, ClockKind::Dispatch, ClockKind::Coordination];
        return !clocks.iter().any(|clock| late(&kinds, clock));
    };
    let unit = last.issued.body.unit;
    let of_unit: Vec<_> = case
        .record
        .orders
        .iter()
        .filter(|order| order.issued.body.unit == unit)
        .map(|order| order.issued.fact)
        .collect();
    let kinds = [ClockKind::OnTheSpotFeedback, ClockKind::ComplexFeedback, ClockKind::Rework];
    !clocks
        .iter()
        .filter(|clock| clock.order.is_some_and(|order| of_unit.contains(&order)))
        .any(|clock| late(&kinds, clock))
}

fn order_meets(indicator: &str, order: &Order, clocks: &[&Clock]) -> bool {
    let arrival = clocks.iter().find(|clock| clock.kind == ClockKind::Arrival);
    let arrival = match arrival.map(|clock| (clock.state, clock.stopped_at)) {
        Some((ClockState::Met, _)) => "arrival_on_time",
        Some((ClockState::Breached, Some(_))) => "arrival_late",
        Some((ClockState::Breached, None)) => "arrival_silent",
        Some((ClockState::UnderReview, _)) => "arrival_undecided",
        Some((ClockState::Running { .. } | ClockState::Paused { .. }, _)) => "arrival_running",
        Some((ClockState::Lifted { .. }, _)) | None => "arrival_not_owed",
    };
    let kinds = [ClockKind::OnTheSpotFeedback, ClockKind::ComplexFeedback, ClockKind::Rework];
    let feedback = clocks.iter().copied().filter(|clock| kinds.contains(&clock.kind));
    match indicator {
        "orders" => true,
        "receipt_deemed" => {
            let first = order.receipts.iter().min_by_key(|receipt| (receipt.body.at, receipt.fact));
            first.is_some_and(|receipt| receipt.body.receipt == Receipt::Deemed)
        }
        "fed_back" => order.standing_result().is_some(),
        "result_unproven" => order.standing_result().is_some_and(|result| {
            result.body.evidence == Some(0) && result.body.result != Some(Outcome::Unfounded)
        }),
        "returned" => !order.returns.is_empty(),
        "urged" => !order.urges.is_empty(),
        _ if indicator.starts_with("arrival") => indicator == arrival,
        _ => indicator.strip_prefix("feedback_") == Some(came_out(feedback)),
    }
}

async fn every_figure_opens_to_as_many_rows(store: TestStore) {
    let bureau = Bureau::new(store).await;
    put(&bureau.app, 11, 120, DAYS).await;
    for who in [(Role::Dispatcher, DISTRICT), (Role::UnitLeader, SQUAD)] {
        let path = format!("/v1/statistics?{}", MONTHS[1]);
        let said = bureau.send(who, Method::GET, &path, None, None).await.ok();
        let mut groups = vec![&said["total"]];
        for by in ["classes", "channels", "matters", "units", "places"] {
            groups.extend(said[by].as_array().unwrap().iter().take(3));
        }
        assert!(said["total"]["counts"]["registered"].as_i64() > Some(10));
        for group in groups {
            for (list, indicators) in [("cases", &CASES[..]), ("orders", &ORDERS[..])] {
                for indicator in indicators {
                    let path =
                        format!("{}&counted_in={}&limit=40", text(&group[list]), indicator.name);
                    let rows = rows(&bureau, who, &path, list).await;
                    let figure = group["counts"][indicator.name].as_i64().unwrap();
                    assert_eq!(rows, usize::try_from(figure).unwrap(), "{path}");
                }
            }
        }
    }
}

/// How many rows a list has, over all its pages.
async fn rows(
    bureau: &Bureau,
    who: (Role, onscene_sync_core::id::UnitId),
    path: &str,
    list: &str,
) -> usize {
    let (mut found, mut next) = (std::collections::BTreeSet::new(), None::<String>);
    loop {
        let after = next.map(|next| format!("&after={next}")).unwrap_or_default();
        let page = bureau.send(who, Method::GET, &format!("{path}{after}"), None, None).await.ok();
        for row in page[list].as_array().unwrap() {
            assert!(found.insert(text(&row["id"])), "{path}: a row came twice");
        }
        match page["next"].as_str() {
            Some(last) => next = Some(last.to_owned()),
            None => return found.len(),
        }
    }
}

async fn a_search_finds_exactly_the_cases_that_hold_the_words(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let cases = put(&bureau.app, 3, 60, DAYS).await;
    let centre = (Role::Dispatcher, DISTRICT);
    for (words, escaped) in [
        ("摊贩", "%E6%91%8A%E8%B4%A9"),
        ("噪声扰民", "%E5%99%AA%E5%A3%B0%E6%89%B0%E6%B0%91"),
        ("编号1", "%E7%BC%96%E5%8F%B71"),
    ] {
        let expected = cases.iter().filter(|case| registered(case).summary.contains(words)).count();
        let path = format!("/v1/cases?limit=7&text={escaped}");
        assert_eq!(rows(&bureau, centre, &path, "cases").await, expected, "{words}");
        let noise = cases.iter().filter(|case| {
            registered(case).summary.contains(words) && registered(case).matter == "noise"
        });
        let path = format!("{path}&matter=noise");
        assert_eq!(rows(&bureau, centre, &path, "cases").await, noise.count(), "{words}");
    }
    let nowhere = bureau.get("/v1/cases?text=%E6%B2%B9%E7%83%9F").await.ok();
    assert_eq!((nowhere["cases"].as_array().unwrap().len(), &nowhere["next"]), (0, &Value::Null));
    let here = "36.655,117.105,36.675,117.135";
    let inside = rows(&bureau, centre, &format!("/v1/cases?within={here}&limit=9"), "cases").await;
    let expected = cases.iter().filter(|case| {
        let site = registered(case).site.as_ref();
        site.and_then(crate::cases::project::place::of_site).is_some_and(|at| {
            (366_550_000..=366_750_000).contains(&at.lat_e7)
                && (1_171_050_000..=1_171_350_000).contains(&at.lon_e7)
        })
    });
    let expected = expected.count();
    assert!(expected > 0 && inside == expected, "{inside} of {expected}");
}

async fn clocks_that_run_are_listed_by_when_they_run_out(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let cases = put(&bureau.app, 5, 80, 3).await;
    let now = bureau.app.now();
    let listed = bureau.get("/v1/clocks?limit=200").await.ok();
    let listed: Vec<i64> = listed["clocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["due"].as_i64().unwrap())
        .collect();
    let mut running: Vec<i64> = Vec::new();
    for case in &cases {
        let clocks = clocks(&case.record, &Policies::built_in(), now).unwrap();
        let feedback =
            [ClockKind::OnTheSpotFeedback, ClockKind::ComplexFeedback, ClockKind::Rework];
        let ticking = |clock: &&Clock| matches!(clock.state, ClockState::Running { .. });
        let ticking: Vec<_> = clocks.iter().filter(ticking).collect();
        running.extend(
            ticking.iter().filter(|one| !feedback.contains(&one.kind)).map(|one| one.due.0),
        );
        for order in &case.record.orders {
            let of = |one: &&&Clock| {
                one.order == Some(order.issued.fact) && feedback.contains(&one.kind)
            };
            let late = clocks.iter().any(|one| {
                of(&&one) && one.state == ClockState::Breached && one.stopped_at.is_none()
            });
            // A row shows the first of an order's feedback clocks, also when that is over.
            running.extend(ticking.iter().filter(of).map(|one| one.due.0).min().filter(|_| !late));
        }
    }
    running.sort_unstable();
    assert!(running.len() > 5, "{running:?}");
    assert_eq!(listed, running);
    let leader = (Role::UnitLeader, SQUAD);
    let own = bureau.send(leader, Method::GET, "/v1/clocks?limit=200", None, None).await.ok();
    let own = own["clocks"].as_array().unwrap();
    assert!(!own.is_empty() && own.iter().all(|one| one["unit"] == SQUAD.to_string()));
    assert!(bureau.app.now().since(now) < MINUTE && DAY > 0);
}

async fn bad_questions_are_refused_by_name(store: TestStore) {
    let bureau = Bureau::new(store).await;
    for (path, named) in [
        ("/v1/statistics", "month=2026-10"),
        ("/v1/statistics?month=2026-13", "2026-13"),
        ("/v1/statistics?from=2026-10-02&to=2026-10-01", "ends before"),
        ("/v1/statistics?month=2026-10&matter=a%26b", "`matter`"),
        ("/v1/statistics?month=2026-10&class=none", "class"),
        ("/v1/cases?counted_in=lost", "registered, closed"),
        ("/v1/orders?counted_in=closed", "arrival_on_time"),
        ("/v1/orders?after=x", "`after`"),
        ("/v1/cases?text=%E6%91%8A", "`text`"),
        ("/v1/cases?within=1,2,3", "`within`"),
        ("/v1/cases?within=36,117,37,118", "`within`"),
        ("/v1/cases?within=91,117,92,118", "latitude 91"),
        ("/v1/cases?from=2026-10-01", "`to`"),
        ("/v1/clocks?limit=0", "`limit`"),
    ] {
        let refused = bureau.get(path).await.refused(400, "invalid");
        assert!(refused.contains(named), "{path}: {refused}");
    }
    let inspector = (Role::Administrator, DISTRICT);
    let path = "/v1/statistics?month=2026-10";
    let refused = bureau.send(inspector, Method::GET, path, None, None).await;
    assert_eq!(refused.status, 403);
}

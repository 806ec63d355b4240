//! A week's closed cases are drawn for a recheck, and what a supervisor finds comes back.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use onscene_sync_core::crypto::{SoftwareEd25519, sha256};
use onscene_sync_core::id::{DocId, Hash, UnitId};
use onscene_sync_core::time::Millis;
use serde_json::{Value, json};

use super::bundle::{bundle, failures, key, lines as lines_of, sign_checkpoint};
use super::bureau::{Answer, Bureau, DISTRICT, MINUTE, OTHER_SQUAD, SQUAD, text, vending};
use super::phone::Phone;
use crate::audit::entry::Deed;
use crate::auth::Role;
use crate::bundle::verify::Line;
use crate::cases::project::faults;
use crate::hub::verify::verify as check;
use crate::store::RowExt as _;
use crate::store::testing::{TestStore, on_each_engine};
use crate::supervision::files::{BLIND_MS, NAMES, verify};

const SUPERVISOR: (Role, UnitId) = (Role::Supervisor, DISTRICT);
const DAY: i64 = 24 * 60 * MINUTE;
const SEED: &str = "9d2f6a0e4c7b1835e6d0f3a29b5c8e7d41f0a6b3c2d8e9f71405a6b7c8d9e0f1";

/// A case that a squad worked on, closed now.
async fn close_case(bureau: &Bureau, unit: UnitId, registration: Value) -> String {
    let case = text(&bureau.post("/v1/cases", registration).await.ok()["id"]);
    let order = bureau.order(&case, unit).await;
    let path = |what: &str| format!("/v1/cases/{case}/{what}");
    let feedback = path(&format!("orders/{order}/feedback"));
    bureau.post(&feedback, json!({ "result": "corrected" })).await.ok();
    bureau.finish(&case).await;
    case
}

fn day(moment: Millis) -> String {
    let local = moment.plus(8 * 60 * MINUTE).0 / 1_000;
    time::OffsetDateTime::from_unix_timestamp(local).unwrap().date().to_string()
}

async fn freeze(bureau: &Bureau, day: &str) -> Answer {
    let body = json!({ "day": day, "source": "drand quicknet round 12345678" });
    bureau.post_as(SUPERVISOR, "/v1/draws", body).await
}

async fn enter_seed(bureau: &Bureau, draw: &str) -> Answer {
    let path = format!("/v1/draws/{draw}/seed");
    bureau.post_as(SUPERVISOR, &path, json!({ "seed": SEED })).await
}

/// The published files, and what repeating the draw says of them.
async fn published(bureau: &Bureau, draw: &str) -> (BTreeMap<&'static str, String>, Vec<Line>) {
    let path = format!("/v1/draws/{draw}/files");
    let found = bureau.send(SUPERVISOR, Method::GET, &path, None, None).await.ok();
    let file = |name: &'static str| Some((name, found.get(name)?.as_str()?.to_owned()));
    let files: BTreeMap<_, _> = NAMES.into_iter().filter_map(file).collect();
    let key = Hash::from_bytes(bureau.app.keys.facts.public_key());
    let lines = verify(&files, Some(key));
    (files, lines)
}

/// The newest draw as the list shows it.
async fn row_of(bureau: &Bureau) -> Value {
    let list = bureau.send(SUPERVISOR, Method::GET, "/v1/draws", None, None).await.ok();
    list["draws"][0].clone()
}

/// The cases of a published list.
fn listed<'f>(files: &'f BTreeMap<&'static str, String>) -> BTreeSet<&'f str> {
    files["list.txt"].lines().filter_map(|line| line.split(' ').next()).collect()
}

/// What was drawn, which nobody but the hub knows before the rechecks are done.
async fn drawn(bureau: &Bureau) -> String {
    let query = || sqlx::query("SELECT drawn FROM draw WHERE drawn IS NOT NULL");
    bureau.app.store.read_one("test", query).await.unwrap()[0].text("drawn").unwrap()
}

fn proven(lines: &[Line]) -> usize {
    assert!(!lines.iter().any(|line| matches!(line, Line::Fails(_))), "{lines:#?}");
    lines.iter().filter(|line| matches!(line, Line::Proven(_))).count()
}

/// Everything adds up, and what the hub states is signed by it and nobody else.
async fn assert_sound(bureau: &Bureau) {
    assert_eq!(faults(&bureau.app.store).await.unwrap(), Vec::<String>::new());
    let hub_key = bureau.app.keys.facts.public_key();
    let report = check(&bureau.app.store, Some(hub_key)).await.unwrap();
    assert_eq!(report.faults, Vec::<String>::new());
    let another = SoftwareEd25519::from_seed(&[9; 32]).public_key();
    let report = check(&bureau.app.store, Some(another)).await.unwrap();
    let unsigned = report.faults.iter().filter(|fault| fault.contains("not signed by this hub"));
    assert_eq!(unsigned.count(), report.faults.len());
    assert!(report.faults.len() > 4, "{report:?}");
}

async fn a_drawn_case_is_rechecked_and_a_false_report_goes_to_discipline(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let mut checker = Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let mut team = Phone::new(&bureau, 1, SQUAD).await;
    let closed_on = day(bureau.app.now());
    let mut cases = BTreeSet::new();
    for _ in 0..3 {
        cases.insert(close_case(&bureau, SQUAD, vending()).await);
    }
    cases.insert(close_case(&bureau, OTHER_SQUAD, vending()).await);
    close_case(&bureau, SQUAD, bureau.drill().await).await;
    bureau.clock.advance(8 * DAY);

    let draw = text(&freeze(&bureau, &closed_on).await.ok()["id"]);
    enter_seed(&bureau, &draw).await.refused(409, "not_committed");
    sign_checkpoint(&bureau).await;
    let (committed, _) = published(&bureau, &draw).await;
    assert_eq!(committed.into_keys().collect::<Vec<_>>(), ["commitment.tlog-proof"]);
    enter_seed(&bureau, &draw).await.ok();
    enter_seed(&bureau, &draw).await.refused(409, "already_drawn");
    freeze(&bureau, &closed_on).await.refused(409, "already_frozen");
    let outcome = drawn(&bureau).await;
    assert_eq!(outcome.lines().count(), 2, "one of each unit");
    bureau.run_jobs().await;
    let told = "notice WHERE kind = 'recheck' AND case_id IS NULL AND unit_id IS NULL";
    assert_eq!(bureau.count(told).await, 2, "each to its supervisor, without whose work it was");
    assert_eq!(bureau.count("notice WHERE kind = 'recheck'").await, 2);

    checker.catch_up(&bureau).await;
    team.catch_up(&bureau).await;
    let rechecks = checker.rechecks();
    assert_eq!((rechecks.len(), team.rechecks().len()), (2, 0), "its unit does not learn of it");
    let elsewhere = checker.be_there(&bureau, &rechecks[0], None, 3_000);
    checker.withdraw(&bureau, &rechecks[0], elsewhere);
    checker.be_there(&bureau, &rechecks[0], None, 10);
    checker.find(&bureau, &rechecks[0], "false_report");
    checker.catch_up(&bureau).await;
    let (files, _) = published(&bureau, &draw).await;
    assert_eq!(files.len(), 1, "the other unit could still be warned");
    checker.be_there(&bureau, &rechecks[1], None, 3_000);
    checker.find(&bureau, &rechecks[1], "upheld");
    checker.catch_up(&bureau).await;
    let (files, lines) = published(&bureau, &draw).await;
    assert_eq!((proven(&lines), files.len()), (3, NAMES.len()), "{lines:#?}");
    assert_eq!(files["drawn.txt"], outcome);
    assert_eq!(listed(&files), cases.iter().map(String::as_str).collect(), "no drills");
    let mut found = Vec::new();
    for line in outcome.lines() {
        let view = bureau.case(line.split(' ').next().unwrap()).await;
        let recheck = &view["rechecks"][0];
        let words = [&recheck["finding"], &recheck["scene"]["verdict"]["conclusion"]].map(text);
        found.push((words.join(", "), view["measures"].as_array().unwrap().len()));
        if recheck["finding"] == "false_report" {
            sign_checkpoint(&bureau).await;
            let bundle = bundle(&bureau, line.split(' ').next().unwrap()).await;
            let said = lines_of(&bundle, Some(key(&bureau)));
            assert_eq!(failures(&said), Vec::<&str>::new(), "{said:#?}");
            assert!(said.iter().any(|line| line.starts_with("proven      recheck ")), "{said:#?}");
            assert_eq!(view["measures"][0]["cause"], "false_report", "{view}");
            assert_eq!(view["measures"][0]["step"], "accountability_referral");
        }
    }
    found.sort();
    let expected = [("false_report, on_time", 1), ("upheld, not_on_scene", 0)];
    assert_eq!(found, expected.map(|(words, measures)| (words.to_owned(), measures)));
    let row = row_of(&bureau).await;
    assert_eq!((&row["rechecks"], &row["found"]), (&2.into(), &2.into()));
    assert_eq!(row["source"], "drand quicknet round 12345678");
    assert_sound(&bureau).await;
}

async fn a_recheck_that_nobody_does_delays_the_files_and_does_not_hide_them(store: TestStore) {
    let bureau = Bureau::new(store).await;
    Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let closed_on = day(bureau.app.now());
    close_case(&bureau, SQUAD, vending()).await;
    bureau.clock.advance(8 * DAY);
    let draw = text(&freeze(&bureau, &closed_on).await.ok()["id"]);
    sign_checkpoint(&bureau).await;
    bureau.clock.advance(29 * DAY);
    assert_eq!(published(&bureau, &draw).await.0.len(), 1, "no seed, no time that runs");
    enter_seed(&bureau, &draw).await.ok();
    let by = row_of(&bureau).await["published_by"].as_i64().unwrap();
    bureau.clock.set(Millis(by - 1));
    assert_eq!(published(&bureau, &draw).await.0.len(), 1);
    bureau.clock.set(Millis(by));
    let (files, lines) = published(&bureau, &draw).await;
    assert_eq!((files.len(), proven(&lines)), (NAMES.len(), 3), "{lines:#?}");
}

/// Turns a frozen draw into what a hub from before the salt has left: the commitment, and its hash in the
/// audit log.
async fn take_the_salt_out(bureau: &Bureau, draw: &str) {
    let store = &bureau.app.store;
    let read = || sqlx::query("SELECT commitment FROM draw");
    let text = store.read_one("test", read).await.unwrap()[0].text("commitment").unwrap();
    let lines = text.replace("onscene draw 2", "onscene draw 1");
    let lines = lines.lines().filter(|line| !line.starts_with("salt "));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let id: DocId = draw.parse().unwrap();
    let (hash, action) = (sha256(text.as_bytes()), Deed::DrawCommitted as i64);
    let write = || sqlx::query("UPDATE draw SET commitment = $1").bind(text.clone());
    assert_eq!(store.write_one("test", write).await.unwrap(), 1);
    let write = || {
        let query =
            sqlx::query("UPDATE audit_entry SET object = $1 WHERE action = $2 AND subject = $3");
        query.bind(hash.as_bytes().to_vec()).bind(action).bind(id.as_bytes().to_vec())
    };
    assert_eq!(store.write_one("test", write).await.unwrap(), 1);
}

async fn a_draw_frozen_before_there_was_a_salt_is_listed_drawn_and_verified(store: TestStore) {
    let bureau = Bureau::new(store).await;
    Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let closed_on = day(bureau.app.now());
    close_case(&bureau, SQUAD, vending()).await;
    bureau.clock.advance(8 * DAY);
    let draw = text(&freeze(&bureau, &closed_on).await.ok()["id"]);
    take_the_salt_out(&bureau, &draw).await;
    assert_eq!(row_of(&bureau).await["source"], "drand quicknet round 12345678");
    sign_checkpoint(&bureau).await;
    enter_seed(&bureau, &draw).await.ok();
    bureau.clock.advance(BLIND_MS);
    let (files, lines) = published(&bureau, &draw).await;
    assert!(files["commitment.txt"].starts_with("onscene draw 1\n"));
    assert_eq!((files.len(), proven(&lines)), (NAMES.len(), 3), "{lines:#?}");
    assert_eq!(files["drawn.txt"].lines().count(), 1);
}

async fn of_two_who_hold_the_same_draw_at_once_one_does(store: TestStore) {
    let bureau = Bureau::new(store).await;
    Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let closed_on = day(bureau.app.now());
    close_case(&bureau, SQUAD, vending()).await;
    bureau.clock.advance(8 * DAY);
    let (one, two) = tokio::join!(freeze(&bureau, &closed_on), freeze(&bureau, &closed_on));
    let statuses = BTreeSet::from([one.status, two.status]);
    assert_eq!(statuses, BTreeSet::from([201, 409]));
    let won = if one.status == 201 { one } else { two };
    let draw = text(&won.ok()["id"]);
    sign_checkpoint(&bureau).await;
    let (one, two) = tokio::join!(enter_seed(&bureau, &draw), enter_seed(&bureau, &draw));
    assert_eq!(BTreeSet::from([one.status, two.status]), BTreeSet::from([204, 409]));
    assert_eq!(bureau.count("recheck").await, 1, "one recheck, not two");
}

async fn a_draw_goes_on_after_a_restart_from_what_was_frozen(store: TestStore) {
    let mut bureau = Bureau::new(store).await;
    Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let closed_on = day(bureau.app.now());
    let first = close_case(&bureau, SQUAD, vending()).await;
    let reopened = close_case(&bureau, SQUAD, vending()).await;
    bureau.post(&format!("/v1/cases/{reopened}/reopening"), json!({ "text": "back" })).await.ok();
    bureau.clock.advance(8 * DAY);
    let later = close_case(&bureau, SQUAD, vending()).await;
    let draw = text(&freeze(&bureau, &closed_on).await.ok()["id"]);
    bureau.restart().await;
    sign_checkpoint(&bureau).await;
    bureau.post(&format!("/v1/cases/{first}/reopening"), json!({ "text": "again" })).await.ok();
    let last = close_case(&bureau, SQUAD, vending()).await;
    bureau.restart().await;
    enter_seed(&bureau, &draw).await.ok();
    bureau.clock.advance(BLIND_MS);
    let (files, lines) = published(&bureau, &draw).await;
    assert_eq!(proven(&lines), 3, "{lines:#?}");
    assert_eq!(
        listed(&files),
        BTreeSet::from([first.as_str()]),
        "neither {reopened} nor {later} nor {last}"
    );
    assert!(files["drawn.txt"].starts_with(&first), "opened again or not");
    let next = day(bureau.app.now().plus(-BLIND_MS));
    let next = text(&freeze(&bureau, &next).await.ok()["id"]);
    sign_checkpoint(&bureau).await;
    enter_seed(&bureau, &next).await.ok();
    bureau.clock.advance(BLIND_MS);
    let (files, _) = published(&bureau, &next).await;
    assert_eq!(files["list.txt"].lines().count(), 2, "those closed since are in the next one");
}

async fn what_cannot_be_drawn_is_refused_with_a_way_out(store: TestStore) {
    let bureau = Bureau::new(store).await;
    let closed_on = day(bureau.app.now());
    freeze(&bureau, &closed_on).await.refused(409, "week_not_over");
    close_case(&bureau, SQUAD, vending()).await;
    bureau.clock.advance(8 * DAY);
    let said = freeze(&bureau, &closed_on).await.refused(409, "no_supervisor");
    assert!(said.contains("appoint one"), "{said}");
    freeze(&bureau, "1999-01-01").await.refused(409, "nothing_to_draw");
    for wrong in ["", "16.11.2026", "2026-02-30", "2026-11-16T00:00"] {
        freeze(&bureau, wrong).await.refused(400, "invalid");
    }
    for source in ["", "short", " drand round 1", "two\nlines and more", &"x".repeat(201)] {
        let body = json!({ "day": closed_on, "source": source });
        let said = bureau.post_as(SUPERVISOR, "/v1/draws", body).await.refused(400, "invalid");
        assert!(said.contains("drand"), "{said}");
    }
    Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let draw = text(&freeze(&bureau, &closed_on).await.ok()["id"]);
    sign_checkpoint(&bureau).await;
    for seed in ["", "12", "not hexadecimal", &SEED.to_uppercase(), &"00".repeat(65)] {
        let path = format!("/v1/draws/{draw}/seed");
        let body = json!({ "seed": seed });
        bureau.post_as(SUPERVISOR, &path, body).await.refused(400, "invalid");
    }
    let nothing = "00000000-0000-0000-0000-00000000ffff";
    enter_seed(&bureau, nothing).await.refused(404, "not_found");
}

async fn files_that_were_changed_do_not_pass(store: TestStore) {
    let bureau = Bureau::new(store).await;
    Phone::of(&bureau, 7, DISTRICT, Role::Supervisor).await;
    let closed_on = day(bureau.app.now());
    for unit in [SQUAD, SQUAD, SQUAD, OTHER_SQUAD] {
        close_case(&bureau, unit, vending()).await;
    }
    bureau.clock.advance(8 * DAY);
    let draw = text(&freeze(&bureau, &closed_on).await.ok()["id"]);
    sign_checkpoint(&bureau).await;
    enter_seed(&bureau, &draw).await.ok();
    bureau.clock.advance(BLIND_MS);
    let (files, _) = published(&bureau, &draw).await;
    let key = Hash::from_bytes(bureau.app.keys.facts.public_key());
    let why = |change: &dyn Fn(&mut BTreeMap<&'static str, String>)| {
        let mut files = files.clone();
        change(&mut files);
        let lines = verify(&files, Some(key));
        let fails = lines.iter().find_map(|line| match line {
            Line::Fails(why) => Some(why.clone()),
            _ => None,
        });
        fails.unwrap_or_else(|| panic!("nothing was found: {lines:#?}"))
    };
    let cut = |text: &String| text.lines().skip(1).map(|line| format!("{line}\n")).collect();
    let said = why(&|files| *files.get_mut("list.txt").unwrap() = cut(&files["list.txt"]));
    assert!(said.contains("list.txt is not the one"), "{said}");
    let said = why(&|files| files.get_mut("supervisors.txt").unwrap().clear());
    assert!(said.contains("supervisors.txt is not the one"), "{said}");
    let said = why(&|files| *files.get_mut("drawn.txt").unwrap() = cut(&files["drawn.txt"]));
    assert!(said.contains("not what these files lead to"), "{said}");
    let said = why(&|files| *files.get_mut("seed.txt").unwrap() = "00".repeat(32));
    assert!(said.contains("not what these files lead to"), "{said}");
    let said = why(&|files| {
        let text = files.get_mut("commitment.txt").unwrap();
        *text = text.replace("12345678", "12345679");
    });
    assert!(said.contains("of another commitment"), "{said}");
    let said = why(&|files| drop(files.remove("list.txt")));
    assert!(said.contains("list.txt is missing"), "{said}");
    let stranger = verify(&files, Some(Hash::from_bytes([9; 32])));
    assert!(stranger.iter().any(|line| matches!(line, Line::Fails(_))));
}

on_each_engine!(
    a_drawn_case_is_rechecked_and_a_false_report_goes_to_discipline,
    a_recheck_that_nobody_does_delays_the_files_and_does_not_hide_them,
    a_draw_frozen_before_there_was_a_salt_is_listed_drawn_and_verified,
    of_two_who_hold_the_same_draw_at_once_one_does,
    a_draw_goes_on_after_a_restart_from_what_was_frozen,
    what_cannot_be_drawn_is_refused_with_a_way_out,
    files_that_were_changed_do_not_pass,
);

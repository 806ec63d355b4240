//! The audit log under people who hold the database, and phones that have seen it before.

use onscene_sync_core::audit::checkpoint::SignedCheckpoint;
use onscene_sync_core::audit::tree;
use onscene_sync_core::audit::witness::{Book, Contradiction, Finding};
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::sync::message::SyncRequest;

use super::world::{Phone, World};
use crate::app::App;
use crate::audit::keeper::EVERY_MS;
use crate::audit::proof::{Proof, of_entry};
use crate::audit::verify::{Claim, Report, verify};
use crate::audit::{Deed, Entry, note, tend};
use crate::hub::epoch;
use crate::store::testing::{TestStore, on_each_engine};

const NOTHING: Finding = Finding::Sound;

/// Lets a minute pass and has the log looked after.
async fn minute(world: &World) -> u64 {
    world.clock.advance(EVERY_MS);
    tend(&world.app).await.unwrap()
}

/// What a phone with this book makes of a sync.
async fn look(app: &App, phone: &Phone, book: &mut Book) -> Option<Finding> {
    let request = SyncRequest { seen: book.mark(), push: Vec::new(), ..phone.request() };
    let news = phone.send(app, request).await.log?;
    Some(book.take(&news, &app.keys.facts.public_key(), app.now().0))
}

async fn report(world: &World, claims: Vec<Claim>) -> Report {
    let key = world.app.keys.facts.public_key();
    verify(&world.app.store, &key, claims).await.unwrap()
}

fn held(book: &Book) -> Vec<Claim> {
    let signed = book.newest().expect("something was seen").checkpoint.clone();
    vec![Claim { from: "the phone's".to_owned(), signed }]
}

/// A phone with a patrol of three notes, in a log of several checkpoints that it has seen.
async fn seen(world: &World) -> (Phone, Book) {
    let mut phone = world.phone(1).await;
    let doc = phone.begin_patrol(9);
    let mut book = Book::default();
    for text in ["one", "two", "three"] {
        phone.note(doc, text);
        phone.sync(&world.app).await;
        minute(world).await;
        assert_eq!(look(&world.app, &phone, &mut book).await, Some(NOTHING));
    }
    assert_eq!(report(world, held(&book)).await.faults, [""; 0]);
    (phone, book)
}

/// Somebody with the database and the hub's key works the whole log out anew.
async fn cover_up(world: &World) {
    for sql in [
        "UPDATE audit_entry SET n = NULL",
        "UPDATE audit_head SET size = 0",
        "DELETE FROM audit_tile",
        "DELETE FROM audit_checkpoint",
    ] {
        world.execute(sql, vec![]).await;
    }
    minute(world).await;
}

async fn an_idle_log_says_nothing_and_a_checkpoint_comes_once_a_minute(store: TestStore) {
    let world = World::new(store).await;
    let (phone, mut book) = seen(&world).await;
    assert_eq!(look(&world.app, &phone, &mut book).await, None, "the phone has the newest");
    assert_eq!(minute(&world).await, 0, "nothing was logged");
    assert_eq!(look(&world.app, &phone, &mut book).await, None);
    log(&world, 1).await;
    assert_eq!(tend(&world.app).await.unwrap(), 1);
    assert_eq!(look(&world.app, &phone, &mut book).await, Some(NOTHING));
    log(&world, 2).await;
    world.clock.advance(EVERY_MS - 2);
    assert_eq!(tend(&world.app).await.unwrap(), 0);
    world.clock.advance(1);
    assert_eq!(tend(&world.app).await.unwrap(), 2);
    let head = world.number("SELECT size AS n FROM audit_head").await;
    let all = world.number("SELECT count(*) AS n FROM audit_entry").await;
    assert_eq!(head, all);
}

async fn log(world: &World, entries: u64) {
    let now = world.clock.advance(1);
    let entries: Vec<Entry> =
        (0..entries).map(|n| Entry::new(Deed::UnitRenamed, now).object(n.to_be_bytes())).collect();
    let noted = world
        .app
        .store
        .with_tx("test", entries, |tx, entries| Box::pin(async move { note(tx, entries).await }));
    noted.await.unwrap();
}

async fn a_row_that_was_changed_or_taken_out_is_found_and_phones_see_a_rewritten_log(
    store: TestStore,
) {
    let world = World::new(store).await;
    let (phone, book) = seen(&world).await;
    let begin = "entry 2 is gone";
    let wrong = "is not this one";
    let gone = "changes that it names are gone";
    for (tamper, mend, fault) in [
        (
            "UPDATE audit_entry SET at = at + 1 WHERE n = 2",
            "UPDATE audit_entry SET at = at - 1 WHERE n = 2",
            wrong,
        ),
        (
            "UPDATE audit_entry SET detail = 'x' WHERE n = 2 AND detail = ''",
            "UPDATE audit_entry SET detail = '' WHERE n = 2 AND detail = 'x'",
            wrong,
        ),
        (
            "UPDATE audit_entry SET n = -2 WHERE n = 2",
            "UPDATE audit_entry SET n = 2 WHERE n = -2",
            begin,
        ),
    ] {
        world.execute(tamper, vec![]).await;
        let faults = report(&world, Vec::new()).await.faults;
        assert!(faults.iter().any(|text| text.contains(fault)), "{tamper}: {faults:?}");
        world.execute(mend, vec![]).await;
    }
    world.execute("DELETE FROM change WHERE ord = 2", vec![]).await;
    let faults = report(&world, Vec::new()).await.faults;
    assert!(faults[0].contains(gone), "{faults:?}");

    world.execute("DELETE FROM audit_entry WHERE n = 2", vec![]).await;
    cover_up(&world).await;
    let faults = report(&world, held(&book)).await.faults;
    assert!(faults.iter().any(|text| text.starts_with("the phone's: ")), "{faults:?}");
    log(&world, 5).await;
    minute(&world).await;
    let found = look(&world.app, &phone, &mut book.clone()).await;
    assert_eq!(found, Some(Finding::Contradicted(Contradiction::Forked)));
}

async fn a_log_cut_short_is_seen_by_the_next_sync_and_what_the_phone_holds_is_kept(
    store: TestStore,
) {
    let world = World::new(store).await;
    let (phone, mut book) = seen(&world).await;
    world.execute("DELETE FROM audit_entry WHERE n > 2", vec![]).await;
    cover_up(&world).await;
    let cut = look(&world.app, &phone, &mut book).await;
    assert_eq!(cut, Some(Finding::Contradicted(Contradiction::RolledBack)));

    let proof = book.newest().unwrap().checkpoint.clone();
    for _ in 0..2 {
        testify(&world, &phone, &proof).await;
    }
    assert_eq!(world.number("SELECT count(*) AS n FROM audit_dispute").await, 1);
    assert_eq!(logged(&world, Deed::LogDisputed).await, 1);
    log(&world, 30).await;
    minute(&world).await;
    let faults = report(&world, Vec::new()).await.faults;
    assert!(faults.iter().any(|text| text.contains("that phone")), "{faults:?}");
}

async fn testify(world: &World, phone: &Phone, proof: &SignedCheckpoint) {
    let disputed = Some(proof.clone());
    let request = SyncRequest { disputed, push: Vec::new(), ..phone.request() };
    phone.send(&world.app, request).await;
}

async fn logged(world: &World, deed: Deed) -> i64 {
    match deed {
        Deed::LogDisputed => {
            world.number("SELECT count(*) AS n FROM audit_entry WHERE action = 17").await
        }
        Deed::LossWitnessed => {
            world.number("SELECT count(*) AS n FROM audit_entry WHERE action = 18").await
        }
        _ => unreachable!("not asked for"),
    }
}

async fn false_testimony_is_passed_over(store: TestStore) {
    let world = World::new(store).await;
    let (phone, book) = seen(&world).await;
    let true_one = book.newest().unwrap().checkpoint.clone();
    let mut forged = true_one.clone();
    forged.checkpoint.root = sha256(b"forged");
    testify(&world, &phone, &true_one).await;
    testify(&world, &phone, &forged).await;
    assert_eq!(world.number("SELECT count(*) AS n FROM audit_dispute").await, 0);
}

async fn a_restored_hub_says_so_and_what_it_lost_is_on_record(store: TestStore) {
    let world = World::new(store).await;
    let (phone, mut book) = seen(&world).await;
    let backup = world.number("SELECT size AS n FROM audit_head").await;
    log(&world, 10).await;
    minute(&world).await;
    assert_eq!(look(&world.app, &phone, &mut book).await, Some(NOTHING));
    let lost = book.newest().unwrap().checkpoint.clone();
    // What the backup did not hold is gone.
    world.execute("DELETE FROM audit_entry WHERE action = 6", vec![]).await;
    cover_up(&world).await;
    assert_eq!(world.number("SELECT size AS n FROM audit_head").await, backup);
    let silent = look(&world.app, &phone, &mut book.clone()).await;
    assert_eq!(silent, Some(Finding::Contradicted(Contradiction::RolledBack)));

    assert_eq!(epoch::begin(&world.app.store, world.app.now()).await.unwrap(), 2);
    crate::audit::keeper::tend(&world.app).await.unwrap();
    let Some(Finding::Restored { lost: 10, of }) = look(&world.app, &phone, &mut book).await else {
        panic!("ten entries are gone")
    };
    assert_eq!(of, lost);
    testify(&world, &phone, &lost).await;
    assert_eq!(logged(&world, Deed::LossWitnessed).await, 1);
    assert_eq!(logged(&world, Deed::LogDisputed).await, 0);
    while look(&world.app, &phone, &mut book).await.is_some_and(|found| found == NOTHING) {}
    assert_eq!(book.mark().unwrap().epoch, 2);
    log(&world, 20).await;
    minute(&world).await;
    let report = report(&world, held(&book)).await;
    assert_eq!(report.faults, [""; 0]);
    assert!(report.notes.iter().any(|note| note.contains("epoch 2")), "{:?}", report.notes);
    assert!(report.notes.iter().any(|note| note.contains("lost in part")), "{:?}", report.notes);
}

async fn a_process_that_lags_behind_another_alarms_nobody(store: TestStore) {
    let world = World::new(store).await;
    let (phone, mut book) = seen(&world).await;
    let other = world.another_node().await;
    assert_eq!(look(&other, &phone, &mut book).await, None);
    log(&world, 5).await;
    minute(&world).await;
    assert_eq!(look(&world.app, &phone, &mut book).await, Some(NOTHING));
    assert_eq!(look(&other, &phone, &mut book).await, None, "it looks before it speaks");
    log(&world, 5).await;
    world.clock.advance(EVERY_MS);
    let (one, two) = tokio::join!(tend(&world.app), tend(&other));
    assert_eq!(one.unwrap() + two.unwrap(), 5, "each entry gets one place");
    assert_eq!(look(&other, &phone, &mut book).await, Some(NOTHING));
    assert_eq!(report(&world, held(&book)).await.faults, [""; 0]);
}

async fn every_entry_of_a_long_log_is_proven_from_any_size_that_was_seen(store: TestStore) {
    let world = World::new(store).await;
    let phone = world.phone(1).await;
    let mut books = Vec::new();
    for more in [3, 250, 1, 1, 255, 256, 700] {
        log(&world, more).await;
        minute(&world).await;
        let mut book = Book::default();
        look(&world.app, &phone, &mut book).await;
        books.push(book);
    }
    for book in &mut books {
        let found = look(&world.app, &phone, book).await;
        assert!(matches!(found, None | Some(NOTHING)), "{found:?}");
    }
    let report = report(&world, books.iter().flat_map(held).collect()).await;
    assert_eq!((report.faults, report.waiting), (Vec::new(), 0));
    let key = world.app.keys.facts.public_key();
    for n in [0, 1, 255, 256, 257, 511, 512, 767, 1_000, report.entries - 1] {
        let read = world.app.store.with_read("test", n, |tx, n| Box::pin(of_entry(tx, *n)));
        let proof = read.await.unwrap().expect("an entry");
        let text = proof.to_text(&key);
        assert_eq!(Proof::check(&text, &key).unwrap().0, proof);
        let other = text.replace(&format!("index {n}"), &format!("index {}", n ^ 1));
        assert!(Proof::check(&other, &key).is_err(), "{n}: {other}");
        assert_eq!(
            tree::leaf(&proof.entry),
            crate::audit::entry::from_bytes(&proof.entry).unwrap().leaf()
        );
    }
}

on_each_engine!(
    an_idle_log_says_nothing_and_a_checkpoint_comes_once_a_minute,
    a_row_that_was_changed_or_taken_out_is_found_and_phones_see_a_rewritten_log,
    a_log_cut_short_is_seen_by_the_next_sync_and_what_the_phone_holds_is_kept,
    false_testimony_is_passed_over,
    a_restored_hub_says_so_and_what_it_lost_is_on_record,
    a_process_that_lags_behind_another_alarms_nobody,
    every_entry_of_a_long_log_is_proven_from_any_size_that_was_seen,
);

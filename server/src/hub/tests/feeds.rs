//! What phones are told.

use std::collections::BTreeSet;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::fact::body::{Body, Text};
use onscene_sync_core::sync::message::{Bucket, Frame, Push, PushResult};

use super::world::{DISTRICT, OTHER_SQUAD, Phone, SQUAD, World, page};
use crate::hub::{append, buckets, documents, verify};
use crate::store::testing::{TestStore, on_each_engine};

async fn what_one_phone_writes_the_whole_squad_reads(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut writer, mut reader) = (world.phone(1).await, world.phone(2).await);
    writer.catch_up(&world.app).await;
    reader.catch_up(&world.app).await;
    for text in ["on the way", "at the gate", "inside"] {
        writer.note(doc, text);
    }
    let reply = writer.sync(&world.app).await;
    assert_eq!(reply.results, vec![PushResult::Accepted; 3]);
    let own = &page(&reply, Bucket::Unit(SQUAD)).frames;
    assert!(own.iter().all(|frame| matches!(frame, Frame::Own { .. })), "{own:?}");
    reader.catch_up(&world.app).await;
    assert_eq!(reader.hashes(doc), writer.hashes(doc));
    world.assert_sound().await;
}

async fn a_patrol_born_on_a_phone_enters_the_feeds_of_its_squad(store: TestStore) {
    let world = World::new(store).await;
    let (mut phone, mut mate) = (world.phone(1).await, world.phone(2).await);
    let doc = phone.begin_patrol(9);
    phone.note(doc, "a blocked drain");
    phone.note(doc, "cleared");
    assert_eq!(phone.sync(&world.app).await.results, vec![PushResult::Accepted; 2]);
    mate.catch_up(&world.app).await;
    assert_eq!(mate.hashes(doc), phone.hashes(doc));
    let mut supervisor = world.phone(3).await;
    supervisor.caller.buckets = BTreeSet::from([Bucket::Supervision(DISTRICT)]);
    supervisor.catch_up(&world.app).await;
    assert_eq!(supervisor.hashes(doc), phone.hashes(doc));
    let jobs = "SELECT count(*) AS n FROM change WHERE late = 1";
    assert_eq!(world.number(jobs).await, 0);
    world.assert_sound().await;
}

async fn a_small_reply_comes_in_pages_that_add_up(store: TestStore) {
    let world = World::new(store).await;
    let (mut writer, mut reader) = (world.phone(1).await, world.phone(2).await);
    for number in 10..20 {
        let doc = world.response(number).await;
        writer.catch_up(&world.app).await;
        for n in 0..5 {
            writer.note(doc, &format!("note {n} of {number}"));
        }
        writer.catch_up(&world.app).await;
    }
    let mut replies = 0;
    loop {
        let mut request = reader.request();
        request.max_bytes = 3_000;
        let reply = reader.send(&world.app, request).await;
        let bytes: usize = reply.buckets.iter().flat_map(|page| &page.frames).map(weight).sum();
        assert!(bytes <= 6_000, "{bytes}");
        reader.apply(&reply);
        replies += 1;
        if reply.buckets.iter().all(|page| page.checksum.is_some()) {
            break;
        }
    }
    assert!(replies > 3, "{replies}");
    assert_eq!(reader.members(Bucket::Unit(SQUAD)), writer.members(Bucket::Unit(SQUAD)));
    assert_eq!(reader.docs.len(), 10);
}

fn weight(frame: &Frame) -> usize {
    match frame {
        Frame::Change { change, .. } => change.len(),
        Frame::Enter(whole) => whole.snapshot.len(),
        Frame::Own { .. } | Frame::Leave { .. } => 0,
    }
}

async fn many_changes_are_sent_as_one_whole(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut writer, mut reader) = (world.phone(1).await, world.phone(2).await);
    writer.catch_up(&world.app).await;
    reader.catch_up(&world.app).await;
    for n in 0..130 {
        writer.note(doc, &format!("note {n}"));
    }
    writer.catch_up(&world.app).await;
    assert!(world.number("SELECT changes AS n FROM snapshot").await >= 64);
    let reply = reader.catch_up(&world.app).await;
    assert_eq!(page(&reply, Bucket::Unit(SQUAD)).frames.len(), 1);
    assert_eq!(reader.hashes(doc), writer.hashes(doc));
    world.assert_sound().await;
}

async fn a_redispatched_document_leaves_one_squad_and_enters_the_other(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut old, mut new) = (world.phone(1).await, world.phone(2).await);
    new.now_in(OTHER_SQUAD);
    old.catch_up(&world.app).await;
    old.note(doc, "not ours");
    old.catch_up(&world.app).await;
    new.catch_up(&world.app).await;
    world.move_doc(doc, SQUAD, OTHER_SQUAD).await;
    let reply = old.catch_up(&world.app).await;
    assert_eq!(page(&reply, Bucket::Unit(SQUAD)).frames, [Frame::Leave { doc }]);
    new.catch_up(&world.app).await;
    assert_eq!(new.hashes(doc), old.hashes(doc));
    world.move_doc(doc, OTHER_SQUAD, SQUAD).await;
    world.move_doc(doc, SQUAD, OTHER_SQUAD).await;
    let reply = old.catch_up(&world.app).await;
    assert!(page(&reply, Bucket::Unit(SQUAD)).frames.is_empty(), "it came and went");
    world.assert_sound().await;
}

async fn the_hubs_own_facts_reach_the_squad(store: TestStore) {
    let world = World::new(store).await;
    let case = onscene_sync_core::id::DocId::from_bytes([3; 16]);
    let app = world.app.clone();
    let now = app.now();
    let said = |text: &str| Body::Closed(Text { text: text.to_owned(), by: None });
    let bodies = vec![said("done"), said("done twice")];
    let appended = world.app.store.with_tx("test", (), move |tx, ()| {
        let (app, bodies) = (app.clone(), bodies.clone());
        Box::pin(async move {
            documents::create(tx, case, DocKind::Case, now).await?;
            let squad = buckets::supervision_of(tx, SQUAD).await?;
            assert_eq!(squad, [Bucket::Supervision(SQUAD), Bucket::Supervision(DISTRICT)]);
            buckets::enter(tx, case, &[Bucket::Unit(SQUAD)], now).await?;
            append::append(tx, &app, case, app.now(), bodies).await
        })
    });
    let appended = appended.await.unwrap();
    assert_eq!(appended.facts.len(), 2);
    assert_eq!(appended.pokes.len(), 1);
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    let stored = phone.docs[&case].facts();
    assert_eq!(stored.len(), 2);
    for (id, envelope) in stored {
        let key = world.app.keys.facts.public_key();
        let fact = onscene_sync_core::fact::envelope::read_from_hub(&envelope, &key).unwrap();
        assert!(appended.facts.contains(&(id, fact)));
    }
    world.assert_sound().await;
}

async fn a_document_is_sent_whole_to_who_asks_and_follows_it(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut phone, mut stranger): (Phone, Phone) = (world.phone(1).await, world.phone(2).await);
    phone.catch_up(&world.app).await;
    phone.note(doc, "a note");
    phone.catch_up(&world.app).await;
    let mut request = phone.request();
    request.want = vec![doc];
    let reply = phone.send(&world.app, request).await;
    assert_eq!(reply.docs.len(), 1);
    assert_eq!(reply.docs[0].sum, phone.docs[&doc].sum());
    stranger.now_in(OTHER_SQUAD);
    let mut request = stranger.request();
    request.want = vec![doc];
    assert!(stranger.send(&world.app, request).await.docs.is_empty());
}

async fn a_cursor_of_another_epoch_reads_anew(store: TestStore) {
    let world = World::new(store).await;
    world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    world.execute("UPDATE bucket SET epoch = 2", Vec::new()).await;
    let reply = phone.sync(&world.app).await;
    let page = page(&reply, Bucket::Unit(SQUAD));
    assert_eq!((page.epoch, page.frames.len()), (2, 1));
}

async fn a_damaged_snapshot_is_rebuilt_from_the_log(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut phone, mut late) = (world.phone(1).await, world.phone(2).await);
    phone.catch_up(&world.app).await;
    for n in 0..70 {
        phone.note(doc, &format!("note {n}"));
    }
    phone.catch_up(&world.app).await;
    world.execute("UPDATE snapshot SET body = $1, changes = 69", vec![Some(b"rot".to_vec())]).await;
    let report = verify::verify(&world.app.store, None).await.unwrap();
    assert!(report.faults[0].contains("snapshot is damaged"), "{report:?}");
    let node = world.another_node().await;
    phone.note(doc, "one more");
    assert_eq!(phone.sync(&node).await.results, [PushResult::Accepted]);
    late.catch_up(&node).await;
    assert_eq!(late.hashes(doc), phone.hashes(doc));
    world.assert_sound().await;
}

async fn whatever_does_not_add_up_is_found(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "one");
    phone.note(doc, "two");
    let mut request = phone.request();
    let garbage = Push { doc, kind: DocKind::Response, change: b"garbage".to_vec().into() };
    request.push.push(garbage);
    phone.send(&world.app, request).await;
    let sound = verify::verify(&world.app.store, None).await.unwrap();
    assert_eq!((sound.documents, sound.changes, sound.buckets), (1, 2, 1));
    assert_eq!(sound.faults, Vec::<String>::new());
    for (damage, repair, words) in [
        (
            "UPDATE bucket SET checksum = checksum + 1",
            "UPDATE bucket SET checksum = checksum - 1",
            "add up",
        ),
        (
            "UPDATE bucket_log SET seq = 9 WHERE seq = 3",
            "UPDATE bucket_log SET seq = 3 WHERE seq = 9",
            "gap",
        ),
        ("UPDATE bucket SET n = n + 1", "UPDATE bucket SET n = n - 1", "its log ends at 3"),
        ("UPDATE doc SET sum = sum + 1", "UPDATE doc SET sum = sum - 1", "is damaged"),
        ("UPDATE doc_bucket SET left_seq = 3", "UPDATE doc_bucket SET left_seq = NULL", "members"),
        (
            "UPDATE fact SET doc_id = (SELECT actor FROM change LIMIT 1) WHERE seq = 1",
            "UPDATE fact SET doc_id = (SELECT doc_id FROM doc)",
            "facts noted",
        ),
        (
            "UPDATE bucket_log SET hash = (SELECT hash FROM quarantine) WHERE seq = 2",
            "UPDATE bucket_log SET hash = (SELECT hash FROM change WHERE ord = 1) WHERE seq = 2",
            "names a change that is not there",
        ),
        (
            "UPDATE change SET hash = (SELECT hash FROM quarantine) WHERE ord = 2",
            "UPDATE change SET hash = (SELECT hash FROM bucket_log WHERE seq = 3) WHERE ord = 2",
            "hashes noted",
        ),
    ] {
        world.execute(damage, Vec::new()).await;
        let report = verify::verify(&world.app.store, None).await.unwrap();
        assert!(report.faults.iter().any(|fault| fault.contains(words)), "{damage}: {report:?}");
        world.execute(repair, Vec::new()).await;
    }
    for (damage, words) in [
        ("UPDATE quarantine SET body = hash", "its bytes are not"),
        ("UPDATE device SET key = substr(key, 2)", "not signed by the phone"),
    ] {
        world.execute(damage, Vec::new()).await;
        let report = verify::verify(&world.app.store, None).await.unwrap();
        assert!(report.faults.iter().any(|fault| fault.contains(words)), "{damage}: {report:?}");
    }
    let body = world.body(doc, 1).await;
    for place in [12, body.len() / 2, body.len() - 1] {
        let mut flipped = body.clone();
        flipped[place] ^= 1;
        world.execute("UPDATE change SET body = $1 WHERE ord = 1", vec![Some(flipped)]).await;
        let report = verify::verify(&world.app.store, None).await.unwrap();
        assert!(report.faults[0].contains("is damaged"), "byte {place}: {report:?}");
    }
    world.execute("UPDATE change SET body = $1 WHERE ord = 1", vec![Some(body)]).await;
    world.execute("DELETE FROM change WHERE ord = 1", Vec::new()).await;
    let report = verify::verify(&world.app.store, None).await.unwrap();
    assert!(report.faults[0].contains("is damaged"), "{report:?}");
}

async fn a_log_that_holds_more_than_its_row_counts_is_found(store: TestStore) {
    const ROW: &str = "UPDATE doc SET changes = (SELECT changes FROM kept), \
         sum = (SELECT sum FROM kept)";
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "one");
    phone.sync(&world.app).await;
    world.execute("CREATE TABLE kept AS SELECT changes, sum FROM doc", Vec::new()).await;
    phone.note(doc, "two");
    phone.sync(&world.app).await;
    world.execute(ROW, Vec::new()).await;
    let report = verify::verify(&world.app.store, None).await.unwrap();
    assert!(report.faults.iter().any(|fault| fault.contains("is damaged")), "{report:?}");
}

on_each_engine!(
    whatever_does_not_add_up_is_found,
    a_log_that_holds_more_than_its_row_counts_is_found,
    what_one_phone_writes_the_whole_squad_reads,
    a_patrol_born_on_a_phone_enters_the_feeds_of_its_squad,
    a_small_reply_comes_in_pages_that_add_up,
    many_changes_are_sent_as_one_whole,
    a_redispatched_document_leaves_one_squad_and_enters_the_other,
    the_hubs_own_facts_reach_the_squad,
    a_document_is_sent_whole_to_who_asks_and_follows_it,
    a_cursor_of_another_epoch_reads_anew,
    a_damaged_snapshot_is_rebuilt_from_the_log,
);

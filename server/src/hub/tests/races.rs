//! Several phones and several nodes at once.

use std::time::Duration;

use onscene_sync_core::document::{DocKind, Document};
use onscene_sync_core::id::DocId;
use onscene_sync_core::sync::message::{Bucket, PushResult};

use super::world::{SQUAD, World};
use crate::hub::snapshots::{self, Snapshot};
use crate::hub::{HubError, buckets, documents};
use crate::store::testing::{TestStore, on_each_engine};
use crate::store::{RowExt as _, StoreError};

async fn a_repeat_after_a_lost_reply_counts_nothing_twice(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    for text in ["a", "b", "c"] {
        phone.note(doc, text);
    }
    let lost = phone.send(&world.app, phone.request()).await;
    assert_eq!(lost.results, vec![PushResult::Accepted; 3]);
    let restarted = world.another_node().await;
    let again = phone.sync(&restarted).await;
    assert_eq!(again.results, vec![PushResult::Duplicate; 3]);
    assert_eq!(world.number("SELECT count(*) AS n FROM change").await, 3);
    assert_eq!(world.number("SELECT count(*) AS n FROM fact").await, 3);
    world.assert_sound().await;
}

async fn one_phone_at_two_nodes_at_once_is_counted_once(store: TestStore) {
    let world = World::new(store).await;
    let docs = [world.response(7).await, world.response(8).await];
    let nodes = [world.app.clone(), world.another_node().await];
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    for round in 0..6 {
        for doc in docs {
            phone.note(doc, &format!("round {round}"));
            phone.note(doc, "and more");
        }
        let (left, right) = tokio::join!(
            phone.send(&nodes[0], phone.request()),
            phone.send(&nodes[1], phone.request())
        );
        for (left, right) in left.results.iter().zip(&right.results) {
            let mut both = [left, right];
            both.sort_by_key(|result| *result == &PushResult::Duplicate);
            assert_eq!(both, [&PushResult::Accepted, &PushResult::Duplicate]);
        }
        phone.sync(&nodes[0]).await;
    }
    assert_eq!(world.number("SELECT count(*) AS n FROM change").await, 24);
    world.assert_sound().await;
}

async fn two_phones_write_one_document_at_two_nodes(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let nodes = [world.app.clone(), world.another_node().await];
    let mut tasks = Vec::new();
    for number in 0..2_u8 {
        let (mut phone, node) = (world.phone(number + 1).await, nodes[usize::from(number)].clone());
        phone.catch_up(&world.app).await;
        tasks.push(tokio::spawn(async move {
            for n in 0..15 {
                phone.note(doc, &format!("note {n}"));
                let reply = phone.sync(&node).await;
                assert_eq!(reply.results, [PushResult::Accepted]);
            }
            phone
        }));
    }
    let mut phones = Vec::new();
    for task in tasks {
        phones.push(task.await.unwrap());
    }
    for phone in &mut phones {
        phone.catch_up(&world.app).await;
        assert_eq!(phone.docs[&doc].len(), 30);
    }
    let (one, two) = (&phones[0].docs[&doc], &phones[1].docs[&doc]);
    assert_eq!((one.heads(), one.facts()), (two.heads(), two.facts()));
    assert_eq!(one.facts().len(), 30);
    world.assert_sound().await;
}

async fn a_reader_never_skips_what_concurrent_writers_commit(store: TestStore) {
    let world = World::new(store).await;
    let nodes = [world.app.clone(), world.another_node().await];
    let mut writers = Vec::new();
    for number in 1..=6_u8 {
        let doc = world.response(100 + number).await;
        let (mut phone, node) = (world.phone(number).await, nodes[usize::from(number % 2)].clone());
        phone.catch_up(&node).await;
        writers.push(tokio::spawn(async move {
            for n in 0..10 {
                phone.note(doc, &format!("note {n}"));
                phone.sync(&node).await;
            }
        }));
    }
    let mut reader = world.phone(50).await;
    // Each page that reaches the end is compared with the bucket's checksum as it is applied.
    while writers.iter().any(|writer| !writer.is_finished()) {
        reader.sync(&nodes[0]).await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    reader.catch_up(&nodes[1]).await;
    let changes: usize = reader.docs.values().map(onscene_sync_core::document::Document::len).sum();
    assert_eq!(changes, 60);
    world.assert_sound().await;
}

async fn a_late_commit_never_leaves_a_gap_behind_a_reader(store: TestStore) {
    let world = World::new(store).await;
    let now = world.app.now();
    let enter = |number: u8, wait: Duration| {
        let store = world.app.store.clone();
        tokio::spawn(async move {
            let entered = store.with_tx("test", (), move |tx, ()| {
                Box::pin(async move {
                    let doc = DocId::from_bytes([number; 16]);
                    documents::create(tx, doc, DocKind::Response, now).await?;
                    let pokes = buckets::enter(tx, doc, &[Bucket::Unit(SQUAD)], now).await?;
                    tokio::time::sleep(wait).await;
                    Ok::<_, HubError>(pokes[0].seq)
                })
            });
            entered.await.unwrap()
        })
    };
    let slow = enter(1, Duration::from_millis(300));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let quick = enter(2, Duration::ZERO);
    let mut seen: Vec<i64> = Vec::new();
    while !(slow.is_finished() && quick.is_finished()) {
        let read = world.app.store.with_read("test", seen.len(), |tx, seen| {
            let after = i64::try_from(*seen).unwrap_or(i64::MAX);
            Box::pin(async move {
                let query = sqlx::query("SELECT seq FROM bucket_log WHERE seq > $1 ORDER BY seq");
                let rows = query.bind(after).fetch_all(tx.conn()).await?;
                rows.iter().map(|row| row.int("seq")).collect::<Result<Vec<_>, StoreError>>()
            })
        });
        seen.extend(read.await.unwrap());
        assert_eq!(seen, (1..=seen.len()).map(|n| n as i64).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((slow.await.unwrap(), quick.await.unwrap()), (1, 2));
    world.assert_sound().await;
}

async fn a_document_is_whole_while_its_snapshot_is_being_renewed(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    for n in 0..60 {
        phone.note(doc, &format!("note {n}"));
    }
    phone.sync(&world.app).await;
    let material = || {
        world.app.store.with_tx("test", doc, |tx, doc| {
            Box::pin(async move {
                let rows = documents::rows(tx, [*doc], false).await?;
                documents::material(tx, &[rows[doc]]).await.map_err(HubError::from)
            })
        })
    };
    let log = material().await.unwrap().remove(0).tail;
    assert_eq!(log.len(), 60);
    let app = world.app.clone();
    let keeper = tokio::spawn(async move {
        for changes in 1..=log.len() {
            let log = log[..changes].iter().map(Vec::as_slice);
            let part = Document::replay(doc, DocKind::Response, log).unwrap();
            snapshots::keep(&app, vec![Snapshot::of(&part).unwrap()]).await;
        }
    });
    while !keeper.is_finished() {
        let material = material().await.unwrap().remove(0);
        let snapshot = material.snapshot.as_ref().map(|(changes, _)| *changes);
        let tail = material.tail.len();
        assert!(material.build().is_ok(), "a snapshot of {snapshot:?} and {tail} more of 60");
    }
    keeper.await.unwrap();
}

on_each_engine!(
    a_document_is_whole_while_its_snapshot_is_being_renewed,
    a_repeat_after_a_lost_reply_counts_nothing_twice,
    one_phone_at_two_nodes_at_once_is_counted_once,
    two_phones_write_one_document_at_two_nodes,
    a_reader_never_skips_what_concurrent_writers_commit,
    a_late_commit_never_leaves_a_gap_behind_a_reader,
);

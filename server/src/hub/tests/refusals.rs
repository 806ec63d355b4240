//! What is not let in, and that nothing of it is lost.

use onscene_sync_core::document::DocKind;
use onscene_sync_core::id::DocId;
use onscene_sync_core::limits::PATROLS_PER_DAY;
use onscene_sync_core::sync::message::{Push, PushResult, RefusalCode, Standing};

use super::world::{OTHER_SQUAD, SQUAD, World, refusal};
use crate::auth::Sweep;
use crate::hub::{HubError, quarantine};
use crate::store::testing::{TestStore, on_each_engine};

const WAITING: &str = "SELECT count(*) AS n FROM quarantine WHERE settled_at IS NULL";

async fn a_strangers_document_is_refused_and_kept_whole(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    world.move_doc(doc, SQUAD, OTHER_SQUAD).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.invent(doc, DocKind::Response);
    phone.note(doc, "let me in");
    let sent = phone.outbox[0].change.to_vec();
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::OutOfScope));
    let kept = world.app.store.with_read("test", (), |tx, ()| {
        Box::pin(async move {
            let all = Sweep { everything: true, unit: SQUAD, below: true };
            let items = quarantine::list(tx, &all, true, i64::MAX, 10).await?;
            let body = quarantine::body(tx, items[0].id).await?;
            Ok::<_, HubError>((items, body))
        })
    });
    let (items, body) = kept.await.unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].doc, items[0].code), (doc, RefusalCode::OutOfScope));
    assert_eq!(body, Some(sent));
    phone.send(&world.app, phone.request()).await;
    assert_eq!(world.number(WAITING).await, 1, "a repeat is kept once");
    world.assert_sound().await;
}

async fn only_a_patrol_may_begin_on_a_phone(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = world.phone(1).await;
    for (number, kind) in [(1, DocKind::Response), (2, DocKind::Recheck), (3, DocKind::Case)] {
        let doc = onscene_sync_core::id::DocId::from_bytes([number; 16]);
        phone.invent(doc, kind);
        phone.note(doc, "made up");
    }
    let reply = phone.sync(&world.app).await;
    let codes: Vec<_> = reply.results.iter().map(refusal).collect();
    assert_eq!(codes, [Some(RefusalCode::UnknownDocument); 3]);
    assert_eq!(world.number("SELECT count(*) AS n FROM doc").await, 0);
}

async fn one_bad_change_spoils_nothing_else(store: TestStore) {
    let world = World::new(store).await;
    let (one, two) = (world.response(7).await, world.response(8).await);
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(one, "first");
    phone.note(one, "second");
    phone.note(two, "other");
    let garbage = b"garbage".to_vec().into();
    phone.outbox.insert(1, Push { doc: one, kind: DocKind::Response, change: garbage });
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(refusal(&reply.results[1]), Some(RefusalCode::Malformed));
    for place in [0, 2, 3] {
        assert_eq!(reply.results[place], PushResult::Accepted, "{place}");
    }
    assert_eq!(world.number(WAITING).await, 1);
    world.assert_sound().await;
}

async fn changes_out_of_order_wait_for_those_before_them(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "first");
    phone.note(doc, "second");
    let mut request = phone.request();
    request.push.reverse();
    let reply = phone.send(&world.app, request.clone()).await;
    assert!(matches!(&reply.results[0], PushResult::MissingDeps(missing) if missing.len() == 1));
    assert_eq!(reply.results[1], PushResult::Accepted);
    let reply = phone.send(&world.app, request).await;
    assert_eq!(reply.results, [PushResult::Accepted, PushResult::Duplicate]);
    assert_eq!(world.number(WAITING).await, 0, "waiting is not refused");
    assert_eq!(world.number("SELECT count(*) AS n FROM fact").await, 2);
    world.assert_sound().await;
}

async fn work_on_a_document_that_was_taken_away_is_accepted_and_marked(store: TestStore) {
    let world = World::new(store).await;
    let (doc, other) = (world.response(7).await, world.response(8).await);
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "recorded in the tunnel");
    phone.note(other, "also in the tunnel");
    world.move_doc(doc, SQUAD, OTHER_SQUAD).await;
    phone.now_in(OTHER_SQUAD);
    phone.caller.buckets.clear();
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(reply.results, vec![PushResult::Accepted; 2]);
    assert_eq!(world.number("SELECT count(*) AS n FROM change WHERE late = 1").await, 2);
    world.assert_sound().await;
}

async fn a_phone_that_begins_patrols_without_end_keeps_those_beyond_a_days_bound(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    let bound = usize::try_from(PATROLS_PER_DAY).unwrap();
    for number in 0..bound + 1 {
        let patrol = phone.begin_patrol(u8::try_from(number).unwrap());
        phone.note(patrol, "begun");
    }
    let waiting = phone.outbox.split_off(150);
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(reply.results, vec![PushResult::Accepted; 150]);
    phone.outbox = waiting;
    let last = phone.outbox.last().unwrap().doc;
    phone.note(last, "and more of the same");
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(reply.results[..bound - 150], vec![PushResult::Accepted; bound - 150]);
    for result in &reply.results[bound - 150..] {
        assert!(matches!(result, PushResult::Later(why) if why.contains("24 hours")), "{result:?}");
    }
    assert_eq!(world.number(WAITING).await, 0, "it is no refusal");
    world.clock.advance(24 * 3_600_000);
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(reply.results[bound - 150..], [PushResult::Accepted, PushResult::Accepted]);
    world.assert_sound().await;
}

async fn what_begins_no_patrol_takes_none_of_a_days_room(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    let patrol = phone.begin_patrol(255);
    phone.note(patrol, "begun");
    let mut request = phone.request();
    let garbage = (0..=PATROLS_PER_DAY).map(|number| {
        let doc = DocId::from_bytes(u128::from(number).to_be_bytes());
        Push { doc, kind: DocKind::Patrol, change: number.to_be_bytes().to_vec().into() }
    });
    request.push.splice(0..0, garbage);
    let reply = phone.send(&world.app, request).await;
    assert_eq!(reply.results.last(), Some(&PushResult::Accepted));
}

async fn a_revoked_phone_hands_everything_in_and_learns_nothing(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "before it was lost");
    world.execute("UPDATE device SET revoked_at = 1", Vec::new()).await;
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!(reply.standing, Standing::Revoked);
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::DeviceRevoked));
    assert!(reply.anchor.is_none() && reply.buckets.is_empty() && reply.docs.is_empty());
    assert_eq!(world.number(WAITING).await, 1);
    assert_eq!(world.number("SELECT count(*) AS n FROM change").await, 0);
}

async fn a_full_quarantine_is_said_aloud_and_good_work_still_gets_in(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    let garbage =
        |n: u64| Push { doc, kind: DocKind::Response, change: n.to_be_bytes().to_vec().into() };
    for page in 0..quarantine::WAITING_CHANGES / 500 {
        let mut request = phone.request();
        request.push = (0..500).map(|n| garbage(page * 500 + n)).collect();
        phone.send(&world.app, request).await;
    }
    phone.note(doc, "good work");
    let mut request = phone.request();
    request.push.push(garbage(1 << 40));
    let full = phone.try_send(&world.app, request.clone()).await;
    assert!(matches!(full, Err(HubError::QuarantineFull { waiting: 2_000 })), "{full:?}");
    assert_eq!(world.number("SELECT count(*) AS n FROM change").await, 1);
    let mut again = phone.request();
    again.push = vec![garbage(0), garbage(1)];
    let reply = phone.send(&world.app, again).await;
    let codes: Vec<_> = reply.results.iter().map(refusal).collect();
    assert_eq!(codes, vec![Some(RefusalCode::Malformed); 2], "what is kept takes no more room");
    world.execute("UPDATE quarantine SET settled_at = 1", Vec::new()).await;
    let reply = phone.send(&world.app, request).await;
    assert_eq!(reply.results[0], PushResult::Duplicate);
    assert_eq!(refusal(&reply.results[1]), Some(RefusalCode::Malformed));
}

on_each_engine!(
    a_strangers_document_is_refused_and_kept_whole,
    only_a_patrol_may_begin_on_a_phone,
    one_bad_change_spoils_nothing_else,
    changes_out_of_order_wait_for_those_before_them,
    work_on_a_document_that_was_taken_away_is_accepted_and_marked,
    a_phone_that_begins_patrols_without_end_keeps_those_beyond_a_days_bound,
    what_begins_no_patrol_takes_none_of_a_days_room,
    a_revoked_phone_hands_everything_in_and_learns_nothing,
    a_full_quarantine_is_said_aloud_and_good_work_still_gets_in,
);

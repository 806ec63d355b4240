//! Chains of facts: forks, restored phones, anchors.

use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::fact::AnchorRef;
use onscene_sync_core::fact::envelope::read_anchor;
use onscene_sync_core::sync::message::{PushResult, RefusalCode, Standing};
use onscene_sync_core::time::Millis;

use super::world::{World, refusal};
use crate::store::testing::{TestStore, on_each_engine};

async fn a_cloned_phone_forks_is_kept_apart_and_starts_anew(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "both have this");
    phone.catch_up(&world.app).await;
    let mut clone = phone.backup();
    clone.incarnation = 1;
    phone.note(doc, "the phone's second");
    clone.note(doc, "the clone's second");
    assert_eq!(phone.sync(&world.app).await.results, [PushResult::Accepted]);

    let reply = clone.send(&world.app, clone.request()).await;
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::Equivocation));
    assert_eq!(reply.standing, Standing::Restored);
    assert_eq!(world.number("SELECT count(*) AS n FROM quarantine").await, 1);

    let mut request = clone.request();
    request.push.clear();
    request.renew = true;
    let reply = clone.send(&world.app, request.clone()).await;
    assert_eq!(reply.standing, Standing::Renewed(2));
    let reply = clone.send(&world.app, request).await;
    assert_eq!(reply.standing, Standing::Renewed(2), "a lost answer is told again");
    clone.reinstall(2);
    clone.catch_up(&world.app).await;
    clone.note(doc, "the clone's own");
    assert_eq!(clone.sync(&world.app).await.results, [PushResult::Accepted]);
    assert_eq!(clone.docs[&doc].len(), 3);
    world.assert_sound().await;
}

async fn a_phone_restored_from_a_backup_is_found_out_by_its_head(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    let restored = phone.backup();
    phone.note(doc, "one");
    let mut request = phone.request();
    request.push.clear();
    assert_eq!(phone.send(&world.app, request).await.standing, Standing::Good, "named, not pushed");
    let reply = restored.send(&world.app, restored.request()).await;
    assert_eq!(reply.standing, Standing::Restored);
    assert_eq!(phone.sync(&world.app).await.standing, Standing::Good);
}

async fn a_restored_phone_is_sent_the_bytes_of_its_own_lost_changes(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    let mut restored = phone.backup();
    phone.note(doc, "written after the backup");
    phone.catch_up(&world.app).await;
    let reply = restored.send(&world.app, restored.request()).await;
    assert_eq!(reply.standing, Standing::Restored);
    restored.apply(&reply);
    assert_eq!(restored.hashes(doc), phone.hashes(doc));
}

async fn anchors_are_counted_signed_and_acknowledged(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = world.phone(1).await;
    let doc = phone.begin_patrol(9);
    phone.note(doc, "one");
    let head = phone.head();
    let first = phone.sync(&world.app).await;
    world.clock.advance(60_000);
    let mut request = phone.request();
    let envelope = first.anchor.clone().unwrap();
    let key = world.app.keys.facts.public_key();
    let anchor = read_anchor(&envelope, &key).unwrap();
    assert_eq!((anchor.number, anchor.head, anchor.at), (1, head, first.at));
    assert_eq!(first.head, head, "the head that it pushed is admitted");
    request.anchor = Some(AnchorRef {
        number: 1,
        proof: fact_id(&envelope),
        sent_boot_ns: 10,
        received_boot_ns: 20,
    });
    let second = phone.send(&world.app, request.clone()).await;
    let next = read_anchor(&second.anchor.unwrap(), &key).unwrap();
    assert_eq!((next.number, next.at), (2, Millis(first.at.0 + 60_000)));
    let acknowledged = "SELECT received_boot_ns AS n FROM anchor WHERE acknowledges = 1";
    assert_eq!(world.number(acknowledged).await, 20);
    request.anchor = request.anchor.map(|anchor| AnchorRef { received_boot_ns: 99, ..anchor });
    phone.send(&world.app, request).await;
    assert_eq!(world.number(acknowledged).await, 20, "the first word counts");
    let seen = "SELECT seen_at AS n FROM device_head WHERE seq = 1";
    assert_eq!(world.number(seen).await, first.at.0, "seen first with the first request");
}

on_each_engine!(
    a_cloned_phone_forks_is_kept_apart_and_starts_anew,
    a_phone_restored_from_a_backup_is_found_out_by_its_head,
    a_restored_phone_is_sent_the_bytes_of_its_own_lost_changes,
    anchors_are_counted_signed_and_acknowledged,
);

//! What phones hand in for colleagues that they met without a network.

use std::collections::BTreeSet;

use onscene_sync_core::document::DocKind;
use onscene_sync_core::handover::certificate;
use onscene_sync_core::sync::message::{PushResult, RefusalCode, Standing, SyncRequest};
use onscene_sync_core::time::Millis;

use crate::hub::authors::survey;
use crate::hub::{quarantine, verify};

use super::world::{OTHER_SQUAD, SQUAD, World, refusal};
use crate::store::testing::{TestStore, on_each_engine};

async fn a_carried_change_is_its_authors_and_counts_once(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut anna, mut bo) = (world.phone(1).await, world.phone(2).await);
    let mut chen = world.phone(3).await;
    for phone in [&mut anna, &mut bo, &mut chen] {
        phone.catch_up(&world.app).await;
    }
    let fact = anna.note(doc, "from Anna");
    let request = bo.carrying(&anna, vec![anna.states(&bo, &[])]);
    let at = world.app.now();
    let reply = bo.send(&world.app, request.clone()).await;
    assert_eq!(reply.results, [PushResult::Accepted]);
    let own = "SELECT count(*) AS n FROM fact f JOIN change c ON c.doc_id = f.doc_id \
         JOIN carried_change k ON k.hash = c.hash \
         WHERE f.device = c.device AND k.carrier <> c.device AND c.late = 0";
    assert_eq!(world.number(own).await, 1, "it stands under its author, its carrier beside it");
    assert_eq!(world.number("SELECT seen_at AS n FROM device_head WHERE seq = 1").await, at.0);

    world.clock.advance(60_000);
    let again = bo.send(&world.app, request).await;
    assert_eq!(again.results, [PushResult::Duplicate]);
    let request = chen.carrying(&anna, vec![anna.states(&chen, &[])]);
    assert_eq!(chen.send(&world.app, request).await.results, [PushResult::Duplicate]);
    let reply = anna.sync(&world.app).await;
    assert_eq!((reply.results, reply.standing), (vec![PushResult::Duplicate], Standing::Good));
    assert_eq!(world.number("SELECT seen_at AS n FROM device_head WHERE seq = 1").await, at.0);
    assert_eq!(world.number("SELECT count(*) AS n FROM fact").await, 1);
    bo.catch_up(&world.app).await;
    assert!(bo.docs[&doc].fact(&fact).is_some());
    world.assert_sound().await;
    world.execute("UPDATE statement SET body = $1", vec![Some(vec![1, 2, 3])]).await;
    let report = verify::verify(&world.app.store, None).await.unwrap();
    assert!(report.faults.len() == 1 && report.faults[0].contains("proves nothing"), "{report:?}");
}

async fn without_its_authors_proof_a_change_is_refused_as_the_carriers(store: TestStore) {
    let world = World::new(store).await;
    let (doc, other) = (world.response(7).await, world.response(8).await);
    let (mut anna, mut bo) = (world.phone(1).await, world.phone(2).await);
    for phone in [&mut anna, &mut bo] {
        phone.catch_up(&world.app).await;
    }
    anna.note(other, "earlier");
    let old = anna.states(&bo, &[doc]);
    anna.sync(&world.app).await;
    anna.note(doc, "from Anna");
    let good = anna.states(&bo, &[]);
    let mut altered = good.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let forged = bo.states(&anna, &[doc]);
    for statements in [vec![], vec![old], vec![altered], vec![forged], vec![vec![0; 40].into()]] {
        let reply = bo.send(&world.app, bo.carrying(&anna, statements)).await;
        assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::WrongActor));
    }
    let mine = "SELECT count(*) AS n FROM quarantine \
         WHERE carrier IS NULL AND device <> (SELECT device FROM fact LIMIT 1)";
    assert_eq!(world.number(mine).await, 1);
    let mut moved = bo.carrying(&anna, vec![good.clone()]);
    moved.push[0].doc = other;
    let reply = bo.send(&world.app, moved).await;
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::WrongActor), "listed elsewhere");
    let mut changed = bo.carrying(&anna, vec![good.clone()]);
    let middle = changed.push[0].change.len() / 2;
    changed.push[0].change[middle] ^= 1;
    let reply = bo.send(&world.app, changed).await;
    assert!(refusal(&reply.results[0]).is_some(), "altered on the way");
    let reply = bo.send(&world.app, bo.carrying(&anna, vec![good])).await;
    assert_eq!(reply.results, [PushResult::Accepted], "nothing of this stood in its way");
    world.assert_sound().await;
}

async fn a_revoked_authors_change_is_kept_apart_whoever_brings_it(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut anna, mut bo) = (world.phone(1).await, world.phone(2).await);
    for phone in [&mut anna, &mut bo] {
        phone.catch_up(&world.app).await;
    }
    anna.note(doc, "from Anna");
    bo.note(doc, "from Bo");
    let revoke = "UPDATE device SET revoked_at = 1 WHERE device = $1";
    world.execute(revoke, vec![Some(anna.caller.device.as_bytes().to_vec())]).await;
    let reply = bo.send(&world.app, bo.carrying(&anna, vec![anna.states(&bo, &[])])).await;
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::DeviceRevoked));
    assert_eq!((&reply.results[1], reply.standing), (&PushResult::Accepted, Standing::Good));
    let kept = "SELECT count(*) AS n FROM quarantine WHERE carrier IS NOT NULL";
    assert_eq!(world.number(kept).await, 1);
    // The other way round: a revoked phone brings what a good one wrote.
    let mut chen = world.phone(3).await;
    chen.catch_up(&world.app).await;
    chen.note(doc, "from Chen");
    let reply = anna.send(&world.app, anna.carrying(&chen, vec![chen.states(&anna, &[])])).await;
    assert_eq!(reply.standing, Standing::Revoked);
    assert_eq!(reply.results[0], PushResult::Accepted);
    bo.outbox.clear();
    chen.outbox.clear();
    chen.docs.remove(&doc);
    bo.docs.remove(&doc);
    world.assert_sound().await;
}

async fn who_was_handed_a_document_by_somebody_entitled_may_write_to_it(store: TestStore) {
    let world = World::new(store).await;
    let (mut anna, mut stranger) = (world.phone(1).await, world.phone(2).await);
    let mut team = [world.phone(3).await, world.phone(4).await, world.phone(5).await];
    for phone in team.iter_mut().chain([&mut anna, &mut stranger]) {
        phone.catch_up(&world.app).await;
    }
    let doc = world.response(7).await;
    anna.catch_up(&world.app).await;
    // It comes and goes while the others are offline.
    world.move_doc(doc, SQUAD, OTHER_SQUAD).await;
    stranger.invent(doc, DocKind::Response);
    let by_nobody = (Vec::new(), false);
    let by_a_stranger = (vec![stranger.states(&team[1], &[doc])], false);
    let by_anna = (vec![anna.states(&team[2], &[doc])], true);
    for (phone, (statements, may)) in team.iter_mut().zip([by_nobody, by_a_stranger, by_anna]) {
        phone.invent(doc, DocKind::Response);
        phone.note(doc, "we were there");
        let reply = phone.send(&world.app, SyncRequest { statements, ..phone.request() }).await;
        let expected = (!may).then_some(RefusalCode::OutOfScope);
        assert_eq!(refusal(&reply.results[0]), expected, "{:?}", phone.caller.device);
    }
    assert_eq!(world.number("SELECT count(*) AS n FROM change WHERE late = 1").await, 1);
    world.assert_sound().await;
}

async fn a_patrol_that_a_colleague_brings_is_born_in_its_authors_unit(store: TestStore) {
    let world = World::new(store).await;
    let (mut anna, mut bo) = (world.phone(1).await, world.phone(2).await);
    for phone in [&mut anna, &mut bo] {
        phone.catch_up(&world.app).await;
    }
    let patrol = anna.begin_patrol(5);
    anna.note(patrol, "begun");
    bo.now_in(OTHER_SQUAD);
    let reply = bo.send(&world.app, bo.carrying(&anna, vec![anna.states(&bo, &[])])).await;
    assert_eq!(reply.results, [PushResult::Accepted]);
    anna.catch_up(&world.app).await;
    let unit = onscene_sync_core::sync::message::Bucket::Unit(SQUAD);
    assert!(anna.members(unit).contains(&patrol));
    world.assert_sound().await;
}

async fn a_certificate_is_for_the_phone_that_asks_as_it_is_now(store: TestStore) {
    let world = World::new(store).await;
    let anna = world.phone(1).await;
    let reply = anna.send(&world.app, anna.request()).await;
    assert_eq!(reply.certificate, None);
    let reply = anna.send(&world.app, SyncRequest { certify: true, ..anna.request() }).await;
    let bytes = reply.certificate.unwrap();
    let read = certificate::read(&bytes, &world.app.keys.facts.public_key()).unwrap();
    assert_eq!((read.device, read.install), (anna.caller.device, 1));
    assert_eq!((read.person, read.unit), (anna.caller.person, SQUAD));
    assert_eq!(read.expires_at, Millis(world.app.now().0 + certificate::LIFE_MS));
    let renewed = SyncRequest { certify: true, renew: true, ..anna.request() };
    let reply = anna.send(&world.app, renewed).await;
    let read =
        certificate::read(&reply.certificate.unwrap(), &world.app.keys.facts.public_key()).unwrap();
    assert_eq!((reply.standing, read.install), (Standing::Renewed(2), 2));
}

async fn a_colleagues_refused_work_cannot_hold_up_the_carriers_own(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut anna, mut bo) = (world.phone(1).await, world.phone(2).await);
    for phone in [&mut anna, &mut bo] {
        phone.catch_up(&world.app).await;
    }
    let revoke = "UPDATE device SET revoked_at = 1 WHERE device = $1";
    world.execute(revoke, vec![Some(anna.caller.device.as_bytes().to_vec())]).await;
    anna.note(doc, "the first");
    let first = bo.send(&world.app, bo.carrying(&anna, vec![anna.states(&bo, &[])])).await;
    assert_eq!(refusal(&first.results[0]), Some(RefusalCode::DeviceRevoked));
    // One row stands for all that fills the room.
    let fill = "UPDATE quarantine SET body = $1";
    let room = usize::try_from(quarantine::WAITING_BYTES).unwrap();
    world.execute(fill, vec![Some(vec![0; room])]).await;

    anna.note(doc, "one too many");
    bo.note(doc, "from Bo");
    let request = bo.carrying(&anna, vec![anna.states(&bo, &[])]);
    let reply = bo.send(&world.app, request.clone()).await;
    assert_eq!(refusal(&reply.results[0]), Some(RefusalCode::DeviceRevoked), "kept already");
    assert!(matches!(reply.results[1], PushResult::Later(_)), "kept by its carrier: {reply:?}");
    assert_eq!(reply.results[2], PushResult::Accepted);
    assert_eq!(world.number("SELECT count(*) AS n FROM quarantine").await, 1);
    world.execute("UPDATE quarantine SET settled_at = 1", Vec::new()).await;
    let reply = bo.send(&world.app, request).await;
    assert_eq!(refusal(&reply.results[1]), Some(RefusalCode::DeviceRevoked));
    assert_eq!(world.number("SELECT count(*) AS n FROM quarantine").await, 2);
}

async fn a_statement_that_its_author_did_not_sign_names_nobody(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let (mut anna, bo) = (world.phone(1).await, world.phone(2).await);
    anna.catch_up(&world.app).await;
    anna.note(doc, "from Anna");
    let good = anna.states(&bo, &[]);
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    for (statement, named) in [(forged, 1), (good, 2)] {
        let input = (bo.caller.clone(), [statement], BTreeSet::from([doc]));
        let read = world.app.store.with_read("test", input, |tx, (caller, statements, docs)| {
            Box::pin(async move { survey(tx, caller, statements, docs, None).await })
        });
        assert_eq!(read.await.unwrap().known.len(), named);
    }
}

on_each_engine!(
    a_colleagues_refused_work_cannot_hold_up_the_carriers_own,
    a_statement_that_its_author_did_not_sign_names_nobody,
    a_carried_change_is_its_authors_and_counts_once,
    without_its_authors_proof_a_change_is_refused_as_the_carriers,
    a_revoked_authors_change_is_kept_apart_whoever_brings_it,
    who_was_handed_a_document_by_somebody_entitled_may_write_to_it,
    a_patrol_that_a_colleague_brings_is_born_in_its_authors_unit,
    a_certificate_is_for_the_phone_that_asks_as_it_is_now,
);

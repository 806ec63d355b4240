//! A phone that comes back with nothing and finds nothing new.

use metrics_exporter_prometheus::PrometheusBuilder;
use onscene_sync_core::crypto::fact_id;
use onscene_sync_core::fact::AnchorRef;
use onscene_sync_core::fact::anchor::Anchor;
use onscene_sync_core::fact::envelope::read_anchor;
use onscene_sync_core::sync::message::{Standing, SyncReply};

use super::http::Hub;
use super::world::World;
use crate::hub::exchange;
use crate::store::testing::{TestStore, on_each_engine};

/// Counted in one thread, where the recorder can be the test's own.
async fn statements_of_an_idle_sync(store: TestStore) {
    let mut hub = Hub::new(store).await;
    let doc = hub.phone.begin_patrol(9);
    hub.phone.note(doc, "one");
    for _ in 0..3 {
        let reply = hub.sync(&hub.phone.request()).await.reply();
        hub.phone.outbox.clear();
        hub.phone.apply(&reply);
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    let seen = recorder.handle();
    let reply = {
        let _guard = metrics::set_default_local_recorder(&recorder);
        hub.sync(&hub.phone.request()).await.reply()
    };
    assert_eq!(reply.standing, Standing::Good);
    let text = seen.render();
    let mut statements: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("onscene_statements_total")).collect();
    statements.sort_unstable();
    let each = [r#"{name="auth.phone"} 1"#, r#"{name="hub.anchor"} 1"#, r#"{name="hub.glance"} 1"#];
    assert_eq!(statements, each, "each costs two thread switches: think before adding one");
}

#[tokio::test]
async fn an_idle_sync_takes_three_statements_on_sqlite() {
    statements_of_an_idle_sync(TestStore::sqlite().await).await;
}

#[tokio::test]
async fn an_idle_sync_takes_three_statements_on_postgres() {
    if let Some(store) = TestStore::postgres().await {
        statements_of_an_idle_sync(store).await;
    }
}

fn anchor(world: &World, reply: &SyncReply) -> Anchor {
    let envelope = reply.anchor.as_ref().expect("every reply carries one");
    read_anchor(envelope, &world.app.keys.facts.public_key()).unwrap()
}

async fn an_idle_sync_says_what_the_long_way_says(store: TestStore) {
    let world = World::new(store).await;
    let doc = world.response(7).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    phone.note(doc, "one");
    phone.catch_up(&world.app).await;
    let last = phone.catch_up(&world.app).await;
    let mut request = phone.request();
    request.anchor = Some(AnchorRef {
        number: anchor(&world, &last).number,
        proof: fact_id(&last.anchor.unwrap()),
        sent_boot_ns: 10,
        received_boot_ns: 20,
    });
    let (caller, now) = (&phone.caller, world.app.now());
    let short = phone.send(&world.app, request.clone()).await;
    let heard = "SELECT received_boot_ns AS n FROM anchor WHERE acknowledges IS NOT NULL";
    assert_eq!(world.number(heard).await, 20, "an idle sync acknowledges too");
    let long = exchange::in_full(&world.app, caller, request, now).await.unwrap();
    let (one, two) = (anchor(&world, &short), anchor(&world, &long));
    assert_eq!((one.number + 1, one.head, one.at), (two.number, two.head, two.at));
    assert_eq!(SyncReply { anchor: None, ..short }, SyncReply { anchor: None, ..long });
    world.assert_sound().await;
}

async fn syncs_at_once_are_given_different_anchors(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = world.phone(1).await;
    let first = anchor(&world, &phone.catch_up(&world.app).await).number;
    let (phone, node) = (&phone, &world.another_node().await);
    let world = &world;
    let syncs = (0..8).map(|n| async move {
        let app = if n % 2 == 0 { &world.app } else { node };
        anchor(world, &phone.send(app, phone.request()).await).number
    });
    let mut numbers = futures_util::future::join_all(syncs).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (first + 1..=first + 8).collect::<Vec<_>>());
}

async fn a_phone_that_was_revoked_meanwhile_is_told(store: TestStore) {
    let world = World::new(store).await;
    let mut phone = world.phone(1).await;
    phone.catch_up(&world.app).await;
    world.execute("UPDATE device SET revoked_at = 5", Vec::new()).await;
    let reply = phone.send(&world.app, phone.request()).await;
    assert_eq!((reply.standing, reply.anchor), (Standing::Revoked, None));
}

on_each_engine!(
    an_idle_sync_says_what_the_long_way_says,
    syncs_at_once_are_given_different_anchors,
    a_phone_that_was_revoked_meanwhile_is_told,
);

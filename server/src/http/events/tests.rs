use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use super::*;
use crate::audit::entry::{Deed, Entry, note};
use crate::auth::Role;
use crate::auth::tests::desk::Desk;
use crate::auth::tests::kit::{World, text};
use crate::changes::Follower;
use crate::store::testing::{TestStore, on_each_engine};

const MINUTE_MS: i64 = 60_000;
/// That something changed, whatever it was.
const CHANGED: &str = "event: changed\ndata: {}\n\n";

/// What one desk hears.
struct Stream(Body);

impl Stream {
    async fn open(world: &World, key: &str) -> Self {
        let (status, mut stream) = Self::request(world, key).await;
        assert_eq!(status, 200);
        assert_eq!(stream.hears().await.as_deref(), Some(CHANGED));
        stream
    }

    async fn request(world: &World, key: &str) -> (StatusCode, Self) {
        let request =
            Request::get("/v1/events").header(header::AUTHORIZATION, format!("Bearer {key}"));
        let request = request.body(Body::empty()).unwrap();
        let answer = crate::http::router(&world.app).oneshot(request).await.unwrap();
        (answer.status(), Self(answer.into_body()))
    }

    /// The next event; `None` when the stream has ended.
    async fn hears(&mut self) -> Option<String> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.0.frame());
        let frame = next.await.expect("something within ten seconds")?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    async fn hears_of_a_change(&mut self) {
        let event = self.hears().await.expect("an event");
        let rest = event.strip_prefix("event: changed\ndata: {}\nid: ");
        assert!(rest.is_some_and(|id| id.trim_end().parse::<i64>().is_ok()), "{event:?}");
    }

    async fn hears_nothing(&mut self) {
        let waited = tokio::time::timeout(Duration::from_millis(100), self.0.frame()).await;
        assert!(waited.is_err(), "{waited:?}");
    }
}

/// Registers a case; returns its id.
async fn register(world: &World, key: &str) -> String {
    let case = json!({ "class": "complaint", "channel": "telephone", "matter": "noise",
        "summary": "too loud" });
    text(&world.post(key, "/v1/cases", case).await.ok()["id"])
}

async fn desks_hear_of_cases_in_their_reach_from_another_node(store: TestStore) {
    let other = store.another().await;
    let world = World::new(store).await;
    let node = world.another_node(other).await;
    let top = world.top().await;
    let (one, two) = (world.unit("一中队", &top).await, world.unit("二中队", &top).await);
    let desk = async |role, unit: &str| world.key(&world.person(role, unit).await).await;
    let dispatcher = desk(Role::Dispatcher, &top).await;
    let mut follower = Follower::begin(&node.app).await.unwrap();
    let mut centre = Stream::open(&node, &dispatcher).await;
    let mut first = Stream::open(&node, &desk(Role::UnitLeader, &one).await).await;
    let mut second = Stream::open(&node, &desk(Role::UnitLeader, &two).await).await;

    let case = register(&world, &dispatcher).await;
    follower.look(&node.app).await.unwrap();
    centre.hears_of_a_change().await;
    follower.look(&node.app).await.unwrap();
    centre.hears_nothing().await;
    first.hears_nothing().await;

    let orders = format!("/v1/cases/{case}/orders");
    world.post(&dispatcher, &orders, json!({ "unit": one })).await.ok();
    follower.look(&node.app).await.unwrap();
    centre.hears_of_a_change().await;
    first.hears_of_a_change().await;
    second.hears_nothing().await;

    world.post(&dispatcher, &orders, json!({ "unit": two })).await.ok();
    follower.look(&node.app).await.unwrap();
    first.hears_of_a_change().await;
    second.hears_of_a_change().await;
}

async fn a_desk_that_has_moved_hears_of_its_new_units_and_not_of_the_old(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let (one, two) = (world.unit("一中队", &top).await, world.unit("二中队", &top).await);
    let dispatcher = world.key(&world.person(Role::Dispatcher, &top).await).await;
    let leader = world.person(Role::UnitLeader, &one).await;
    let key = world.key(&leader).await;
    let mut follower = Follower::begin(&world.app).await.unwrap();
    let mut stream = Stream::open(&world, &key).await;
    let mut order = async |unit: &str| {
        let orders = format!("/v1/cases/{}/orders", register(&world, &dispatcher).await);
        world.post(&dispatcher, &orders, json!({ "unit": unit })).await.ok();
        follower.look(&world.app).await.unwrap();
    };
    let to = async |unit: &str| {
        world
            .appoint(&leader, json!({ "role": Role::UnitLeader.as_str(), "unit": unit }))
            .await
            .ok()
    };
    to(&two).await;
    order(&two).await;
    stream.hears_of_a_change().await;
    order(&one).await;
    stream.hears_nothing().await;

    to(&one).await;
    order(&two).await;
    assert_eq!(stream.hears().await.as_deref(), Some(CHANGED), "that it has moved, no more");
    order(&two).await;
    stream.hears_nothing().await;

    let below = world.unit("一组", &one).await;
    order(&two).await;
    assert_eq!(stream.hears().await.as_deref(), Some(CHANGED), "it reaches further");
    order(&below).await;
    stream.hears_of_a_change().await;
}

async fn a_stream_ends_with_its_session_and_does_not_keep_it_alive(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let dispatcher = world.key(&world.person(Role::Dispatcher, &top).await).await;
    let signed_out = Desk::new(&world, Role::Dispatcher, "li").await;
    let idle = Desk::new(&world, Role::Leader, "wang").await;
    let mut follower = Follower::begin(&world.app).await.unwrap();
    let mut streams = [
        Stream::open(&world, &signed_out.session).await,
        Stream::open(&world, &idle.session).await,
    ];
    let change = async |follower: &mut Follower| {
        register(&world, &dispatcher).await;
        follower.look(&world.app).await.unwrap();
    };
    world.clock.advance(40 * MINUTE_MS);
    change(&mut follower).await;
    for stream in &mut streams {
        stream.hears_of_a_change().await;
    }
    let out = world.post(&signed_out.session, "/v1/sign-out", json!({})).await;
    assert_eq!(out.status.as_u16(), 204);
    world.clock.advance(40 * MINUTE_MS);
    change(&mut follower).await;
    let [out, idle] = &mut streams;
    assert_eq!(out.hears().await, None, "signed out");
    assert_eq!(idle.hears().await, None, "80 minutes without a request, whatever was listened to");
}

async fn a_stream_ends_with_its_session_though_nothing_happens(store: TestStore) {
    let world = World::new(store).await;
    let signed_in = Desk::new(&world, Role::Leader, "wang").await;
    let credentials = format!("Bearer {}", signed_in.session).parse().unwrap();
    let viewer = desk(&world.app, &credentials).await.unwrap();
    let held = (world.app.desks.join(viewer.person, PER_PERSON).unwrap(), None);
    let period = Duration::from_millis(20);
    let listening = Listening::new(world.app.clone(), (viewer, credentials), period, held);
    let mut stream = Stream(listening.answer().into_body());
    assert_eq!(stream.hears().await.as_deref(), Some(CHANGED));
    for _ in 0..2 {
        let event = stream.hears().await.expect("a sign of life");
        assert!(event.starts_with(':'), "{event:?}");
    }
    let out = world.post(&signed_in.session, "/v1/sign-out", json!({})).await;
    assert_eq!(out.status.as_u16(), 204);
    assert_eq!(stream.hears().await, None);
}

async fn what_a_look_that_fails_has_missed_the_next_one_finds(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let dispatcher = world.key(&world.person(Role::Dispatcher, &top).await).await;
    let mut follower = Follower::begin(&world.app).await.unwrap();
    let mut stream = Stream::open(&world, &dispatcher).await;
    register(&world, &dispatcher).await;
    let others = vec![Entry::new(Deed::PersonAppointed, world.app.now()); 600];
    let noted = world.app.store.with_tx("test", others, |tx, others| Box::pin(note(tx, others)));
    noted.await.unwrap();
    let rename = async |sql: &'static str| {
        world.app.store.write_one("test", || sqlx::query(sql)).await.unwrap();
    };
    rename("ALTER TABLE dispatch_order RENAME TO out_of_reach").await;
    assert!(follower.look(&world.app).await.is_err());
    rename("ALTER TABLE out_of_reach RENAME TO dispatch_order").await;
    follower.look(&world.app).await.unwrap();
    stream.hears_of_a_change().await;
}

async fn a_person_has_few_streams_and_gets_them_back(store: TestStore) {
    let world = World::new(store).await;
    let key = world.key(&world.person(Role::Leader, &world.top().await).await).await;
    let mut streams = Vec::new();
    for _ in 0..PER_PERSON {
        streams.push(Stream::open(&world, &key).await);
    }
    assert_eq!(Stream::request(&world, &key).await.0, 429);
    streams.pop();
    streams.push(Stream::open(&world, &key).await);
    world.app.stopper.stop();
    for stream in &mut streams {
        assert_eq!(stream.hears().await, None, "a hub that stops does not wait for them");
    }
}

async fn an_entry_that_shows_late_is_heard_of_all_the_same(store: TestStore) {
    let world = World::new(store).await;
    let top = world.top().await;
    let dispatcher = world.key(&world.person(Role::Dispatcher, &top).await).await;
    let mut follower = Follower::begin(&world.app).await.unwrap();
    let mut stream = Stream::open(&world, &dispatcher).await;
    register(&world, &dispatcher).await;
    // As a slow transaction leaves it: it had its number before others that were committed first.
    let hidden = "UPDATE audit_entry SET action = -action WHERE action = 2";
    world.app.store.write_one("test", || sqlx::query(hidden)).await.unwrap();
    world.person(Role::Inspector, &top).await;
    follower.look(&world.app).await.unwrap();
    stream.hears_nothing().await;
    let shown = "UPDATE audit_entry SET action = -action WHERE action = -2";
    world.app.store.write_one("test", || sqlx::query(shown)).await.unwrap();
    follower.look(&world.app).await.unwrap();
    stream.hears_of_a_change().await;
}

on_each_engine!(
    desks_hear_of_cases_in_their_reach_from_another_node,
    a_desk_that_has_moved_hears_of_its_new_units_and_not_of_the_old,
    a_stream_ends_with_its_session_and_does_not_keep_it_alive,
    a_stream_ends_with_its_session_though_nothing_happens,
    what_a_look_that_fails_has_missed_the_next_one_finds,
    an_entry_that_shows_late_is_heard_of_all_the_same,
    a_person_has_few_streams_and_gets_them_back,
);

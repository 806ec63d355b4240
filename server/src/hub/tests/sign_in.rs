//! What happens to a person's sign-in does not happen to their phone.

use axum::http::Method;
use onscene_sync_core::sync::message::PushResult;
use serde_json::json;

use super::http::Hub;
use crate::auth::tests::desk::{Desk, PASSWORD};
use crate::auth::tests::kit::bearer;
use crate::store::testing::{TestStore, on_each_engine};

on_each_engine!(an_account_that_waits_or_is_reset_records_and_syncs_on);

async fn an_account_that_waits_or_is_reset_records_and_syncs_on(store: TestStore) {
    let mut hub = Hub::new(store).await;
    let person = hub.world.get(&hub.world.admin, "/v1/devices").await.ok();
    let person = person["devices"][0]["person"].as_str().expect("whose it is").to_owned();
    let desk = Desk::of(&hub.world, &person, "li").await;
    for _ in 0..5 {
        let tried = desk.try_with(&hub.world, "another password", "000000").await;
        tried.expect(401, "sign_in_failed");
    }
    desk.try_with(&hub.world, PASSWORD, "000000").await.expect(429, "too_many_tries");
    let doc = hub.phone.begin_patrol(9);
    hub.phone.note(doc, "recorded while the account waits");
    let request = hub.phone.request();
    assert_eq!(hub.sync(&request).await.reply().results, vec![PushResult::Accepted]);
    hub.renew().await;
    let path = format!("/v1/people/{person}/sign-in");
    hub.world.send(Method::DELETE, &path, &bearer(&hub.world.admin), Some(json!({}))).await.ok();
    let request = hub.phone.request();
    assert_eq!(hub.sync(&request).await.reply().results, vec![PushResult::Duplicate]);
}

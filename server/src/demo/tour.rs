//! When the day is over: the hub stays up, and the reader gets a case, a phone and lines to copy.

use std::fmt::Write as _;

use onscene_sync_core::id::{DocId, FactId};
use onscene_sync_core::time::Millis;
use serde_json::json;

use super::error::DemoError;
use super::founding;
use super::places::PLACES;
use super::receiver::{Receiver, Surroundings};
use super::world::World;
use crate::cases::site::SiteForm;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// Fixes of the visitor's evidence: one every two seconds for 70 seconds.
const FIXES: u32 = 36;

/// Orders the reader out, lets the clock run as fast as time, and prints what to try.
///
/// # Errors
/// When the hub refuses or a file cannot be written.
pub async fn offer(world: &mut World) -> Result<(), DemoError> {
    let place = &PLACES[0];
    let squad = world.memory.squads[place.squad];
    let visitor = founding::inspector(&world.admin, squad, "访客 Visitor").await?;
    let code = founding::enrolment_code(&world.admin, visitor).await?;
    let case = json!({
        "class": "complaint", "channel": "telephone", "matter": "street_vending",
        "summary": format!("{}流动摊贩占用人行道", place.chinese),
        "site": SiteForm::from(&place.site()),
    });
    let case: DocId = world.dispatcher.post("/v1/cases", &case).await?.read("/id")?;
    let order = json!({ "unit": squad, "text": "For you: be on scene within 60 minutes" });
    let order = world.dispatcher.post(&format!("/v1/cases/{case}/orders"), &order).await?;
    let order: String = order.read::<FactId>("/orders/0/id")?.to_string();
    let order = &order[..8];
    let fixes = world.dir.join("visitor-fixes.csv");
    std::fs::write(&fixes, visitor_fixes(world.memory.seed))?;
    world.hub.run_by_itself();
    let (hub, dir) = (&world.hub.address, world.dir.display());
    let phone = format!("onscene phone --dir {dir}/visitor-{}", world.memory.days);
    let desk = format!("-H \"Authorization: Bearer $(cat {dir}/dispatcher.key)\"");
    let text = format!(
        "
The hub stays up at {hub} until Ctrl-C; its clock now runs as fast as time. In another terminal
(put `cargo run --release --` in place of `onscene` if it is not installed):

  # the command centre: cases, those that a person must settle, and the one ordered for you
  curl -s {hub}/v1/cases?limit=5 {desk}
  curl -s '{hub}/v1/cases?needs_review=true' {desk}
  curl -s {hub}/v1/cases/{case} {desk}

  # an inspector's phone (the code is good for 15 minutes)
  {phone} enrol --server {hub} --code {code}
  {phone} work
  {phone} offline
  {phone} accept {order}
  {phone} arrive {order} --datum wgs84 --wait --fixes {}
  {phone} outcome {order} stopped --text '摊贩已劝离'
  {phone} status
  {phone} online
  {phone} sync

Keys: {dir}/admin.key, {dir}/dispatcher.key, {dir}/supervisor.key. Run the demo again for another day.",
        fixes.display(),
    );
    Ok(world.account.text(&text)?)
}

/// A table of fixes on the site, off by a few metres as a receiver's are.
fn visitor_fixes(seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut table = String::from("latitude,longitude,accuracy_m,age_s\n");
    let mut receiver = Receiver::new();
    for age in (0..FIXES).rev().map(|n| n * 2) {
        let at = Millis(-1_000 * i64::from(age));
        let fix = receiver.fix(&mut rng, PLACES[0].middle(), Surroundings::Open, at, 0);
        let (lat, lon) =
            (f64::from(fix.position.lat_e7) / 1e7, f64::from(fix.position.lon_e7) / 1e7);
        let accuracy = f64::from(fix.accuracy_mm) / 1e3;
        writeln!(table, "{lat:.7},{lon:.7},{accuracy},{age}").expect("a String takes all");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::fixes::table;

    #[test]
    fn the_visitors_fixes_are_read_by_the_phone() {
        let typed = table(&visitor_fixes(7)).unwrap();
        assert_eq!(typed.len(), FIXES as usize);
    }
}

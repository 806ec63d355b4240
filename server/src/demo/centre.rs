//! The command centre's part of the day: registering, ordering, watching the clock, reading
//! verdicts. All of it over the hub's API.

use onscene_sync_core::id::DocId;
use serde_json::{Value, json};

use super::account::Kind;
use super::day::{Day, Event, MINUTE};
use super::desk::Answer;
use super::error::DemoError;
use super::people::{Oddity, SQUADS};
use crate::cases::site::SiteForm;

/// The 60 minutes, the 5 after which an order counts as received, and a little.
const DEADLINE_MS: i64 = 66 * MINUTE;

impl Day<'_> {
    pub(super) async fn report(&mut self, number: usize) -> Result<(), DemoError> {
        let case = &self.cases[number].planned;
        let (matter, place) = (case.matter, case.place);
        let body = json!({
            "class": "complaint",
            "channel": case.channel,
            "matter": matter.key,
            "summary": case.summary(),
            "site": SiteForm::from(&place.site()),
        });
        let answer = self.world.dispatcher.post("/v1/cases", &body).await?;
        let live = &mut self.cases[number];
        live.id = Some(answer.read("/id")?);
        live.number = answer.read("/number")?;
        let text = format!(
            "{} {} {} · {} {}",
            live.number, matter.chinese, matter.english, place.chinese, place.english
        );
        self.world.account.line(self.now, Kind::Registered, &text)?;
        let wait = self.world.pockets[0].walker.between(MINUTE / 2, 4 * MINUTE);
        self.soon(wait, Event::Dispatch(number));
        Ok(())
    }

    pub(super) async fn dispatch(&mut self, number: usize) -> Result<(), DemoError> {
        let Some(id) = self.cases[number].id else { return Ok(()) };
        let squad = self.cases[number].planned.place.squad;
        let body =
            json!({ "unit": self.world.memory.squads[squad], "text": "请于60分钟内到达现场" });
        let answer = self.world.dispatcher.post(&format!("/v1/cases/{id}/orders"), &body).await?;
        self.cases[number].order = Some(answer.read("/orders/0/id")?);
        self.cases[number].visit = Some(answer.read("/orders/0/inspection")?);
        let text = format!(
            "{} → {} {}",
            self.cases[number].number, SQUADS[squad].chinese, SQUADS[squad].english
        );
        self.world.account.line(self.now, Kind::Ordered, &text)?;
        self.soon(1, Event::Assign(number));
        self.soon(DEADLINE_MS, Event::Deadline(number));
        Ok(())
    }

    /// Somebody of the squad goes: who has something odd to show first, then who is nearest. A
    /// shelter of the last squad needs two.
    pub(super) fn assign(&mut self, number: usize) -> Result<(), DemoError> {
        let place = self.cases[number].planned.place;
        let wanted = if !place.covered && place.squad + 1 == SQUADS.len() { 2 } else { 1 };
        let mut free: Vec<usize> = (0..self.world.pockets.len())
            .filter(|who| self.can_take(*who, place.squad, place.covered))
            .collect();
        free.sort_by_key(|who| {
            let pocket = &self.world.pockets[*who];
            let odd = pocket.walker.who.oddity != Oddity::None && pocket.had == 0;
            let metres = pocket.walker.track.at(self.now).distance(place.middle());
            (!odd, pocket.had, std::time::Duration::from_secs_f64(metres))
        });
        if free.len() < wanted {
            self.soon(3 * MINUTE, Event::Assign(number));
            return Ok(());
        }
        for who in free.into_iter().take(wanted) {
            let pocket = &mut self.world.pockets[who];
            pocket.busy_with = Some(number);
            pocket.had += 1;
            let ring = pocket.walker.between(2_000, 15_000);
            self.cases[number].team.push(who);
            self.soon(ring, Event::Sync(who));
        }
        Ok(())
    }

    fn can_take(&self, who: usize, squad: usize, covered: bool) -> bool {
        let pocket = &self.world.pockets[who];
        let oddity = pocket.walker.who.oddity;
        let fits = match oddity {
            Oddity::Hostile => false,
            Oddity::None | Oddity::WrongClock(_) => true,
            Oddity::Restarts | Oddity::FlatTyre | Oddity::Cheat | Oddity::Cloned => covered,
        };
        let once = matches!(oddity, Oddity::None | Oddity::WrongClock(_)) || pocket.had == 0;
        pocket.walker.who.squad == squad
            && pocket.busy_with.is_none()
            && pocket.walker.online(self.now)
            && fits
            && once
    }

    pub(super) async fn deadline(&mut self, number: usize) -> Result<(), DemoError> {
        let Some(id) = self.cases[number].id else { return Ok(()) };
        let case = self.show(id).await?;
        let steps = case.value.pointer("/orders/0/overdue").and_then(Value::as_array);
        if steps.is_some_and(|steps| !steps.is_empty()) && self.cases[number].claims_told == 0 {
            let text = format!(
                "{} nobody known to be on scene after 60 minutes: escalated; an arrival made in \
                 time and delivered later still counts",
                self.cases[number].number
            );
            self.world.account.line(self.now, Kind::Overdue, &text)?;
        }
        Ok(())
    }

    /// Tells the verdicts that have come since the last time.
    pub(super) async fn tell_verdicts(&mut self) -> Result<(), DemoError> {
        for number in 0..self.cases.len() {
            let live = &self.cases[number];
            let (Some(id), true) = (live.id, live.claims_told < live.claims) else { continue };
            let case = self.show(id).await?;
            let claims = case.value.pointer("/orders/0/claims").and_then(Value::as_array);
            let judged: Vec<&Value> =
                claims.into_iter().flatten().filter(|claim| judgement(claim).is_some()).collect();
            for claim in judged.iter().skip(live.claims_told) {
                let text = format!("{} {}", live.number, in_words(claim));
                self.world.account.line(self.now, Kind::Verdict, &text)?;
            }
            self.cases[number].claims_told = judged.len();
        }
        Ok(())
    }

    /// The supervisor looks at the claims with a simulated location and rules on them.
    pub(super) async fn settle_simulated(&mut self) -> Result<(), DemoError> {
        for number in 0..self.cases.len() {
            let live = &self.cases[number];
            let Some(id) = live.id.filter(|_| live.claims > 0) else { continue };
            let case = self.show(id).await?;
            let claims = case.value.pointer("/orders/0/claims").and_then(Value::as_array);
            let simulated = claims.into_iter().flatten().filter_map(judgement).find(|judged| {
                let has = |flags: &Vec<Value>| flags.iter().any(|flag| flag == "mock_location");
                judged.pointer("/verdict/flags").and_then(Value::as_array).is_some_and(has)
                    && judged["verdict"]["conclusion"] == "needs_review"
            });
            let Some(judged) = simulated.and_then(|judged| judged["id"].as_str()) else { continue };
            let path = format!("/v1/cases/{id}/verdicts/{judged}/settlement");
            let reason = "定位为模拟，现场监控未见该巡查员 The location was simulated; cameras on \
                          scene do not show the inspector";
            let ruling = json!({ "ruling": "not_on_scene", "reason": reason });
            self.world.supervisor.post(&path, &ruling).await?;
            let text = format!("{} settled by the supervisor: 未到现场 NOT ON SCENE", live.number);
            self.world.account.line(self.now, Kind::Verdict, &text)?;
        }
        Ok(())
    }

    /// The supervisor looks at the photos that were seen on another case before, and rules on them.
    pub(super) async fn settle_reused(&mut self) -> Result<(), DemoError> {
        self.world.hub.look_at_photos().await?;
        let flags = self.world.supervisor.get("/v1/reuse").await?.value;
        for flag in flags["flags"].as_array().into_iter().flatten() {
            let (later, earlier) =
                (self.case_of(&flag["visit"]), self.case_of(&flag["earlier_visit"]));
            let likeness = match flag["distance"].as_u64() {
                Some(bits) => format!("{bits} of 64 bits differ"),
                None => "the same file".to_owned(),
            };
            let reason = "照片取自另一案件 The photo shows the scene of another case";
            let ruling = json!({ "finding": "reused", "reason": reason });
            let path = format!("/v1/reuse/{}/settlement", flag["id"]);
            self.world.supervisor.post(&path, &ruling).await?;
            let text = format!(
                "{later} has a photo of {earlier} ({likeness}), settled by the supervisor: 照片复用 REUSED"
            );
            self.world.account.line(self.now, Kind::Flag, &text)?;
        }
        Ok(())
    }

    /// The number of the case that a visit belongs to.
    fn case_of(&self, visit: &Value) -> &str {
        let visit = visit.as_str().and_then(|visit| visit.parse().ok());
        let found = self.cases.iter().find(|live| live.visit.is_some() && live.visit == visit);
        found.map_or("an earlier case", |live| &live.number)
    }

    async fn show(&self, id: DocId) -> Result<Answer, DemoError> {
        self.world.supervisor.get(&format!("/v1/cases/{id}")).await
    }
}

/// The newest verdict of a claim.
fn judgement(claim: &Value) -> Option<&Value> {
    claim["verdicts"].as_array()?.last()
}

fn in_words(claim: &Value) -> String {
    let Some(judged) = judgement(claim) else { return String::new() };
    let verdict = &judged["verdict"];
    let name = match verdict["conclusion"].as_str().unwrap_or_default() {
        "on_time" => "按时到达 ON TIME",
        "late" => "迟到 LATE",
        "not_on_scene" => "未到现场 NOT ON SCENE",
        "needs_review" => "待复核 NEEDS REVIEW",
        other => other,
    };
    let word = |key: &str| verdict[key].as_str().unwrap_or_default().replace('_', " ");
    let because = judged["because"].as_array().into_iter().flatten();
    let because: Vec<_> = because.filter_map(|sentence| sentence["en"].as_str()).collect();
    format!("{name} (time {}, place {}): {}", word("grade"), word("place"), because.join(" "))
}

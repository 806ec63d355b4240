//! What people and bad luck do in one step.

use onscene_mobile::Job;
use onscene_sync_core::document::Answer;
use onscene_sync_core::fact::body::{Finding, Outcome, OutcomeReport};
use onscene_sync_core::fact::{Body, Fact};
use onscene_sync_core::id::FactId;
use onscene_sync_core::limits::OUTCOME_EVIDENCE;
use onscene_sync_core::place::{Datum, Fix, Position, Provider};
use rand::RngExt as _;
use serde_json::json;
use sha2::Digest as _;

use super::{Simulation, id};

/// Steps that mean an act of a person at a phone, out of [`LUCK`].
const ACTS: u32 = 50;
/// Steps that mean an attempt to sync.
const SYNCS: u32 = 80;
/// All kinds of step together.
const LUCK: u32 = 120;

const OUTCOMES: [Outcome; 4] =
    [Outcome::Stopped, Outcome::Unfounded, Outcome::Corrected, Outcome::LongTerm];

impl Simulation {
    pub(super) async fn step(&mut self) {
        let pause = self.rng.random_range(1_000..90_000);
        self.world.pass(pause);
        self.hub.advance_to(self.world.now()).await;
        let n = self.rng.random_range(0..self.phones.len());
        match self.rng.random_range(0..LUCK) {
            0..ACTS => self.act(n),
            ACTS..SYNCS => self.sync_roughly(n).await,
            80..86 => self.dispatch().await,
            86..88 => self.redispatch().await,
            88..93 => {
                self.phones[n].crash();
                self.tell(&format!("phone {n} crashes"));
            }
            93..96 => {
                self.phones[n].handset.clocks.reboot();
                self.tell(&format!("phone {n} reboots"));
            }
            96..98 => {
                let offset = self.rng.random_range(-40_000_000..40_000_000);
                self.phones[n].handset.clocks.set_wall(offset);
                self.tell(&format!("phone {n} has its wall clock set {offset} ms off"));
            }
            98..101 => {
                self.phones[n].back_up();
                self.tell(&format!("phone {n} is backed up"));
            }
            101..103 if self.phones[n].backed_up => {
                self.phones[n].restore();
                self.tell(&format!("phone {n} is restored"));
            }
            103..105 => self.move_person(n).await,
            105 => self.revoke(n).await,
            106 => {
                self.hub.restart().await;
                self.tell("the hub restarts");
            }
            107 => self.deliver_late(n),
            _ => self.hand_over(n),
        }
    }

    /// Two people meet without a network; what one phone says may not reach the other.
    fn hand_over(&mut self, n: usize) {
        let other = self.rng.random_range(0..self.phones.len());
        let lossy = self.rng.random_range(0..3) == 0;
        let Ok([one, two]) = self.phones.get_disjoint_mut([n, other]) else { return };
        let (one, two) = (one.device(), two.device());
        let mut first = one.hand_over().expect("chance");
        let mut second = two.hand_over().expect("chance");
        let mut lost = 0;
        for _ in 0..4 {
            while let Ok(Some(message)) = first.next(one) {
                if lossy && self.rng.random_range(0..3) == 0 {
                    lost += 1;
                } else if let Err(error) = second.take(two, &message) {
                    self.trace.update(error.to_string().as_bytes());
                }
            }
            while let Ok(Some(message)) = second.next(two) {
                if lossy && self.rng.random_range(0..3) == 0 {
                    lost += 1;
                } else if let Err(error) = first.take(one, &message) {
                    self.trace.update(error.to_string().as_bytes());
                }
            }
        }
        let (gave, took) = (second.given().clone(), first.given().clone());
        self.tell(&format!("phones {n} and {other} meet, {lost} lost: {gave:?}, {took:?}"));
    }

    /// People at work who meet each other more often than a network.
    pub(super) async fn work_apart(&mut self, steps: u32) {
        for _ in 0..steps {
            let pause = self.rng.random_range(1_000..90_000);
            self.world.pass(pause);
            self.hub.advance_to(self.world.now()).await;
            let n = self.rng.random_range(0..self.phones.len());
            match self.rng.random_range(0..20) {
                0..9 => self.act(n),
                9..14 => self.hand_over(n),
                14 => {
                    self.phones[n].back_up();
                    self.tell(&format!("phone {n} is backed up"));
                }
                15 if self.phones[n].backed_up => {
                    self.phones[n].restore();
                    self.tell(&format!("phone {n} is restored"));
                }
                16 => self.sync_well(n).await,
                _ => self.sync_roughly(n).await,
            }
        }
    }

    /// Nothing but people at work, and their phones syncing well.
    pub(super) async fn work(&mut self, steps: u32) {
        for _ in 0..steps {
            let pause = self.rng.random_range(1_000..90_000);
            self.world.pass(pause);
            let n = self.rng.random_range(0..self.phones.len());
            self.act(n);
            if self.rng.random_range(0..3) == 0 {
                self.sync_well(n).await;
            }
        }
    }

    /// Somebody does something with a phone, with or without a network.
    fn act(&mut self, n: usize) {
        let work = self.phones[n].device().my_work().expect("work");
        let patrols = self.phones[n].device().patrols().expect("patrols");
        let mut jobs: Vec<Job> = work.iter().map(|item| Job::Order(item.order)).collect();
        jobs.extend(patrols.iter().map(|doc| Job::Inspection(*doc)));
        if jobs.is_empty() || self.rng.random_range(0..20) == 0 {
            let doc = self.phones[n].device().begin_patrol().expect("a patrol begins");
            self.tell(&format!("phone {n} begins patrol {doc}"));
            jobs.push(Job::Inspection(doc));
        }
        let job = jobs[self.rng.random_range(0..jobs.len())];
        let did = self.record(n, job);
        self.tell(&format!("phone {n} {did}"));
    }

    fn record(&mut self, n: usize, job: Job) -> String {
        let choice = self.rng.random_range(0..11);
        if choice == 10 {
            return self.photograph(n, job);
        }
        let outcome = OUTCOMES[self.rng.random_range(0..OUTCOMES.len())];
        let answer = [Answer::Yes, Answer::No][self.rng.random_range(0..2)];
        let tap = self.phones[n].handset.clocks.reading();
        let fixes = (0..6).map(|k| fix(tap.boot_ns.saturating_sub(k * 5_000_000_000))).rev();
        let fixes = fixes.collect();
        let device = self.phones[n].device();
        let done = match (choice, job) {
            (0..3, _) => device.note(job, "remark").map(|fact| format!("notes {fact}")),
            (3, Job::Order(order)) => device.accept(order).map(|fact| format!("accepts {fact}")),
            (3, Job::Inspection(_)) => device
                .finding(
                    job,
                    Finding {
                        matter: "litter".to_owned(),
                        text: "found".to_owned(),
                        position: None,
                        datum: None,
                    },
                )
                .map(|fact| format!("finds {fact}")),
            (4..6, _) => device
                .arrive(job, tap, Datum::Wgs84, fixes)
                .map(|receipt| format!("arrives {}", receipt.fact)),
            (6, _) => {
                device.answer(job, "fire_lane", answer).map(|()| format!("answers {answer:?}"))
            }
            (7, _) => {
                let conflicts = device.conflicts(job).expect("conflicts");
                match conflicts.outcomes.first() {
                    Some(&first) if conflicts.outcomes.len() > 1 => {
                        device.choose_outcome(job, first).map(|()| format!("chooses {first}"))
                    }
                    _ => device.told(job, "told").map(|fact| format!("tells {fact}")),
                }
            }
            _ => {
                let facts = device.visit(job).map(|visit| visit.facts).unwrap_or_default();
                let shows = |(id, fact): &(FactId, Fact)| {
                    matches!(fact.body, Body::Evidence(_)).then_some(*id)
                };
                let evidence: Vec<_> =
                    facts.iter().filter_map(shows).take(OUTCOME_EVIDENCE).collect();
                let outcome = if evidence.is_empty() { Outcome::Unfounded } else { outcome };
                let text = "done".to_owned();
                let report = OutcomeReport { outcome, text, evidence, complainant_told: None };
                device.outcome(job, report).map(|fact| format!("reports {fact}"))
            }
        };
        done.unwrap_or_else(|error| format!("could not: {error}"))
    }

    pub(super) async fn dispatch(&mut self) {
        let case = json!({
            "class": "complaint", "channel": "telephone", "matter": "street_vending",
            "summary": "stalls block the lane",
            "site": {
                "datum": "wgs84",
                "circle": { "centre": { "lat": 36.65, "lon": 117.0 }, "radius_m": 100 },
            },
            "jurisdiction_clear": true,
        });
        let case = self.hub.must("POST", "/v1/cases", Some(&self.dispatcher), case).await;
        let case = id(&case["id"]);
        self.cases.push(case);
        self.order(case).await;
    }

    async fn redispatch(&mut self) {
        if self.cases.is_empty() {
            return;
        }
        let case = self.cases[self.rng.random_range(0..self.cases.len())];
        self.order(case).await;
    }

    async fn order(&mut self, case: onscene_sync_core::id::DocId) {
        let unit = self.rng.random_range(0..self.units.len());
        let order = json!({ "unit": self.units[unit].to_string(), "text": "go" });
        let path = format!("/v1/cases/{case}/orders");
        let (status, answer) = self.hub.call("POST", &path, Some(&self.dispatcher), &order).await;
        assert!(status < 500, "{answer}");
        self.tell(&format!("case {case} is ordered to squad {unit}: {status}"));
    }

    async fn move_person(&mut self, n: usize) {
        let unit = self.rng.random_range(0..self.units.len());
        let person = self.phones[n].person;
        let post = json!({ "role": "inspector", "unit": self.units[unit].to_string() });
        let seen = format!("/v1/people/{person}");
        let posts = format!("{seen}/posts");
        let (status, answer) = self.hub.change("POST", (&seen, &posts), &post).await;
        assert!(status < 300, "{answer}");
        self.phones[n].unit = unit;
        self.tell(&format!("inspector {n} is moved to squad {unit}"));
    }

    /// One phone at most in a world is revoked, so that there is a world left.
    async fn revoke(&mut self, n: usize) {
        if self.phones.iter().any(|phone| phone.revoked) {
            return;
        }
        let Some(standing) = self.phones[n].device().standing().expect("standing") else { return };
        let path = format!("/v1/devices/{}/revocation", standing.device);
        self.hub.must("POST", &path, None, json!({ "reason": "lost" })).await;
        self.phones[n].revoked = true;
        self.tell(&format!("phone {n} is revoked"));
    }
}

/// A fix at the centre of every site here, `boot_ns` after the phone's start.
fn fix(boot_ns: u64) -> Fix {
    Fix {
        position: Position { lat_e7: 366_500_000, lon_e7: 1_170_000_000 },
        accuracy_mm: 8_000,
        boot_ns,
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: None,
        satellites: Some(9),
        fix_wall_ms: None,
    }
}

//! Sync between a simulated phone and the hub, through a network with moods.

use onscene_mobile::{Applied, HttpReply, HttpRequest, Step};

use super::Simulation;
use crate::network::{Fate, cut};

/// Requests in one sync at most; honest ones need a handful.
const MOST_REQUESTS: u32 = 60;

impl Simulation {
    /// The phone syncs until it has nothing to send, or the network has put it off.
    pub(super) async fn sync_roughly(&mut self, n: usize) {
        self.phones[n].device().sync_soon();
        for _ in 0..MOST_REQUESTS {
            let step = self.phones[n].device().sync_next().expect("a step");
            let Step::Send(request) = step else { break };
            let fate = Fate::draw(&mut self.rng, self.profile.trouble);
            self.tell(&format!("phone {n} sends {} bytes: {fate:?}", request.body.len()));
            self.carry(n, &request, fate).await;
            self.world.pass(350);
        }
        self.upload_roughly(n).await;
        self.after_sync(n).await;
    }

    /// The phone syncs over a perfect network until it has nothing more to send.
    pub(super) async fn sync_well(&mut self, n: usize) {
        self.phones[n].device().sync_soon();
        for _ in 0..MOST_REQUESTS {
            match self.phones[n].device().sync_next().expect("a step") {
                Step::Send(request) => self.carry(n, &request, Fate::Delivered).await,
                Step::Wait { ms, .. } => self.world.pass(i64::try_from(ms).expect("a short wait")),
                Step::Idle => break,
            }
            self.world.pass(150);
        }
        self.upload_well(n).await;
        self.after_sync(n).await;
    }

    async fn after_sync(&mut self, n: usize) {
        self.hub.advance_to(self.world.now()).await;
        self.phones[n].note_acknowledged();
        let counts = self.phones[n].device().counts().expect("counts");
        self.tell(&format!("phone {n} now {counts:?}"));
    }

    pub(super) async fn carry(&mut self, n: usize, request: &HttpRequest, fate: Fate) {
        for late in std::mem::take(&mut self.phones[n].repeats) {
            self.hub.advance_to(self.world.now()).await;
            let _nobody_listens = self.hub.answer(&late).await;
        }
        self.hub.advance_to(self.world.now()).await;
        match fate {
            Fate::Delivered => {
                let reply = self.hub.answer(request).await;
                self.apply(n, request.id, &reply);
            }
            Fate::RequestLost => self.fail(n, request.id),
            Fate::ReplyLost => {
                let _lost = self.hub.answer(request).await;
                self.fail(n, request.id);
            }
            Fate::Twice => {
                let _first = self.hub.answer(request).await;
                let reply = self.hub.answer(request).await;
                self.apply(n, request.id, &reply);
            }
            Fate::Repeated => {
                let reply = self.hub.answer(request).await;
                self.apply(n, request.id, &reply);
                self.phones[n].repeats.push(request.clone());
            }
            Fate::RequestCut(place) => {
                let body = cut(&request.body, place);
                let reply = self.hub.answer(&HttpRequest { body, ..request.clone() }).await;
                assert!(reply.status < 500, "a cut request broke the hub: {}", reply.status);
                self.fail(n, request.id);
            }
            Fate::ReplyCut(place) => {
                let reply = self.hub.answer(request).await;
                let body = cut(&reply.body, place);
                self.apply(n, request.id, &HttpReply { body, ..reply });
            }
            Fate::Late => {
                let reply = self.hub.answer(request).await;
                self.fail(n, request.id);
                self.phones[n].late.push((request.id, reply));
            }
        }
    }

    fn apply(&mut self, n: usize, id: u64, reply: &HttpReply) {
        let device = self.phones[n].device();
        let applied = match device.sync_apply(id, reply).expect("the store works") {
            Applied::Stale => device.upload_apply(id, reply).expect("the store works"),
            applied @ Applied::Taken => applied,
        };
        self.tell(&format!("phone {n} got {}: {applied:?}", reply.status));
    }

    fn fail(&mut self, n: usize, id: u64) {
        let device = self.phones[n].device();
        device.sync_failed(id, "simulated").expect("the store works");
        device.upload_failed(id, "simulated").expect("the store works");
    }

    /// Answers arrive that the phone gave up on: harmless, whatever became of it meanwhile.
    pub(super) fn deliver_late(&mut self, n: usize) {
        for (id, reply) in std::mem::take(&mut self.phones[n].late) {
            self.apply(n, id, &reply);
        }
    }
}

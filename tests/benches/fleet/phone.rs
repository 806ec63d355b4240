//! A real phone: the device library over a file, on a connection that counts.

use std::path::Path;

use onscene_mobile::{Device, HttpReply, HttpRequest, OpenConfig, Step};
use onscene_tests::handset::{Clocks, Handset, WorldTime};

use super::wire::{Traffic, Wire};

/// A phone in somebody's hand.
pub(crate) struct Phone {
    pub(crate) handset: Handset,
    pub(crate) device: Device,
    pub(crate) wire: Option<Wire>,
    world: WorldTime,
    url: String,
}

impl Phone {
    /// A new phone that knows its server and its enrolment code.
    pub(crate) fn new(dir: &Path, number: usize, world: &WorldTime, url: &str, code: &str) -> Self {
        std::fs::create_dir_all(dir).expect("a folder");
        let small = u8::try_from(number).expect("there are not that many phones");
        let handset = Handset::new(Clocks::new(world, small, 0, 0), number as u64 + 1);
        let config = OpenConfig {
            path: dir.join(format!("phone-{number}.db")),
            model: "benchmark".to_owned(),
            app_version: "1".to_owned(),
        };
        let mut device = Device::open(config, handset.host()).expect("the store opens");
        device.enrol(url, code, None, false).expect("a valid code");
        Self { handset, device, wire: None, world: world.clone(), url: url.to_owned() }
    }

    /// Opens a new connection.
    pub(crate) async fn connect(&mut self) {
        self.wire = Some(Wire::connect(&self.url).await);
    }

    /// The next request, if there is one.
    pub(crate) fn next(&mut self) -> Option<HttpRequest> {
        loop {
            match self.device.sync_next().expect("the store works") {
                Step::Send(request) => return Some(request),
                Step::Wait { ms, .. } => self.world.pass(i64::try_from(ms).expect("a short wait")),
                Step::Idle => return None,
            }
        }
    }

    /// Takes an answer in.
    pub(crate) fn apply(&mut self, id: u64, reply: &HttpReply) {
        assert!(reply.status < 500, "{}", String::from_utf8_lossy(&reply.body));
        self.device.sync_apply(id, reply).expect("the store works");
        self.world.pass(100);
    }

    /// Connects anew and syncs until there is nothing more to send.
    pub(crate) async fn reconnect(&mut self) -> Traffic {
        self.connect().await;
        self.device.sync_soon();
        self.go_on().await;
        self.wire.as_ref().expect("it connected").traffic
    }

    /// Syncs on the connection that it has until there is nothing more to send.
    pub(crate) async fn go_on(&mut self) {
        while let Some(request) = self.next() {
            let wire = self.wire.as_mut().expect("it connected");
            let reply = wire.exchange(&request).await;
            self.apply(request.id, &reply);
        }
    }
}

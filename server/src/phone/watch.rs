//! Keeps a phone in sync: at once when the hub pokes it, and by the clock.
//!
//! While the live connection stands, the clock only looks for what was recorded meanwhile and asks
//! the hub once a minute. Without one, the phone asks each time. The connection is tried again after
//! pauses that grow. Files of evidence go out beside all this, one request at a time.

use std::future;
use std::time::Duration;

use onscene_mobile::{Device, DeviceError, HttpReply, UploadStep};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::drive::{Round, deliver, round};
use super::folder::Folder;
use super::live::{Dialler, Line, NoLine};
use super::transport::{Transport, Unanswered};
use crate::random::{self, SystemRandom};

/// How often the hub is asked although it would have said something.
const BY_THE_CLOCK: Duration = Duration::from_secs(60);
/// The least time between two rounds, so that many pokes lead to few.
const REST: Duration = Duration::from_millis(250);
/// The first pause after a lost or refused connection.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A connection that stood this long was a good one: the pauses start over.
const GOOD: Duration = Duration::from_secs(60);

/// What became of one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The phone is out of coverage.
    Offline,
    /// It synced.
    Synced(Round),
}

/// The rhythm of a phone that is kept in sync.
#[derive(Debug)]
pub struct Watch {
    transport: Transport,
    dialler: Dialler,
    every: Duration,
    line: Option<(Line, Instant)>,
    /// The file's request that is on its way, in a task of its own: nothing waits for it.
    upload: Option<(u64, JoinHandle<Result<HttpReply, Unanswered>>)>,
    /// Connections lost or refused since a good one.
    failures: u32,
    dial_at: Instant,
    turn_at: Instant,
    turned_at: Instant,
    ask_at: Instant,
}

impl Watch {
    /// Looks after a phone `every` so often. The first turn is due at once.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(every: Duration) -> Result<Self, Unanswered> {
        let now = Instant::now();
        Ok(Self {
            transport: Transport::new()?,
            dialler: Dialler::new()?,
            every,
            line: None,
            upload: None,
            failures: 0,
            dial_at: now,
            turn_at: now,
            turned_at: now,
            ask_at: now,
        })
    }

    /// Whether the hub can say when there is something to fetch.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.line.is_some()
    }

    /// Waits until there is a reason to sync, and syncs.
    ///
    /// # Errors
    /// When the device's store or platform fails.
    pub async fn turn(
        &mut self,
        device: &mut Device,
        folder: &Folder,
    ) -> Result<Turn, DeviceError> {
        self.wait(device).await?;
        self.turn_at = Instant::now() + self.every;
        if folder.is_offline() {
            self.line = None;
            self.dial_at = self.turn_at;
            if let Some((id, task)) = self.upload.take() {
                task.abort();
                device.upload_failed(id, "the network was switched off")?;
            }
            return Ok(Turn::Offline);
        }
        let round = if self.line.is_none() || self.ask_at <= Instant::now() {
            self.ask_at = Instant::now() + BY_THE_CLOCK;
            round(device, &self.transport).await?
        } else {
            deliver(device, &self.transport).await?
        };
        self.turned_at = Instant::now();
        if let Round::Wait { ms, .. } = round {
            self.turn_at = self.turn_at.min(self.turned_at + Duration::from_millis(ms));
        }
        if self.line.is_none() && self.dial_at <= self.turned_at {
            self.dial(device).await?;
        }
        self.send_files(device)?;
        Ok(Turn::Synced(round))
    }

    /// Returns when a turn is due, by the clock, by a poke, or to try for a connection.
    async fn wait(&mut self, device: &mut Device) -> Result<(), DeviceError> {
        loop {
            let until = if self.is_live() { self.turn_at } else { self.turn_at.min(self.dial_at) };
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                heard = hear(&mut self.line) => match heard {
                    Some(frame) => if device.poked(&frame)? {
                        self.turn_at = self.turn_at.min(self.turned_at + REST);
                    },
                    None => self.hang_up(),
                },
                (id, answer) = sent(&mut self.upload) => {
                    self.upload = None;
                    match answer {
                        Ok(reply) => drop(device.upload_apply(id, &reply)?),
                        Err(why) => device.upload_failed(id, &why)?,
                    }
                    self.send_files(device)?;
                }
            }
        }
    }

    /// Sends the next file, or looks for one later.
    fn send_files(&mut self, device: &mut Device) -> Result<(), DeviceError> {
        if self.upload.is_some() {
            return Ok(());
        }
        match device.upload_next()? {
            UploadStep::Send(request) => {
                let transport = self.transport.clone();
                let id = request.id;
                let task = tokio::spawn(async move { transport.upload(&request).await });
                self.upload = Some((id, task));
            }
            UploadStep::Wait { ms, .. } => {
                let due = Instant::now() + Duration::from_millis(ms);
                self.turn_at = self.turn_at.min(due.max(self.turned_at + REST));
            }
            UploadStep::Idle => {}
        }
        Ok(())
    }

    /// Tries for a connection, a second time if only a nonce was missing. What was said before it
    /// stood went unheard, so a round follows.
    async fn dial(&mut self, device: &mut Device) -> Result<(), DeviceError> {
        for _ in 0..2 {
            let Some(request) = device.live_request()? else { break };
            match self.dialler.open(&request).await {
                Ok(line) => {
                    let now = Instant::now();
                    self.line = Some((line, now));
                    (self.turn_at, self.ask_at) = (now, now);
                    return Ok(());
                }
                Err(NoLine::Refused(reply)) if device.live_refused(&reply)? => {}
                Err(error) => {
                    tracing::debug!(%error, "no live connection");
                    break;
                }
            }
        }
        self.hang_up();
        Ok(())
    }

    /// Does without a connection for a while.
    fn hang_up(&mut self) {
        let now = Instant::now();
        if self.line.take().is_some_and(|(_, since)| now - since >= GOOD) {
            self.failures = 0;
        }
        let chance = u32::from_be_bytes(random::bytes(&SystemRandom));
        self.dial_at = now + pause(self.failures, chance);
        self.failures = self.failures.saturating_add(1);
    }
}

/// What the hub says next; never, without a connection.
async fn hear(line: &mut Option<(Line, Instant)>) -> Option<Vec<u8>> {
    match line {
        Some((line, _)) => line.hear().await,
        None => future::pending().await,
    }
}

/// The answer to the file's request on its way; never, without one.
async fn sent(
    upload: &mut Option<(u64, JoinHandle<Result<HttpReply, Unanswered>>)>,
) -> (u64, Result<HttpReply, String>) {
    let Some((id, task)) = upload else { return future::pending().await };
    let answer = match task.await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    (*id, answer)
}

/// The pause after so many failures: between half and the whole of a bound that doubles each time,
/// so that phones which lost the same hub do not come back together.
fn pause(failures: u32, chance: u32) -> Duration {
    let bound = FIRST_PAUSE.saturating_mul(1 << failures.min(20)).min(LONGEST_PAUSE);
    bound / 2 + (bound / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_minutes_and_are_spread() {
        for (failures, bound_s) in [(0, 1), (1, 2), (5, 32), (9, 300), (u32::MAX, 300)] {
            let bound = Duration::from_secs(bound_s);
            assert_eq!(pause(failures, 0), bound / 2);
            assert_eq!(pause(failures, u32::MAX), bound);
            assert!((bound / 2..=bound).contains(&pause(failures, 1 << 31)));
        }
    }
}

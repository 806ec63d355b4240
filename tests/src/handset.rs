//! The body of a simulated phone: clocks that drift and jump, a key, chance, all from seeds.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onscene_mobile::{Clock, Host, HostError, Random, SoftwareKeys};
use onscene_sync_core::id::BootId;
use onscene_sync_core::time::{ClockReading, Millis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// When simulated worlds begin; Unix milliseconds.
pub const BEGINNING: i64 = 1_795_392_000_000;

/// True time, shared by everyone in a simulated world; Unix milliseconds.
#[derive(Debug, Clone)]
pub struct WorldTime(Arc<AtomicI64>);

impl WorldTime {
    /// A world at `now`.
    #[must_use]
    pub fn at(now: Millis) -> Self {
        Self(Arc::new(AtomicI64::new(now.0)))
    }

    /// This moment.
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis(self.0.load(Ordering::SeqCst))
    }

    /// Lets `ms` milliseconds pass.
    pub fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// A phone's clocks. Clones are the same clocks.
#[derive(Debug, Clone)]
pub struct Clocks {
    world: WorldTime,
    state: Arc<Mutex<ClockState>>,
}

#[derive(Debug)]
struct ClockState {
    phone: u8,
    boots: u8,
    booted_at: Millis,
    rate_ppm: i64,
    wall_offset_ms: i64,
}

impl Clocks {
    /// Clocks of the `phone`-th phone that run `rate_ppm` millionths too fast and whose wall clock is
    /// `wall_offset_ms` off.
    #[must_use]
    pub fn new(world: &WorldTime, phone: u8, rate_ppm: i64, wall_offset_ms: i64) -> Self {
        let booted_at = world.now().plus(-3_600_000);
        let state = ClockState { phone, boots: 1, booted_at, rate_ppm, wall_offset_ms };
        Self { world: world.clone(), state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the phone anew: the boot clock begins at zero under another boot id.
    pub fn reboot(&self) {
        let mut state = self.state();
        state.boots = state.boots.wrapping_add(1);
        state.booted_at = self.world.now();
    }

    /// Somebody sets the wall clock.
    pub fn set_wall(&self, offset_ms: i64) {
        self.state().wall_offset_ms = offset_ms;
    }

    /// What the clocks show.
    #[must_use]
    pub fn reading(&self) -> ClockReading {
        let state = self.state();
        let up_ms = self.world.now().since(state.booted_at);
        let up_ns = up_ms * 1_000_000 + up_ms * state.rate_ppm;
        ClockReading {
            wall_ms: self.world.now().plus(state.wall_offset_ms).0,
            boot_ns: up_ns.cast_unsigned(),
            boot: BootId::from_bytes([state.phone, state.boots, 0, 0, 0, 0, 0, 0]),
        }
    }
}

impl Clock for Clocks {
    fn read(&self) -> Result<ClockReading, HostError> {
        Ok(self.reading())
    }
}

/// Seeded chance. Clones draw from the same source, so a reopened store does not draw the same again.
#[derive(Debug, Clone)]
struct Chance(Arc<Mutex<ChaCha8Rng>>);

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), HostError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
        Ok(())
    }
}

/// What outlives the app on one phone: clocks, secure hardware, the source of chance.
#[derive(Debug, Clone)]
pub struct Handset {
    /// The clocks.
    pub clocks: Clocks,
    scalar: [u8; 32],
    chance: Chance,
}

impl Handset {
    /// A phone whose key and chance come from `seed`.
    #[must_use]
    pub fn new(clocks: Clocks, seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut scalar = [0; 32];
        while SoftwareKeys::from_scalar(&scalar).is_none() {
            chance.fill_bytes(&mut scalar);
        }
        Self { clocks, scalar, chance: Chance(Arc::new(Mutex::new(chance))) }
    }

    /// What the device library borrows of it.
    #[must_use]
    pub fn host(&self) -> Host {
        let keys = SoftwareKeys::from_scalar(&self.scalar).expect("it was checked");
        Host {
            clock: Box::new(self.clocks.clone()),
            keys: Box::new(keys),
            random: Box::new(self.chance.clone()),
        }
    }
}

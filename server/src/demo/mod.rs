//! `onscene demo`: a day of a district bureau, on the product's own code.
//!
//! Made up are the world (places, people, what they do, where they walk) and its clock, which runs
//! faster than time. Everything under it is the product: the server with its API on loopback, 25
//! devices with their stores, keys and outboxes, the HTTP between them, the jobs, the verdicts.
//!
//! | module | holds |
//! |---|---|
//! | [`places`], [`people`], [`cases`] | the made-up day: pure data and seeded choice |
//! | [`plane`], [`movement`], [`receiver`] | where people truly are and what their phones make of it |
//! | [`handset`], [`walker`], [`pocket`] | a phone's clocks; one inspector in the district; both together |
//! | [`photo`] | what their cameras see |
//! | [`hub`], [`desk`], [`founding`], [`world`] | the server, the command centre's client, the first morning |
//! | [`timeline`], [`day`] | what happens next; the day |
//! | `centre`, `field`, [`villains`] | the parts of command centre, inspectors, a clone and an attacker |
//! | [`account`], [`ledger`], [`report`] | the day line by line; the table that must add up |
//! | [`memory`] | where the next run begins |
//! | [`tour`] | what the reader can try afterwards |

pub mod account;
pub mod cases;
mod centre;
pub mod day;
pub mod desk;
pub mod error;
mod field;
pub mod founding;
pub mod handset;
pub mod hub;
pub mod ledger;
pub mod memory;
pub mod movement;
pub mod people;
pub mod photo;
pub mod places;
pub mod plane;
pub mod pocket;
pub mod receiver;
pub mod report;
pub mod timeline;
pub mod tour;
pub mod villains;
pub mod walker;
pub mod world;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

pub use error::DemoError;

use day::Day;
use people::{BUREAU, INSPECTORS, SQUADS};
use world::World;

/// A demonstration.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Folder of the hub's data and the phones. A second run goes on where the first stopped.
    #[arg(long, default_value = "data/demo", value_name = "FOLDER")]
    pub dir: PathBuf,
    /// A number that all chance follows from: another one makes another day. Counts on a folder's first
    /// run.
    #[arg(long, default_value_t = 12_345)]
    pub seed: u64,
    /// Port on 127.0.0.1, on a folder's first run; 0 takes a free one.
    #[arg(long, default_value_t = 8461)]
    pub port: u16,
    /// End after the day and its table of sums, instead of keeping the hub up to look around in.
    #[arg(long)]
    pub exit: bool,
}

/// Lives through one day and tells it to `out`; then stays up until Ctrl-C, unless told to exit.
///
/// # Errors
/// When the world cannot be opened, something fails that should not, or the table does not add up.
pub async fn run(args: DemoArgs, out: Box<dyn Write + Send>) -> Result<(), DemoError> {
    let mut world = World::open(&args.dir, args.port, args.seed, out).await?;
    let opening = format!(
        "第{day}天 Day {day} · {} {} · {} squads, {} inspectors · hub at {}\n",
        BUREAU.0,
        BUREAU.1,
        SQUADS.len(),
        INSPECTORS.len(),
        world.hub.address,
        day = world.memory.days + 1,
    );
    world.account.text(&opening)?;
    Day::plan(&mut world).live().await?;
    let table = world.table().await?;
    world.account.text(&format!("\n{table}"))?;
    let adds_up = table.adds_up();
    if adds_up {
        world.account.text(
            "The table adds up: recorded = delivered + waiting + quarantined, and \
             photos = signed for by the hub + waiting.",
        )?;
    }
    if !args.exit {
        tour::offer(&mut world).await?;
        tokio::signal::ctrl_c().await?;
        world.remember()?;
    }
    world.hub.stop().await;
    if adds_up { Ok(()) } else { Err(DemoError::DoesNotAddUp) }
}

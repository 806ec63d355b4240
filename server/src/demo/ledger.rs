//! What became of everything, from three independent books: who recorded counted, the phone keeps
//! its own account, and the hub's tables are counted.

use std::collections::BTreeMap;

use onscene_mobile::Device;
use onscene_sync_core::id::DeviceId;

use super::error::DemoError;
use super::hub::Hub;
use super::people::Oddity;
use super::pocket::Pocket;
use super::report::{Line, Table};
use super::villains::CopiedPhone;
use crate::store::{RowExt as _, StoreError, Tx};

/// Rows of the hub by device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HubBook {
    /// Changes on record.
    pub changes: BTreeMap<DeviceId, u64>,
    /// Changes in quarantine.
    pub quarantine: BTreeMap<DeviceId, u64>,
    /// Photos that are stored whole.
    pub photos: BTreeMap<DeviceId, u64>,
}

impl HubBook {
    /// Counts them.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn count(hub: &Hub) -> Result<Self, StoreError> {
        hub.app
            .store
            .with_read("demo.count", (), |tx, ()| {
                Box::pin(async move {
                    Ok::<_, StoreError>(Self {
                        changes: by_device(tx, "change").await?,
                        quarantine: by_device(tx, "quarantine").await?,
                        photos: by_device(tx, "evidence WHERE stored_at IS NOT NULL").await?,
                    })
                })
            })
            .await
    }
}

async fn by_device(tx: &mut Tx, table: &str) -> Result<BTreeMap<DeviceId, u64>, StoreError> {
    let sql = format!("SELECT device, count(*) AS n FROM {table} GROUP BY device");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(tx.conn()).await?;
    let count = |row| {
        let device = DeviceId::from_bytes(sqlx::any::AnyRow::array(row, "device")?);
        Ok((device, u64::try_from(row.int("n")?).unwrap_or(0)))
    };
    rows.iter().map(count).collect()
}

/// The table of all phones.
///
/// # Errors
/// When a phone's store fails.
pub fn table(
    pockets: &[Pocket],
    copied: Option<&CopiedPhone>,
    forged: u64,
    book: &HubBook,
) -> Result<Table, DemoError> {
    pockets
        .iter()
        .map(|pocket| line(pocket, copied, forged, book))
        .collect::<Result<_, _>>()
        .map(Table)
}

fn line(
    pocket: &Pocket,
    copied: Option<&CopiedPhone>,
    forged: u64,
    book: &HubBook,
) -> Result<Line, DemoError> {
    let counts = pocket.ask(Device::counts)?;
    let files = pocket.ask(Device::evidence_counts)?;
    let device = pocket.ask(Device::standing)?.map(|standing| standing.device);
    let at_hub = |book: &BTreeMap<DeviceId, u64>| {
        device.and_then(|device| book.get(&device)).copied().unwrap_or(0)
    };
    let set_aside = at_hub(&book.quarantine);
    let mut line = Line {
        who: pocket.name(),
        recorded: pocket.recorded,
        delivered: at_hub(&book.changes),
        waiting: counts.saved,
        quarantined: counts.refused,
        photos: pocket.taken,
        stored: at_hub(&book.photos),
        unsent: files.recorded - files.verified,
        remark: String::new(),
    };
    match (pocket.walker.who.oddity, copied) {
        (Oddity::Cloned, Some(copied)) => {
            let more = copied.pocket.ask(Device::counts)?;
            line.recorded += copied.pocket.recorded - copied.copied;
            line.waiting += more.saved;
            line.quarantined += more.refused;
            line.remark =
                format!("克隆 cloned; {set_aside} forked copies set aside and stated anew");
        }
        (Oddity::Hostile, _) => {
            line.recorded += forged;
            line.quarantined = set_aside;
            line.remark = format!("敌意 hostile; {forged} forged");
        }
        (Oddity::WrongClock(ms), _) => {
            line.remark = format!("时钟错 clock off by {} min", ms / 60_000);
        }
        (Oddity::Restarts, _) => "重启 restarts".clone_into(&mut line.remark),
        (Oddity::FlatTyre, _) => "爆胎 late".clone_into(&mut line.remark),
        (Oddity::Cheat, _) => "虚拟定位 simulated location".clone_into(&mut line.remark),
        (Oddity::None | Oddity::Cloned, _) => {}
    }
    Ok(line)
}

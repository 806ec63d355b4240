//! `sync`, once or until Ctrl-C, `upload`, and the switch of the network.

use std::io::Write;
use std::time::Duration;

use onscene_mobile::Device;

use super::{PhoneError, show};
use crate::phone::drive::{self, Round, round};
use crate::phone::folder::Folder;
use crate::phone::transport::Transport;
use crate::phone::watch::{Turn, Watch};

/// One round of sync.
pub(super) async fn sync(folder: &Folder, device: &mut Device) -> Result<(), PhoneError> {
    if folder.is_offline() {
        return Err(offline());
    }
    let round = round(device, &Transport::new()?).await?;
    judge(device, round)
}

/// One round of sync, and the files after it.
pub(super) async fn upload(folder: &Folder, device: &mut Device) -> Result<(), PhoneError> {
    sync(folder, device).await?;
    device.upload_soon();
    let round = drive::upload(device, &Transport::new()?).await?;
    judge(device, round)
}

/// Switches the network off or on.
pub(super) fn switch<W: Write>(
    folder: &Folder,
    offline: bool,
    screen: &mut show::Screen<'_, W>,
) -> Result<(), PhoneError> {
    folder.set_offline(offline)?;
    screen.said("network", if offline { "offline" } else { "online" })
}

fn offline() -> PhoneError {
    PhoneError::NotSynced("this phone is offline: `onscene phone online` brings it back".to_owned())
}

/// Whether a round of sync did what it was for.
fn judge(device: &Device, round: Round) -> Result<(), PhoneError> {
    match round {
        Round::Done { .. } => match device.events_since(0, u32::MAX)?.last() {
            Some(event) if device.standing()?.is_none() => {
                Err(PhoneError::NotSynced(event.detail.clone()))
            }
            _ => Ok(()),
        },
        Round::Unanswered(why) => Err(PhoneError::NotSynced(why)),
        Round::Wait { ms, why } => {
            let text = format!("the next attempt is due in {} s: {why:?}", ms.div_ceil(1000));
            Err(PhoneError::NotSynced(text))
        }
    }
}

/// Syncs for ever.
pub(super) async fn watch<W: Write + Send>(
    folder: &Folder,
    device: &mut Device,
    every: Duration,
    screen: &mut show::Screen<'_, W>,
) -> Result<(), PhoneError> {
    let mut watch = Watch::new(every)?;
    let mut shown = 0;
    loop {
        let done = match watch.turn(device, folder).await? {
            Turn::Offline => Err(offline()),
            Turn::Synced(round) => judge(device, round),
        };
        if let Err(error) = done {
            screen.said("sync", &error.to_string())?;
        }
        shown = screen.events(device, shown)?;
    }
}

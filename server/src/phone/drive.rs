//! Carries out what the device library asks for until it has nothing more to send.

use onscene_mobile::{Device, DeviceError, Step, UploadStep, WaitReason};

use super::transport::Transport;

/// Requests in one round at most, so that a hub that always has more cannot hold a phone for ever.
const REQUESTS: usize = 500;

/// How a round of sync ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Round {
    /// There is nothing to send and nothing to fetch.
    Done {
        /// Requests that were answered.
        requests: usize,
    },
    /// The next request is not due yet.
    Wait {
        /// Milliseconds to wait.
        ms: u64,
        /// Why.
        why: WaitReason,
    },
    /// A request was not answered; the library will send it again.
    Unanswered(String),
}

/// Syncs: asks the hub for news and delivers what waits.
///
/// # Errors
/// When the device's store or platform fails.
pub async fn round(device: &mut Device, transport: &Transport) -> Result<Round, DeviceError> {
    device.sync_soon();
    deliver(device, transport).await
}

/// Syncs if the phone has a reason to: sends what `device` hands out and hands back what comes.
///
/// # Errors
/// When the device's store or platform fails.
pub async fn deliver(device: &mut Device, transport: &Transport) -> Result<Round, DeviceError> {
    let mut requests = 0;
    while requests < REQUESTS {
        let request = match device.sync_next()? {
            Step::Send(request) => request,
            Step::Wait { ms, why } => return Ok(Round::Wait { ms, why }),
            Step::Idle => break,
        };
        match transport.send(&request).await {
            Ok(reply) => device.sync_apply(request.id, &reply)?,
            Err(error) => {
                let why = error.to_string();
                device.sync_failed(request.id, &why)?;
                return Ok(Round::Unanswered(why));
            }
        };
        requests += 1;
    }
    Ok(Round::Done { requests })
}

/// Sends files of evidence until nothing is left to send or the next request is not due yet. Sync
/// goes first whenever it has something.
///
/// # Errors
/// When the device's store or platform fails.
pub async fn upload(device: &mut Device, transport: &Transport) -> Result<Round, DeviceError> {
    let mut requests = 0;
    loop {
        deliver(device, transport).await?;
        let mut step = device.upload_next()?;
        if matches!(step, UploadStep::Wait { why: WaitReason::NeedsSync, .. }) {
            deliver(device, transport).await?;
            step = device.upload_next()?;
        }
        let request = match step {
            UploadStep::Send(request) => request,
            UploadStep::Wait { ms, why } => return Ok(Round::Wait { ms, why }),
            UploadStep::Idle => return Ok(Round::Done { requests }),
        };
        match transport.upload(&request).await {
            Ok(reply) => device.upload_apply(request.id, &reply)?,
            Err(error) => {
                let why = error.to_string();
                device.upload_failed(request.id, &why)?;
                return Ok(Round::Unanswered(why));
            }
        };
        requests += 1;
    }
}

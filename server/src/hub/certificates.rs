//! Certificates: the hub's word on a phone, for colleagues who meet it without a network.

use onscene_sync_core::handover::certificate::{self, Certificate, LIFE_MS};
use onscene_sync_core::time::Millis;

use super::HubError;
use super::scope::Caller;
use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

/// Issues a certificate to the phone that asks, for the installation that it has now.
pub(crate) async fn issue(
    tx: &mut Tx,
    app: &App,
    caller: &Caller,
    install: u32,
    now: Millis,
) -> Result<Vec<u8>, HubError> {
    const SQL: &str = "SELECT key FROM device WHERE device = $1";
    let query = sqlx::query(SQL).bind(&caller.device.as_bytes()[..]);
    let row = query.fetch_optional(tx.conn()).await.map_err(StoreError::from)?;
    let key = row.ok_or(HubError::UnknownDevice)?.bytes("key")?;
    let certificate = Certificate {
        device: caller.device,
        install,
        key: key.into(),
        person: caller.person,
        unit: caller.unit,
        issued_at: now,
        expires_at: now.plus(LIFE_MS),
    };
    Ok(certificate::seal(&certificate, &app.keys.facts)?)
}

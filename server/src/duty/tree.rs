//! The tree of units, upwards.

use onscene_sync_core::id::UnitId;

use crate::store::{RowExt as _, StoreError, Tx};

/// A unit and those above it, the top one last; empty when there is no such unit.
///
/// # Errors
/// When the database refuses.
pub async fn above(tx: &mut Tx, unit: UnitId) -> Result<Vec<UnitId>, StoreError> {
    const SQL: &str = "WITH RECURSIVE up (unit_id, parent, height) AS ( \
         SELECT unit_id, parent, 0 FROM unit WHERE unit_id = $1 \
         UNION ALL SELECT u.unit_id, u.parent, p.height + 1 FROM unit u \
         JOIN up p ON u.unit_id = p.parent) SELECT unit_id FROM up ORDER BY height";
    let rows = sqlx::query(SQL).bind(&unit.as_bytes()[..]).fetch_all(tx.conn()).await?;
    rows.iter().map(|row| Ok(UnitId::from_bytes(row.array("unit_id")?))).collect()
}

//! Forgets what nobody can ask for any more, so that no table grows with every request for ever.
//!
//! | what | kept |
//! |---|---|
//! | replies under an idempotency key | 7 days |
//! | refresh tokens | until they end |
//! | tracks of arrival claims | as long as the policy says |
//! | what phones brought in a day | 7 days |
//! | notices that were marked as read | a year |
//! | teams' questions to complainants | until thirty minutes have passed |
//! | the gateway's calls, to know them again | a day |
//! | what complainants wrote back, once a person is done with it | 90 days |
//! | anchors, and the chain ends that a phone named | until the phone has synced 35 days later |
//!
//! A verdict needs the anchors around its claim. A phone that has synced since has handed in what it
//! held; one that has been offline for a year finds all of its anchors still here.

use onscene_sync_core::id::DeviceId;
use onscene_sync_core::rules::policy::Policies;
use onscene_sync_core::time::Millis;

use crate::app::App;
use crate::store::{RowExt as _, StoreError, Tx};

const DAY_MS: i64 = 24 * 3_600_000;
/// How long a command that is sent again gets its first reply.
const KEEP_REPLIES_MS: i64 = 7 * DAY_MS;
/// How long a notice that was read is kept.
const KEEP_NOTICES_MS: i64 = 365 * DAY_MS;
/// How long a complainant's reply that is settled is kept.
const KEEP_READ_MS: i64 = 90 * DAY_MS;
/// How far behind a phone's newest anchor its older ones are kept.
const KEEP_ANCHORS_MS: i64 = 35 * DAY_MS;
/// Rows looked at in one transaction, so that it stays short.
const AT_ONCE: i64 = 500;

const REPLIES: &str = "DELETE FROM idempotency WHERE (owner, key) IN \
    (SELECT owner, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
const TOKENS: &str = "DELETE FROM refresh_token WHERE token_hash IN \
    (SELECT token_hash FROM refresh_token WHERE expires_at <= $1 LIMIT $2)";
const TRACKS: &str = "DELETE FROM track WHERE fact_id IN \
    (SELECT fact_id FROM track WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
const CALL_BACKS: &str = "DELETE FROM call_back WHERE id IN \
    (SELECT id FROM call_back WHERE until_at <= $1 ORDER BY until_at LIMIT $2)";
const NONCES: &str = "DELETE FROM gateway_nonce WHERE nonce IN \
    (SELECT nonce FROM gateway_nonce WHERE taken_at < $1 ORDER BY taken_at LIMIT $2)";
const REPLIES_READ: &str = "DELETE FROM reply WHERE reply_id IN \
    (SELECT reply_id FROM reply WHERE settled_at < $1 ORDER BY settled_at LIMIT $2)";
/// Looks at the oldest only: numbers rise with time.
const ANCHORS: &str = "DELETE FROM anchor WHERE device = $3 AND at < $1 AND number IN \
    (SELECT number FROM anchor WHERE device = $3 ORDER BY number LIMIT $2)";
/// The furthest end of each installation stays: it tells a restored phone.
const HEADS: &str = "DELETE FROM device_head WHERE device = $3 AND seen_at < $1 \
    AND (install, seq) IN \
        (SELECT install, seq FROM device_head WHERE device = $3 ORDER BY install, seq LIMIT $2) \
    AND seq < (SELECT max(h.seq) FROM device_head h \
               WHERE h.device = $3 AND h.install = device_head.install)";

const NOTICES: &str = "DELETE FROM notice WHERE (person_id, n) IN \
    (SELECT person_id, n FROM notice WHERE at < $1 AND read_at IS NOT NULL ORDER BY at LIMIT $2)";
const DAYS: &str = "DELETE FROM upload_day WHERE (device, day) IN \
    (SELECT device, day FROM upload_day WHERE day < $1 / 86400000 LIMIT $2)";

/// What one statement forgets.
#[derive(Debug, Clone, Copy)]
struct Forget {
    sql: &'static str,
    before: Millis,
    device: Option<DeviceId>,
}

/// Forgets everything whose time is over; returns how many rows that were.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(app: &App) -> Result<u64, StoreError> {
    let now = app.now();
    let replies = Forget { sql: REPLIES, before: now.plus(-KEEP_REPLIES_MS), device: None };
    let tokens = Forget { sql: TOKENS, before: now, device: None };
    let kept_days = Policies::built_in().newest().map_or(0, |policy| policy.track_retention_days);
    let erased = now.plus(-i64::from(kept_days) * DAY_MS);
    let tracks = Forget { sql: TRACKS, before: erased, device: None };
    let days = Forget { sql: DAYS, before: now.plus(-KEEP_REPLIES_MS), device: None };
    let call_backs = Forget { sql: CALL_BACKS, before: now, device: None };
    let notices = Forget { sql: NOTICES, before: now.plus(-KEEP_NOTICES_MS), device: None };
    let nonces = Forget { sql: NONCES, before: now.plus(-DAY_MS), device: None };
    let read = Forget { sql: REPLIES_READ, before: now.plus(-KEEP_READ_MS), device: None };
    let mut work = vec![replies, tokens, tracks, days, call_backs, notices, nonces, read];
    let read = app.store.with_read("sweep.devices", (), |tx, ()| Box::pin(newest_anchors(tx)));
    for (device, newest) in read.await? {
        let (before, device) = (newest.plus(-KEEP_ANCHORS_MS), Some(device));
        work.extend([ANCHORS, HEADS].map(|sql| Forget { sql, before, device }));
    }
    let mut count = 0;
    for forget in work {
        loop {
            let forgotten = app
                .store
                .with_tx("sweep.forget", forget, |tx, forget| Box::pin(run(tx, *forget)))
                .await?;
            count += forgotten;
            if forgotten == 0 {
                break;
            }
        }
    }
    Ok(count)
}

async fn newest_anchors(tx: &mut Tx) -> Result<Vec<(DeviceId, Millis)>, StoreError> {
    const SQL: &str = "SELECT d.device AS device, (SELECT a.at FROM anchor a \
         WHERE a.device = d.device ORDER BY a.number DESC LIMIT 1) AS newest FROM device d";
    let mut found = Vec::new();
    for row in sqlx::query(SQL).fetch_all(tx.conn()).await? {
        if let Some(newest) = row.opt_millis("newest")? {
            found.push((DeviceId::from_bytes(row.array("device")?), newest));
        }
    }
    Ok(found)
}

async fn run(tx: &mut Tx, forget: Forget) -> Result<u64, StoreError> {
    let query = sqlx::query(forget.sql).bind(forget.before.0).bind(AT_ONCE);
    let query = match forget.device {
        Some(device) => query.bind(device.as_bytes().to_vec()),
        None => query,
    };
    Ok(query.execute(tx.conn()).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, on_each_engine};

    const PHONE: [u8; 8] = [1; 8];
    const AWAY: [u8; 8] = [2; 8];

    on_each_engine!(
        what_nobody_can_ask_for_is_forgotten_and_nothing_else,
        a_long_table_is_forgotten_to_its_end,
    );

    async fn execute(app: &App, sql: &'static str, device: [u8; 8], at: Millis, n: i64) {
        let done = app.store.with_tx("test", (), move |tx, ()| {
            Box::pin(async move {
                let query = sqlx::query(sql).bind(device.to_vec()).bind(at.0).bind(n);
                query.execute(tx.conn()).await.map_err(StoreError::from)
            })
        });
        done.await.unwrap();
    }

    async fn enrol(app: &App, device: [u8; 8]) {
        let sql = "INSERT INTO device (device, person_id, key, model, key_level, app_version, \
             check_words, install, enrolled_at) \
             SELECT $1, person_id, $1, 'x', 'software', '1', '', $3, $2 FROM person LIMIT 1";
        execute(app, sql, device, app.now(), 1).await;
    }

    async fn anchor(app: &App, device: [u8; 8], days_ago: i64, number: i64) {
        let at = app.now().plus(-days_ago * DAY_MS);
        let anchor = "INSERT INTO anchor (device, number, install, head_seq, at, proof) \
             VALUES ($1, $3, 1, 0, $2, $1)";
        execute(app, anchor, device, at, number).await;
        let head = "INSERT INTO device_head (device, install, seq, seen_at) VALUES ($1, 1, $3, $2)";
        execute(app, head, device, at, number).await;
    }

    async fn token(app: &App, device: [u8; 8], days_left: i64) {
        let sql = "INSERT INTO refresh_token (token_hash, device, created_at, expires_at) \
             VALUES ($1, $1, $3, $2)";
        execute(app, sql, device, app.now().plus(days_left * DAY_MS), 0).await;
    }

    async fn reply(app: &App, days_ago: i64) {
        let sql = "INSERT INTO idempotency (owner, key, request_hash, status, reply, created_at) \
             VALUES ($1, CAST($3 AS TEXT), $1, 200, $1, $2)";
        execute(app, sql, PHONE, app.now().plus(-days_ago * DAY_MS), days_ago).await;
    }

    async fn numbers(app: &App, sql: &'static str) -> Vec<i64> {
        let read = app.store.with_read("test", (), move |tx, ()| {
            Box::pin(async move {
                let rows = sqlx::query(sql).fetch_all(tx.conn()).await?;
                rows.iter().map(|row| row.int("n")).collect::<Result<Vec<_>, StoreError>>()
            })
        });
        read.await.unwrap()
    }

    async fn what_nobody_can_ask_for_is_forgotten_and_nothing_else(store: TestStore) {
        let (app, _) = store.app().await;
        for device in [PHONE, AWAY] {
            enrol(&app, device).await;
        }
        for (number, days_ago) in [(1, 80), (2, 36), (3, 34), (4, 0)] {
            anchor(&app, PHONE, days_ago, number).await;
        }
        // Offline for a year: what it brings home is judged by these.
        anchor(&app, AWAY, 366, 5).await;
        anchor(&app, AWAY, 365, 6).await;
        token(&app, PHONE, 1).await;
        token(&app, AWAY, 0).await;
        reply(&app, 6).await;
        reply(&app, 8).await;
        assert_eq!(sweep(&app).await.unwrap(), 2 + 2 + 1 + 1);
        let anchors = numbers(&app, "SELECT number AS n FROM anchor ORDER BY number").await;
        assert_eq!(anchors, [3, 4, 5, 6]);
        let heads = numbers(&app, "SELECT seq AS n FROM device_head ORDER BY seq").await;
        assert_eq!(heads, [3, 4, 5, 6]);
        assert_eq!(numbers(&app, "SELECT count(*) AS n FROM refresh_token").await, [1]);
        assert_eq!(numbers(&app, "SELECT count(*) AS n FROM idempotency").await, [1]);
        assert_eq!(sweep(&app).await.unwrap(), 0);
    }

    async fn a_long_table_is_forgotten_to_its_end(store: TestStore) {
        let (app, _) = store.app().await;
        enrol(&app, PHONE).await;
        let many = "INSERT INTO anchor (device, number, install, head_seq, at, proof) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
             SELECT $1, i, 1, 0, $2, $1 FROM n WHERE $3 = 1";
        execute(&app, many, PHONE, app.now().plus(-90 * DAY_MS), 1).await;
        anchor(&app, PHONE, 0, 2_000).await;
        assert_eq!(sweep(&app).await.unwrap(), 1_200);
        assert_eq!(numbers(&app, "SELECT number AS n FROM anchor").await, [2_000]);
    }
}

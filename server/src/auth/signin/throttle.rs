//! Waiting times after failures. An account and an address each have a few tries free; from then on
//! each failure makes the next wait longer, up to a quarter of an hour. Nothing is ever locked for
//! good, and failures are forgotten with time.
//!
//! A try is counted before it is looked at, so that many at once gain nothing, and taken back when
//! it was right. Names that nobody has are counted like others. Phones are not counted at all.

use axum::http::StatusCode;
use onscene_sync_core::id::{Hash, PersonId};
use onscene_sync_core::time::Millis;

use super::SignIn;
use super::login::LoginName;
use super::source::Source;
use crate::app::App;
use crate::audit::{self, Deed, Entry};
use crate::problem::Problem;
use crate::store::{RowExt as _, StoreError, Tx};

const MINUTE_MS: i64 = 60_000;
/// The longest wait.
const MOST_MS: i64 = 15 * MINUTE_MS;
/// How long a count is kept after its last failure.
const KEPT_MS: i64 = 24 * 60 * MINUTE_MS;

/// How failures of one kind are answered.
#[derive(Debug, Clone, Copy)]
struct Rule {
    name: &'static str,
    /// From this failure on, the next try has to wait.
    free: i64,
    /// The first wait; each further failure doubles it.
    first_ms: i64,
    /// One failure is forgotten in each such time.
    forget_ms: i64,
}

const ACCOUNT: Rule =
    Rule { name: "account", free: 5, first_ms: MINUTE_MS / 2, forget_ms: 15 * MINUTE_MS };
/// A whole bureau may stand behind one address.
const ADDRESS: Rule = Rule { name: "address", free: 30, first_ms: 5_000, forget_ms: MINUTE_MS };

impl Rule {
    fn wait_ms(&self, failures: i64) -> i64 {
        match failures - self.free {
            ..0 => 0,
            doublings => (self.first_ms << doublings.min(20)).min(MOST_MS),
        }
    }

    /// The failures that are left at `at`, and since when the next is being forgotten.
    fn left(&self, failures: i64, last: Millis, at: Millis) -> (i64, Millis) {
        let forgotten = at.since(last).max(0) / self.forget_ms;
        if forgotten >= failures {
            (0, at)
        } else {
            (failures - forgotten, last.plus(forgotten * self.forget_ms))
        }
    }
}

/// What one try counts for.
#[derive(Debug, Clone)]
pub struct Tries {
    /// The account's key, if a name was given, and the name.
    account: Option<(Hash, LoginName)>,
    address: Hash,
}

impl SignIn {
    /// A try to sign in under `login`, or through the provider, from `source`.
    #[must_use]
    pub fn tries(&self, login: Option<&LoginName>, source: Source) -> Tries {
        let account =
            |login: &LoginName| (self.keyed(b"account", login.as_str().as_bytes()), login.clone());
        Tries { account: login.map(account), address: self.keyed(b"address", &source.to_bytes()) }
    }
}

impl Tries {
    /// The account first, always: so no two tries wait for each other in a ring.
    fn counted(&self) -> impl Iterator<Item = (Rule, Hash)> {
        let account = self.account.iter().map(|(key, _)| (ACCOUNT, *key));
        account.chain([(ADDRESS, self.address)])
    }
}

/// Counts a try, unless it comes too early.
///
/// # Errors
/// `too_many_tries` with the time to wait, and the database's.
pub async fn begin(app: &App, tries: &Tries) -> Result<(), Problem> {
    let input = (tries.clone(), app.now());
    let counted = app.store.with_tx("sign_in.begin", input, |tx, (tries, at)| {
        Box::pin(async move { count(tx, tries, *at).await })
    });
    let wait_ms = counted.await?;
    if wait_ms == 0 {
        return Ok(());
    }
    metrics::counter!("onscene_sign_in_delayed_total").increment(1);
    let seconds = u32::try_from(wait_ms.div_euclid(1000) + 1).unwrap_or(u32::MAX);
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "Too many tries failed")
        .detail(format!("wait {seconds} seconds; phones and their sync are not concerned"))
        .retry_after(seconds))
}

/// How long this try has to wait; 0: it was counted and may go on.
async fn count(tx: &mut Tx, tries: &Tries, at: Millis) -> Result<i64, StoreError> {
    sqlx::query("DELETE FROM sign_in_tries WHERE last_at < $1")
        .bind(at.plus(-KEPT_MS).0)
        .execute(tx.conn())
        .await?;
    let mut found = Vec::new();
    for (rule, key) in tries.counted() {
        let (failures, since, open_at) = read(tx, key, &rule, at).await?;
        let wait = open_at.since(at);
        if wait > 0 {
            return Ok(wait);
        }
        found.push((rule, key, failures + 1, since));
    }
    for (rule, key, failures, since) in found {
        let wait = rule.wait_ms(failures);
        write(tx, key, failures, since, at.plus(wait)).await?;
        if wait > 0 {
            note_delay(tx, &rule, tries, at).await?;
        }
    }
    Ok(0)
}

async fn read(
    tx: &mut Tx,
    key: Hash,
    rule: &Rule,
    at: Millis,
) -> Result<(i64, Millis, Millis), StoreError> {
    // A row that is not there cannot be locked: many first tries at once would count as one.
    sqlx::query(
        "INSERT INTO sign_in_tries (key, failures, last_at, open_at) VALUES ($1, 0, $2, $2) \
         ON CONFLICT (key) DO NOTHING",
    )
    .bind(&key.as_bytes()[..])
    .bind(at.0)
    .execute(tx.conn())
    .await?;
    let sql = format!(
        "SELECT failures, last_at, open_at FROM sign_in_tries WHERE key = $1{}",
        tx.engine().for_update()
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&key.as_bytes()[..])
        .fetch_optional(tx.conn())
        .await?;
    let Some(row) = row else { return Ok((0, at, at)) };
    let (left, since) = rule.left(row.int("failures")?, row.millis("last_at")?, at);
    Ok((left, since, row.millis("open_at")?))
}

async fn write(
    tx: &mut Tx,
    key: Hash,
    failures: i64,
    since: Millis,
    open_at: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sign_in_tries (key, failures, last_at, open_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (key) DO UPDATE SET failures = $2, last_at = $3, open_at = $4",
    )
    .bind(&key.as_bytes()[..])
    .bind(failures)
    .bind(since.0)
    .bind(open_at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn note_delay(tx: &mut Tx, rule: &Rule, tries: &Tries, at: Millis) -> Result<(), StoreError> {
    let mut entry = Entry::new(Deed::SignInDelayed, at).detail(rule.name);
    if let Some((_, login)) = tries.account.as_ref().filter(|_| rule.name == ACCOUNT.name) {
        let row = sqlx::query("SELECT person_id FROM sign_in WHERE login = $1")
            .bind(login.as_str())
            .fetch_optional(tx.conn())
            .await?;
        if let Some(row) = row {
            entry = entry.to(PersonId::from_bytes(row.array("person_id")?).as_bytes());
        }
    }
    audit::note(tx, &[entry]).await
}

/// Takes back a try that was right: the account begins anew, the address has one failure less.
///
/// # Errors
/// The database's.
pub(super) async fn was_right(tx: &mut Tx, tries: &Tries, at: Millis) -> Result<(), StoreError> {
    if let Some((key, _)) = &tries.account {
        sqlx::query("UPDATE sign_in_tries SET failures = 0, open_at = $2 WHERE key = $1")
            .bind(&key.as_bytes()[..])
            .bind(at.0)
            .execute(tx.conn())
            .await?;
    }
    sqlx::query(
        "UPDATE sign_in_tries SET failures = failures - 1, open_at = $2 \
         WHERE key = $1 AND failures > 0",
    )
    .bind(&tries.address.as_bytes()[..])
    .bind(at.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_the_fifth_failure_and_end_at_a_quarter_of_an_hour() {
        let waits: Vec<_> = (1..13).map(|n| ACCOUNT.wait_ms(n) / 1000).collect();
        assert_eq!(waits, [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(ADDRESS.wait_ms(29), 0);
        assert_eq!(ADDRESS.wait_ms(i64::MAX), MOST_MS);
    }

    #[test]
    fn failures_are_forgotten_one_by_one() {
        let at = Millis(1_000 * MINUTE_MS);
        let left = |minutes: i64| ACCOUNT.left(6, at.plus(-minutes * MINUTE_MS), at);
        assert_eq!(left(0), (6, at));
        assert_eq!(left(29), (5, at.plus(-14 * MINUTE_MS)));
        assert_eq!(left(30), (4, at));
        assert_eq!(left(90), (0, at));
        assert_eq!(left(-5).0, 6, "a clock that went back forgets nothing");
    }
}

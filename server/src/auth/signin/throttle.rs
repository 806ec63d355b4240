//! Waiting times after failures. An account and an address each have a few tries free; from then on
//! each failure makes the next wait longer, up to a quarter of an hour. Nothing is ever locked for
//! good, and failures are forgotten with time.
//!
//! A try is counted before it is looked at, so that many at once gain nothing, and taken back when
//! it was right or nobody could tell. Names that nobody has are counted like others. A device or a session
//! that signed in to the account before is counted by itself alone: others' failures are none of its.
//! Phones are not counted at all.

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
/// A device, or a session, that is known to the account.
const KNOWN: Rule = Rule { name: "known_device", ..ACCOUNT };
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
    /// The name that was given.
    login: Option<LoginName>,
    /// The account first, always: so no two tries wait for each other in a ring.
    counters: Vec<(Rule, Hash)>,
}

impl SignIn {
    /// A try to sign in under `login`, or through the provider, from `source`. `known` is the device or
    /// the session that shows that it signed in under this name before.
    #[must_use]
    pub fn tries(&self, login: Option<&LoginName>, known: Option<Hash>, source: Source) -> Tries {
        let account =
            |login: &LoginName| (ACCOUNT, self.keyed(b"account", login.as_str().as_bytes()));
        let address = (ADDRESS, self.keyed(b"address", &source.to_bytes()));
        let counters = match known {
            Some(known) => vec![(KNOWN, self.keyed(b"known device", known.as_bytes()))],
            None => login.map(account).into_iter().chain([address]).collect(),
        };
        Tries { login: login.cloned(), counters }
    }
}

/// A try that was counted.
#[derive(Debug, Clone)]
pub struct Counted(Vec<Mark>);

/// What counting a try did to a counter.
#[derive(Debug, Clone)]
struct Mark {
    rule: Rule,
    key: Hash,
    /// From when on the counter let tries pass before.
    before: Millis,
    /// And after.
    after: Millis,
}

/// Counts a try, unless it comes too early.
///
/// # Errors
/// `too_many_tries` with the time to wait, and the database's.
pub async fn begin(app: &App, tries: &Tries) -> Result<Counted, Problem> {
    let input = (tries.clone(), app.now());
    let counted = app.store.with_tx("sign_in.begin", input, |tx, (tries, at)| {
        Box::pin(async move { count(tx, tries, *at).await })
    });
    let wait_ms = match counted.await? {
        Ok(counted) => return Ok(counted),
        Err(wait_ms) => wait_ms,
    };
    metrics::counter!("onscene_sign_in_delayed_total").increment(1);
    let seconds = u32::try_from(wait_ms.div_euclid(1000) + 1).unwrap_or(u32::MAX);
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", "Too many tries failed")
        .detail(format!("wait {seconds} seconds; phones and their sync are not concerned"))
        .retry_after(seconds))
}

/// Counts a try, or says how long it has to wait.
async fn count(tx: &mut Tx, tries: &Tries, at: Millis) -> Result<Result<Counted, i64>, StoreError> {
    sqlx::query("DELETE FROM sign_in_tries WHERE last_at < $1")
        .bind(at.plus(-KEPT_MS).0)
        .execute(tx.conn())
        .await?;
    let mut found = Vec::new();
    for (rule, key) in &tries.counters {
        let (failures, since, before) = read(tx, *key, rule, at).await?;
        let wait = before.since(at);
        if wait > 0 {
            return Ok(Err(wait));
        }
        let after = at.plus(rule.wait_ms(failures + 1));
        found.push((failures + 1, since, Mark { rule: *rule, key: *key, before, after }));
    }
    for (failures, since, mark) in &found {
        write(tx, mark.key, *failures, *since, mark.after).await?;
        if mark.after > at {
            note_delay(tx, &mark.rule, tries, at).await?;
        }
    }
    Ok(Ok(Counted(found.into_iter().map(|one| one.2).collect())))
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
    if let Some(login) = tries.login.as_ref().filter(|_| rule.name != ADDRESS.name) {
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

/// Takes back a try that was right: the account or the device begins anew, the address has one failure less.
/// Others' failures from there stand, and so does the wait that they made.
///
/// # Errors
/// The database's.
pub(super) async fn was_right(
    tx: &mut Tx,
    counted: &Counted,
    at: Millis,
) -> Result<(), StoreError> {
    const ANEW: &str = "UPDATE sign_in_tries SET failures = 0, open_at = $2 WHERE key = $1";
    for mark in &counted.0 {
        if mark.rule.name == ADDRESS.name {
            take_back(tx, mark).await?;
        } else {
            let query = sqlx::query(ANEW).bind(&mark.key.as_bytes()[..]).bind(at.0);
            query.execute(tx.conn()).await?;
        }
    }
    Ok(())
}

/// Makes a try uncounted, with the wait that it made unless another try made one since.
async fn take_back(tx: &mut Tx, mark: &Mark) -> Result<(), StoreError> {
    const SQL: &str = "UPDATE sign_in_tries SET failures = failures - 1, \
         open_at = CASE WHEN open_at = $2 THEN CAST($3 AS BIGINT) ELSE open_at END \
         WHERE key = $1 AND failures > 0";
    let query = sqlx::query(SQL).bind(&mark.key.as_bytes()[..]);
    query.bind(mark.after.0).bind(mark.before.0).execute(tx.conn()).await?;
    Ok(())
}

/// What came of a try that was counted. One that the hub or the provider could not look at says nothing of
/// who made it, and is taken back.
///
/// # Errors
/// Those of the try.
pub(super) async fn settle<T>(
    app: &App,
    counted: Counted,
    result: Result<T, Problem>,
) -> Result<T, Problem> {
    if result.as_ref().is_err_and(|problem| problem.status().is_server_error()) {
        let undone = app.store.with_tx("sign_in.undo", counted, |tx, counted| {
            Box::pin(async move {
                for mark in &counted.0 {
                    take_back(tx, mark).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        if let Err(error) = undone.await {
            tracing::warn!(%error, "a try that nobody could look at stays counted");
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, on_each_engine};

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

    on_each_engine!(
        who_signs_in_does_not_end_the_wait_that_others_made,
        what_nobody_could_look_at_is_not_counted,
        a_try_that_is_taken_back_leaves_no_wait,
    );

    async fn tries(app: &App, login: &str, count: usize) -> Vec<Result<Counted, Problem>> {
        let source = Source::of([203, 0, 113, 9].into());
        let mut all = Vec::new();
        for n in 0..count {
            let login = LoginName::try_from(format!("{login}{n}")).unwrap();
            let tries = app.auth.sign_in.tries(Some(&login), None, source);
            all.push(begin(app, &tries).await);
        }
        all
    }

    async fn who_signs_in_does_not_end_the_wait_that_others_made(store: TestStore) {
        let (app, clock) = store.app().await;
        let free = usize::try_from(ADDRESS.free).unwrap();
        assert!(tries(&app, "wrong", free - 2).await.iter().all(Result::is_ok));
        // The right one is under way while a wrong one makes the address wait.
        let right = tries(&app, "right", 1).await.remove(0).unwrap();
        clock.advance(1);
        assert!(tries(&app, "last", 1).await[0].is_ok());
        let done = app.store.with_tx("test", (right, app.now()), |tx, (right, at)| {
            Box::pin(async move { was_right(tx, right, *at).await })
        });
        done.await.unwrap();
        let waits = tries(&app, "next", 1).await.remove(0).unwrap_err();
        assert_eq!(waits.code(), "too_many_tries");
        clock.advance(ADDRESS.first_ms);
        assert!(tries(&app, "next", 1).await[0].is_ok());
    }

    async fn what_nobody_could_look_at_is_not_counted(store: TestStore) {
        let (app, _) = store.app().await;
        for _ in 0..2 * ADDRESS.free {
            let counted = tries(&app, "li", 1).await.remove(0).unwrap();
            let failed = settle::<()>(&app, counted, Err(Problem::busy("the provider is down")));
            assert_eq!(failed.await.unwrap_err().code(), "busy");
        }
        for _ in 0..ACCOUNT.free {
            let counted = tries(&app, "li", 1).await.remove(0).unwrap();
            settle::<()>(&app, counted, Err(Problem::invalid("wrong"))).await.unwrap_err();
        }
        assert_eq!(tries(&app, "li", 1).await[0].as_ref().unwrap_err().code(), "too_many_tries");
    }

    async fn a_try_that_is_taken_back_leaves_no_wait(store: TestStore) {
        let (app, clock) = store.app().await;
        let free = usize::try_from(ADDRESS.free).unwrap();
        assert!(tries(&app, "wrong", free - 1).await.iter().all(Result::is_ok));
        for _ in 0..2 {
            let failed = tries(&app, "failed", 1).await.remove(0).unwrap();
            settle::<()>(&app, failed, Err(Problem::busy("the hub"))).await.unwrap_err();
            let right = tries(&app, "right", 1).await.remove(0).unwrap();
            clock.advance(1);
            let done = app.store.with_tx("test", (right, app.now()), |tx, (right, at)| {
                Box::pin(async move { was_right(tx, right, *at).await })
            });
            done.await.unwrap();
        }
        assert!(tries(&app, "last", 1).await[0].is_ok());
        assert_eq!(tries(&app, "next", 1).await[0].as_ref().unwrap_err().code(), "too_many_tries");
    }
}

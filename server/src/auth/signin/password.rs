//! Passwords: which are taken, and how they are kept (Argon2id, RFC 9106, with OWASP's parameters).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization as _;

use super::login::LoginName;
use crate::problem::Problem;

mod common;

/// Characters of a password at least. There are no rules of composition (NIST SP 800-63B).
pub const FEWEST_CHARS: usize = 12;
/// Bytes of a password at most, as it is sent.
pub const MOST_BYTES: usize = 1024;
/// Characters that must be left without the person's own names.
const OWN_CHARS: usize = 8;
/// Different characters at least.
const DIFFERENT: usize = 5;

/// Memory in KiB, passes and lanes of one hash.
const COST: (u32, u32, u32) = (19_456, 2, 1);
/// Hashes worked out at once: 76 MiB.
const AT_ONCE: usize = 4;
/// How long a try waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
/// What the password of an unknown name is compared with: the same work, and never right.
pub(super) const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2Q\
                      $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password as it is hashed: in Unicode's form C, every kind of space as an ordinary one
/// (OpaqueString, RFC 8265), so that it is the same from every keyboard. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What somebody typed to sign in.
    ///
    /// # Errors
    /// When it is longer than any password.
    pub fn typed(text: &str) -> Result<Self, Problem> {
        if text.len() > MOST_BYTES {
            return Err(weak(&format!("has more than {MOST_BYTES} bytes")));
        }
        let space = |c: char| if c.is_whitespace() && !c.is_control() { ' ' } else { c };
        Ok(Self(text.chars().map(space).nfc().collect()))
    }

    /// What somebody chose to sign in with from now on.
    ///
    /// # Errors
    /// When it is short, easily guessed or cannot be typed; the answer says which.
    pub fn chosen(text: &str, login: &LoginName, name: &str) -> Result<Self, Problem> {
        let password = Self::typed(text)?;
        match password.weakness(login, name) {
            None => Ok(password),
            Some(weakness) => Err(weak(&weakness)),
        }
    }

    fn weakness(&self, login: &LoginName, name: &str) -> Option<String> {
        if self.0.chars().count() < FEWEST_CHARS {
            return Some(format!("has fewer than {FEWEST_CHARS} characters"));
        }
        if self.0.chars().any(char::is_control) {
            return Some("has characters that no keyboard types".to_owned());
        }
        let small: String = self.0.nfkc().flat_map(char::to_lowercase).collect();
        if common::is_common(&small) {
            return Some("is one that many people use".to_owned());
        }
        let mut different: Vec<char> = small.chars().collect();
        different.sort_unstable();
        different.dedup();
        if different.len() < DIFFERENT || is_run(&small) {
            return Some("repeats itself or counts on".to_owned());
        }
        let few = without_names(small, login, name).chars().count() < OWN_CHARS;
        few.then(|| "is little more than your own name".to_owned())
    }
}

/// What is left of `text` without the login name and the parts of the name.
fn without_names(mut text: String, login: &LoginName, name: &str) -> String {
    let name: String = name.nfkc().flat_map(char::to_lowercase).collect();
    let mut own: Vec<&str> = name.split_whitespace().chain([login.as_str()]).collect();
    own.retain(|part| part.chars().count() > 1);
    own.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    for part in own {
        text = text.replace(part, "");
    }
    text
}

/// Whether most characters follow the one before: `23456789abcd`, `abcdefabcdef`.
fn is_run(text: &str) -> bool {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let steps = codes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) == 1).count();
    3 * steps >= 2 * codes.len()
}

fn weak(weakness: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "weak_password", "Choose another password").detail(
        format!(
            "this one {weakness}: take {FEWEST_CHARS} characters or more that only you would think \
             of, such as four words without a connection"
        ),
    )
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Hashes passwords on threads that may block, a few at a time.
#[derive(Debug)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    patience: Duration,
    done: AtomicU64,
}

impl Default for Hasher {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { turns, patience: WAIT, done: AtomicU64::new(0) }
    }
}

impl Hasher {
    /// What is kept of a password: a PHC string.
    ///
    /// # Errors
    /// When too many are being hashed.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<String, Problem> {
        let turn = self.turn().await?;
        let hashing = tokio::task::spawn_blocking(move || {
            let hash = argon2().hash_password_with_salt(password.0.as_bytes(), &salt);
            drop(turn);
            hash.map(|hash| hash.to_string())
        });
        match hashing.await {
            Ok(Ok(phc)) => Ok(phc),
            Ok(Err(error)) => Err(Problem::internal(&error)),
            Err(error) => Err(Problem::internal(&error)),
        }
    }

    /// Whether a password is the one that was kept. With `None` kept it is not, after the same work.
    ///
    /// # Errors
    /// When too many are being hashed.
    pub async fn is_right(
        &self,
        password: Password,
        kept: Option<String>,
    ) -> Result<bool, Problem> {
        let turn = self.turn().await?;
        let comparing = tokio::task::spawn_blocking(move || {
            let kept = kept.as_deref().unwrap_or(NOBODY);
            let right = PasswordHash::new(kept)
                .is_ok_and(|kept| argon2().verify_password(password.0.as_bytes(), &kept).is_ok());
            drop(turn);
            right
        });
        comparing.await.map_err(|error| Problem::internal(&error))
    }

    /// From now on too many are being hashed.
    #[cfg(test)]
    pub(crate) fn close(&self) {
        self.turns.close();
    }

    /// How many hashes were worked out.
    #[cfg(test)]
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        let turn = tokio::time::timeout(self.patience, turn).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Problem::busy("too many people sign in at once: try again"));
        };
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(turn)
    }
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> LoginName {
        LoginName::try_from("wang.fang".to_owned()).unwrap()
    }

    fn chosen(text: &str) -> Result<Password, String> {
        Password::chosen(text, &login(), "王芳 Wang Fang").map_err(|problem| problem.to_string())
    }

    #[test]
    fn any_long_password_is_taken_and_weak_ones_are_named() {
        for good in [
            "correct horse battery",
            "泉城路上的四棵柳树和一只猫",
            "      a b c d e f   x",
            "wang.fang likes tea!",
        ] {
            assert!(chosen(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("short", "fewer than 12"),
            ("11 letters.", "fewer than 12"),
            ("Password1234", "many people use"),
            ("ＰＡＳＳＷＯＲＤ１２３４", "many people use"),
            ("5201314woaini", "many people use"),
            ("aaaaaaaaaaaaaaaa", "repeats itself"),
            ("234567890123456", "repeats itself"),
            ("Wang.Fang2026", "your own name"),
            ("王芳王芳王芳wangfang", "your own name"),
            ("a\u{0}bcdefghijklmnop", "no keyboard"),
            (&"x".repeat(1025), "more than 1024 bytes"),
        ] {
            let refused = chosen(bad).unwrap_err();
            assert!(refused.contains(why), "{bad}: {refused}");
            assert!(!refused.contains(bad), "an answer never repeats a password");
        }
    }

    #[test]
    fn a_password_is_one_in_every_form_of_unicode() {
        let [composed, decomposed] =
            ["naïve café crème", "nai\u{308}ve cafe\u{301} cre\u{300}me"].map(Password::typed);
        assert_eq!(composed.unwrap(), decomposed.unwrap());
        let [ideographic, plain] = ["四棵柳树　一只猫", "四棵柳树 一只猫"].map(Password::typed);
        assert_eq!(ideographic.unwrap(), plain.unwrap());
    }

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_takes_its_password_alone() {
        let hasher = Hasher::default();
        let password = Password::typed("correct horse battery").unwrap();
        let kept = hasher.hash(password.clone(), [7; 16]).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(hasher.is_right(password.clone(), Some(kept.clone())).await.unwrap());
        let other = Password::typed("correct horse batterz").unwrap();
        assert!(!hasher.is_right(other, Some(kept)).await.unwrap());
        assert!(PasswordHash::new(NOBODY).is_ok(), "else the name would be quickly refused");
        assert!(!hasher.is_right(password, None).await.unwrap());
        assert_eq!(hasher.done(), 4);
    }

    #[tokio::test]
    async fn only_a_few_are_hashed_at_once_and_others_are_told_to_come_again() {
        let hasher = Hasher { patience: Duration::from_millis(10), ..Hasher::default() };
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(hasher.turn().await.unwrap());
        }
        assert_eq!(hasher.turn().await.unwrap_err().code(), "busy");
        turns.pop();
        assert!(hasher.turn().await.is_ok());
    }
}

//! Recovery codes: ten for each person, each good once, for who has lost the authenticator.

use onscene_sync_core::enrolment::EnrolmentCode;
use onscene_sync_core::id::{Hash, PersonId};

use super::SignIn;
use crate::random::{self, Random};
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Codes that a person gets.
pub const CODES: usize = 10;
/// Characters of one half.
const HALF: usize = 8;

/// Ten new codes of 80 bits, written `XXXX-XXXX-XXXX-XXXX`.
#[must_use]
pub fn draw(random: &dyn Random) -> Vec<String> {
    let half = || EnrolmentCode::from_random(random::bytes(random));
    (0..CODES).map(|_| format!("{}-{}", half(), half())).collect()
}

/// A code as it was written, from how somebody typed it (small letters, spaces, O for 0).
fn read(text: &str) -> Option<String> {
    let bare: Vec<char> =
        text.chars().filter(|c| !matches!(c, '-' | ' ')).take(2 * HALF + 1).collect();
    if bare.len() != 2 * HALF {
        return None;
    }
    let half = |chars: &[char]| EnrolmentCode::parse(&chars.iter().collect::<String>()).ok();
    Some(format!("{}-{}", half(&bare[..HALF])?, half(&bare[HALF..])?))
}

impl SignIn {
    /// What the hub keeps of a code; `None` when it has not the form of one.
    #[must_use]
    pub fn recovery_hash(&self, person: PersonId, code: &str) -> Option<Hash> {
        let code = read(code)?;
        Some(self.keyed(b"recovery", &[person.as_bytes(), code.as_bytes()].concat()))
    }
}

/// Gives a person these codes in place of any they had.
///
/// # Errors
/// The database's.
pub async fn replace(tx: &mut Tx, person: PersonId, hashes: &[Hash]) -> Result<(), StoreError> {
    forget(tx, person).await?;
    const HEAD: &str = "INSERT INTO recovery_code (code_hash, person_id)";
    insert_many(tx, HEAD, 2, hashes, "", |query, hash| {
        query.bind(&hash.as_bytes()[..]).bind(person.as_bytes().to_vec())
    })
    .await?;
    Ok(())
}

/// Takes a code, if it is one of the person's: it is gone then.
///
/// # Errors
/// The database's.
pub(super) async fn take(tx: &mut Tx, person: PersonId, hash: Hash) -> Result<bool, StoreError> {
    let taken = sqlx::query("DELETE FROM recovery_code WHERE code_hash = $1 AND person_id = $2")
        .bind(&hash.as_bytes()[..])
        .bind(&person.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    Ok(taken.rows_affected() == 1)
}

pub(super) async fn forget(tx: &mut Tx, person: PersonId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM recovery_code WHERE person_id = $1")
        .bind(&person.as_bytes()[..])
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn left(tx: &mut Tx, person: PersonId) -> Result<u32, StoreError> {
    let row = sqlx::query("SELECT count(*) AS n FROM recovery_code WHERE person_id = $1")
        .bind(&person.as_bytes()[..])
        .fetch_one(tx.conn())
        .await?;
    row.number("n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn codes_are_ten_different_ones_and_read_as_people_type() {
        let codes = draw(&SeededRandom::new(1));
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), CODES);
        for code in &codes {
            assert_eq!(code.len(), 19);
            let typed = code.to_lowercase().replace('-', " ").replace('0', "o");
            assert_eq!(read(&typed).as_ref(), Some(code));
        }
        for wrong in [
            "",
            "7K3F-9QXD",
            "7K3F-9QXD-7K3F-9QXDA",
            "7K3F-9QXD-7K3F-9QX!",
            "漢字漢字漢字漢字漢字漢字漢字漢字",
        ] {
            assert_eq!(read(wrong), None);
        }
    }
}

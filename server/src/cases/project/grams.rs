//! What a search looks up: every two characters that follow each other in a case's summary.
//!
//! Chinese has no spaces to cut words at, and most of its words are two characters long; an index
//! of pairs needs no dictionary and misses nothing. It is one table on both engines.

use std::collections::BTreeSet;

use onscene_sync_core::id::DocId;
use sqlx::AssertSqlSafe;

use crate::cases::record::Case;
use crate::store::{RowExt as _, StoreError, Tx, insert_many};

/// Bits of a character.
const CHAR_BITS: u32 = 21;

/// The pairs of a text, without regard to the case of letters, spaces and punctuation left out.
pub fn grams(text: &str) -> BTreeSet<i64> {
    let characters: Vec<char> =
        text.chars().flat_map(char::to_lowercase).filter(|one| one.is_alphanumeric()).collect();
    let pair =
        |pair: &[char]| i64::from(u32::from(pair[0])) << CHAR_BITS | i64::from(u32::from(pair[1]));
    characters.windows(2).map(pair).collect()
}

fn of_case(case: &Case) -> BTreeSet<i64> {
    case.record.registration.as_ref().map(|one| grams(&one.body.summary)).unwrap_or_default()
}

/// Notes the pairs of a case. Its summary never changes, so once is enough.
pub async fn note(tx: &mut Tx, case: &Case) -> Result<(), StoreError> {
    let grams: Vec<i64> = of_case(case).into_iter().collect();
    const HEAD: &str = "INSERT INTO case_gram (gram, case_id)";
    insert_many(tx, HEAD, 2, &grams, "ON CONFLICT DO NOTHING", |query, gram| {
        query.bind(*gram).bind(&case.id.as_bytes()[..])
    })
    .await?;
    Ok(())
}

/// How many of the case's pairs are missing.
pub(super) async fn missing(tx: &mut Tx, case: &Case) -> Result<usize, StoreError> {
    let grams = of_case(case);
    if grams.is_empty() {
        return Ok(0);
    }
    let places: Vec<String> = (2..2 + grams.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT count(*) AS found FROM case_gram WHERE case_id = $1 AND gram IN ({})",
        places.join(", ")
    );
    let id: DocId = case.id;
    let query = sqlx::query(AssertSqlSafe(sql)).bind(id.as_bytes().to_vec());
    let query = grams.iter().fold(query, |query, gram| query.bind(*gram));
    let found: usize = query.fetch_one(tx.conn()).await?.number("found")?;
    Ok(grams.len().saturating_sub(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_anywhere_in_the_summary_is_among_its_pairs() {
        let all = grams("经十路12号，流动摊贩占道经营 Noise");
        for word in ["摊贩", "占道经营", "12号", "noise", "NOISE", "十路"] {
            assert!(grams(word).is_subset(&all), "{word}");
        }
        assert!(!grams("油烟").is_subset(&all));
        assert!(grams("摊").is_empty() && grams("").is_empty());
    }
}

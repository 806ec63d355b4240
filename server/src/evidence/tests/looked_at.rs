//! What is found out about files that are there: photos used again, files that nothing can decode.

use onscene_sync_core::fact::body::Media;
use onscene_sync_core::id::Hash;

use super::super::manifest::Named;
use super::super::reuse;
use super::{World, named, photo};
use crate::picture::likeness::Likeness;
use crate::store::testing::{TestStore, on_each_engine};
use crate::store::{StoreError, Tx};

on_each_engine!(
    a_photo_of_another_case_is_flagged_and_one_of_the_same_case_is_not,
    a_photo_is_flagged_also_when_the_earlier_one_is_looked_at_later,
    a_file_that_cannot_be_decoded_is_stored_and_says_so,
    a_file_that_the_machine_had_no_room_for_is_looked_at_again,
);

impl World {
    /// Raises the flags that looking at every stored file would, with these likenesses.
    async fn compare(&self, likenesses: &[(&Named, Option<u64>)]) -> u64 {
        let mut raised = 0;
        for (named, likeness) in likenesses {
            let input = (named.fact, named.manifest.sha256, *likeness, self.app.now());
            let compared = self.app.store.with_tx("test", input, |tx, input| {
                Box::pin(async move {
                    let (fact, hash, likeness, now) = *input;
                    picture(tx, hash, likeness).await?;
                    reuse::compare(tx, fact, now).await
                })
            });
            raised += compared.await.unwrap();
        }
        raised
    }
}

async fn picture(tx: &mut Tx, hash: Hash, likeness: Option<u64>) -> Result<(), StoreError> {
    let sql = "INSERT INTO picture (sha256, looked_at, likeness) VALUES ($1, 0, $2) \
        ON CONFLICT DO NOTHING";
    let bytes = likeness.map(|likeness| likeness.to_be_bytes().to_vec());
    sqlx::query(sql).bind(&hash.as_bytes()[..]).bind(bytes).execute(tx.conn()).await?;
    for (band, value) in likeness.into_iter().flat_map(|bits| Likeness(bits).bands()) {
        let sql = "INSERT INTO picture_band (band, value, sha256) VALUES ($1, $2, $3) \
            ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(band).bind(value).bind(&hash.as_bytes()[..]);
        query.execute(tx.conn()).await?;
    }
    Ok(())
}

async fn a_photo_of_another_case_is_flagged_and_one_of_the_same_case_is_not(store: TestStore) {
    let world = World::new(store).await;
    let files: Vec<_> = (0..5).map(|seed| photo(2_000, seed)).collect();
    let first = named(1, &files[0], Media::Photo);
    let same = named(2, &files[0], Media::Photo);
    let near = named(3, &files[1], Media::Photo);
    let far = named(4, &files[2], Media::Photo);
    let after = Named { doc: first.doc, ..named(5, &files[3], Media::Photo) };
    let all = [(&first, 0), (&same, 0), (&near, 1), (&far, 2), (&after, 3)];
    for (named, file) in all {
        world.clock.advance(1_000);
        assert_eq!(world.bring(named, &files[file]).await.status, 204);
    }
    let bits = 0x0123_4567_89ab_cdef_u64;
    // Seven bits in all four bands differ from the first; eight do.
    let seven = bits ^ 0x0101_0001_0101_0101;
    let eight = bits ^ 0x0101_0101_0101_0101;
    assert_eq!((bits ^ seven).count_ones(), 7);
    let likenesses = [
        (&first, Some(bits)),
        (&same, Some(bits)),
        (&near, Some(seven)),
        (&far, Some(eight)),
        (&after, Some(bits)),
    ];
    // `same` is the first's file; `near` is like the first and like `same`; `far` is one bit from
    // `near`; `after` is of the first's visit, and like `same` and `near` of other cases.
    assert_eq!(world.compare(&likenesses).await, 1 + 2 + 1 + 2);
    assert_eq!(world.compare(&likenesses).await, 0, "a flag is raised once");
    let exact = "SELECT count(*) AS n FROM reuse WHERE distance IS NULL";
    assert_eq!(world.number(exact).await, 1);
    let own = "SELECT count(*) AS n FROM reuse WHERE doc_id = earlier_doc";
    assert_eq!(world.number(own).await, 0);
}

async fn a_photo_is_flagged_also_when_the_earlier_one_is_looked_at_later(store: TestStore) {
    let world = World::new(store).await;
    let files: Vec<_> = (0..2).map(|seed| photo(2_000, seed)).collect();
    let (first, near) = (named(1, &files[0], Media::Photo), named(2, &files[1], Media::Photo));
    for (named, file) in [(&first, &files[0]), (&near, &files[1])] {
        world.clock.advance(1_000);
        assert_eq!(world.bring(named, file).await.status, 204);
    }
    assert_eq!(world.compare(&[(&near, Some(1)), (&first, Some(3))]).await, 1);
    let right = "SELECT count(*) AS n FROM reuse r JOIN evidence e ON e.fact_id = r.fact_id \
        JOIN evidence b ON b.fact_id = r.earlier_fact WHERE e.stored_at > b.stored_at";
    assert_eq!(world.number(right).await, 1, "the flag stands on the one that came later");
}

async fn a_file_that_cannot_be_decoded_is_stored_and_says_so(store: TestStore) {
    let mut world = World::new(store).await;
    world.app.program = "/bin/false".into();
    let bytes = photo(2_000, 0);
    world.bring(&named(1, &bytes, Media::Photo), &bytes).await;
    assert_eq!(crate::jobs::work_due(&world.app).await.unwrap(), 1);
    let why = "SELECT count(why) AS n FROM picture WHERE thumbnail IS NULL";
    assert_eq!(world.number(why).await, 1);
    world.clock.advance(3_600_000);
    assert_eq!(crate::jobs::work_due(&world.app).await.unwrap(), 0, "it is not tried again");
}

async fn a_file_that_the_machine_had_no_room_for_is_looked_at_again(store: TestStore) {
    let mut world = World::new(store).await;
    let bytes = photo(2_000, 0);
    for number in [1, 2] {
        world.bring(&named(number, &bytes, Media::Photo), &bytes).await;
        world.clock.advance(1);
    }
    world.app.program = "/nowhere/onscene".into();
    assert_eq!(crate::jobs::work_due(&world.app).await.unwrap(), 2);
    assert_eq!(world.number("SELECT count(*) AS n FROM picture").await, 0);
    assert_eq!(world.number("SELECT count(*) AS n FROM reuse").await, 1, "the same file is seen");
    world.app.program = "/bin/false".into();
    world.clock.advance(3_600_000);
    assert_eq!(crate::jobs::work_due(&world.app).await.unwrap(), 2);
    assert_eq!(world.number("SELECT count(why) AS n FROM picture").await, 1);
}

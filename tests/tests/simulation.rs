//! Days of a bureau by seed: see `onscene_tests::simulation`.

use onscene_tests::simulation::{Outcome, Profile, Simulation};

/// Worlds in an ordinary run; `ONSCENE_SEEDS=first..last` chooses others.
const SEEDS: std::ops::Range<u64> = 0..24;

fn run(seed: u64, profile: Profile) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    runtime.block_on(Simulation::run(dir.path(), seed, profile))
}

fn seeds() -> std::ops::Range<u64> {
    let Ok(range) = std::env::var("ONSCENE_SEEDS") else { return SEEDS };
    let (first, last) = range.split_once("..").expect("ONSCENE_SEEDS is first..last");
    first.parse().expect("a number")..last.parse().expect("a number")
}

#[test]
fn the_promise_holds_in_every_world() {
    let (mut recorded, mut relayed) = (0, 0);
    for seed in seeds() {
        let outcome = run(seed, Profile::SMALL);
        assert!(
            outcome.objections.is_empty(),
            "seed {seed}: {}\nrun it again with ONSCENE_SEEDS={seed}..{} ONSCENE_SIM_TELL=1",
            outcome.objections.join("\n"),
            seed + 1
        );
        recorded += outcome.recorded;
        relayed += outcome.relayed;
    }
    assert!(recorded > 20, "the worlds were empty: {recorded} records");
    assert!(relayed > 0, "nobody delivered for a colleague");
}

#[test]
fn a_hub_restored_from_a_backup_is_given_again_what_it_lost() {
    for seed in 0..3 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dir = tempfile::tempdir().expect("a folder");
        let world = Simulation::run_restored(dir.path(), seed, Profile::SMALL);
        let outcome = runtime.block_on(world);
        assert!(outcome.objections.is_empty(), "seed {seed}: {}", outcome.objections.join("\n"));
        assert!(outcome.recorded > 20, "{outcome:?}");
    }
}

#[test]
fn what_colleagues_deliver_and_its_author_delivers_later_counts_once() {
    let mut relayed = 0;
    for seed in 0..6 {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let dir = tempfile::tempdir().expect("a folder");
        let world = Simulation::run_apart(dir.path(), seed, Profile::SMALL);
        let outcome = runtime.block_on(world);
        assert!(outcome.objections.is_empty(), "seed {seed}: {}", outcome.objections.join("\n"));
        relayed += outcome.relayed;
    }
    assert!(relayed > 60, "only {relayed} changes came through colleagues");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    assert_eq!(run(7, Profile::SMALL).trace, run(7, Profile::SMALL).trace);
    assert_ne!(run(7, Profile::SMALL).trace, run(8, Profile::SMALL).trace);
}

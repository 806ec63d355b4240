//! Made-up positions of many kinds against honest ones: nine of ten made-up claims must go to a
//! person, at most one of a hundred honest ones.
//!
//! Two kinds cannot be told from honest phones by their fixes; they count. What remains is said in
//! the documentation of `rules::arrival`.

#![expect(clippy::print_stdout, reason = "the table is what the test shows")]

use onscene_sync_core::place::Fix;
use onscene_sync_core::rules::arrival::{Conclusion, Flag, Verdict, Weight};

use crate::chance::Chance;
use crate::scene::{Scene, minutes};
use crate::{honest, recorded, spoofs};

const CLAIMS: usize = 150;
type Maker = fn(&mut Chance) -> Scene;

macro_rules! alone {
    ($make:expr) => {
        |chance| spoofs::claimed($make(chance))
    };
}
macro_rules! beside {
    ($make:expr) => {
        |chance| spoofs::claimed_beside($make(chance))
    };
}

const SPOOFS: &[(&str, Maker)] = &[
    ("one spot", alone!(spoofs::one_spot)),
    ("one spot, living accuracy", alone!(spoofs::one_spot_living_accuracy)),
    ("simulation flag left on once", alone!(spoofs::mock_flag_left_on_once)),
    ("straight line", alone!(spoofs::straight_line)),
    ("route player, each second", alone!(spoofs::route_player)),
    ("snapped to the map", alone!(spoofs::snapped_to_the_map)),
    ("Gaussian jitter", alone!(spoofs::gaussian_jitter)),
    ("uniform jitter", alone!(spoofs::uniform_jitter)),
    ("tiny jitter", alone!(spoofs::tiny_jitter)),
    ("Gaussian jitter, walking", alone!(spoofs::gaussian_jitter_while_walking)),
    ("a loop of spots", alone!(spoofs::a_loop_of_spots)),
    ("five decimals", alone!(spoofs::five_decimals)),
    ("constant accuracy, satellites", alone!(spoofs::constant_readings)),
    ("constant accuracy, none told", alone!(spoofs::constant_accuracy)),
    ("teleport", alone!(spoofs::teleport)),
    ("satellite time drifts", alone!(spoofs::drifting_satellite_time)),
    ("satellites of another day", alone!(spoofs::satellites_of_another_day)),
    ("recording sent again", beside!(spoofs::recording_sent_again)),
    ("relayed to a second phone", beside!(spoofs::relayed_to_a_second_phone)),
    ("relayed and moved aside", beside!(spoofs::relayed_and_moved_aside)),
    ("errors of an expert", alone!(spoofs::an_expert)),
    ("false satellites, one C/N0", alone!(spoofs::false_satellites)),
];

const HONEST: &[(&str, Maker)] = &[
    ("standing", alone!(|chance: &mut Chance| honest::receiver(chance, 5.0, honest::standing))),
    (
        "standing, each second",
        alone!(|chance: &mut Chance| { honest::receiver(chance, 1.0, honest::standing) }),
    ),
    ("walking up", alone!(|chance: &mut Chance| honest::receiver(chance, 5.0, honest::walking_up))),
    ("walking about", alone!(|chance: &mut Chance| honest::receiver(chance, 3.0, honest::walking))),
    ("driving up", alone!(|chance: &mut Chance| honest::receiver(chance, 5.0, honest::driving_up))),
    ("between high houses", alone!(honest::canyon)),
    ("indoors by networks", alone!(honest::indoors)),
    ("rounded accuracy", alone!(honest::rounding)),
    ("six decimals", alone!(honest::six_decimals)),
    ("lying still", alone!(honest::holding)),
    (
        "beside a colleague",
        beside!(|chance: &mut Chance| [honest::walking, honest::walking]
            .map(|way| honest::receiver(chance, 5.0, way))),
    ),
];

fn suspected(verdict: &Verdict) -> bool {
    verdict.flags.iter().any(|flag: &Flag| flag.weight() == Weight::Review)
}

/// Prints one line and returns how many claims were suspected.
fn tell(kind: &str, verdicts: &[Verdict]) -> usize {
    let flagged = verdicts.iter().filter(|verdict| suspected(verdict)).count();
    let settled =
        verdicts.iter().filter(|verdict| verdict.conclusion == Conclusion::OnTime).count();
    let share = |count: usize| 100.0 * count as f64 / verdicts.len() as f64;
    println!("{kind:32} {:6.1} % flagged {:6.1} % on time", share(flagged), share(settled));
    flagged
}

fn verdicts(make: Maker, seed: u64) -> Vec<Verdict> {
    let mut chance = Chance::seeded(seed);
    (0..CLAIMS).map(|_| make(&mut chance).judge()).collect()
}

/// The real recording as satellites, fusion and all sources give it, a tap every 15 seconds.
fn recording() -> Vec<Verdict> {
    let all = recorded::recorded(&["GPS", "FLP", "NLP"], minutes(10));
    let ends = |pick: fn(u64, u64) -> u64| all.iter().map(|fix| fix.boot_ns).reduce(pick);
    let (first, last) = (ends(u64::min).expect("fixes"), ends(u64::max).expect("fixes"));
    let taps = || (first + 30_000_000_000..last - 150_000_000_000).step_by(15_000_000_000);
    [&["GPS"][..], &["FLP"], &["GPS", "FLP", "NLP"]]
        .into_iter()
        .map(|providers| recorded::recorded(providers, minutes(10)))
        .flat_map(|fixes: Vec<Fix>| {
            taps().map(move |tap| recorded::visit(&fixes, tap, first).judge()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn nine_of_ten_made_up_claims_and_hardly_an_honest_one_go_to_a_person() {
    let mut flagged = 0;
    for ((kind, make), seed) in SPOOFS.iter().zip(1_000..) {
        flagged += tell(kind, &verdicts(*make, seed));
    }
    let made_up = 100.0 * flagged as f64 / (SPOOFS.len() * CLAIMS) as f64;
    let (mut flagged, mut all) = (0, 0);
    for ((kind, make), seed) in HONEST.iter().zip(2_000..) {
        flagged += tell(kind, &verdicts(*make, seed));
        all += CLAIMS;
    }
    let recording = recording();
    flagged += tell("real recording", &recording);
    all += recording.len();
    let honest = 100.0 * flagged as f64 / all as f64;
    println!("made up: {made_up:.1} % flagged; honest: {honest:.2} % flagged");
    assert!(made_up >= 90.0, "{made_up:.1} % of the made-up claims");
    assert!(honest <= 1.0, "{honest:.2} % of the honest claims");
}

//! `onscene demo --exit`: two days of the demonstration, one after the other on one folder.

use std::path::Path;
use std::process::Command;

fn day(dir: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_onscene"))
        .args(["demo", "--exit", "--port", "0", "--seed", "12345", "--dir"])
        .arg(dir)
        .output()
        .expect("the program starts");
    let (out, err) = (&output.stdout, String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8(out.clone()).expect("the account is UTF-8");
    assert!(output.status.success(), "{err}\n{out}");
    out
}

/// The table's last line: recorded, delivered, waiting, quarantined; photos, at the hub, waiting.
fn total(account: &str) -> [u64; 7] {
    let line = account.lines().find(|line| line.starts_with("25 phones")).expect("a total");
    let words = line.split_whitespace().skip(2).map(|word| word.trim_start_matches('│'));
    let words = words.filter(|word| !word.is_empty());
    let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
    numbers.try_into().expect("seven numbers")
}

#[test]
fn a_day_shows_every_verdict_adds_up_and_the_next_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = day(dir.path());
    assert!(first.starts_with("第1天 Day 1"), "{first}");
    for shown in [
        "ON TIME (time proven, place proven inside)",
        "ON TIME (time attested",
        "LATE (time",
        "NEEDS REVIEW (time proven, place proven inside): The phone marked a position as simulated",
        "settled by the supervisor: 未到现场 NOT ON SCENE",
        "[离线 offline]",
        "escalated",
        "outcomes offline; both stay",
        "the hub saw the fork",
        "→ Malformed",
        "→ BadSignature",
        "→ WrongActor",
        "→ Forbidden",
        "The table adds up",
    ] {
        assert!(first.contains(shown), "`{shown}` is missing in\n{first}");
    }
    assert!(!first.contains("LET IN"), "{first}");
    assert_eq!(first.matches("settled by the supervisor: 照片复用 REUSED").count(), 1, "{first}");
    let [recorded, delivered, waiting, quarantined, photos, stored, unsent] = total(&first);
    assert_eq!(recorded, delivered + waiting + quarantined);
    assert_eq!(photos, stored + unsent);
    assert!(stored > 20, "{first}");
    assert!(recorded > 150 && waiting > 0 && quarantined == 5, "{first}");

    let second = day(dir.path());
    assert!(second.starts_with("第2天 Day 2"), "{second}");
    let [more, later, _, forged, more_photos, ..] = total(&second);
    assert!(more_photos > photos, "{second}");
    assert_eq!(second.matches("照片复用 REUSED").count(), 1, "{second}");
    assert!(more > recorded && later > delivered + waiting, "what waited was delivered: {second}");
    assert_eq!(forged, 10);
}

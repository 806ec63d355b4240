//! Facts that must not be in a document, in changes that are otherwise honest.

use onscene_sync_core::crypto::{fact_id, verify_p256};
use onscene_sync_core::document::{DocKind, Document, Entry};
use onscene_sync_core::fact::body::{
    Accepted, ArrivalClaim, Finding, Manifest, Media, Outcome, OutcomeReport, Text, Withdrawal,
};
use onscene_sync_core::fact::{AnchorRef, Author, Body, DeviceAuthor, Fact};
use onscene_sync_core::guard::{self, Denied};
use onscene_sync_core::id::{BootId, DeviceId, DocId, FactId, Hash, PersonId};
use onscene_sync_core::limits::{
    CHAIN_SEQ, CHANGE_FACTS, EVIDENCE_BYTES, FIXES, OUTCOME_EVIDENCE, TEXT_CHARS,
};
use onscene_sync_core::place::{Datum, Fix, Position, Provider, Shape, Site};
use onscene_sync_core::sync::message::RefusalCode::{self, *};
use onscene_sync_core::time::{ClockReading, Millis};

use crate::world::{DOC, Phone, note, outcome, refusal, visit};

const HERE: Position = Position { lat_e7: 366_500_000, lon_e7: 1_170_000_000 };

fn fix() -> Fix {
    Fix {
        position: HERE,
        accuracy_mm: 8_000,
        boot_ns: 1,
        provider: Provider::Gnss,
        mock: false,
        speed_mm_s: None,
        satellites: Some(9),
        fix_wall_ms: None,
    }
}

fn tap() -> ClockReading {
    ClockReading { wall_ms: 0, boot_ns: 1, boot: BootId::from_bytes([1; 8]) }
}

fn arrival() -> ArrivalClaim {
    let order = Some(FactId::from_bytes([5; 16]));
    ArrivalClaim { order, tap: tap(), datum: Datum::Wgs84, fixes: vec![fix(); 3] }
}

fn manifest() -> Manifest {
    Manifest {
        sha256: Hash::from_bytes([3; 32]),
        bytes: 1_000,
        media: Media::Photo,
        captured: true,
        taken: tap(),
        fix: Some(fix()),
        datum: Some(Datum::Wgs84),
        before: None,
    }
}

fn finding() -> Finding {
    let (position, datum) = (Some(HERE), Some(Datum::Gcj02));
    Finding { matter: "street_vending".to_owned(), text: "占道".to_owned(), position, datum }
}

fn circle(radius_cm: u32) -> Body {
    let shape = Shape::Circle { centre: HERE, radius_cm };
    Body::SiteCorrection(Site { datum: Datum::Wgs84, shape })
}

fn report(text: &str, evidence: usize) -> Body {
    Body::Outcome(OutcomeReport {
        outcome: Outcome::NotFound,
        text: text.to_owned(),
        evidence: vec![FactId::from_bytes([1; 16]); evidence],
        complainant_told: Some(false),
    })
}

/// What the hub says of one fact in a document of this kind.
fn verdict(kind: DocKind, body: Body) -> Result<(), RefusalCode> {
    let mut hub = Document::new(DOC, kind);
    let mut phone = Phone::new(1, kind);
    let change = phone.state(body);
    match phone.push(&mut hub, &change.bytes) {
        Ok(admitted) => {
            assert_eq!(hub.facts().len(), admitted.facts.len());
            Ok(())
        }
        Err(Denied::Refused(refusal)) => Err(refusal.code),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn honest_statements_are_admitted() {
    let order = FactId::from_bytes([5; 16]);
    let unordered = ArrivalClaim { order: None, ..arrival() };
    let restarted = ClockReading { boot: BootId::from_bytes([2; 8]), boot_ns: u64::MAX, ..tap() };
    for (kind, body) in [
        (DocKind::Response, Body::Accepted(Accepted { order })),
        (DocKind::Response, Body::Arrival(arrival())),
        (DocKind::Response, Body::Arrival(ArrivalClaim { fixes: vec![], ..arrival() })),
        (DocKind::Response, Body::Arrival(ArrivalClaim { fixes: vec![fix(); FIXES], ..arrival() })),
        (DocKind::Response, Body::Arrival(ArrivalClaim { tap: restarted, ..arrival() })),
        (DocKind::Patrol, Body::Arrival(unordered)),
        (DocKind::Recheck, Body::Arrival(arrival())),
        (DocKind::Response, note(&"字".repeat(TEXT_CHARS))),
        (DocKind::Response, Body::Evidence(manifest())),
        (DocKind::Response, Body::Evidence(Manifest { fix: None, datum: None, ..manifest() })),
        (DocKind::Response, report("", OUTCOME_EVIDENCE)),
        (DocKind::Response, Body::Told(Text { text: "已告知".to_owned(), by: None })),
        (DocKind::Patrol, Body::Finding(finding())),
        (DocKind::Response, circle(5_000)),
    ] {
        assert_eq!(verdict(kind, body.clone()), Ok(()), "{body:?}");
    }
}

#[test]
fn statements_out_of_bounds_are_refused() {
    let far = Position { lat_e7: 910_000_000, lon_e7: 0 };
    let ahead = ClockReading { boot_ns: u64::MAX, ..tap() };
    let by = Some(PersonId::from_bytes([1; 16]));
    let polygon = |outline: Vec<Position>, holes| {
        let shape = Shape::Polygon { outline, holes };
        Body::SiteCorrection(Site { datum: Datum::Wgs84, shape })
    };
    let arriving = |claim: ArrivalClaim| (DocKind::Response, Body::Arrival(claim));
    let responding = |body: Body| (DocKind::Response, body);
    for (kind, body) in [
        (DocKind::Patrol, Body::Accepted(Accepted { order: FactId::from_bytes([5; 16]) })),
        (DocKind::Patrol, Body::Arrival(arrival())),
        arriving(ArrivalClaim { order: None, ..arrival() }),
        arriving(ArrivalClaim { fixes: vec![fix(); FIXES + 1], ..arrival() }),
        arriving(ArrivalClaim { fixes: vec![Fix { accuracy_mm: 0, ..fix() }], ..arrival() }),
        arriving(ArrivalClaim { fixes: vec![Fix { position: far, ..fix() }], ..arrival() }),
        arriving(ArrivalClaim { tap: ahead, ..arrival() }),
        responding(note("")),
        responding(note(" \n")),
        responding(note("a\0b")),
        responding(note(&"字".repeat(TEXT_CHARS + 1))),
        responding(Body::Note(Text { text: "代".to_owned(), by })),
        responding(Body::Evidence(Manifest { bytes: 0, ..manifest() })),
        responding(Body::Evidence(Manifest { bytes: EVIDENCE_BYTES + 1, ..manifest() })),
        responding(Body::Evidence(Manifest { datum: None, ..manifest() })),
        responding(Body::Evidence(Manifest { taken: ahead, ..manifest() })),
        responding(report("a\0b", 0)),
        responding(report("", OUTCOME_EVIDENCE + 1)),
        responding(Body::Finding(Finding { matter: "Street".to_owned(), ..finding() })),
        responding(Body::Finding(Finding { datum: None, ..finding() })),
        responding(Body::Finding(Finding { position: Some(far), ..finding() })),
        responding(circle(0)),
        responding(circle(u32::MAX)),
        responding(polygon(vec![HERE; 2], vec![])),
        responding(polygon(vec![HERE; 1_001], vec![])),
        responding(polygon(vec![HERE; 3], vec![vec![HERE; 3]; 21])),
        responding(polygon(vec![HERE, HERE, far], vec![])),
        responding(Body::Closed(Text { text: "结案".to_owned(), by: None })),
    ] {
        assert_eq!(verdict(kind, body.clone()), Err(BadFact), "{body:?}");
    }
}

/// Alters who states a fact, signs it, writes it, and asks the hub.
fn altered_author(alter: impl FnOnce(&mut Fact)) -> RefusalCode {
    let (mut hub, mut phone, _) = visit();
    let mut fact = phone.unsigned(note("x"));
    alter(&mut fact);
    let facts = vec![phone.sign(&fact)];
    let change = phone.write(&Entry { facts, ..Entry::default() });
    refusal(&mut hub, &phone, &change.bytes)
}

fn altered_device(alter: impl FnOnce(&mut DeviceAuthor)) -> RefusalCode {
    altered_author(|fact| match &mut fact.author {
        Author::Device(device) => alter(device),
        Author::Hub(_) => unreachable!("phones state it"),
    })
}

#[test]
fn facts_of_others_and_for_others_are_refused() {
    let anchor = AnchorRef {
        number: 1,
        proof: FactId::from_bytes([1; 16]),
        sent_boot_ns: 1,
        received_boot_ns: 2,
    };
    assert_eq!(altered_device(|author| author.device = DeviceId::from_bytes([2; 8])), BadSignature);
    assert_eq!(altered_device(|author| author.install = 2), BadFact);
    assert_eq!(altered_device(|author| author.seq = 0), BadFact);
    assert_eq!(altered_device(|author| author.seq = CHAIN_SEQ + 1), BadFact);
    assert_eq!(altered_device(|author| author.seq = u64::MAX), BadFact);
    assert_eq!(altered_device(|author| author.prev = None), BadFact);
    assert_eq!(altered_device(|author| author.seq = 1), BadFact);
    assert_eq!(altered_device(|author| author.anchors = vec![anchor; 9]), BadFact);
    assert_eq!(altered_device(|author| author.anchors = vec![anchor; 2]), BadFact);
    let early = AnchorRef { received_boot_ns: 0, ..anchor };
    assert_eq!(altered_device(|author| author.anchors = vec![early]), BadFact);
    assert_eq!(altered_author(|fact| fact.doc = DocId::from_bytes([1; 16])), BadFact);
    assert_eq!(altered_author(|fact| fact.author = Author::Hub(Millis(0))), BadFact);
    assert_eq!(altered_author(|fact| fact.version = 2), TooNew);
}

/// A colleague carries a change whose author has stated its fact anew meanwhile: in either order only
/// what came first stands.
#[test]
fn a_fact_and_its_restatement_do_not_stand_together() {
    for carried_first in [true, false] {
        let (mut hub, mut phone, _) = visit();
        let before = phone.document.clone();
        let sealed = phone.seal(note("x"));
        let id = sealed.0;
        let carried = phone.write(&Entry { facts: vec![sealed], ..Entry::default() });
        phone.document = before;
        phone.begin_anew();
        let mut fact = phone.unsigned(note("x"));
        if let Author::Device(device) = &mut fact.author {
            device.restates = Some(id);
        }
        let facts = vec![phone.sign(&fact)];
        let restated = phone.write(&Entry { facts, ..Entry::default() });
        let (first, second) = if carried_first { (carried, restated) } else { (restated, carried) };
        phone.push(&mut hub, &first.bytes).expect("it stands alone");
        assert_eq!(refusal(&mut hub, &phone, &second.bytes), Forbidden);
    }
}

#[test]
fn a_fact_signed_with_another_key_is_refused() {
    let (mut hub, mut one, two) = visit();
    let change = one.note("x");
    let stolen = guard::Author { key: two.author().key, ..one.author() };
    let denied = guard::admit(&mut hub, &change.bytes, &stolen);
    let Err(Denied::Refused(refused)) = denied else { panic!("{denied:?}") };
    assert_eq!(refused.code, BadSignature);
    let broken_key = guard::Author { key: &[4; 12], verify: verify_p256, ..one.author() };
    let denied = guard::admit(&mut hub, &change.bytes, &broken_key);
    assert!(matches!(denied, Err(Denied::Refused(refused)) if refused.code == BadSignature));
    one.push(&mut hub, &change.bytes).expect("with its own key it is taken");
}

#[test]
fn bytes_that_are_no_fact_are_refused() {
    let (mut hub, mut phone, _) = visit();
    for envelope in [b"note".to_vec(), Vec::new(), vec![0x84; 2_000], vec![0; 50_000]] {
        let before = phone.document.clone();
        let facts = vec![(fact_id(&envelope), envelope)];
        let change = phone.write(&Entry { facts, ..Entry::default() });
        assert_eq!(refusal(&mut hub, &phone, &change.bytes), BadFact);
        phone.document = before;
    }
}

#[test]
fn one_change_holds_a_bounded_number_of_facts() {
    let (mut hub, mut phone, _) = visit();
    let before = phone.document.clone();
    let facts: Vec<_> = (0..=CHANGE_FACTS).map(|n| phone.seal(note(&n.to_string()))).collect();
    let too_many = phone.write(&Entry { facts: facts.clone(), ..Entry::default() });
    assert_eq!(refusal(&mut hub, &phone, &too_many.bytes), BadFact);
    phone.document = before;
    let enough = phone.write(&Entry { facts: facts[1..].to_vec(), ..Entry::default() });
    let admitted = phone.push(&mut hub, &enough.bytes).expect("they are within the bound");
    assert_eq!(admitted.facts.len(), CHANGE_FACTS);
}

#[test]
fn registers_name_facts_of_their_kind() {
    let (mut hub, mut phone, _) = visit();
    let outcomes = hub.outcomes();
    let kept = |(id, _): &&(FactId, Vec<u8>)| !outcomes.contains(id);
    let (a_note, _) = *hub.facts().iter().find(kept).expect("the visit has notes");
    let before = phone.document.clone();
    for entry in [
        Entry { outcome: Some(a_note), ..Entry::default() },
        Entry { site: Some(outcomes[0]), ..Entry::default() },
        Entry { outcome: Some(FactId::from_bytes([9; 16])), ..Entry::default() },
    ] {
        let change = phone.write(&entry);
        assert_eq!(refusal(&mut hub, &phone, &change.bytes), Forbidden, "{entry:?}");
        phone.document = before.clone();
    }
    let sealed = phone.seal(circle(5_000));
    let site = Some(sealed.0);
    let change = phone.write(&Entry { facts: vec![sealed], site, ..Entry::default() });
    phone.push(&mut hub, &change.bytes).expect("a correction in the same change");
    assert_eq!(hub.sites(), Vec::from_iter(site));
}

#[test]
fn one_takes_back_only_what_is_ones_own() {
    let (mut hub, mut one, mut two) = visit();
    let (own, _) = one.seal(outcome(Outcome::Penalised));
    let theirs = hub.outcomes()[0];
    let take_back = |fact| Body::Withdrawal(Withdrawal { fact, reason: "记错了".to_owned() });
    let before = one.document.clone();
    let never_sent = one.state(take_back(own));
    assert_eq!(refusal(&mut hub, &one, &never_sent.bytes), Forbidden);
    one.document = before;
    let foreign = two.state(take_back(theirs));
    assert_eq!(refusal(&mut hub, &two, &foreign.bytes), Forbidden);
    let honest = one.state(take_back(theirs));
    one.push(&mut hub, &honest.bytes).expect("its own outcome");
}

#[test]
fn what_was_refused_can_be_looked_at() {
    let (mut hub, mut phone, _) = visit();
    let (_, envelope) = phone.seal(note(""));
    let facts = vec![(fact_id(&envelope), envelope.clone())];
    let change = phone.write(&Entry { facts, ..Entry::default() });
    assert_eq!(refusal(&mut hub, &phone, &change.bytes), BadFact);
    assert_eq!(guard::peek(&change.bytes), Ok(vec![envelope]));
    let bomb = include_bytes!("../fixtures/automerge_rle_bomb_1e6.bin");
    assert!(guard::peek(bomb).is_err());
}

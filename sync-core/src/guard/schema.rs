//! What a phone's statement must be like: complete, within bounds, and of a kind that phones make.
//!
//! Whether a statement is *believed* is for the rules. What is odd but possible on an honest phone
//! (a clock set wrong, no fix in a basement, a restart between tap and signature) passes here.

use crate::document::DocKind;
use crate::fact::Body;
use crate::fact::body::{ArrivalClaim, Finding, Manifest, OutcomeReport, RecheckFinding, Text};
use crate::limits::{
    EVIDENCE_BYTES, FIXES, OUTCOME_EVIDENCE, SITE_EXTENT_M, SITE_HOLES, SITE_VERTICES, TEXT_CHARS,
};
use crate::place::{Fix, Position, Shape, Site};
use crate::time::ClockReading;

const NAME_CHARS: usize = 64;
const E7: i32 = 10_000_000;

/// What is wrong, in words.
type Fault = &'static str;

/// Whether `name` is a key of reference data: 1 to 64 characters of `a-z`, `0-9`, `_`.
pub(super) fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=NAME_CHARS).contains(&name.len()) && name.bytes().all(allowed)
}

/// Checks a statement that a phone signed when its clocks showed `signed`.
pub(super) fn check(body: &Body, kind: DocKind, signed: &ClockReading) -> Result<(), Fault> {
    match body {
        Body::Accepted(_) if kind == DocKind::Response => Ok(()),
        Body::Accepted(_) => Err("only the answer to an order accepts one"),
        Body::Arrival(claim) => check_arrival(claim, kind, signed),
        Body::Note(text) | Body::Told(text) => check_statement(text),
        Body::Evidence(manifest) => check_manifest(manifest, signed),
        Body::Outcome(report) => check_outcome(report),
        Body::Withdrawal(withdrawal) => check_text(&withdrawal.reason),
        Body::Finding(finding) => check_finding(finding, kind),
        Body::SiteCorrection(site) => check_site(site),
        Body::Registered(_)
        | Body::CoordinationOpened(_)
        | Body::Ordered(_)
        | Body::OrderReceived(_)
        | Body::OrderWithdrawn(_)
        | Body::Judged(_)
        | Body::ReviewSettled(_)
        | Body::Overdue(_)
        | Body::FedBack(_)
        | Body::Returned(_)
        | Body::Urged(_)
        | Body::ComplainantTold(_)
        | Body::Closed(_)
        | Body::Reopened(_)
        | Body::TakenBack(_)
        | Body::ToldOnScene(_)
        | Body::MeasureTaken(_)
        | Body::MeasureConcluded(_)
        | Body::RecheckOrdered(_)
        | Body::Rechecked(_)
        | Body::Refused(_)
        | Body::AnsweredFrom(_)
        | Body::RepeatOf(_)
        | Body::RepeatTakenBack(_)
        | Body::Supervised(_)
        | Body::Originated(_)
        | Body::NotReached(_)
        | Body::ToldByMessage(_)
        | Body::OpinionGiven(_)
        | Body::OpinionSettled(_) => Err("only the hub states this"),
    }
}

fn check_arrival(claim: &ArrivalClaim, kind: DocKind, signed: &ClockReading) -> Result<(), Fault> {
    match kind {
        DocKind::Response if claim.order.is_none() => {
            return Err("an arrival that answers an order must name it");
        }
        DocKind::Patrol if claim.order.is_some() => {
            return Err("a patrol answers no order");
        }
        DocKind::Case | DocKind::Response | DocKind::Patrol | DocKind::Recheck => {}
    }
    check_before(&claim.tap, signed)?;
    if claim.fixes.len() > FIXES {
        return Err("an arrival holds too many fixes");
    }
    claim.fixes.iter().try_for_each(check_fix)
}

fn check_manifest(manifest: &Manifest, signed: &ClockReading) -> Result<(), Fault> {
    if manifest.bytes == 0 || manifest.bytes > EVIDENCE_BYTES {
        return Err("a file of evidence is empty or too large");
    }
    if manifest.fix.is_some() != manifest.datum.is_some() {
        return Err("a fix goes with its datum");
    }
    check_before(&manifest.taken, signed)?;
    manifest.fix.as_ref().map_or(Ok(()), check_fix)
}

fn check_outcome(report: &OutcomeReport) -> Result<(), Fault> {
    if report.evidence.len() > OUTCOME_EVIDENCE {
        return Err("an outcome names too many pieces of evidence");
    }
    check_text(&report.text)
}

fn check_finding(finding: &Finding, kind: DocKind) -> Result<(), Fault> {
    if kind == DocKind::Recheck && RecheckFinding::of_name(&finding.matter).is_none() {
        return Err("a recheck finds upheld, quality_short, relapsed or false_report");
    }
    if !is_name(&finding.matter) {
        return Err("a kind of matter is 1 to 64 characters of a-z, 0-9 and _");
    }
    if finding.position.is_some() != finding.datum.is_some() {
        return Err("a position goes with its datum");
    }
    finding.position.as_ref().map_or(Ok(()), check_position)?;
    check_text(&finding.text)
}

fn check_statement(text: &Text) -> Result<(), Fault> {
    if text.by.is_some() {
        return Err("on phones the device tells who speaks");
    }
    if text.text.trim().is_empty() {
        return Err("a remark says something");
    }
    check_text(&text.text)
}

fn check_text(text: &str) -> Result<(), Fault> {
    // Databases cannot hold U+0000 in text.
    if text.contains('\0') || text.chars().count() > TEXT_CHARS {
        return Err("a text is too long or holds U+0000");
    }
    Ok(())
}

/// Within one boot, what was signed was read before.
fn check_before(read: &ClockReading, signed: &ClockReading) -> Result<(), Fault> {
    if read.boot == signed.boot && read.boot_ns > signed.boot_ns {
        return Err("its boot clock is ahead of the one it was signed at");
    }
    Ok(())
}

fn check_fix(fix: &Fix) -> Result<(), Fault> {
    if fix.accuracy_mm == 0 {
        return Err("a fix has no accuracy");
    }
    check_position(&fix.position)
}

fn check_position(position: &Position) -> Result<(), Fault> {
    let latitude = (-90 * E7..=90 * E7).contains(&position.lat_e7);
    let longitude = (-180 * E7..=180 * E7).contains(&position.lon_e7);
    if latitude && longitude { Ok(()) } else { Err("a position is not on Earth") }
}

fn check_site(site: &Site) -> Result<(), Fault> {
    let length = |cm: u32| {
        let metres = f64::from(cm) / 100.0;
        if metres > 0.0 && metres <= SITE_EXTENT_M {
            Ok(())
        } else {
            Err("a site is too small or too large")
        }
    };
    let ring = |points: &[Position], least: usize| {
        if points.len() < least {
            return Err("a site's outline has too few points");
        }
        points.iter().try_for_each(check_position)
    };
    let vertices = match &site.shape {
        Shape::Circle { centre, radius_cm } => {
            length(*radius_cm)?;
            check_position(centre)?;
            1
        }
        Shape::Polygon { outline, holes } => {
            if holes.len() > SITE_HOLES {
                return Err("a site has too many holes");
            }
            ring(outline, 3)?;
            holes.iter().try_for_each(|hole| ring(hole, 3))?;
            outline.len() + holes.iter().map(Vec::len).sum::<usize>()
        }
        Shape::Corridor { line, half_width_cm } => {
            length(*half_width_cm)?;
            ring(line, 2)?;
            line.len()
        }
    };
    if vertices > SITE_VERTICES { Err("a site has too many points") } else { Ok(()) }
}

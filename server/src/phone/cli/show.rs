//! What the command-line phone shows: lines for people, or JSON.

use std::io::Write;

use onscene_mobile::{
    ArrivalReceipt, Device, EvidenceCounts, EvidenceItem, EvidenceState, Given, Item, ItemState,
    Job,
};
use onscene_sync_core::id::FactId;
use onscene_sync_core::rules::arrival::{Language, Verdict};
use serde::Serialize;
use serde_json::json;

use super::PhoneError;

/// Records read from the store at a time.
const PAGE: u32 = 500;

/// Where to show things, and how.
pub(super) struct Screen<'a, W> {
    pub(super) out: &'a mut W,
    pub(super) json: bool,
}

impl<W: Write> Screen<'_, W> {
    /// Who the phone is.
    pub(super) fn standing(&mut self, device: &Device) -> Result<(), PhoneError> {
        let Some(standing) = device.standing()? else {
            return Err(PhoneError::NotSynced("the hub has not enrolled this phone".to_owned()));
        };
        if self.json {
            return self.put(&json!({
                "device": standing.device,
                "person": standing.person,
                "unit": standing.unit,
                "install": standing.install,
                "check_words": standing.check_words,
            }));
        }
        writeln!(self.out, "enrolled as device {}", standing.device)?;
        let words = standing.check_words.join(" ");
        Ok(writeln!(self.out, "check words (compare with the administrator's screen): {words}")?)
    }

    /// The list of work.
    pub(super) fn work(&mut self, device: &Device) -> Result<(), PhoneError> {
        let work = device.my_work()?;
        if self.json {
            return self.put(&work);
        }
        if work.is_empty() {
            writeln!(self.out, "no orders: `onscene phone sync` asks for new ones")?;
        }
        for (index, item) in work.iter().enumerate() {
            let marks =
                [(item.accepted, "accepted"), (item.arrived, "on scene"), (item.done, "done")];
            let marks: Vec<_> = marks.iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
            let marks = if marks.is_empty() { "new".to_owned() } else { marks.join(", ") };
            writeln!(self.out, "{:>3}. {}  [{marks}]", index + 1, item.order)?;
            writeln!(self.out, "     {} · {}", item.matter, item.summary)?;
        }
        Ok(())
    }

    /// Something was recorded as a fact.
    pub(super) fn recorded(&mut self, what: &str, fact: FactId) -> Result<(), PhoneError> {
        if self.json {
            return self.put(&json!({ "recorded": what, "fact": fact }));
        }
        Ok(writeln!(self.out, "saved on this phone: {what} {fact}")?)
    }

    /// Something else was done.
    pub(super) fn said(&mut self, what: &str, text: &str) -> Result<(), PhoneError> {
        if self.json {
            return self.put(&json!({ what: text }));
        }
        Ok(writeln!(self.out, "{what}: {text}")?)
    }

    /// A checkpoint as it stands in files.
    pub(super) fn witnessed(&mut self, note: &str) -> Result<(), PhoneError> {
        if self.json {
            return self.put(&json!({ "checkpoint": note }));
        }
        Ok(self.out.write_all(note.as_bytes())?)
    }

    /// What a meeting with another phone brought.
    pub(super) fn given(&mut self, given: &Given) -> Result<(), PhoneError> {
        if self.json {
            return self.put(given);
        }
        writeln!(self.out, "handed over: both phones have what the other had")?;
        writeln!(self.out, "  {} facts of cases came", given.told)?;
        writeln!(self.out, "  {} changes of colleagues came", given.changes)?;
        for why in &given.refused {
            writeln!(self.out, "  not taken: {why}")?;
        }
        Ok(())
    }

    /// An arrival, with what the rule says of it with what the phone knows.
    pub(super) fn arrived(&mut self, receipt: &ArrivalReceipt) -> Result<(), PhoneError> {
        if self.json {
            return self.put(receipt);
        }
        writeln!(self.out, "saved on this phone: arrival {}", receipt.fact)?;
        match &receipt.likely {
            None => writeln!(self.out, "a patrol: there is no order to be in time for")?,
            Some(verdict) => {
                writeln!(self.out, "likely verdict: {}", conclusion(verdict))?;
                for reason in &verdict.reasons {
                    writeln!(self.out, "  - {}", reason.sentence(Language::English))?;
                }
            }
        }
        Ok(())
    }

    /// What is where.
    pub(super) fn status(
        &mut self,
        device: &Device,
        offline: bool,
        with_records: bool,
    ) -> Result<(), PhoneError> {
        let counts = device.counts()?;
        let items = all_items(device)?;
        let evidence = device.evidence_counts()?;
        let unfinished = device.unfinished_captures()?;
        let verified = items.iter().filter(|item| item.state == ItemState::Verified).count();
        if self.json {
            let records = if with_records { Some(&items) } else { None };
            let files = if with_records { Some(all_files(device)?) } else { None };
            return self.put(&json!({
                "offline": offline,
                "recorded": counts.recorded,
                "saved": counts.saved,
                "delivered": counts.delivered,
                "verified": verified,
                "refused": counts.refused,
                "last_failure": device.last_failure(),
                "records": records,
                "evidence": evidence,
                "files": files,
                "unfinished": unfinished,
                "stray_files": device.stray_files()?,
            }));
        }
        writeln!(self.out, "network    {}", if offline { "offline" } else { "online" })?;
        writeln!(self.out, "recorded   {}", counts.recorded)?;
        writeln!(self.out, "  saved    {} on this phone only (已存本机)", counts.saved)?;
        let carried = device.carried()?;
        if carried.waiting > 0 {
            writeln!(self.out, "carried    {} changes of colleagues", carried.waiting)?;
        }
        writeln!(
            self.out,
            "  delivered {} at the hub (已送达), of these {verified} verified (已核验)",
            counts.delivered
        )?;
        writeln!(
            self.out,
            "  refused  {} kept by the hub for a supervisor (已隔离)",
            counts.refused
        )?;
        for item in items.iter().filter(|item| with_records || is_refused(item)) {
            writeln!(self.out, "{:>5}  {:<15} {}", item.n, item.what, state(&item.state))?;
        }
        self.files(device, with_records)
    }

    /// Where the files of evidence are.
    fn files(&mut self, device: &Device, with_files: bool) -> Result<(), PhoneError> {
        let counts = device.evidence_counts()?;
        let EvidenceCounts { recorded, verified, waiting, refused, lost } = counts;
        writeln!(
            self.out,
            "files      {recorded}: {verified} verified (已核验), {waiting} waiting, {refused} \
             refused, {lost} missing or changed"
        )?;
        for item in all_files(device)? {
            if with_files || is_troubled(&item.state) {
                let state = file_state(&item);
                writeln!(self.out, "{:>5}  {:>9} bytes {state}", item.n, item.bytes)?;
            }
        }
        for left in device.unfinished_captures()? {
            let file = left.file.map_or("nothing was written".to_owned(), |(path, bytes)| {
                format!("{bytes} bytes in {}", path.display())
            });
            writeln!(self.out, "half taken {}: {file}; `recover` or `discard` it", left.id)?;
        }
        for stray in device.stray_files()? {
            writeln!(self.out, "unknown file {}: left alone", stray.path.display())?;
        }
        Ok(())
    }

    /// What happened after event `shown`; returns the number of the last one.
    pub(super) fn events(&mut self, device: &Device, shown: i64) -> Result<i64, PhoneError> {
        let events = device.events_since(shown, PAGE)?;
        for event in &events {
            if self.json {
                self.put(event)?;
            } else {
                writeln!(self.out, "{:?}: {}", event.kind, event.detail)?;
            }
        }
        Ok(events.last().map_or(shown, |event| event.n))
    }

    /// What the team disagrees about.
    pub(super) fn conflicts(&mut self, device: &Device, job: Job) -> Result<(), PhoneError> {
        let conflicts = device.conflicts(job)?;
        if self.json {
            return self.put(&conflicts);
        }
        let mut none = true;
        for (what, ids) in [("outcome", &conflicts.outcomes), ("site", &conflicts.sites)] {
            for id in ids {
                none = false;
                writeln!(self.out, "{what} to choose from: {id}")?;
            }
        }
        for (item, answers) in &conflicts.items {
            none = false;
            writeln!(self.out, "answered in several ways: {item} ({answers:?})")?;
        }
        if none {
            writeln!(self.out, "the team agrees")?;
        }
        Ok(())
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PhoneError> {
        serde_json::to_writer(&mut *self.out, value)?;
        Ok(writeln!(self.out)?)
    }
}

/// A verdict in one line.
fn conclusion(verdict: &Verdict) -> String {
    let name = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    };
    format!(
        "{} (time {}, place {})",
        name(serde_json::to_value(verdict.conclusion)),
        name(serde_json::to_value(verdict.grade)),
        name(serde_json::to_value(verdict.place)),
    )
}

fn all_items(device: &Device) -> Result<Vec<Item>, PhoneError> {
    let mut items: Vec<Item> = Vec::new();
    loop {
        let page = device.items(items.last().map_or(0, |item| item.n), PAGE)?;
        if page.is_empty() {
            return Ok(items);
        }
        items.extend(page);
    }
}

fn all_files(device: &Device) -> Result<Vec<EvidenceItem>, PhoneError> {
    let mut files: Vec<EvidenceItem> = Vec::new();
    loop {
        let page = device.evidence(files.last().map_or(0, |item| item.n), PAGE)?;
        if page.is_empty() {
            return Ok(files);
        }
        files.extend(page);
    }
}

const fn is_troubled(state: &EvidenceState) -> bool {
    use EvidenceState as State;
    match state {
        State::SetAside { .. } | State::Refused { .. } => true,
        State::FileMissing | State::FileChanged => true,
        State::OnPhone | State::Partly { .. } | State::AtHub | State::Verified { .. } => false,
    }
}

fn file_state(item: &EvidenceItem) -> String {
    match &item.state {
        EvidenceState::OnPhone => "on this phone".to_owned(),
        EvidenceState::Partly { sent } => format!("{sent} of {} sent", item.bytes),
        EvidenceState::AtHub => "at the hub, not yet signed for".to_owned(),
        EvidenceState::Verified { .. } if item.path.is_none() => {
            "verified; the copy here was removed".to_owned()
        }
        EvidenceState::Verified { .. } => "verified".to_owned(),
        EvidenceState::SetAside { reason } => format!("set aside for a while: {reason}"),
        EvidenceState::Refused { reason } => format!("refused: {reason}"),
        EvidenceState::FileMissing => "the file is missing".to_owned(),
        EvidenceState::FileChanged => "the file is not what was recorded".to_owned(),
    }
}

fn is_refused(item: &Item) -> bool {
    matches!(item.state, ItemState::Refused { .. })
}

fn state(state: &ItemState) -> String {
    match state {
        ItemState::Saved => "saved".to_owned(),
        ItemState::Delivered => "delivered".to_owned(),
        ItemState::Verified => "verified".to_owned(),
        ItemState::Refused { code, detail } => format!("refused: {code}: {detail}"),
    }
}

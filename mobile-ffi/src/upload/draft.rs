//! Which request a file needs next.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use onscene_sync_core::crypto::sha256;
use onscene_sync_core::id::FactId;
use onscene_sync_core::time::ClockReading;

use super::http::{UploadBody, UploadRequest};
use super::{OPEN, Open, Step, answer};
use crate::device::Device;
use crate::error::DeviceError;
use crate::store::events::{self, EventKind};
use crate::store::evidence::{self, File, OnDisk};
use crate::store::meta;
use crate::sync::dpop::{self, Occasion};
use crate::sync::{self, DEADLINE_MS, NONCE, account};

/// The version of the protocol (tus 1.0.0).
const TUS: (&str, &str) = ("tus-resumable", "1.0.0");

/// What became of looking for a request.
pub(super) enum Drafted {
    Request(UploadRequest),
    /// The file was set aside.
    NotNow,
    /// Sync has to fetch an access token first.
    NeedsSync,
}

/// A request before it has a number.
struct Draft {
    step: Step,
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: UploadBody,
}

impl Device {
    pub(super) fn draft_upload(
        &mut self,
        n: i64,
        now: &ClockReading,
    ) -> Result<Drafted, DeviceError> {
        let Some(file) = evidence::file(self.store.read(), n)? else { return Ok(Drafted::NotNow) };
        if !self.lane.was_looked_at(n) {
            match self.media.look(&file.name, file.sha256, file.bytes) {
                Ok(OnDisk::Kept) => self.found_good(&file)?,
                Ok(no_good) => return self.found(&file, no_good, now),
                Err(error) => return self.trouble(&file, &error, now),
            }
        }
        let draft = match &file.place {
            None => match self.create(&file, now)? {
                Some(draft) => draft,
                None => {
                    self.pace.due = true;
                    return Ok(Drafted::NeedsSync);
                }
            },
            Some(place) if file.certain && file.sent < file.bytes => {
                match self.append(&file, place) {
                    Ok(Some(draft)) => draft,
                    Ok(None) => return self.found(&file, OnDisk::Changed, now),
                    Err(error) => return self.trouble(&file, &error, now),
                }
            }
            Some(place) => Draft {
                step: Step::Ask,
                method: "HEAD",
                url: place.clone(),
                headers: Vec::new(),
                body: UploadBody::Empty,
            },
        };
        self.number(n, draft, now).map(Drafted::Request)
    }

    /// The file is as it was recorded: looked at once in the life of the app, and after trouble.
    fn found_good(&mut self, file: &File) -> Result<(), DeviceError> {
        if file.on_disk != OnDisk::Kept {
            self.store.write(|tx| evidence::set_on_disk(tx, file.n, OnDisk::Kept))?;
        }
        self.lane.note_looked_at(file.n);
        Ok(())
    }

    /// The file is not as it was recorded: it is told, and looked at again later.
    fn found(
        &mut self,
        file: &File,
        found: OnDisk,
        now: &ClockReading,
    ) -> Result<Drafted, DeviceError> {
        if file.on_disk != found {
            let what = match found {
                OnDisk::Changed => "is not what was recorded",
                OnDisk::Kept | OnDisk::Released | OnDisk::Missing => {
                    "is not on this phone any more"
                }
            };
            let detail = format!("the file of {} {what}, and the hub lacks it", file.title());
            self.store.write(|tx| {
                evidence::set_on_disk(tx, file.n, found)?;
                events::add(tx, now.wall_ms, EventKind::FileTrouble, None, &detail)
            })?;
        }
        self.lane.set_aside(file.n, now, self.host.bytes()?);
        Ok(Drafted::NotNow)
    }

    /// The file cannot be read.
    fn trouble(
        &mut self,
        file: &File,
        error: &DeviceError,
        now: &ClockReading,
    ) -> Result<Drafted, DeviceError> {
        self.store.write(|tx| answer::set_aside(tx, file, &error.to_string(), now))?;
        self.lane.set_aside(file.n, now, self.host.bytes()?);
        Ok(Drafted::NotNow)
    }

    /// Asks for an address; `None` without an access token.
    fn create(&self, file: &File, now: &ClockReading) -> Result<Option<Draft>, DeviceError> {
        let db = self.store.read();
        let server: String = meta::get(db, sync::SERVER)?.ok_or(DeviceError::NotEnrolled)?;
        let Some(token) = account::access(db, now)? else { return Ok(None) };
        let fact: FactId =
            evidence::fact(db, file)?.ok_or_else(|| DeviceError::damaged("fact of a file"))?;
        let url = format!("{server}/v1/uploads");
        let nonce: Option<String> = meta::get(db, NONCE)?;
        let occasion = Occasion {
            method: "POST",
            url: &url,
            access_token: Some(&token),
            nonce: nonce.as_deref(),
            issued_at_s: now.wall_ms.div_euclid(1000),
        };
        let proof = dpop::proof(&self.host, &occasion)?;
        let headers = vec![
            ("upload-length", file.bytes.to_string()),
            ("upload-metadata", format!("fact {}", STANDARD.encode(fact.to_string()))),
            ("authorization", format!("DPoP {token}")),
            ("dpop", proof),
        ];
        let body = UploadBody::Empty;
        Ok(Some(Draft { step: Step::Create, method: "POST", url, headers, body }))
    }

    /// The next part; `None` when the file has become too short for it.
    fn append(&self, file: &File, place: &str) -> Result<Option<Draft>, DeviceError> {
        let length = self.lane.part().min(file.bytes - file.sent);
        let part = self.media.read(&file.name, file.sent, length)?;
        if part.len() as u64 != length {
            return Ok(None);
        }
        let checksum = STANDARD.encode(sha256(&part).as_bytes());
        Ok(Some(Draft {
            step: Step::Append(file.sent, length),
            method: "PATCH",
            url: place.to_owned(),
            headers: vec![
                ("content-type", "application/offset+octet-stream".to_owned()),
                ("upload-offset", file.sent.to_string()),
                ("upload-checksum", format!("sha256 {checksum}")),
            ],
            body: UploadBody::Range {
                path: self.media.path(&file.name),
                offset: file.sent,
                length,
            },
        }))
    }

    /// Gives a request its number. From here on it is not known how much the hub has, until an
    /// answer says so.
    fn number(
        &mut self,
        n: i64,
        draft: Draft,
        now: &ClockReading,
    ) -> Result<UploadRequest, DeviceError> {
        let Draft { step, method, url, mut headers, body } = draft;
        let id = self.store.write(|tx| {
            let id = sync::next_id(tx)?;
            meta::put(tx, OPEN, &Open { id, clock: *now, n, step })?;
            evidence::set_uncertain(tx, n)?;
            Ok(id)
        })?;
        headers.push((TUS.0, TUS.1.to_owned()));
        Ok(UploadRequest { id, method, url, headers, body, deadline_ms: DEADLINE_MS })
    }
}

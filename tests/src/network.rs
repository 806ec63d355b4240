//! What becomes of one request in a village network. Flipped bits are left to TLS, which refuses them.

use onscene_mobile::{HttpRequest, UploadBody, UploadRequest};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// The fate of a request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Both arrive.
    Delivered,
    /// The request never arrives.
    RequestLost,
    /// The request is carried out, its answer never arrives.
    ReplyLost,
    /// The request arrives twice; the phone gets the second answer.
    Twice,
    /// The request is carried out again after a later one (the answer arrives the first time).
    Repeated,
    /// The request arrives cut short at this per-mille of its length.
    RequestCut(u16),
    /// The answer arrives cut short.
    ReplyCut(u16),
    /// The answer arrives after the phone has given up.
    Late,
}

impl Fate {
    /// Draws a fate; `trouble` of 100 requests meet one that is not [`Fate::Delivered`].
    pub fn draw(rng: &mut ChaCha8Rng, trouble: u32) -> Self {
        if rng.random_range(0..100) >= trouble {
            return Self::Delivered;
        }
        let place = rng.random_range(0..1000);
        match rng.random_range(0..7) {
            0 => Self::RequestLost,
            1 => Self::ReplyLost,
            2 => Self::Twice,
            3 => Self::Repeated,
            4 => Self::RequestCut(place),
            5 => Self::ReplyCut(place),
            _ => Self::Late,
        }
    }
}

/// `bytes` cut at `per_mille` of their length.
#[must_use]
pub fn cut(bytes: &[u8], per_mille: u16) -> Vec<u8> {
    bytes[..bytes.len() * usize::from(per_mille) / 1000].to_vec()
}

/// A request of the lane as the network carries it.
#[must_use]
pub fn as_http(request: &UploadRequest) -> HttpRequest {
    let body = match &request.body {
        UploadBody::Empty => Vec::new(),
        UploadBody::Range { path, offset, length } => {
            let file = std::fs::read(path).expect("the file is there");
            let from = usize::try_from(*offset).expect("a small file");
            file[from..from + usize::try_from(*length).expect("a small file")].to_vec()
        }
    };
    HttpRequest {
        id: request.id,
        method: request.method,
        url: request.url.clone(),
        headers: request.headers.clone(),
        body,
        deadline_ms: request.deadline_ms,
    }
}

//! Frames: a message in numbered pieces of a given size, for pipes that carry little at a time and
//! one way only, as a sequence of QR codes does. The receiver may begin anywhere, see frames twice
//! and in any order; the sender shows all of them again and again.
//!
//! A frame is `id ‖ index ‖ total ‖ piece ‖ check`: the first 8 bytes of the SHA-256 of the whole
//! message, two big-endian numbers of 2 bytes, at least one byte of the message, and the first 4 bytes
//! of the SHA-256 of everything before. All frames of a message but the last are equally long.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::crypto::sha256;
use crate::limits::HANDOVER_MESSAGE_BYTES;

const ID: usize = 8;
const HEAD: usize = ID + 4;
const CHECK: usize = 4;
/// Bytes that a frame needs beside its piece of the message.
pub const OVERHEAD: usize = HEAD + CHECK;
/// Messages put together at once; the one that grew longest ago is forgotten first.
const OPEN: usize = 8;

/// A message that cannot be split as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("frames of {bytes} bytes are too small for a message of {message}: take larger ones")]
pub struct TooSmall {
    bytes: usize,
    message: usize,
}

/// Splits a message into frames of at most `bytes` bytes.
///
/// # Errors
/// When there is no room beside the [`OVERHEAD`], or more than 65,535 frames would be needed.
pub fn split(message: &[u8], bytes: usize) -> Result<Vec<Vec<u8>>, TooSmall> {
    let too_small = TooSmall { bytes, message: message.len() };
    let piece = bytes.checked_sub(OVERHEAD).filter(|piece| *piece > 0).ok_or(too_small)?;
    let total = u16::try_from(message.len().div_ceil(piece)).map_err(|_| too_small)?;
    let hash = sha256(message);
    let frame = |(index, piece): (usize, &[u8])| {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let mut frame =
            [&hash.as_bytes()[..ID], &index.to_be_bytes()[..], &total.to_be_bytes()[..], piece]
                .concat();
        let check = sha256(&frame);
        frame.extend_from_slice(&check.as_bytes()[..CHECK]);
        frame
    };
    Ok(message.chunks(piece).enumerate().map(frame).collect())
}

/// What a frame did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// It is damaged or not a frame: show it again.
    Damaged,
    /// So many of the frames of its message are here.
    Gathering {
        /// Different frames seen.
        have: u16,
        /// Frames of the message.
        total: u16,
    },
    /// A message is whole.
    Whole(Vec<u8>),
}

/// Puts messages together again.
#[derive(Debug, Default)]
pub struct Joiner {
    open: BTreeMap<[u8; ID], Gathered>,
    clock: u64,
}

#[derive(Debug)]
struct Gathered {
    total: u16,
    bytes: usize,
    grown: u64,
    pieces: BTreeMap<u16, Vec<u8>>,
}

impl Joiner {
    /// Takes a frame.
    pub fn take(&mut self, frame: &[u8]) -> Joined {
        let Some((id, index, total, piece)) = read(frame) else { return Joined::Damaged };
        self.clock += 1;
        let fresh = Gathered { total, bytes: 0, grown: 0, pieces: BTreeMap::new() };
        let message = self.open.entry(id).or_insert(fresh);
        if message.total != total || message.bytes + piece.len() > HANDOVER_MESSAGE_BYTES {
            self.open.remove(&id);
            return Joined::Damaged;
        }
        message.grown = self.clock;
        if !message.pieces.contains_key(&index) {
            message.bytes += piece.len();
            message.pieces.insert(index, piece.to_vec());
        }
        let have = u16::try_from(message.pieces.len()).unwrap_or(u16::MAX);
        if have < total {
            self.forget();
            return Joined::Gathering { have, total };
        }
        let whole = message.pieces.values().flatten().copied().collect::<Vec<u8>>();
        self.open.remove(&id);
        if sha256(&whole).as_bytes()[..ID] == id { Joined::Whole(whole) } else { Joined::Damaged }
    }

    fn forget(&mut self) {
        if self.open.len() > OPEN {
            let oldest = self.open.iter().min_by_key(|(_, message)| message.grown);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.open.remove(&id);
            }
        }
    }
}

fn read(frame: &[u8]) -> Option<([u8; ID], u16, u16, &[u8])> {
    let (body, check) = frame.split_last_chunk::<CHECK>()?;
    let (id, rest) = body.split_first_chunk::<ID>()?;
    let (index, rest) = rest.split_first_chunk::<2>()?;
    let (total, piece) = rest.split_first_chunk::<2>()?;
    let (index, total) = (u16::from_be_bytes(*index), u16::from_be_bytes(*total));
    let sound = sha256(body).as_bytes()[..CHECK] == *check && index < total && !piece.is_empty();
    sound.then_some((*id, index, total, piece))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn frames_of_two_messages_in_any_order_and_twice_give_both(
            one in proptest::collection::vec(any::<u8>(), 1..3_000),
            other in proptest::collection::vec(any::<u8>(), 1..3_000),
            size in OVERHEAD + 1..400,
            seed in any::<u64>(),
        ) {
            let mut frames = split(&one, size).unwrap();
            frames.extend(split(&other, size).unwrap());
            prop_assert!(frames.iter().all(|frame| frame.len() <= size));
            frames.sort_by_key(|frame| sha256(&[&seed.to_be_bytes()[..], frame].concat()));
            let mut joiner = Joiner::default();
            let mut whole = Vec::new();
            for frame in &frames {
                for _ in 0..2 {
                    if let Joined::Whole(message) = joiner.take(frame) {
                        whole.push(message);
                    }
                }
            }
            prop_assert!(whole.contains(&one) && whole.contains(&other));
        }

        #[test]
        fn any_bytes_are_judged_without_panic(frame in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(Joiner::default().take(&frame), Joined::Damaged);
        }
    }

    #[test]
    fn a_damaged_frame_is_asked_for_again_and_spoils_nothing() {
        let message = vec![5; 100];
        let frames = split(&message, 60).unwrap();
        let mut joiner = Joiner::default();
        for at in 0..frames[0].len() {
            let mut damaged = frames[0].clone();
            damaged[at] ^= 1;
            assert_eq!(joiner.take(&damaged), Joined::Damaged);
        }
        assert_eq!(joiner.take(&frames[0]), Joined::Gathering { have: 1, total: 3 });
        assert_eq!(joiner.take(&frames[2]), Joined::Gathering { have: 2, total: 3 });
        assert_eq!(joiner.take(&frames[1]), Joined::Whole(message));
    }

    #[test]
    fn what_never_ends_does_not_fill_the_memory() {
        let mut joiner = Joiner::default();
        for n in 0..1_000_u32 {
            joiner.take(&split(&[n.to_be_bytes(); 20].concat(), 40).unwrap()[0]);
        }
        assert!(joiner.open.len() <= OPEN + 1);
        let long = vec![1; HANDOVER_MESSAGE_BYTES + 10];
        let mut joined = Vec::new();
        for frame in split(&long, 60_000).unwrap() {
            joined.push(joiner.take(&frame));
        }
        assert!(joined.contains(&Joined::Damaged) && joiner.open.len() <= OPEN + 1);
    }

    #[test]
    fn frames_too_small_are_refused_in_words() {
        let refused = split(&[0; 100], OVERHEAD).unwrap_err().to_string();
        assert!(refused.contains("take larger ones"), "{refused}");
        assert!(split(&vec![0; 70_000], OVERHEAD + 1).is_err());
        assert_eq!(split(&[], 60).unwrap(), Vec::<Vec<u8>>::new());
    }
}

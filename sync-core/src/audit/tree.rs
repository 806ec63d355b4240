//! The Merkle tree of RFC 6962 §2.1, without storage: which hashes a proof needs is an answer, and
//! fetching them is the caller's.

use sha2::{Digest, Sha256};

use crate::crypto::sha256;
use crate::id::Hash;

/// A complete subtree: it covers the entries `index << level` up to, not including,
/// `(index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Its height; entries' own hashes are of level 0.
    pub level: u32,
    /// Its place among those of its level.
    pub index: u64,
}

/// The entries from `from` up to, not including, `to`, as a subtree of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
}

impl Span {
    /// The complete subtrees that this one is made of, left to right.
    #[must_use]
    pub fn nodes(self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut from = self.from;
        while from < self.to {
            let fitting = (self.to - from).ilog2();
            let level = if from == 0 { fitting } else { fitting.min(from.trailing_zeros()) };
            nodes.push(Node { level, index: from >> level });
            from += 1 << level;
        }
        nodes
    }
}

/// The hash of an entry.
#[must_use]
pub fn leaf(entry: &[u8]) -> Hash {
    Hash::from_bytes(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// The hash over two subtrees.
#[must_use]
pub fn parent(left: &Hash, right: &Hash) -> Hash {
    let digest = Sha256::new().chain_update([1]);
    let digest = digest.chain_update(left.as_bytes()).chain_update(right.as_bytes());
    Hash::from_bytes(digest.finalize().into())
}

/// The hash over neighbouring subtrees as [`Span::nodes`] lists them; of no entries at all that of
/// nothing.
#[must_use]
pub fn root(subtrees: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    subtrees.rev().reduce(|right, left| parent(&left, &right)).unwrap_or_else(|| sha256(&[]))
}

/// Which hashes show that entry `index` is in the log of `size` entries, in the proof's order (RFC
/// 6962 §2.1.1). None when it is not.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Span>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(Span { from: middle, to });
            to = middle;
        } else {
            path.push(Span { from, to: middle });
            from = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// Which hashes show that the log of `new` entries begins with that of `old`, in the proof's order
/// (RFC 6962 §2.1.2). `None` when `old` is larger. Nothing is needed when one is empty or both are
/// the same.
#[must_use]
pub fn consistency(old: u64, new: u64) -> Option<Vec<Span>> {
    if old > new {
        return None;
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Some(path);
    }
    let (mut from, mut to) = (0, new);
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(Span { from: middle, to });
            to = middle;
        } else {
            path.push(Span { from, to: middle });
            from = middle;
        }
    }
    if from > 0 {
        path.push(Span { from, to });
    }
    path.reverse();
    Some(path)
}

/// The largest power of two below `size`.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Whether `proof` shows that an entry of this hash is number `index` of the log of `size` entries
/// under `root` (RFC 9162 §2.1.3.2).
#[must_use]
pub fn includes(entry: Hash, index: u64, size: u64, root: Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = entry;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = parent(sibling, &hash);
            (at, last) = climb(at, last);
        } else {
            hash = parent(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether `proof` shows that the log of `new` entries begins with that of `old` (RFC 9162
/// §2.1.4.2).
#[must_use]
pub fn extends(old: u64, old_root: Hash, new: u64, new_root: Hash, proof: &[Hash]) -> bool {
    if old == 0 || old >= new {
        let same = old == new && old_root == new_root;
        return proof.is_empty() && (same || (old == 0 && new > 0));
    }
    let (mut at, mut last) = (old - 1, new - 1);
    let levels = at.trailing_ones();
    at >>= levels;
    last >>= levels;
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (*first, rest)
    };
    let (mut before, mut after) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            before = parent(sibling, &before);
            after = parent(sibling, &after);
            (at, last) = climb(at, last);
        } else {
            after = parent(&after, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && before == old_root && after == new_root
}

/// Past the levels at which the right-most subtree has no sibling.
const fn climb(mut at: u64, mut last: u64) -> (u64, u64) {
    while at & 1 == 0 && at != 0 {
        at >>= 1;
        last >>= 1;
    }
    (at, last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 §2.1 as it is written.
    fn by_the_book(entries: &[Vec<u8>]) -> Hash {
        match entries {
            [] => sha256(&[]),
            [one] => leaf(one),
            many => {
                let mut half = 1;
                while half * 2 < many.len() {
                    half *= 2;
                }
                parent(&by_the_book(&many[..half]), &by_the_book(&many[half..]))
            }
        }
    }

    fn of(entries: &[Vec<u8>], span: Span) -> Hash {
        let at = |n: u64| usize::try_from(n).unwrap();
        root(span.nodes().into_iter().map(|node| {
            let from = at(node.index << node.level);
            by_the_book(&entries[from..from + at(1 << node.level)])
        }))
    }

    fn proof(entries: &[Vec<u8>], spans: Option<Vec<Span>>) -> Vec<Hash> {
        spans.expect("a proof").into_iter().map(|span| of(entries, span)).collect()
    }

    fn numbered(count: u64) -> Vec<Vec<u8>> {
        (0..count).map(|n| n.to_be_bytes().to_vec()).collect()
    }

    #[test]
    fn the_known_answers_of_certificate_transparency_come_out() {
        let inputs = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let entries = inputs.map(|hex| {
            (0..hex.len())
                .step_by(2)
                .map(|n| u8::from_str_radix(&hex[n..n + 2], 16).unwrap())
                .collect()
        });
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            let to = u64::try_from(size).unwrap();
            assert_eq!(of(&entries[..size], Span { from: 0, to }).to_string(), expected);
        }
    }

    #[test]
    fn every_entry_of_every_small_log_is_proven_and_no_other_is() {
        for size in 1..=33 {
            let entries = numbered(size);
            let root = by_the_book(&entries);
            for index in 0..size {
                let proof = proof(&entries, inclusion(index, size));
                let hash = leaf(&index.to_be_bytes());
                assert!(includes(hash, index, size, root, &proof), "{index} of {size}");
                assert!(!includes(leaf(b"another"), index, size, root, &proof));
                assert!(!includes(hash, index ^ 1, size, root, &proof));
                assert!(!includes(hash, index, size, root, &[&proof[..], &[root]].concat()));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!includes(hash, index, size, root, shorter));
                }
            }
            assert_eq!(inclusion(size, size), None);
        }
    }

    #[test]
    fn every_small_log_is_shown_to_begin_with_every_smaller_one() {
        let all = numbered(33);
        let root = |size: u64| by_the_book(&all[..usize::try_from(size).unwrap()]);
        for new in 1..=33 {
            for old in 0..=new {
                let proof = proof(&all, consistency(old, new));
                assert!(extends(old, root(old), new, root(new), &proof), "{old} in {new}");
                let forged = leaf(b"forged");
                if old > 0 {
                    assert!(!extends(old, forged, new, root(new), &proof));
                    assert!(!extends(old, root(old), new, forged, &proof));
                }
                assert!(!extends(
                    old,
                    root(old),
                    new,
                    root(new),
                    &[&proof[..], &[forged]].concat()
                ));
            }
            assert_eq!(consistency(new + 1, new), None);
        }
    }

    proptest! {
        #[test]
        fn no_rewritten_entry_passes_for_a_log_that_grew(
            old in 1_u64..200, more in 1_u64..200, victim in any::<prop::sample::Index>(),
        ) {
            let mut entries = numbered(old + more);
            let seen = by_the_book(&entries[..usize::try_from(old).unwrap()]);
            let victim = victim.index(usize::try_from(old).unwrap());
            entries[victim] = b"rewritten".to_vec();
            let forged = proof(&entries, consistency(old, old + more));
            prop_assert!(!extends(old, seen, old + more, by_the_book(&entries), &forged));
        }

        #[test]
        fn proofs_from_nowhere_prove_nothing_and_stop_nobody(
            old in any::<u64>(), new in any::<u64>(),
            proof in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash::from_bytes), 0..80),
        ) {
            let root = sha256(b"x");
            prop_assert!(!extends(old.max(1), root, new, sha256(b"y"), &proof));
            prop_assert!(!includes(root, old, new, sha256(b"y"), &proof));
        }

        #[test]
        fn a_proof_in_a_log_of_any_size_is_short(old in 1_u64..1 << 40, more in 0_u64..1 << 40) {
            let new = old + more;
            prop_assert!(consistency(old, new).expect("it grew").len() <= 42);
            prop_assert!(inclusion(old - 1, new).expect("it is in").len() <= 41);
        }
    }
}

//! Quorum arithmetic: one function, for votes, commits, reads and liveness alike.

use super::configuration::Configuration;
use crate::config::MAX_MEMBERS;
use crate::types::Peer;

/// The largest value that a majority of the voters has reached, when `value` tells how far each has
/// come, and in a joint configuration one of the old voters and one of the new (Raft §6); 0 for a
/// configuration without voters.
///
/// Votes and liveness count 1 for yes and 0 for no; commits give the index matched, and reads the
/// round acknowledged.
pub(super) fn reached(configuration: &Configuration, mut value: impl FnMut(Peer) -> u64) -> u64 {
    let old = reached_by_majority(configuration.old_voters().map(&mut value));
    if !configuration.is_joint() {
        return old;
    }
    old.min(reached_by_majority(configuration.new_voters().map(value)))
}

fn reached_by_majority(voters: impl Iterator<Item = u64>) -> u64 {
    let mut values = [0; MAX_MEMBERS];
    let mut count = 0;
    for (place, reached) in values.iter_mut().zip(voters) {
        *place = reached;
        count += 1;
    }
    if count == 0 {
        return 0;
    }
    values[..count].sort_unstable_by(|a, b| b.cmp(a));
    values[majority(count) - 1]
}

/// The least number of `voters` of which any two choices overlap.
const fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::types::{Incarnation, NodeId};

    fn reached_by(values: &[u64]) -> u64 {
        let configuration = Configuration::of_voters(
            (0..values.len() as u64)
                .map(|id| Peer { id: NodeId::new(id), incarnation: Incarnation::new(0) }),
        );
        reached(&configuration, |peer| values[usize::try_from(peer.id.get()).expect("a small id")])
    }

    #[test]
    fn a_value_is_reached_by_more_than_half() {
        for (values, expected) in [
            (&[][..], 0),
            (&[7], 7),
            (&[7, 3], 3),
            (&[7, 3, 5], 5),
            (&[9, 9, 1, 1], 1),
            (&[9, 9, 9, 1], 9),
            (&[1, 2, 3, 4, 5], 3),
        ] {
            assert_eq!(reached_by(values), expected, "{values:?}");
        }
    }

    #[test]
    fn any_two_majorities_overlap() {
        for voters in 1..=9_u32 {
            let sets: Vec<u32> = (0..1 << voters)
                .filter(|set: &u32| set.count_ones() as usize >= majority(voters as usize))
                .collect();
            for a in &sets {
                assert!(sets.iter().all(|b| a & b != 0), "{voters} voters, {a:b}");
            }
        }
    }
}

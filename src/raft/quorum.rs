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
    use crate::bytes::Bytes;
    use crate::raft::configuration::{Afterwards, Member, Standing};
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

    /// A configuration in which each member counts among the old voters, the new, both or neither.
    fn of_sides(sides: &[(bool, bool, u64)]) -> Configuration {
        let members: Vec<(Peer, Member)> = (0..)
            .zip(sides)
            .map(|(id, &(old, new, _))| {
                let standing = match (old, new) {
                    (true, true) => Standing::Voter,
                    (false, true) => Standing::Incoming,
                    (true, false) => Standing::Outgoing { then: Afterwards::Gone },
                    (false, false) => Standing::Learner { promote: false, replaces: None },
                };
                let peer = Peer { id: NodeId::new(id), incarnation: Incarnation::new(0) };
                (peer, Member { standing, metadata: Bytes::default() })
            })
            .collect();
        let bytes = postcard::to_allocvec(&(1_u8, members)).expect("plain data");
        postcard::from_bytes(&bytes).expect("both sides have voters")
    }

    fn at(peer: Peer) -> usize {
        usize::try_from(peer.id.get()).expect("a small id")
    }

    /// Whether more than half of those that `counts` picks have come to `value`; true of nobody.
    fn more_than_half(
        sides: &[(bool, bool, u64)],
        counts: impl Fn(&(bool, bool, u64)) -> bool,
        value: u64,
    ) -> bool {
        let voters = sides.iter().filter(|side| counts(side));
        let (all, there) = voters
            .fold((0, 0), |(all, there), side| (all + 1, there + usize::from(side.2 >= value)));
        all == 0 || 2 * there > all
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(50_000))]

        #[test]
        fn a_joint_quorum_is_what_counting_both_sides_one_by_one_gives(
            sides in proptest::collection::vec(proptest::prelude::any::<(bool, bool)>(), 1..10),
            values in proptest::collection::vec(0..12_u64, 10),
        ) {
            let mut sides: Vec<(bool, bool, u64)> =
                sides.iter().zip(&values).map(|(&(old, new), &value)| (old, new, value)).collect();
            // There are voters on both sides.
            let last = sides.len() - 1;
            sides[0].0 = true;
            sides[last].1 = true;
            let configuration = of_sides(&sides);
            let both = |value| {
                more_than_half(&sides, |side| side.0, value)
                    && more_than_half(&sides, |side| side.1, value)
            };
            let expected = (0..12).rev().find(|&value| both(value)).expect("all have come to 0");
            proptest::prop_assert_eq!(reached(&configuration, |peer| values[at(peer)]), expected);
            for asked in 1..12 {
                let holds = configuration.is_quorum(|peer| values[at(peer)] >= asked);
                proptest::prop_assert_eq!(holds, both(asked), "{} of {:?}", asked, sides);
            }
        }
    }
}

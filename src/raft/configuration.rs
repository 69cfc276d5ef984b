//! Who belongs to the group, and in what standing.
//!
//! Every change of voters goes through a *joint* configuration (Raft §6), in which the old and the
//! new voters must each agree. Each member has one [`Standing`], which says on which side of a change
//! it counts, so there are no two lists that could contradict each other. The format version in which
//! the group writes its commands is a part of the configuration, since it is changed in the same way.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use super::change::{ChangeRefusal, MemberChange};
use crate::bytes::Bytes;
use crate::config::{MAX_MEMBERS, MAX_METADATA_BYTES, OLDEST_VERSION};
use crate::types::{NodeId, Peer};

/// The members of a group, each named by its id and incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Configuration {
    version: u8,
    members: BTreeMap<Peer, Member>,
}

/// What the group knows of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[non_exhaustive]
pub struct Member {
    /// How it counts.
    pub standing: Standing,
    /// What it said of itself when it joined, or was given since: an address, for instance. The
    /// library does not look at it. At most 1 KiB.
    pub metadata: Bytes,
}

impl Member {
    /// Whether it is a voter, or becomes one by itself.
    pub(crate) fn is_to_vote(&self) -> bool {
        match self.standing {
            Standing::Voter | Standing::Incoming => true,
            Standing::Outgoing { then: Afterwards::Gone } => false,
            Standing::Outgoing { then: Afterwards::Learner { promote } }
            | Standing::Learner { promote, .. } => promote,
        }
    }
}

/// How a member counts. Append-only: the position of a variant is its code in every log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[non_exhaustive]
pub enum Standing {
    /// It votes, and its copies count.
    Voter,
    /// It counts among the new voters of the joint configuration, not yet among the old.
    Incoming,
    /// It counts among the old voters of the joint configuration, and is no voter after it.
    Outgoing {
        /// What becomes of it then.
        then: Afterwards,
    },
    /// It is sent the log, and counts for nothing.
    Learner {
        /// Whether it becomes a voter as soon as it has caught up.
        promote: bool,
        /// The node that is removed in the same change that makes this one a voter.
        replaces: Option<NodeId>,
    },
}

/// What becomes of an outgoing voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[non_exhaustive]
pub enum Afterwards {
    /// It does not belong to the group.
    Gone,
    /// It is a learner, and a voter again once it has caught up if `promote` says so.
    Learner {
        /// Whether it is to become a voter again.
        promote: bool,
    },
}

impl Configuration {
    pub(crate) fn of_voters(voters: impl IntoIterator<Item = Peer>) -> Self {
        let voter = || Member { standing: Standing::Voter, metadata: Bytes::default() };
        Self {
            version: OLDEST_VERSION,
            members: voters.into_iter().map(|peer| (peer, voter())).collect(),
        }
    }

    /// The members and what is known of each, in order of their ids.
    pub fn members(&self) -> impl Iterator<Item = (Peer, &Member)> + '_ {
        self.members.iter().map(|(&peer, member)| (peer, member))
    }

    /// All members, learners and outgoing voters included, in order of their ids.
    pub fn peers(&self) -> impl Iterator<Item = Peer> + '_ {
        self.members.keys().copied()
    }

    /// The members whose copies and votes count, on one side of a joint configuration or on both, in
    /// order of their ids.
    pub fn voters(&self) -> impl Iterator<Item = Peer> + '_ {
        self.with(|standing| standing.counts_among_old() || standing.counts_among_new())
    }

    /// The voters before the change that is under way; all voters if none is.
    pub fn old_voters(&self) -> impl Iterator<Item = Peer> + '_ {
        self.with(Standing::counts_among_old)
    }

    /// The voters after the change that is under way; all voters if none is.
    pub fn new_voters(&self) -> impl Iterator<Item = Peer> + '_ {
        self.with(Standing::counts_among_new)
    }

    /// The members that count for nothing, in order of their ids.
    pub fn learners(&self) -> impl Iterator<Item = Peer> + '_ {
        self.with(|standing| matches!(standing, Standing::Learner { .. }))
    }

    /// Whether this very incarnation votes, on one side of a joint configuration at least.
    #[must_use]
    pub fn is_voter(&self, peer: Peer) -> bool {
        let counts = |member: &Member| {
            member.standing.counts_among_old() || member.standing.counts_among_new()
        };
        self.members.get(&peer).is_some_and(counts)
    }

    /// What is known of this very incarnation, if it is a member.
    #[must_use]
    pub fn member(&self, peer: Peer) -> Option<&Member> {
        self.members.get(&peer)
    }

    /// Whether this very incarnation is a member, and still is one once a joint configuration has been left.
    pub(crate) fn keeps(&self, peer: Peer) -> bool {
        let gone = Standing::Outgoing { then: Afterwards::Gone };
        self.member(peer).is_some_and(|member| member.standing != gone)
    }

    /// Whether this very incarnation is a member.
    #[must_use]
    pub fn contains(&self, peer: Peer) -> bool {
        self.members.contains_key(&peer)
    }

    /// In which incarnations a node is a member: more than one while one takes the place of another.
    pub fn incarnations(&self, id: NodeId) -> impl Iterator<Item = Peer> + '_ {
        self.peers().filter(move |peer| peer.id == id)
    }

    /// Whether `holds` is true of a quorum: of a majority of the voters, and when the configuration is
    /// joint of one on either side.
    pub fn is_quorum(&self, mut holds: impl FnMut(Peer) -> bool) -> bool {
        super::quorum::reached(self, |peer| u64::from(holds(peer))) == 1
    }

    /// Whether a change is under way in which old and new voters must agree (Raft §6).
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.members.values().any(|member| member.standing.is_passing())
    }

    /// Whether it has no members: so it is until the founding entry arrives.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The format version in which the group's commands are written.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    pub(crate) fn len(&self) -> u64 {
        self.members.len() as u64
    }

    /// What it counts against byte limits.
    pub(crate) fn size(&self) -> u64 {
        self.members.values().map(|member| MEMBER_BYTES + member.metadata.len_u64()).sum()
    }

    /// What these changes make of it: itself if they ask for nothing new, a joint configuration if
    /// they touch the voters.
    pub(crate) fn changed(&self, changes: &[MemberChange]) -> Result<Self, ChangeRefusal> {
        assert!(!self.is_joint(), "changing {self}, which is joint");
        if changes.len() > 2 * MAX_MEMBERS {
            return Err(ChangeRefusal::TooManyMembers);
        }
        let mut target = self.clone();
        for change in changes {
            target.change(change)?;
        }
        target.check()?;
        Ok(target)
    }

    /// Makes these learners voters, and lets go whom they replace.
    pub(crate) fn promoted(&self, learners: &[Peer]) -> Result<Self, ChangeRefusal> {
        assert!(!self.is_joint(), "promoting in {self}, which is joint");
        let mut target = self.clone();
        for &peer in learners {
            let Some(member) = target.members.get_mut(&peer) else { continue };
            let Standing::Learner { replaces, .. } = member.standing else { continue };
            member.standing = Standing::Incoming;
            let replaced =
                |other: Peer| other != peer && (other.id == peer.id || Some(other.id) == replaces);
            target.dismiss(replaced, Afterwards::Gone);
        }
        target.check()?;
        Ok(target)
    }

    /// What follows when both sides of a joint configuration have agreed to it.
    pub(crate) fn settled(&self) -> Self {
        let members = self.members.iter().filter_map(|(&peer, member)| {
            let standing = match member.standing {
                Standing::Voter | Standing::Incoming => Standing::Voter,
                Standing::Outgoing { then: Afterwards::Gone } => return None,
                Standing::Outgoing { then: Afterwards::Learner { promote } } => {
                    Standing::Learner { promote, replaces: None }
                }
                Standing::Learner { .. } => member.standing,
            };
            Some((peer, Member { standing, metadata: member.metadata.clone() }))
        });
        Self { version: self.version, members: members.collect() }
    }

    /// A voter that was silent for long is a learner until it is back.
    pub(crate) fn demoted(&self, voter: Peer) -> Result<Self, ChangeRefusal> {
        let mut target = self.clone();
        target.dismiss(|peer| peer == voter, Afterwards::Learner { promote: true });
        target.check()?;
        Ok(target)
    }

    /// Of these voters alone, with what was known of them.
    pub(crate) fn with_voters(&self, voters: impl IntoIterator<Item = Peer>) -> Self {
        let known = |peer| self.members.get(&peer).map(|member| member.metadata.clone());
        let voter = |peer| {
            let metadata = known(peer).unwrap_or_default();
            (peer, Member { standing: Standing::Voter, metadata })
        };
        Self { version: self.version, members: voters.into_iter().map(voter).collect() }
    }

    /// With something else known of one member.
    pub(crate) fn with_metadata(&self, peer: Peer, metadata: &Bytes) -> Self {
        let mut changed = self.clone();
        if let Some(member) = changed.members.get_mut(&peer) {
            member.metadata = metadata.clone();
        }
        changed
    }

    pub(crate) fn with_version(&self, version: u8) -> Self {
        Self { version, members: self.members.clone() }
    }

    /// Whether a learner waits to become a voter.
    pub(crate) fn promotes(&self) -> bool {
        let waits =
            |member: &Member| matches!(member.standing, Standing::Learner { promote: true, .. });
        self.members.values().any(waits)
    }

    fn with(&self, is: impl Fn(Standing) -> bool) -> impl Iterator<Item = Peer> {
        self.members.iter().filter(move |(_, member)| is(member.standing)).map(|(&peer, _)| peer)
    }

    fn change(&mut self, change: &MemberChange) -> Result<(), ChangeRefusal> {
        match change {
            MemberChange::Add { peer, metadata, voter, replaces } => {
                let bytes = metadata.len_u64();
                if bytes > MAX_METADATA_BYTES {
                    return Err(ChangeRefusal::MetadataTooLong { bytes });
                }
                self.add(*peer, metadata.clone(), *voter, *replaces);
            }
            MemberChange::Remove(id) => self.dismiss(|peer| peer.id == *id, Afterwards::Gone),
            MemberChange::Promote(id) => {
                let mut found = false;
                for (_, member) in self.members.iter_mut().filter(|(peer, _)| peer.id == *id) {
                    found = true;
                    if let Standing::Learner { promote, .. } = &mut member.standing {
                        *promote = true;
                    }
                }
                if !found {
                    return Err(ChangeRefusal::NoSuchMember { id: *id });
                }
            }
            MemberChange::Demote(id) => {
                if self.incarnations(*id).next().is_none() {
                    return Err(ChangeRefusal::NoSuchMember { id: *id });
                }
                let then = Afterwards::Learner { promote: false };
                self.dismiss(|peer| peer.id == *id, then);
            }
        }
        Ok(())
    }

    fn add(&mut self, peer: Peer, metadata: Bytes, voter: bool, replaces: Option<NodeId>) {
        if let Some(member) = self.members.get_mut(&peer) {
            member.metadata = metadata;
            if let Standing::Learner { promote, replaces: known } = &mut member.standing {
                *promote |= voter;
                *known = replaces.or(*known);
            }
            return;
        }
        // Another incarnation that never came to vote is of no use to anyone.
        self.members.retain(|other, member| {
            other.id != peer.id || !matches!(member.standing, Standing::Learner { .. })
        });
        if !voter {
            // Nobody will take the place of a voter that is gone.
            self.dismiss(|other| other.id == peer.id, Afterwards::Gone);
        }
        let standing = Standing::Learner { promote: voter, replaces };
        self.members.insert(peer, Member { standing, metadata });
    }

    /// Takes members out of the new voters. Learners go at once, or stay what they are.
    fn dismiss(&mut self, whom: impl Fn(Peer) -> bool, then: Afterwards) {
        self.members.retain(|&peer, member| {
            if !whom(peer) {
                return true;
            }
            match &mut member.standing {
                standing @ (Standing::Voter | Standing::Outgoing { .. }) => {
                    *standing = Standing::Outgoing { then };
                    true
                }
                Standing::Incoming => false,
                Standing::Learner { promote, .. } => match then {
                    Afterwards::Gone => false,
                    Afterwards::Learner { promote: stays } => {
                        *promote = stays;
                        true
                    }
                },
            }
        });
    }

    fn check(&self) -> Result<(), ChangeRefusal> {
        if self.new_voters().next().is_none() {
            return Err(ChangeRefusal::NoVoterLeft);
        }
        if self.members.len() > MAX_MEMBERS {
            return Err(ChangeRefusal::TooManyMembers);
        }
        Ok(())
    }
}

impl Standing {
    /// Whether it counts among the voters before the change under way.
    fn counts_among_old(self) -> bool {
        match self {
            Self::Voter | Self::Outgoing { .. } => true,
            Self::Incoming | Self::Learner { .. } => false,
        }
    }

    /// Whether it counts among the voters after the change under way.
    fn counts_among_new(self) -> bool {
        match self {
            Self::Voter | Self::Incoming => true,
            Self::Outgoing { .. } | Self::Learner { .. } => false,
        }
    }

    fn is_passing(self) -> bool {
        self.counts_among_old() != self.counts_among_new()
    }
}

impl Default for Configuration {
    /// No members.
    fn default() -> Self {
        Self::of_voters([])
    }
}

// The wire form is a list, so that a peer cannot send members twice or none at all.
impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (version, members) = <(u8, Vec<(Peer, Member)>)>::deserialize(deserializer)?;
        let ascending = members.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let terse =
            members.iter().all(|(_, member)| member.metadata.len_u64() <= MAX_METADATA_BYTES);
        let configuration = Self { version, members: members.into_iter().collect() };
        let voted = configuration.old_voters().next().is_some() && configuration.check().is_ok();
        if ascending && terse && voted && version >= OLDEST_VERSION {
            Ok(configuration)
        } else {
            Err(D::Error::custom("members must be ascending, not too many, and some must vote"))
        }
    }
}

/// Voters as `n1`, incoming as `+n1`, outgoing as `-n1`, learners as `~n1`.
impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (position, (peer, member)) in self.members().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(match member.standing {
                Standing::Voter => "",
                Standing::Incoming => "+",
                Standing::Outgoing { .. } => "-",
                Standing::Learner { .. } => "~",
            })?;
            if self.incarnations(peer.id).count() > 1 {
                write!(f, "{peer}")?;
            } else {
                write!(f, "{}", peer.id)?;
            }
        }
        f.write_str("}")?;
        if self.version > OLDEST_VERSION { write!(f, " v{}", self.version) } else { Ok(()) }
    }
}

/// What a member counts beyond its metadata.
pub(super) const MEMBER_BYTES: u64 = 64;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;
    use crate::types::Incarnation;

    fn peer(id: u64) -> Peer {
        Peer { id: NodeId::new(id), incarnation: Incarnation::new(id) }
    }

    fn again(id: u64) -> Peer {
        Peer { id: NodeId::new(id), incarnation: Incarnation::new(id + 100) }
    }

    fn add(peer: Peer, voter: bool, replaces: Option<u64>) -> MemberChange {
        let replaces = replaces.map(NodeId::new);
        MemberChange::Add { peer, metadata: Bytes::default(), voter, replaces }
    }

    fn of(voters: u64) -> Configuration {
        Configuration::of_voters((1..=voters).map(peer))
    }

    fn remove(id: u64) -> MemberChange {
        MemberChange::Remove(NodeId::new(id))
    }

    /// What a change leads to in the end, when every learner that waits for it has caught up.
    fn carried_out(configuration: &Configuration, changes: &[MemberChange]) -> Configuration {
        let mut configuration =
            configuration.changed(changes).expect("a possible change").settled();
        while configuration.promotes() {
            let ready = waiting(&configuration);
            configuration = configuration.promoted(&ready).expect("a voter more").settled();
        }
        configuration
    }

    #[test]
    fn changes_of_voters_go_through_a_joint_configuration_and_others_do_not() {
        let demote = MemberChange::Demote(NodeId::new(1));
        let promote = MemberChange::Promote(NodeId::new(1));
        for (changes, at_once, settled) in [
            (&[][..], "{n1 n2 n3}", "{n1 n2 n3}"),
            (&[add(peer(4), true, None)], "{n1 n2 n3 ~n4}", "{n1 n2 n3 ~n4}"),
            (&[add(peer(4), false, None)], "{n1 n2 n3 ~n4}", "{n1 n2 n3 ~n4}"),
            (&[remove(1)], "{-n1 n2 n3}", "{n2 n3}"),
            (&[remove(1), remove(2)], "{-n1 -n2 n3}", "{n3}"),
            (&[remove(9)], "{n1 n2 n3}", "{n1 n2 n3}"),
            (core::slice::from_ref(&demote), "{-n1 n2 n3}", "{~n1 n2 n3}"),
            (&[promote], "{n1 n2 n3}", "{n1 n2 n3}"),
            (&[demote.clone(), remove(1)], "{-n1 n2 n3}", "{n2 n3}"),
            (&[add(again(1), true, None)], "{n1#1 ~n1#65 n2 n3}", "{n1#1 ~n1#65 n2 n3}"),
            (&[add(again(1), false, None)], "{-n1#1 ~n1#65 n2 n3}", "{~n1 n2 n3}"),
        ] {
            let changed = of(3).changed(changes).expect("a possible change");
            assert_eq!(changed.to_string(), at_once, "{changes:?}");
            assert_eq!(changed.settled().to_string(), settled, "{changes:?}");
        }
    }

    #[test]
    fn impossible_changes_are_refused() {
        let unknown = ChangeRefusal::NoSuchMember { id: NodeId::new(9) };
        for (changes, because) in [
            (&[remove(1)][..], ChangeRefusal::NoVoterLeft),
            (&[remove(1), add(peer(2), true, None)], ChangeRefusal::NoVoterLeft),
            (&[MemberChange::Demote(NodeId::new(1))], ChangeRefusal::NoVoterLeft),
            (&[MemberChange::Demote(NodeId::new(9))], unknown),
            (&[MemberChange::Promote(NodeId::new(9))], unknown),
        ] {
            assert_eq!(of(1).changed(changes), Err(because), "{changes:?}");
        }
        let many: Vec<MemberChange> = (2..=64).map(|id| add(peer(id), false, None)).collect();
        assert_eq!(of(1).changed(&many), Err(ChangeRefusal::TooManyMembers));
        assert!(of(1).changed(&many[1..]).is_ok());
        let metadata = Bytes::from(alloc::vec![0; 1025]);
        let long = MemberChange::Add { peer: peer(2), metadata, voter: false, replaces: None };
        assert_eq!(of(1).changed(&[long]), Err(ChangeRefusal::MetadataTooLong { bytes: 1025 }));
    }

    #[test]
    fn whoever_takes_a_place_takes_it_in_the_change_that_makes_it_a_voter() {
        let with = of(3).changed(&[add(peer(4), true, Some(2))]).expect("a newcomer");
        assert_eq!(with.to_string(), "{n1 n2 n3 ~n4}");
        let joint = with.promoted(&[peer(4)]).expect("a voter more");
        assert_eq!(joint.to_string(), "{n1 -n2 n3 +n4}");
        assert_eq!(joint.settled().to_string(), "{n1 n3 n4}");
        let with = of(3).changed(&[add(again(2), true, None)]).expect("a newcomer");
        let joint = with.promoted(&[again(2)]).expect("a voter more");
        assert_eq!(joint.to_string(), "{n1 -n2#2 +n2#66 n3}");
        assert_eq!(joint.settled().voters().collect::<Vec<_>>(), [peer(1), again(2), peer(3)]);
    }

    #[test]
    fn a_stranger_that_returns_once_more_takes_the_place_of_its_last_self() {
        let once = of(3).changed(&[add(again(2), true, None)]).expect("a newcomer");
        let third = Peer { id: NodeId::new(2), incarnation: Incarnation::new(7) };
        let twice = once.changed(&[add(third, true, None)]).expect("a newcomer");
        assert_eq!(twice.incarnations(NodeId::new(2)).collect::<Vec<_>>(), [peer(2), third]);
    }

    fn change() -> impl Strategy<Value = MemberChange> {
        let id = || 1..7_u64;
        prop_oneof![
            3 => (id(), any::<bool>()).prop_map(|(id, voter)| add(peer(id), voter, None)),
            1 => (id(), any::<bool>()).prop_map(|(id, voter)| add(again(id), voter, None)),
            1 => (id(), id()).prop_map(|(id, gone)| add(peer(id), true, Some(gone))),
            2 => id().prop_map(remove),
            1 => id().prop_map(|id| MemberChange::Promote(NodeId::new(id))),
            1 => id().prop_map(|id| MemberChange::Demote(NodeId::new(id))),
        ]
    }

    fn waiting(configuration: &Configuration) -> Vec<Peer> {
        let waits =
            |member: &Member| matches!(member.standing, Standing::Learner { promote: true, .. });
        let waiting = configuration.members().filter(|(_, member)| waits(member));
        waiting.map(|(peer, _)| peer).collect()
    }

    /// The old voters of what comes of a change are those there were, and what follows when both sides
    /// have agreed to it is not joint and has the new ones; no node votes in two incarnations.
    fn follows(before: &Configuration, joint: &Configuration) -> Result<(), TestCaseError> {
        prop_assert!(joint.old_voters().eq(before.voters()), "{} after {}", joint, before);
        let settled = joint.settled();
        prop_assert!(!settled.is_joint());
        prop_assert!(settled.voters().eq(joint.new_voters()));
        prop_assert!(settled.voters().next().is_some());
        if !joint.is_joint() {
            prop_assert_eq!(&settled, joint);
        }
        let ids: BTreeSet<NodeId> = settled.voters().map(|voter| voter.id).collect();
        prop_assert_eq!(ids.len(), settled.voters().count(), "twice in {}", settled);
        let bytes = postcard::to_allocvec(joint).expect("plain data");
        prop_assert_eq!(postcard::from_bytes::<Configuration>(&bytes), Ok(joint.clone()));
        Ok(())
    }

    /// Whether any majority of the one set of voters shares a voter with any of the other.
    fn overlap(some: &BTreeSet<Peer>, others: &BTreeSet<Peer>) -> bool {
        let both = some.intersection(others).count();
        let all = some.union(others).count();
        // The smallest majorities are as far apart as they can be.
        let needed = (some.len() / 2 + 1) + (others.len() / 2 + 1);
        both > 0 && needed > all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Whatever is asked for, and whoever is promoted then: see [`follows`].
        #[test]
        fn every_change_keeps_what_a_configuration_must_be(
            rounds in prop::collection::vec(prop::collection::vec(change(), 1..4), 1..6),
        ) {
            let mut configuration = of(3);
            for changes in &rounds {
                let Ok(joint) = configuration.changed(changes) else { continue };
                follows(&configuration, &joint)?;
                configuration = joint.settled();
                let Ok(joint) = configuration.promoted(&waiting(&configuration)) else { continue };
                follows(&configuration, &joint)?;
                configuration = joint.settled();
                prop_assert!(!configuration.promotes());
            }
        }

        /// One member more or less at a time is a way to the same as all at once; and then even the
        /// quorums of one configuration and the next overlap.
        #[test]
        fn single_steps_lead_where_one_change_does(
            added in prop::collection::btree_set(4..8_u64, 0..4),
            gone in prop::collection::btree_set(1..4_u64, 0..3),
        ) {
            let steps: Vec<MemberChange> = added
                .iter()
                .map(|&id| add(peer(id), true, None))
                .chain(gone.iter().map(|&id| remove(id)))
                .collect();
            let mut by_steps = of(3);
            for step in &steps {
                let before: BTreeSet<Peer> = by_steps.voters().collect();
                by_steps = carried_out(&by_steps, core::slice::from_ref(step));
                prop_assert!(overlap(&before, &by_steps.voters().collect()));
            }
            prop_assert_eq!(by_steps, carried_out(&of(3), &steps));
        }
    }
}

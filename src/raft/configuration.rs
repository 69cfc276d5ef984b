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

/// A change of the members, asked for by the application or by a node that joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[non_exhaustive]
pub enum MemberChange {
    /// Takes in a node in this incarnation, as a learner first. If it is a member already, its
    /// metadata are replaced.
    Add {
        /// Who.
        peer: Peer,
        /// What the group shall know of it: an address, for instance. At most 1 KiB.
        metadata: Bytes,
        /// Whether it becomes a voter as soon as it has caught up.
        voter: bool,
        /// The node that is removed when this one becomes a voter. Another incarnation of the same
        /// node always is.
        replaces: Option<NodeId>,
    },
    /// Removes a node, in whatever incarnation.
    Remove(NodeId),
    /// Makes a learner a voter as soon as it has caught up.
    Promote(NodeId),
    /// Makes a voter a learner, which it stays.
    Demote(NodeId),
}

/// Why a change of the members is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, DeriveDeserialize)]
#[non_exhaustive]
pub enum ChangeRefusal {
    /// No voter would be left.
    NoVoterLeft,
    /// There would be more members than a group may have: 63, those that are leaving included.
    TooManyMembers,
    /// The metadata are longer than 1 KiB.
    MetadataTooLong {
        /// Their length.
        bytes: u64,
    },
    /// There is no such member.
    NoSuchMember {
        /// Whom the change names.
        id: NodeId,
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

impl MemberChange {
    /// What it counts against byte limits.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Add { metadata, .. } => MEMBER_BYTES + metadata.len_u64(),
            Self::Remove(_) | Self::Promote(_) | Self::Demote(_) => MEMBER_BYTES,
        }
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

impl fmt::Display for MemberChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { peer, voter: true, .. } => write!(f, "+{}", peer.id),
            Self::Add { peer, voter: false, .. } => write!(f, "~{}", peer.id),
            Self::Remove(id) => write!(f, "-{id}"),
            Self::Promote(id) => write!(f, "promote {id}"),
            Self::Demote(id) => write!(f, "demote {id}"),
        }
    }
}

impl fmt::Display for ChangeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVoterLeft => f.write_str("no voter would be left"),
            Self::TooManyMembers => write!(f, "a group has at most {MAX_MEMBERS} members"),
            Self::MetadataTooLong { bytes } => {
                write!(f, "{bytes} bytes of metadata are more than {MAX_METADATA_BYTES}")
            }
            Self::NoSuchMember { id } => write!(f, "{id} is not a member"),
        }
    }
}

/// What a member counts beyond its metadata.
const MEMBER_BYTES: u64 = 64;

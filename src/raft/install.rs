//! Snapshots on their way: taken by the store, sent by a leader, installed by a follower.

use alloc::sync::Arc;

use super::message::Message;
use super::outbox::OwedMatch;
use super::snapshot::{Incoming, Outgoing, PartSum, Snapshot, SnapshotHead, SnapshotId, Taken};
use super::{Entry, Notice, Raft, Role};
use crate::bytes::Bytes;
use crate::event::Event;
use crate::reasons::DropReason;
use crate::types::{EntryId, Identity, Index};

impl Raft {
    // --- taken here -------------------------------------------------------------------------------

    /// The store has come so far.
    pub(crate) fn on_applied(&mut self, index: Index) {
        self.applied = index;
    }

    /// Whether the store is writing down a snapshot, and whether it met what it cannot apply.
    pub(crate) fn on_store(&mut self, taking_snapshot: bool, halted: bool) {
        self.taking_snapshot = taking_snapshot;
        self.halted = halted;
    }

    /// What a snapshot up to `last` says of itself.
    pub(crate) fn head_of(&self, last: EntryId, sum: PartSum, digest: u64) -> SnapshotHead {
        let (configuration_index, configuration) = self.membership.at(last.index);
        SnapshotHead {
            last,
            group: self.hard.group.expect("whoever has applied entries has a group"),
            configuration_index,
            configuration: (**configuration).clone(),
            parts: sum.parts,
            bytes: sum.bytes,
            checksum: sum.checksum,
            digest,
        }
    }

    /// The store has written down a snapshot: it takes the place of the log up to its last entry.
    pub(crate) fn adopt_snapshot(&mut self, snapshot: Snapshot) {
        let last = snapshot.last();
        if last.index <= self.snapshot().index || self.is_out_of_service() {
            return; // One that a leader sent has overtaken it, or nothing is kept any more.
        }
        assert!(self.log.holds(last), "a snapshot up to {last}, which is not in the log");
        self.counters.snapshots_taken += 1;
        self.emit(Event::SnapshotTaken { last, bytes: snapshot.bytes() });
        self.snapshot = Some(Arc::new(snapshot));
        self.membership.on_compact(last.index);
        self.outbox.save_image();
        self.compact_to = self.first_to_keep(last.index).previous();
    }

    /// The first entry that is kept although a snapshot covers it.
    fn first_to_keep(&self, covered: Index) -> Index {
        let mut room = self.config.trailing_log_bytes.min(self.config.max_log_bytes);
        let mut first = covered.next();
        while let Some(entry) = self.log.entry(first.previous()) {
            if entry.size() > room {
                break;
            }
            room -= entry.size();
            first = first.previous();
        }
        first
    }

    /// Lets go of entries that a snapshot covers, a bounded number in each step.
    pub(super) fn compact(&mut self) {
        self.discarded.truncate(self.discarded.len().saturating_sub(MOST_DROPPED));
        if self.discarded.is_empty() && self.discarded.capacity() > 0 {
            self.discarded.shrink_to_fit();
        }
        let upto = self.compact_to.min(self.needed_after());
        if self.log.start().index < upto {
            self.log.compact(upto, MOST_DROPPED);
        }
    }

    /// Whether entries or memory are left to let go of.
    pub(crate) fn has_leftovers(&self) -> bool {
        !self.discarded.is_empty()
            || self.log.start().index < self.compact_to.min(self.needed_after())
    }

    /// Entries after this are needed by a member once it has the snapshot that it is being sent; unless
    /// that takes so long that the log outgrows its bounds.
    fn needed_after(&self) -> Index {
        let Role::Leader(leader) = &self.role else { return Index::MAX };
        if self.log.bytes() > self.config.max_log_bytes.saturating_mul(2) {
            return Index::MAX;
        }
        let sent = leader.progress.values().filter_map(|progress| progress.snapshot_index());
        sent.min().unwrap_or(Index::MAX)
    }

    /// Whether the log has outgrown its bounds while something holds it up that can be waited for: what
    /// is committed and not applied, also by one that [halted](crate::Status::halted) and needs a newer
    /// version of this library, or a snapshot that is being taken.
    pub(super) fn is_overloaded(&self) -> bool {
        let most = self.config.max_log_bytes.saturating_mul(OVERLOAD);
        let held_up = self.taking_snapshot || self.applied < self.commit;
        held_up && self.log.bytes() > most.saturating_add(self.config.max_uncommitted_bytes)
    }

    // --- sent -------------------------------------------------------------------------------------

    /// Sends a member pieces of the snapshot, since the log does not reach back to what it lacks.
    pub(super) fn send_snapshot(&mut self, to: Identity) {
        let Role::Leader(leader) = &mut self.role else { return };
        let Some(progress) = leader.progress.get_mut(&to.peer) else { return };
        if !progress.is_sending_snapshot() {
            let snapshot = self.snapshot.clone().expect("a compacted log has a snapshot before it");
            progress.begin_snapshot(Outgoing::new(snapshot), leader.round);
        }
        let limits = (self.config.max_inflight_messages, self.config.max_inflight_bytes);
        let round = leader.round;
        let mut pieces = alloc::vec::Vec::new();
        while let Some(piece) = progress.next_piece(round, limits.0, limits.1) {
            pieces.push(piece);
        }
        let term = self.hard.term;
        for (snapshot, piece, bytes) in pieces {
            self.counters.snapshot_pieces_sent += 1;
            self.send_in_group(to, Message::InstallSnapshot { term, snapshot, piece, bytes });
        }
    }

    pub(super) fn on_install_reply(&mut self, from: Identity, id: SnapshotId, pieces: u64) {
        let Role::Leader(leader) = &mut self.role else {
            return self.drop_envelope(from, DropReason::Unexpected);
        };
        let Some(progress) = leader.progress.get_mut(&from.peer) else {
            return self.drop_envelope(from, DropReason::Unexpected);
        };
        progress.on_heard(self.now);
        let Some(first_heard) = progress.on_pieces(id, pieces, leader.round) else { return };
        let resumed_at = if first_heard > 1 { first_heard } else { 0 };
        self.counters.snapshots_sent += 1;
        self.counters.snapshots_resumed += u64::from(resumed_at > 0);
        self.emit(Event::SnapshotSent { to: from.peer.id, last: id.last, resumed_at });
    }

    // --- installed --------------------------------------------------------------------------------

    pub(super) fn on_install_snapshot(
        &mut self,
        from: Identity,
        id: SnapshotId,
        piece: u64,
        bytes: &Bytes,
    ) {
        if !self.follow(from) {
            return;
        }
        if id.last.index <= self.commit || self.log.holds(id.last) {
            // What it covers is here already, and committed.
            self.matched = self.matched.max(id.last.index);
            self.on_leader_commit(id.last.index);
            return self.acknowledge(from, id.last.index);
        }
        let term = self.hard.term;
        let taken = match &mut self.incoming {
            Some(incoming) if incoming.id() == id => incoming.take(term, piece, bytes),
            Some(incoming) if incoming.supersedes(id, term) => {
                return self.drop_envelope(from, DropReason::Unexpected);
            }
            Some(_) | None if piece == 0 => self.begin_incoming(id, bytes),
            // Of another than the one that is on its way: it must begin at its beginning.
            Some(_) | None => Taken::Pieces(0),
        };
        let pieces = match taken {
            Taken::Pieces(pieces) => pieces,
            Taken::Whole(snapshot) => return self.install(from, snapshot),
            Taken::Spoilt => {
                self.incoming = None;
                self.emit(Event::SnapshotRefused { last: id.last });
                0
            }
        };
        let snapshot = id;
        self.send_in_group(from, Message::InstallSnapshotReply { term, snapshot, pieces });
    }

    fn begin_incoming(&mut self, id: SnapshotId, piece: &Bytes) -> Taken {
        let (term, limit) = (self.hard.term, self.config.max_snapshot_bytes);
        let begun = Incoming::begin(id, term, piece, limit)
            .filter(|begun| Some(begun.head().group) == self.hard.group && id.last.term <= term);
        if begun.is_none() {
            return Taken::Spoilt;
        }
        self.incoming = begun;
        Taken::Pieces(1)
    }

    /// Raft §7: the snapshot replaces the whole log, which lacks its last entry or has another there.
    fn install(&mut self, leader: Identity, snapshot: Snapshot) {
        let last = snapshot.last();
        self.incoming = None;
        self.counters.snapshots_installed += 1;
        self.emit(Event::SnapshotInstalled { last });
        let (index, configuration) =
            (snapshot.head.configuration_index, snapshot.head.configuration.clone());
        let gone = self.log.reset(last);
        self.discarded.extend(gone);
        self.membership.reset(index, configuration);
        self.on_members_changed();
        let snapshot = Arc::new(snapshot);
        self.snapshot = Some(Arc::clone(&snapshot));
        self.installed = Some(snapshot);
        self.compact_to = Index::ZERO;
        self.matched = self.matched.max(last.index);
        self.commit_to(last.index);
        if self.membership.configuration().keeps(self.me.peer) {
            self.note_admission(index);
        }
        self.notices.push(Notice::MembersChanged);
        self.outbox.replace_all(last.index);
        let owed = OwedMatch { leader, upto: last.index, said: Index::ZERO };
        self.outbox.owed_match = Some(owed);
    }

    /// A snapshot that took the place of the log, for the store to load.
    pub(crate) fn take_installed(&mut self) -> Option<Arc<Snapshot>> {
        self.installed.take()
    }

    /// The entry at `index`, which is the next to apply.
    pub(crate) fn entry_to_apply(&self, index: Index) -> Entry {
        self.log.entry(index).expect("a committed entry that is not applied is in the log").clone()
    }
}

/// How many entries one step lets go of at most.
const MOST_DROPPED: usize = 1024;
/// How many times its bound a log may have before nothing more is taken in.
const OVERLOAD: u64 = 3;

//! What this node is offered by others.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::links::Offer;
use super::parcel::Parcel;
use crate::config::Config;
use crate::event::{Emission, Event};
use crate::io::Output;
use crate::raft::{Configuration, Raft};
use crate::requests::Requests;
use crate::state_machine::StateMachine;
use crate::types::{Identity, Index, Life, Peer, Sequence};

/// How far this life of a node has come with what each of the others publishes.
#[derive(Debug)]
pub(crate) struct Inboxes {
    boxes: BTreeMap<Peer, Inbox>,
    /// Above the `as_of` of all that came from those who were forgotten.
    forgotten: Index,
    room: Room,
    delivered: u64,
}

/// How much is remembered of what one life of another publishes.
#[derive(Clone, Copy, Debug)]
struct Room {
    events: u64,
    bytes: u64,
}

/// How far this node has come with what one life of another publishes.
#[derive(Debug)]
struct Inbox {
    life: Life,
    /// Whatever was published as of less may be from before this life was forgotten.
    since: Index,
    /// The highest `as_of` there was.
    as_of: Index,
    /// The lowest number that is still offered, as far as is known.
    lowest: Sequence,
    /// The number whose turn it is. All from `lowest` on and below this were answered for.
    next: Sequence,
    /// Those of them that were not delivered.
    declined: BTreeSet<Sequence>,
    /// What came before its turn.
    early: BTreeMap<Sequence, Offer>,
    early_bytes: u64,
    next_notification: Sequence,
}

/// What is to be done about an event that was published.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    /// Its turn has come.
    Deliver(Offer),
    /// It was answered for, or is not wanted.
    Answer { delivered: bool },
}

impl Inboxes {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            boxes: BTreeMap::new(),
            forgotten: Index::ZERO,
            room: Room { events: config.max_inflight_messages, bytes: config.max_inflight_bytes },
            delivered: 0,
        }
    }

    /// How many events of other nodes were handed to the application.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many events came before their turn.
    pub(crate) fn early_events(&self) -> u64 {
        self.boxes.values().map(|inbox| inbox.early.len() as u64).sum()
    }

    /// How many bytes those have.
    pub(crate) fn early_bytes(&self) -> u64 {
        self.boxes.values().map(|inbox| inbox.early_bytes).sum()
    }

    /// Another configuration is in force: nobody waits for the turn of what came early from those who have
    /// gone.
    pub(crate) fn on_members_changed(&mut self, members: &Configuration) {
        let gone = self.boxes.iter_mut().filter(|(peer, _)| !members.contains(**peer));
        for (_, inbox) in gone {
            inbox.early.clear();
            inbox.early_bytes = 0;
        }
    }

    /// A member sent this.
    pub(crate) fn receive(
        &mut self,
        (from, parcel): (Identity, Parcel),
        raft: &mut Raft,
        state: &StateMachine,
        requests: &mut Requests,
    ) {
        let me = raft.identity().peer;
        let wanted = |Offer { emitter, event, as_of, .. }: &Offer| {
            // One that has applied less than the publisher had cannot know better.
            let subscribed = state.applied() < *as_of
                || state.store().subscribers(emitter, event).any(|peer| peer == me);
            subscribed && !requests.is_closed(emitter)
        };
        match parcel {
            Parcel::Publish { emitter, event, payload, sequence, lowest, as_of } => {
                let offer = Offer { emitter, event, payload, as_of };
                let numbers = (sequence, lowest);
                let due = self.on_publish(from, numbers, offer, wanted, raft.configuration());
                for (sequence, verdict) in due {
                    let delivered = match verdict {
                        Verdict::Deliver(offer) => {
                            self.deliver(raft, from, offer);
                            true
                        }
                        Verdict::Answer { delivered } => delivered,
                    };
                    raft.answer_parcel(from, Parcel::PublishReply { sequence, delivered });
                }
            }
            Parcel::PublishReply { sequence, delivered } => {
                requests.on_publish_answered(from.peer, sequence, delivered);
            }
            Parcel::Notify { emitter, event, payload, number, as_of } => {
                let offer = Offer { emitter, event, payload, as_of };
                if self.on_notify(from, number, as_of, raft.configuration()) && wanted(&offer) {
                    self.deliver(raft, from, offer);
                }
            }
        }
    }

    fn deliver(&mut self, raft: &mut Raft, from: Identity, offer: Offer) {
        self.delivered += 1;
        let Offer { emitter, event, payload, .. } = offer;
        raft.output(Output::Event(Event::Emitted(Emission { emitter, event, payload, from })));
    }

    /// What is due now that this has come.
    fn on_publish(
        &mut self,
        from: Identity,
        (sequence, lowest): (Sequence, Sequence),
        offer: Offer,
        wanted: impl Fn(&Offer) -> bool,
        members: &Configuration,
    ) -> Vec<(Sequence, Verdict)> {
        let room = self.room;
        let Some(inbox) = self.of(from, lowest, offer.as_of, members) else { return Vec::new() };
        inbox.begin_at(lowest);
        if sequence >= inbox.next {
            inbox.keep(sequence, offer, room);
            return inbox.take_due(wanted, room);
        }
        let mut due = Vec::new();
        if sequence >= inbox.lowest {
            let delivered = !inbox.declined.contains(&sequence);
            due.push((sequence, Verdict::Answer { delivered }));
        }
        due.extend(inbox.take_due(wanted, room));
        due
    }

    /// Whether it is news.
    fn on_notify(
        &mut self,
        from: Identity,
        number: Sequence,
        as_of: Index,
        members: &Configuration,
    ) -> bool {
        let Some(inbox) = self.of(from, Sequence::new(0), as_of, members) else { return false };
        let is_new = number >= inbox.next_notification;
        if is_new {
            inbox.next_notification = number.next();
        }
        is_new
    }

    /// The inbox for that life, unless what was published as of then may have come before.
    fn of(
        &mut self,
        from: Identity,
        first: Sequence,
        as_of: Index,
        members: &Configuration,
    ) -> Option<&mut Inbox> {
        let Identity { peer, life } = from;
        if !self.boxes.contains_key(&peer) {
            self.forget_strangers(members);
        }
        let since = self.forgotten;
        let inbox = self.boxes.entry(peer).or_insert_with(|| Inbox::new(life, since, first));
        if life > inbox.life {
            // What is remembered of when holds for all lives: an earlier one may have known more.
            *inbox = Inbox { as_of: inbox.as_of, ..Inbox::new(life, inbox.since, first) };
        }
        if life < inbox.life || as_of < inbox.since {
            return None;
        }
        inbox.as_of = inbox.as_of.max(as_of);
        Some(inbox)
    }

    /// Only members matter from now on.
    fn forget_strangers(&mut self, members: &Configuration) {
        let forgotten = &mut self.forgotten;
        self.boxes.retain(|&peer, inbox| {
            let is_member = members.contains(peer);
            if !is_member {
                *forgotten = inbox.as_of.next().max(*forgotten);
            }
            is_member
        });
    }
}

impl Inbox {
    fn new(life: Life, since: Index, first: Sequence) -> Self {
        Self {
            life,
            since,
            as_of: Index::ZERO,
            lowest: first,
            next: first,
            declined: BTreeSet::new(),
            early: BTreeMap::new(),
            early_bytes: 0,
            next_notification: Sequence::new(0),
        }
    }

    /// Nothing below is offered any more.
    fn begin_at(&mut self, lowest: Sequence) {
        if lowest <= self.lowest {
            return;
        }
        self.lowest = lowest;
        self.next = self.next.max(lowest);
        self.declined = self.declined.split_off(&lowest);
        let kept = self.early.split_off(&lowest);
        let passed = core::mem::replace(&mut self.early, kept);
        self.early_bytes -= passed.values().map(Offer::size).sum::<u64>();
    }

    /// Keeps an event until its turn comes. What there is no room for is sent again.
    fn keep(&mut self, sequence: Sequence, offer: Offer, room: Room) {
        let bytes = self.early_bytes.saturating_add(offer.size());
        let has_room = (self.early.len() as u64) < room.events && bytes <= room.bytes;
        if !self.early.contains_key(&sequence) && (has_room || sequence == self.next) {
            self.early_bytes = bytes;
            self.early.insert(sequence, offer);
        }
    }

    /// Those whose turn it is.
    fn take_due(
        &mut self,
        wanted: impl Fn(&Offer) -> bool,
        room: Room,
    ) -> Vec<(Sequence, Verdict)> {
        let mut due = Vec::new();
        while let Some(offer) = self.early.remove(&self.next) {
            self.early_bytes -= offer.size();
            let sequence = self.next;
            if wanted(&offer) {
                due.push((sequence, Verdict::Deliver(offer)));
            } else if (self.declined.len() as u64) < room.events {
                self.declined.insert(sequence);
                due.push((sequence, Verdict::Answer { delivered: false }));
            } else {
                break; // Its sender has not heard of those before, and sends this one again.
            }
            self.next = sequence.next();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;

    use proptest::prelude::*;

    use super::super::links::Links;
    use super::*;
    use crate::bytes::Bytes;
    use crate::config::Birth;
    use crate::store::Name;
    use crate::types::{Incarnation, NodeId};

    fn identity(id: u64, life: u32) -> Identity {
        let peer = Peer { id: NodeId::new(id), incarnation: Incarnation::new(id) };
        Identity { peer, life: Life::new(life) }
    }

    fn members(ids: &[u64]) -> Configuration {
        Configuration::of_voters(ids.iter().map(|id| identity(*id, 1).peer))
    }

    fn config() -> Config {
        let mut config = Config::new(NodeId::new(1), Incarnation::new(1), Birth::Found);
        config.max_inflight_messages = 3;
        config
    }

    fn offer(bytes: usize, as_of: u64) -> Offer {
        let (emitter, event) = (Name::new("e").expect("short"), Bytes::default());
        let payload = vec![b'x'; bytes].into();
        Offer { emitter, event, payload, as_of: Index::new(as_of) }
    }

    /// What is due, as text: those that are delivered, that were (`=`), and that are declined (`-`).
    fn shown(due: Vec<(Sequence, Verdict)>) -> String {
        let shown = due.into_iter().map(|(sequence, verdict)| match verdict {
            Verdict::Deliver(_) => sequence.to_string(),
            Verdict::Answer { delivered: true } => alloc::format!("={sequence}"),
            Verdict::Answer { delivered: false } => alloc::format!("-{sequence}"),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    fn publish(inboxes: &mut Inboxes, from: Identity, numbers: (u64, u64), as_of: u64) -> String {
        let numbers = (Sequence::new(numbers.0), Sequence::new(numbers.1));
        let members = members(&[1, 2, 3]);
        shown(inboxes.on_publish(from, numbers, offer(1, as_of), |_| true, &members))
    }

    #[test]
    fn what_is_offered_is_delivered_in_turn() {
        let mut inboxes = Inboxes::new(&config());
        let sender = identity(2, 1);
        #[rustfmt::skip]
        let script = [
            ((5, 4), ""),       // It begins at the lowest offered, which is not there yet,
            ((4, 4), "4 5"),    // and now it is.
            ((4, 4), "=4"),     // The answer was lost.
            ((7, 4), ""),       // Too early.
            ((7, 5), ""),
            ((6, 5), "6 7"),
            ((10, 9), ""),      // 8 was given up: it waits for 9.
            ((8, 4), ""),       // Nobody waits for it any more.
            ((9, 9), "9 10"),
            ((12, 9), ""),
            ((13, 9), ""),
            ((13, 12), "12 13"), // 11 was given up.
            ((14, 15), ""),     // No correct sender says so.
            ((14, 14), ""),     // 15 is said to be the lowest.
            ((15, 14), "15"),
        ];
        for (numbers, due) in script {
            assert_eq!(publish(&mut inboxes, sender, numbers, 9), due, "{numbers:?}");
        }
        assert_eq!(publish(&mut inboxes, identity(3, 1), (0, 0), 9), "0");
    }

    #[test]
    fn what_comes_early_is_kept_as_far_as_there_is_room() {
        let mut config = config();
        config.max_inflight_bytes = 10;
        let mut inboxes = Inboxes::new(&config);
        let mut arrives = |number, lowest, bytes| {
            let numbers = (Sequence::new(number), Sequence::new(lowest));
            let members = members(&[1, 2]);
            let from = identity(2, 1);
            let due = inboxes.on_publish(from, numbers, offer(bytes, 9), |_| true, &members);
            (shown(due), inboxes.early_events(), inboxes.early_bytes())
        };
        let none = String::new;
        assert_eq!(arrives(1, 0, 11), (none(), 0, 0), "larger than there is room for");
        assert_eq!(arrives(1, 0, 2), (none(), 1, 2));
        assert_eq!(arrives(1, 0, 2), (none(), 1, 2), "it is there");
        assert_eq!(arrives(2, 0, 9), (none(), 1, 2), "all together are");
        assert_eq!(arrives(2, 0, 4), (none(), 2, 6));
        assert_eq!(arrives(5, 0, 4), (none(), 3, 10));
        assert_eq!(arrives(4, 0, 0), (none(), 3, 10), "more than there is room for");
        assert_eq!(arrives(0, 0, 99), ("0 1 2".to_string(), 1, 4), "its turn has come");
        assert_eq!(arrives(4, 0, 1), (none(), 2, 5));
        assert_eq!(arrives(6, 6, 1), ("6".to_string(), 0, 0), "those below were given up");
    }

    #[test]
    fn each_life_of_a_sender_begins_anew_and_ends_the_one_before() {
        let mut inboxes = Inboxes::new(&config());
        let mut arrives = |life, number| publish(&mut inboxes, identity(2, life), (number, 0), 9);
        assert_eq!(arrives(1, 0), "0");
        assert_eq!(arrives(1, 2), "", "early, and forgotten with its life");
        assert_eq!(arrives(2, 0), "0");
        assert_eq!(arrives(1, 1), "");
        assert_eq!(arrives(2, 0), "=0");
        assert_eq!(arrives(2, 1), "1");
    }

    #[test]
    fn what_was_not_wanted_is_answered_so_again_and_bounded() {
        let mut inboxes = Inboxes::new(&config());
        let mut arrives = |number, lowest, wanted| {
            let numbers = (Sequence::new(number), Sequence::new(lowest));
            let (from, members) = (identity(2, 1), members(&[1, 2]));
            shown(inboxes.on_publish(from, numbers, offer(1, 9), |_| wanted, &members))
        };
        for number in 0..3 {
            assert_eq!(arrives(number, 0, false), alloc::format!("-{number}"));
        }
        assert_eq!(arrives(3, 0, false), "", "the sender heard of none before");
        assert_eq!(arrives(1, 0, true), "-1", "wanted by now, and answered for");
        assert_eq!(arrives(3, 2, false), "-3");
        assert_eq!(arrives(1, 0, true), "");
        assert_eq!(arrives(5, 3, false), "");
        assert_eq!(arrives(4, 3, true), "4 5", "what matters is whether it is wanted in its turn");
        assert_eq!(arrives(3, 3, true), "-3");
    }

    #[test]
    fn what_is_notified_only_gets_later() {
        let mut inboxes = Inboxes::new(&config());
        let mut arrives = |number| {
            let (number, as_of) = (Sequence::new(number), Index::new(9));
            inboxes.on_notify(identity(2, 1), number, as_of, &members(&[1, 2]))
        };
        let news = [3, 3, 2, 5, 4, 6].map(&mut arrives);
        assert_eq!(news, [true, false, false, true, false, true]);
    }

    #[test]
    fn a_member_that_returns_is_not_believed_what_it_said_before() {
        let mut inboxes = Inboxes::new(&config());
        assert_eq!(publish(&mut inboxes, identity(2, 1), (0, 0), 9), "0");
        // n2 is removed, which only matters once another is heard from.
        let numbers = (Sequence::new(0), Sequence::new(0));
        let others = members(&[1, 3]);
        let due = inboxes.on_publish(identity(3, 1), numbers, offer(1, 4), |_| true, &others);
        assert_eq!(shown(due), "", "it may be as old as what was forgotten");
        for as_of in [4, 9] {
            assert_eq!(publish(&mut inboxes, identity(2, 1), (0, 0), as_of), "");
        }
        assert_eq!(publish(&mut inboxes, identity(2, 1), (1, 0), 10), "");
        assert_eq!(publish(&mut inboxes, identity(2, 1), (0, 0), 9), "");
        assert_eq!(publish(&mut inboxes, identity(2, 1), (1, 1), 10), "1");
        assert_eq!(publish(&mut inboxes, identity(3, 1), (0, 0), 10), "0");
    }

    #[test]
    fn what_came_early_from_one_who_has_gone_is_let_go() {
        let mut inboxes = Inboxes::new(&config());
        for id in [2, 3] {
            assert_eq!(publish(&mut inboxes, identity(id, 1), (1, 0), 9), "");
        }
        assert_eq!((inboxes.early_events(), inboxes.early_bytes()), (2, 2));
        inboxes.on_members_changed(&members(&[1, 3]));
        assert_eq!((inboxes.early_events(), inboxes.early_bytes()), (1, 1));
        assert_eq!(publish(&mut inboxes, identity(3, 1), (0, 0), 9), "0 1");
        assert_eq!((inboxes.early_events(), inboxes.early_bytes()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Act {
        Offer,
        /// Retry, or give up, one of those that wait.
        Repeat(usize),
        GiveUp(usize),
        /// One of those on their way arrives, and may be on its way still.
        Arrive(usize, bool),
        Lose(usize),
        /// The receiver subscribes, or ceases to.
        Want(bool),
        RestartReceiver,
        RestartSender,
        /// The sender is removed, another is heard from, and the sender is taken in again.
        Return,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            6 => Just(Act::Offer),
            3 => any::<usize>().prop_map(Act::Repeat),
            1 => any::<usize>().prop_map(Act::GiveUp),
            12 => (any::<usize>(), any::<bool>()).prop_map(|(at, copy)| Act::Arrive(at, copy)),
            2 => any::<usize>().prop_map(Act::Lose),
            1 => any::<bool>().prop_map(Act::Want),
            1 => Just(Act::RestartReceiver),
            1 => Just(Act::RestartSender),
            1 => Just(Act::Return),
        ]
    }

    /// Two nodes and what is on its way between them. Events are counted: the payload is the number.
    struct Pair {
        links: Links<u64>,
        inboxes: Inboxes,
        /// The lives of sender and receiver.
        lives: (u32, u32),
        /// From which life to which, and what.
        on_its_way: Vec<((u32, u32), Parcel)>,
        waiting: BTreeMap<Sequence, u64>,
        wanted: bool,
        offered: u64,
        applied: u64,
        /// By the receiver's present life, and by any.
        delivered: Vec<u64>,
        ever: BTreeSet<u64>,
    }

    impl Pair {
        fn new() -> Self {
            Self {
                links: Links::new(&config()),
                inboxes: Inboxes::new(&config()),
                lives: (1, 1),
                on_its_way: Vec::new(),
                waiting: BTreeMap::new(),
                wanted: true,
                offered: 0,
                applied: 5,
                delivered: Vec::new(),
                ever: BTreeSet::new(),
            }
        }

        fn receiver(&self) -> Peer {
            identity(1, self.lives.1).peer
        }

        fn act(&mut self, act: &Act) {
            let chosen = |at: usize, len: usize| (len > 0).then(|| at % len);
            match act {
                Act::Offer => self.offer(),
                Act::Repeat(at) | Act::GiveUp(at) => {
                    let Some(at) = chosen(*at, self.waiting.len()) else { return };
                    let sequence = *self.waiting.keys().nth(at).expect("there are more");
                    if matches!(act, Act::Repeat(_)) {
                        self.links.repeat(self.receiver(), sequence);
                    } else {
                        self.waiting.remove(&sequence);
                        self.links.give_up(self.receiver(), sequence);
                    }
                }
                Act::Arrive(at, copy) => {
                    let Some(at) = chosen(*at, self.on_its_way.len()) else { return };
                    let (lives, parcel) = self.on_its_way[at].clone();
                    if !copy {
                        self.on_its_way.remove(at);
                    }
                    self.arrive(lives, parcel);
                }
                Act::Lose(at) => {
                    if let Some(at) = chosen(*at, self.on_its_way.len()) {
                        self.on_its_way.remove(at);
                    }
                }
                Act::Want(wanted) => self.wanted = *wanted,
                Act::RestartReceiver => {
                    self.lives.1 += 1;
                    self.inboxes = Inboxes::new(&config());
                    self.delivered.clear();
                    self.links.on_peer_started(self.receiver(), 0);
                }
                Act::RestartSender => {
                    self.lives.0 += 1;
                    self.links = Links::new(&config());
                    self.waiting.clear();
                }
                Act::Return => {
                    self.inboxes.forget_strangers(&members(&[1]));
                    self.applied += 1;
                }
            }
            let lives = self.lives;
            let due = self.links.take_due(|_| true).into_iter().map(|(_, parcel)| (lives, parcel));
            self.on_its_way.extend(due);
        }

        fn offer(&mut self) {
            self.offered += 1;
            self.applied += self.offered % 2;
            let offer = Offer {
                emitter: Name::new("e").expect("short"),
                event: Bytes::default(),
                payload: self.offered.to_be_bytes().as_slice().into(),
                as_of: Index::new(self.applied),
            };
            let sequence = self.links.offer(self.receiver(), self.offered, offer);
            self.waiting.insert(sequence, self.offered);
        }

        fn arrive(&mut self, (from, to): (u32, u32), parcel: Parcel) {
            match parcel {
                // The door knows for whom it is.
                Parcel::Publish { emitter, event, payload, sequence, lowest, as_of }
                    if to == self.lives.1 =>
                {
                    let number = event_of(&payload);
                    let offer = Offer { emitter, event, payload, as_of };
                    let (sender, members) = (identity(2, from), members(&[1, 2]));
                    let (numbers, wanted) = ((sequence, lowest), self.wanted);
                    let due = self.inboxes.on_publish(sender, numbers, offer, |_| wanted, &members);
                    for (answered, verdict) in due {
                        let delivered = match verdict {
                            Verdict::Deliver(offer) => {
                                self.deliver(event_of(&offer.payload));
                                true
                            }
                            Verdict::Answer { delivered } => {
                                let was = self.delivered.contains(&number);
                                assert!(answered != sequence || delivered == was, "{number}");
                                delivered
                            }
                        };
                        let reply = Parcel::PublishReply { sequence: answered, delivered };
                        self.on_its_way.push(((from, to), reply));
                    }
                }
                Parcel::PublishReply { sequence, delivered } if from == self.lives.0 => {
                    let by = self.links.answered(self.receiver(), sequence);
                    assert_eq!(by, self.waiting.remove(&sequence));
                    if let (Some(event), true) = (by, delivered) {
                        assert!(self.ever.contains(&event), "{event} was never delivered");
                    }
                }
                Parcel::Publish { .. } | Parcel::PublishReply { .. } | Parcel::Notify { .. } => {}
            }
        }

        fn deliver(&mut self, event: u64) {
            assert!(self.delivered.last().is_none_or(|last| *last < event), "{event} is late");
            self.delivered.push(event);
            self.ever.insert(event);
        }
    }

    fn event_of(payload: &Bytes) -> u64 {
        u64::from_be_bytes((**payload).try_into().expect("a number"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn each_event_is_delivered_at_most_once_in_order_and_before_its_answer(
            acts in prop::collection::vec(act(), 0..120),
        ) {
            let mut pair = Pair::new();
            for act in &acts {
                pair.act(act);
            }
            // From here on nothing is lost or forgotten: all that is offered is answered.
            pair.act(&Act::RestartReceiver);
            for _ in 0..=pair.waiting.len() {
                for at in 0..pair.waiting.len() {
                    pair.act(&Act::Repeat(at));
                }
                while !pair.on_its_way.is_empty() {
                    pair.act(&Act::Arrive(0, false));
                }
            }
            prop_assert_eq!((pair.links.len(), pair.waiting), (0, BTreeMap::new()));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_by_the_members() {
        let mut inboxes = Inboxes::new(&config());
        for id in 2..50 {
            let numbers = (Sequence::new(0), Sequence::new(0));
            let (offer, present) = (offer(1, 100 + id), members(&[1, id - 1, id]));
            let due = inboxes.on_publish(identity(id, 1), numbers, offer, |_| true, &present);
            assert_eq!(shown(due), "0");
            assert!(inboxes.boxes.len() <= 2);
        }
        assert_eq!(
            inboxes.boxes.keys().map(|peer| peer.id.get()).collect::<Vec<_>>(),
            vec![48, 49]
        );
    }
}

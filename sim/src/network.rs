//! The network: what becomes of a message between two endpoints.

use std::collections::BTreeMap;

use hamok::{Envelope, NodeId};

use crate::draw::{Draws, Stream};
use crate::observation::SimTime;
use crate::plan::Plan;
use crate::settings::Fault;

/// The network between nodes and clients.
#[derive(Debug, Default)]
pub(crate) struct Network {
    links: BTreeMap<Link, LinkState>,
    healed: bool,
}

/// A node or a client, as the network knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Endpoint(u64);

/// One direction between two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Link {
    pub(crate) from: Endpoint,
    pub(crate) to: Endpoint,
}

#[derive(Debug, Default)]
struct LinkState {
    sent: u64,
    /// How many faults cut it.
    cuts: u64,
    clogged_until: SimTime,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) arrives: Option<SimTime>,
    /// When a second copy arrives.
    pub(crate) again: Option<SimTime>,
    /// Decides how the bytes of the first copy are damaged.
    pub(crate) damage: Option<u64>,
    /// It is slow by a fault.
    pub(crate) delayed: bool,
    /// It is lost by a fault of its own, not since the link is cut.
    pub(crate) dropped: bool,
}

impl Network {
    /// Sends the next message over `link`.
    pub(crate) fn send(&mut self, plan: &Plan, draws: &Draws, now: SimTime, link: Link) -> Fate {
        let state = self.links.entry(link).or_default();
        let number = state.sent;
        state.sent += 1;
        if state.cuts > 0 {
            return Fate::default();
        }
        let key = link.key();
        let (low, high) = if self.healed { (100, 5_000) } else { plan.latency };
        let latency = draws.between(low, high, Stream::Latency, key, number);
        let mut fate = Fate { arrives: Some(now.plus(latency)), ..Fate::default() };
        if self.healed {
            return fate;
        }
        let strikes = |fault, stream| draws.chance(plan.intensity(fault), stream, key, number);
        if strikes(Fault::Delay, Stream::Delay) {
            let longer = draws.dice(Stream::Delay, key, number).magnitude(200_000, LONGEST);
            fate.arrives = Some(now.plus(longer));
            fate.delayed = true;
        }
        // A clogged link gives up what it held all at once, in no particular order.
        if state.clogged_until > now {
            fate.arrives = fate.arrives.max(Some(state.clogged_until.plus(latency)));
        }
        if strikes(Fault::Duplicate, Stream::Duplicate) {
            let longer = draws.dice(Stream::Duplicate, key, number).magnitude(1_000, LONGEST);
            fate.again = Some(now.plus(longer));
        }
        if strikes(Fault::Damage, Stream::Damage) {
            fate.damage = Some(draws.dice(Stream::Damage, key, number).raw());
        }
        if strikes(Fault::Drop, Stream::Drop) {
            fate.arrives = None;
            fate.dropped = true;
        }
        fate
    }

    /// What follows the message just sent over `link`, made from it by somebody who speaks the format,
    /// and after how long.
    pub(crate) fn forge(
        &self,
        plan: &Plan,
        draws: &Draws,
        link: Link,
        bytes: &[u8],
    ) -> Option<(u64, Vec<u8>)> {
        let number = self.links.get(&link)?.sent;
        if !draws.chance(plan.intensity(Fault::Forge), Stream::Forge, link.key(), number) {
            return None;
        }
        let mut dice = draws.dice(Stream::Forge, link.key(), number);
        let forged = (0..FORGERIES).map(|_| altered(bytes, &mut dice));
        let forged = forged.into_iter().find(|forged| Envelope::decode(forged).is_ok())?;
        Some((dice.magnitude(100, LONGEST), forged))
    }

    /// Whether nothing passes.
    pub(crate) fn is_cut(&self, link: Link) -> bool {
        self.links.get(&link).is_some_and(|state| state.cuts > 0)
    }

    pub(crate) fn cut(&mut self, links: &[Link]) {
        for &link in links {
            self.links.entry(link).or_default().cuts += 1;
        }
    }

    /// Undoes one [`cut`](Network::cut) of these links.
    pub(crate) fn join(&mut self, links: &[Link]) {
        for link in links {
            if let Some(state) = self.links.get_mut(link) {
                state.cuts = state.cuts.saturating_sub(1);
            }
        }
    }

    pub(crate) fn clog(&mut self, links: &[Link], until: SimTime) {
        for &link in links {
            let state = self.links.entry(link).or_default();
            state.clogged_until = state.clogged_until.max(until);
        }
    }

    /// Ends all faults, for good. Cuts made afterwards hold.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        for state in self.links.values_mut() {
            state.cuts = 0;
        }
    }
}

impl Endpoint {
    pub(crate) fn node(id: NodeId) -> Self {
        Self(id.get())
    }

    pub(crate) fn client(number: u64) -> Self {
        Self(FIRST_CLIENT + number)
    }
}

impl Link {
    pub(crate) fn new(from: Endpoint, to: Endpoint) -> Self {
        Self { from, to }
    }

    pub(crate) fn both_ways(a: Endpoint, b: Endpoint) -> [Self; 2] {
        [Self::new(a, b), Self::new(b, a)]
    }

    fn key(self) -> u64 {
        (self.from.0 << 32) | self.to.0
    }
}

/// Spoils a copy of `bytes`: cuts it short or flips some bits, as `damage` decides.
pub(crate) fn spoil(bytes: &[u8], damage: u64) -> Vec<u8> {
    let mut dice = Draws::new(damage, &[]).dice(Stream::Damage, 0, 0);
    let mut spoilt = bytes.to_vec();
    let place = |dice: &mut crate::draw::Dice, length: usize| {
        let last = (length as u64).saturating_sub(1);
        usize::try_from(dice.between(0, last)).expect("a position in memory fits")
    };
    if dice.chance(500_000) {
        spoilt.truncate(place(&mut dice, bytes.len()));
    } else {
        for _ in 0..dice.between(1, 4) {
            let at = place(&mut dice, bytes.len());
            if let Some(byte) = spoilt.get_mut(at) {
                *byte ^= 1 << dice.between(0, 7);
            }
        }
    }
    spoilt
}

/// A copy with some bytes replaced, those behind the addresses mostly.
fn altered(bytes: &[u8], dice: &mut crate::draw::Dice) -> Vec<u8> {
    let mut altered = bytes.to_vec();
    let last = (bytes.len() as u64).saturating_sub(1);
    for _ in 0..dice.between(1, 3) {
        let first = if dice.chance(800_000) { last.min(ADDRESSES) } else { 0 };
        let at = usize::try_from(dice.between(first, last)).expect("a position in memory fits");
        let small = u8::try_from(dice.between(0, 20)).expect("it is small");
        if let Some(byte) = altered.get_mut(at) {
            *byte = match dice.between(0, 3) {
                0 => small,
                1 => byte.wrapping_add(small),
                2 => byte.wrapping_sub(small),
                _ => byte.wrapping_add(1),
            };
        }
    }
    altered
}

/// How often a forger tries to make something that can be read.
const FORGERIES: u64 = 8;
/// About how many bytes of an envelope say whom it is from and for.
const ADDRESSES: u64 = 40;
/// Clients are numbered from here on, far above any node.
const FIRST_CLIENT: u64 = 1 << 20;
/// The longest a fault holds up one message.
const LONGEST: u64 = 30_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn link(from: u64, to: u64) -> Link {
        Link::new(Endpoint::node(NodeId::new(from)), Endpoint::node(NodeId::new(to)))
    }

    fn plan(faults: &[(Fault, u32)]) -> Plan {
        let mut settings = Settings::new();
        settings.profile = crate::settings::Profile::Calm;
        settings.faults.extend(faults.iter().copied());
        Plan::draw(&settings, 1)
    }

    fn fates(faults: &[(Fault, u32)], count: usize) -> Vec<Fate> {
        let (plan, draws) = (plan(faults), Draws::new(1, &[]));
        let mut network = Network::default();
        (0..count).map(|_| network.send(&plan, &draws, SimTime::ZERO, link(1, 2))).collect()
    }

    #[test]
    fn without_faults_all_arrives_once_and_soon() {
        for fate in fates(&[], 1000) {
            let at = fate.arrives.expect("it arrives").micros();
            assert!((500..=10_000).contains(&at), "{at}");
            assert_eq!((fate.again, fate.damage, fate.delayed), (None, None, false));
        }
    }

    #[test]
    fn taking_one_fault_away_leaves_the_rest_of_each_fate() {
        let both = fates(&[(Fault::Drop, 300_000), (Fault::Duplicate, 300_000)], 300);
        let one = fates(&[(Fault::Duplicate, 300_000)], 300);
        assert!(both.iter().any(|fate| fate.arrives.is_none()));
        assert!(both.iter().any(|fate| fate.again.is_some()));
        for (with, without) in both.iter().zip(&one) {
            assert_eq!(with.again, without.again);
            assert!(with.arrives.is_none() || with.arrives == without.arrives);
        }
    }

    #[test]
    fn cuts_add_up_and_heal() {
        let (plan, draws) = (plan(&[]), Draws::new(1, &[]));
        let mut network = Network::default();
        network.cut(&[link(1, 2), link(1, 3)]);
        network.cut(&[link(1, 2)]);
        network.join(&[link(1, 2), link(1, 3)]);
        assert!(network.is_cut(link(1, 2)) && !network.is_cut(link(2, 1)));
        assert!(!network.is_cut(link(1, 3)));
        assert_eq!(network.send(&plan, &draws, SimTime::ZERO, link(1, 2)), Fate::default());
        network.heal();
        assert!(!network.is_cut(link(1, 2)));
        network.cut(&[link(1, 2)]);
        assert!(network.is_cut(link(1, 2)));
    }

    #[test]
    fn a_clogged_link_floods_when_it_opens() {
        let (plan, draws) = (plan(&[]), Draws::new(1, &[]));
        let mut network = Network::default();
        let opens = SimTime::from_secs(3);
        network.clog(&[link(1, 2)], opens);
        for sent in [0, 1_000_000, 2_999_999] {
            let now = SimTime::from_micros(sent);
            let fate = network.send(&plan, &draws, now, link(1, 2));
            let late = fate.arrives.expect("it arrives").since(opens);
            assert!((500..=10_000).contains(&late), "{late}");
        }
    }

    #[test]
    fn spoilt_bytes_differ() {
        let bytes = [7_u8; 40];
        let kinds: Vec<Vec<u8>> = (0..100).map(|damage| spoil(&bytes, damage)).collect();
        assert!(kinds.iter().any(|spoilt| spoilt.len() < bytes.len()));
        assert!(kinds.iter().filter(|spoilt| spoilt.as_slice() == bytes).count() < 5);
    }
}

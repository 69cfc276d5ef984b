//! The faults that last: drawn second by second, each second and each kind on its own, so that taking
//! one out leaves the others where they are.

use hamok::NodeId;

use crate::clock::NOMINAL;
use crate::draw::{Dice, Draws, Stream};
use crate::network::{Endpoint, Link};
use crate::observation::SimTime;
use crate::plan::Plan;
use crate::settings::Fault;

/// A fault from its beginning to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strike {
    pub(crate) begins: SimTime,
    pub(crate) ends: SimTime,
    /// What it counts as; none for what is not a fault but part of the load.
    pub(crate) fault: Option<Fault>,
    pub(crate) trouble: Trouble,
}

/// What a fault does while it lasts, or when it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    Cut(Vec<Link>),
    /// Cuts whoever leads when it begins from the other nodes.
    IsolateLeader,
    Clog(Vec<Link>),
    Crash(Vec<NodeId>),
    /// Has a node stop, and takes it down as soon as it has.
    Stop(NodeId),
    /// Takes a node down and its disk away.
    Wipe(NodeId),
    /// Starts a node again with the next version.
    Upgrade(NodeId),
    /// Somebody asks for a change of the members, or of the leader; whom it concerns is decided when
    /// it begins, by these dice.
    Churn(Churn, Dice),
    Pause {
        node: NodeId,
        kind: PauseKind,
    },
    SlowDisk(NodeId),
    DiskBurst(NodeId),
    Drift {
        node: NodeId,
        rate: u64,
    },
    ClockStall(NodeId),
    ClockJump {
        node: NodeId,
        by: u64,
    },
    Quiet,
    Burst,
}

/// What is asked of the group concerning itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Churn {
    Remove,
    Add,
    Transfer,
}

/// What a paused node finds when it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PauseKind {
    /// Messages are lost meanwhile, instead of piling up.
    pub(crate) deaf: bool,
    /// Its clock did not see the pause: it is not told the ticks it slept through.
    pub(crate) timeless: bool,
}

/// The length of the time for which faults are drawn together.
pub(crate) const WINDOW: u64 = 1_000_000;

/// Everything that begins in the `window`-th second.
pub(crate) fn strikes(plan: &Plan, draws: &Draws, window: u64) -> Vec<Strike> {
    let mut drawing = Drawing { plan, draws, window, strikes: Vec::new() };
    drawing.network();
    drawing.nodes();
    drawing.members();
    drawing.load();
    drawing.strikes
}

struct Drawing<'a> {
    plan: &'a Plan,
    draws: &'a Draws,
    window: u64,
    strikes: Vec<Strike>,
}

impl Drawing<'_> {
    fn network(&mut self) {
        let ids: Vec<NodeId> = self.plan.node_ids().collect();
        let clients = self.plan.clients;
        self.draw(Fault::Partition, Stream::Partition, 0, |dice| {
            Trouble::Cut(partition(&ids, clients, dice))
        });
        self.draw(Fault::IsolateLeader, Stream::IsolateLeader, 0, |_| Trouble::IsolateLeader);
        self.draw(Fault::OneWay, Stream::OneWay, 0, |dice| {
            let all = pairs(&ids).flat_map(|(a, b)| Link::both_ways(a, b));
            Trouble::Cut(all.filter(|_| dice.chance(250_000)).collect())
        });
        self.draw(Fault::PartialMesh, Stream::PartialMesh, 0, |dice| {
            let some: Vec<_> = pairs(&ids).filter(|_| dice.chance(400_000)).collect();
            Trouble::Cut(some.into_iter().flat_map(|(a, b)| Link::both_ways(a, b)).collect())
        });
        self.draw(Fault::Clog, Stream::Clog, 0, |dice| {
            let node = Endpoint::node(*dice.pick(&ids));
            let outwards = dice.chance(500_000);
            let inwards = !outwards || dice.chance(500_000);
            let links = others(&ids, node).flat_map(|other| Link::both_ways(node, other));
            Trouble::Clog(
                links.filter(|l| if l.from == node { outwards } else { inwards }).collect(),
            )
        });
        for client in 1..=clients {
            self.draw(Fault::ClientCut, Stream::ClientCut, client, |dice| {
                let some: Vec<_> = ids.iter().filter(|_| dice.chance(600_000)).collect();
                let cut = some
                    .into_iter()
                    .flat_map(|&id| Link::both_ways(Endpoint::client(client), Endpoint::node(id)));
                let both = dice.chance(500_000);
                // A reply that is lost is not the same as a request that is.
                Trouble::Cut(
                    cut.filter(|link| both || link.to == Endpoint::client(client)).collect(),
                )
            });
        }
        self.flap(&ids);
    }

    fn nodes(&mut self) {
        let ids: Vec<NodeId> = self.plan.node_ids().collect();
        self.draw(Fault::CrashAll, Stream::CrashAll, 0, |_| Trouble::Crash(ids.clone()));
        for node in ids {
            let key = node.get();
            self.draw(Fault::Crash, Stream::Crash, key, |_| Trouble::Crash(vec![node]));
            self.draw(Fault::Stop, Stream::Stop, key, |_| Trouble::Stop(node));
            self.draw(Fault::Pause, Stream::Pause, key, |dice| Trouble::Pause {
                node,
                kind: PauseKind { deaf: dice.chance(300_000), timeless: dice.chance(300_000) },
            });
            self.draw(Fault::SlowDisk, Stream::SlowDisk, key, |_| Trouble::SlowDisk(node));
            self.draw(Fault::DiskBurst, Stream::DiskBurst, key, |_| Trouble::DiskBurst(node));
            self.draw(Fault::Drift, Stream::Drift, key, |dice| Trouble::Drift {
                node,
                rate: dice.between(NOMINAL / 3, NOMINAL * 3),
            });
            self.draw(Fault::ClockStall, Stream::ClockStall, key, |_| Trouble::ClockStall(node));
            let longest = self.plan.longest_fault;
            self.draw(Fault::ClockJump, Stream::ClockJump, key, |dice| Trouble::ClockJump {
                node,
                by: dice.magnitude(50_000, longest),
            });
        }
    }

    fn members(&mut self) {
        for (fault, stream, churn) in [
            (Fault::RemoveNode, Stream::RemoveNode, Churn::Remove),
            (Fault::AddNode, Stream::AddNode, Churn::Add),
            (Fault::Transfer, Stream::Transfer, Churn::Transfer),
        ] {
            self.draw(fault, stream, 0, |dice| Trouble::Churn(churn, dice.clone()));
        }
        for node in self.plan.node_ids() {
            self.draw(Fault::Wipe, Stream::Wipe, node.get(), |_| Trouble::Wipe(node));
            let due = self.draws.between(1, LAST_UPGRADE, Stream::Upgrade, node.get(), 0);
            if self.plan.upgrades && due == self.window {
                let begins = SimTime::from_micros(self.window * WINDOW);
                let ends = begins.plus(UPGRADE_TAKES);
                let trouble = Trouble::Upgrade(node);
                self.strikes.push(Strike { begins, ends, fault: None, trouble });
            }
        }
    }

    fn load(&mut self) {
        let load = self.plan.load;
        for (ppm, stream, trouble) in [
            (load.quiet, Stream::Quiet, Trouble::Quiet),
            (load.burst, Stream::Burst, Trouble::Burst),
        ] {
            if let Some((begins, ends, _)) = self.times(ppm, stream, 0) {
                self.strikes.push(Strike { begins, ends, fault: None, trouble });
            }
        }
    }

    /// A node's links go down and up again, down about half of the time.
    fn flap(&mut self, ids: &[NodeId]) {
        let intensity = self.plan.intensity(Fault::Flap);
        let Some((begins, ends, mut dice)) = self.times(intensity, Stream::Flap, 0) else { return };
        let node = Endpoint::node(*dice.pick(ids));
        let links: Vec<Link> =
            others(ids, node).flat_map(|other| Link::both_ways(node, other)).collect();
        let mut down = begins;
        while down < ends {
            let up = down.plus(dice.magnitude(5_000, 500_000));
            let trouble = Trouble::Cut(links.clone());
            self.strikes.push(Strike { begins: down, ends: up, fault: Some(Fault::Flap), trouble });
            down = up.plus(dice.magnitude(5_000, 500_000));
        }
    }

    fn draw(
        &mut self,
        fault: Fault,
        stream: Stream,
        key: u64,
        trouble: impl FnOnce(&mut Dice) -> Trouble,
    ) {
        if let Some((begins, ends, mut dice)) = self.times(self.plan.intensity(fault), stream, key)
        {
            let trouble = trouble(&mut dice);
            self.strikes.push(Strike { begins, ends, fault: Some(fault), trouble });
        }
    }

    /// When it begins and ends, if it strikes at all, and dice for its details.
    fn times(&self, ppm: u32, stream: Stream, key: u64) -> Option<(SimTime, SimTime, Dice)> {
        if !self.draws.chance(ppm, stream, key, self.window) {
            return None;
        }
        let mut dice = self.draws.dice(stream, key, self.window);
        let begins = SimTime::from_micros(self.window * WINDOW + dice.between(0, WINDOW - 1));
        let ends = begins.plus(dice.magnitude(SHORTEST, self.plan.longest_fault));
        Some((begins, ends, dice))
    }
}

/// Puts every node and every client on one of two sides that do not hear each other.
fn partition(ids: &[NodeId], clients: u64, dice: &mut Dice) -> Vec<Link> {
    let mut sides: Vec<(Endpoint, bool)> = Vec::new();
    let lonely = dice.chance(400_000).then(|| *dice.pick(ids));
    for &id in ids {
        let chance = dice.chance(500_000);
        sides.push((Endpoint::node(id), lonely.map_or(chance, |lonely| lonely == id)));
    }
    for client in 1..=clients {
        sides.push((Endpoint::client(client), dice.chance(500_000)));
    }
    let mut links = Vec::new();
    for (place, &(a, side)) in sides.iter().enumerate() {
        for &(b, other) in &sides[place + 1..] {
            if side != other {
                links.extend(Link::both_ways(a, b));
            }
        }
    }
    links
}

/// Every two nodes, once.
fn pairs(ids: &[NodeId]) -> impl Iterator<Item = (Endpoint, Endpoint)> + '_ {
    ids.iter().enumerate().flat_map(move |(place, &a)| {
        ids[place + 1..].iter().map(move |&b| (Endpoint::node(a), Endpoint::node(b)))
    })
}

pub(crate) fn others(ids: &[NodeId], node: Endpoint) -> impl Iterator<Item = Endpoint> + '_ {
    ids.iter().map(|&id| Endpoint::node(id)).filter(move |&other| other != node)
}

/// The window in which the last node goes over to the next version, if not before.
const LAST_UPGRADE: u64 = 45;
/// How long that takes.
const UPGRADE_TAKES: u64 = 500_000;
/// The shortest a fault that lasts may last.
const SHORTEST: u64 = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Profile, Settings};

    fn all(settings: &Settings, seed: u64) -> Vec<Strike> {
        let (plan, draws) = (Plan::draw(settings, seed), Draws::new(seed, &[]));
        (0..300).flat_map(|window| strikes(&plan, &draws, window)).collect()
    }

    fn of(profile: Profile) -> Settings {
        Settings { profile, nodes: Some(5), ..Settings::new() }
    }

    #[test]
    fn a_calm_run_has_no_faults_and_a_storm_has_all() {
        assert!(all(&of(Profile::Calm), 1).iter().all(|strike| strike.fault.is_none()));
        let stormy = all(&of(Profile::Radioactive), 1);
        for fault in Fault::ALL {
            let lasting = fault.counted().starts_with("Seconds");
            assert_eq!(stormy.iter().any(|strike| strike.fault == Some(fault)), lasting, "{fault}");
        }
    }

    #[test]
    fn taking_one_kind_out_leaves_the_others() {
        let mut settings = of(Profile::Storm);
        let with = all(&settings, 3);
        settings.faults.insert(Fault::Partition, 0);
        let without = all(&settings, 3);
        let rest: Vec<_> =
            with.into_iter().filter(|strike| strike.fault != Some(Fault::Partition)).collect();
        assert_eq!(rest, without);
    }

    #[test]
    fn faults_last_as_long_as_planned() {
        let settings = of(Profile::Radioactive);
        let longest = Plan::draw(&settings, 1).longest_fault;
        for strike in all(&settings, 1) {
            let length = strike.ends.since(strike.begins);
            assert!(length > 0 && length <= longest, "{strike:?}");
        }
    }
}

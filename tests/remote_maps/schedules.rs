//! Random schedules: calls that are late, lost, or made by the dead, and leaders that come and go.

use std::collections::BTreeSet;

use hamok::{Failure, Index, NotExecuted, RemoteCall, RemoteResult, RemoteWork, Ticks, Unknown};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::group::{Asked, Group};
use crate::{USERS, fence, set, text};

#[derive(Clone, Debug)]
enum Act {
    /// Sets the one key to a value that nobody else gives it.
    Set(usize),
    Read(usize),
    Run(u64),
    /// A call reaches the store, and its answer the node.
    Perform(usize),
    /// A call reaches the store, and its answer does not come back.
    LoseAnswer(usize),
    /// A call does not reach the store.
    LoseCall(usize),
    /// A call is given up by whoever made it, and is still on its way to the store.
    GiveUp(usize),
    /// A call that was given up reaches the store.
    Linger(usize),
    Adopt(usize),
    Kill(usize),
    Restore(usize),
    Isolate(usize),
    Heal,
}

fn act() -> impl Strategy<Value = Act> {
    let node = || 0..3_usize;
    let call = || 0..8_usize;
    prop_oneof![
        6 => node().prop_map(Act::Set),
        2 => node().prop_map(Act::Read),
        8 => (1..12_u64).prop_map(Act::Run),
        6 => call().prop_map(Act::Perform),
        2 => call().prop_map(Act::LoseAnswer),
        2 => call().prop_map(Act::LoseCall),
        3 => call().prop_map(Act::GiveUp),
        3 => call().prop_map(Act::Linger),
        4 => node().prop_map(Act::Adopt),
        1 => node().prop_map(Act::Kill),
        3 => node().prop_map(Act::Restore),
        1 => node().prop_map(Act::Isolate),
        2 => Just(Act::Heal),
    ]
}

/// A schedule under way.
struct Run {
    group: Group,
    /// Calls of nodes, each with the life that made it.
    calls: Vec<(usize, u64, RemoteCall)>,
    /// Calls that nobody waits for.
    lingering: Vec<RemoteCall>,
    sets: Vec<(String, Asked<Option<String>>)>,
    reads: Vec<Asked<Option<String>>>,
}

impl Run {
    fn new() -> Self {
        let mut group = Group::new(3, |config| {
            config.request_timeout = Ticks::new(40);
            (config.max_log_entries, config.trailing_log_bytes) = (20, 0);
            config.max_remote_retry = Ticks::new(8);
        });
        group.at_once = false;
        Self {
            group,
            calls: Vec::new(),
            lingering: Vec::new(),
            sets: Vec::new(),
            reads: Vec::new(),
        }
    }

    fn act(&mut self, act: &Act) {
        let group = &mut self.group;
        match *act {
            Act::Set(at) if group.is_up(at) => {
                let value = self.sets.len().to_string();
                let asked = group.ask(at, set("k", &value));
                self.sets.push((value, asked));
            }
            Act::Read(at) if group.is_up(at) => {
                let asked = group.ask(at, USERS.read(&text("k")).expect("text encodes"));
                self.reads.push(asked);
            }
            Act::Run(ticks) => group.run(ticks),
            Act::Perform(nth) => self.with_call(nth, |run, at, life, call| {
                let result = run.group.store.perform(&call);
                run.answer(at, life, &call, result);
            }),
            Act::LoseAnswer(nth) => self.with_call(nth, |run, at, life, call| {
                run.group.store.perform(&call);
                run.answer(at, life, &call, RemoteResult::Unanswered);
            }),
            Act::LoseCall(nth) => self.with_call(nth, |run, at, life, call| {
                run.answer(at, life, &call, RemoteResult::Unanswered);
            }),
            Act::GiveUp(nth) => self.with_call(nth, |run, at, life, call| {
                run.answer(at, life, &call, RemoteResult::Unanswered);
                run.lingering.push(call);
            }),
            Act::Linger(nth) if nth < self.lingering.len() => {
                group.store.perform(&self.lingering.remove(nth));
            }
            Act::Adopt(at) if group.is_up(at) => drop(group.ask(at, USERS.adopt())),
            Act::Kill(at) if group.is_up(at) => group.kill(at),
            Act::Restore(at) if !group.is_up(at) => group.restore(at),
            Act::Isolate(at) => group.isolate(at),
            Act::Heal => group.heal(),
            Act::Set(_)
            | Act::Read(_)
            | Act::Kill(_)
            | Act::Restore(_)
            | Act::Linger(_)
            | Act::Adopt(_) => {}
        }
        self.collect();
    }

    fn with_call(&mut self, nth: usize, work: impl FnOnce(&mut Self, usize, u64, RemoteCall)) {
        if nth < self.calls.len() {
            let (at, life, call) = self.calls.remove(nth);
            work(self, at, life, call);
        }
    }

    /// Answers the one who called, if it still is.
    fn answer(&mut self, at: usize, life: u64, call: &RemoteCall, result: RemoteResult) {
        if self.group.is_up(at) && self.group.life(at) == life {
            self.group.answer(at, call, result);
        }
    }

    /// Takes up the calls that were made, and checks that no node has two operations under way in a term.
    fn collect(&mut self) {
        for (at, call) in std::mem::take(&mut self.group.calls) {
            self.calls.push((at, self.group.life(at), call));
        }
        let terms = self.calls.iter().filter_map(|(at, life, call)| match call.work() {
            RemoteWork::Execute { fence, .. } => Some((*at, *life, fence.term)),
            RemoteWork::Read(_) | _ => None,
        });
        let terms: Vec<_> = terms.collect();
        let apart: BTreeSet<_> = terms.iter().collect();
        assert_eq!(apart.len(), terms.len(), "two are under way: {terms:?}");
        for at in (0..3).filter(|&at| self.group.is_up(at)) {
            let life = self.group.life(at);
            let held = self.calls.iter().filter(|call| (call.0, call.1) == (at, life)).count();
            assert_eq!(self.group.status(at).load.remote_calls, held as u64);
        }
    }

    /// All is well again, and whatever is left to do is done.
    fn recover(&mut self) {
        self.group.heal();
        for at in 0..3 {
            if !self.group.is_up(at) {
                self.group.restore(at);
            }
        }
        for _ in 0..200 {
            self.collect();
            while !self.calls.is_empty() {
                self.act(&Act::Perform(0));
            }
            self.group.run(2);
        }
        while !self.lingering.is_empty() {
            self.act(&Act::Linger(0));
        }
    }
}

proptest! {
    // Fixed schedules: for others, give another seed or more cases.
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn each_operation_takes_effect_once_and_reports_it(acts in prop::collection::vec(act(), 1..120)) {
        let mut run = Run::new();
        acts.iter().for_each(|act| run.act(act));
        run.recover();
        let group = &mut run.group;
        for at in 0..3 {
            let view = group.node(at).remote_map(&USERS);
            prop_assert_eq!(view.queued(), 0);
            let last = group.store.executed.keys().last().copied().unwrap_or(Index::ZERO);
            prop_assert_eq!(view.executed(), last);
            prop_assert_eq!(group.status(at).load.remote_calls, 0);
        }
        prop_assert!(group.store.executed.values().all(|times| *times == 1));
        // Each value is the previous one of one set at most.
        let mut previous = BTreeSet::new();
        for (value, asked) in &run.sets {
            match group.redeem(asked) {
                Some(Ok(before)) => {
                    prop_assert!(before.as_ref() != Some(value));
                    prop_assert!(previous.insert(before));
                }
                // Its node was killed, or could not tell.
                None | Some(Err(Failure::NotExecuted(_) | Failure::Unknown(_))) => {}
                Some(Err(failure)) => panic!("{failure}"),
            }
        }
        for asked in &run.reads {
            let result = group.redeem(asked);
            let unknown = matches!(result, Some(Err(Failure::Unknown(Unknown::TimedOut))));
            prop_assert!(!unknown, "a read has no effect");
            if let Some(Err(failure)) = result {
                let expected = [NotExecuted::StoreSilent, NotExecuted::NoLeader];
                prop_assert!(expected.map(Failure::NotExecuted).contains(&failure), "{}", failure);
            }
        }
    }

    #[test]
    fn many_ticks_are_that_many_single_ones(
        acts in prop::collection::vec((0..6_u8, 1..40_u64), 1..40),
    ) {
        let mut groups = [Group::new(1, |_| {}), Group::new(1, |_| {})];
        groups.iter_mut().for_each(|group| group.at_once = false);
        for (what, ticks) in acts {
            for group in &mut groups {
                match what {
                    0 => drop(group.ask(0, set("k", "1"))),
                    1 => drop(group.ask(0, USERS.read_len())),
                    2 => drop(group.ask(0, USERS.len())),
                    3 if !group.calls.is_empty() => group.perform(),
                    4 if !group.calls.is_empty() => {
                        let (at, call) = group.calls.pop_front().expect("one");
                        group.answer(at, &call, RemoteResult::Unanswered);
                    }
                    _ => {}
                }
            }
            groups[0].tick(0, ticks);
            (0..ticks).for_each(|_| groups[1].tick(0, 1));
            let [together, one_by_one] = &groups;
            prop_assert_eq!(&together.calls, &one_by_one.calls);
            prop_assert_eq!(together.status(0), one_by_one.status(0));
            prop_assert_eq!(&together.events, &one_by_one.events);
        }
    }
}

#[test]
fn an_idle_node_says_when_it_will_call_again() {
    let mut group = Group::new(1, |config| config.remote_retry = Ticks::new(7));
    group.at_once = false;
    group.ask(0, USERS.len());
    let (at, call) = group.only_call();
    group.answer(at, &call, RemoteResult::Unanswered);
    let mut waited = 0;
    while group.calls.is_empty() {
        let ticks = group.node(0).idle_ticks().get();
        assert!((1..=7).contains(&ticks), "{ticks}");
        waited += ticks;
        group.tick(0, ticks);
    }
    assert_eq!(waited, 7);
    let (_, again) = group.only_call();
    assert_eq!(again.work(), call.work());
    assert!(matches!(again.work(), RemoteWork::Read(_)));
    group.ask(0, set("k", "1"));
    let (at, call) = group.only_call();
    group.answer(at, &call, RemoteResult::Unanswered);
    while group.calls.is_empty() {
        let ticks = group.node(0).idle_ticks().get();
        group.tick(0, ticks);
    }
    assert_eq!(fence(&group.calls[0].1), fence(&call));
}

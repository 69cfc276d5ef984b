//! One run, from what it is to do to what came of it.

use std::io::{self, Write};

use crate::checker;
use crate::clients::Clients;
use crate::counts::Counts;
use crate::draw::{Draws, Override};
use crate::history::History;
use crate::linearizability::{Verdict, search};
use crate::observation::{Checker, Moment, SimTime, Violation};
use crate::plan::Plan;
use crate::settings::{Fault, Profile, Settings};
use crate::tally::Tally;
use crate::transcript::Transcript;
use crate::workload::Workload;
use crate::world::{Ended, World};

/// A run to come: simulated nodes, faults and checkers around a workload.
///
/// All of it follows from the seed and what is set here; [`Report::trace_hash`] tells whether two
/// runs did the same.
///
/// ```
/// use hamok::{Map, NodeId, Reply};
/// use hamok_sim::{Context, Profile, Simulation, Workload};
///
/// const SCORES: Map<String, u64> = Map::new("scores");
///
/// /// One client that counts to twenty, and is told whenever that worked.
/// #[derive(Default)]
/// struct Counting {
///     asked: u64,
///     done: u64,
/// }
///
/// impl Counting {
///     fn ask(&mut self, context: &mut Context<'_>) {
///         if self.asked < 20 {
///             self.asked += 1;
///             let call = SCORES.set(&"alice".to_owned(), &self.asked).expect("it encodes");
///             let node = NodeId::new(1 + context.draw(0, self.asked) % context.plan().nodes);
///             context.request(1, self.asked, node, call.into_parts().0);
///             context.timer(1, 0, 100_000);
///         }
///     }
/// }
///
/// impl Workload for Counting {
///     fn on_start(&mut self, context: &mut Context<'_>) {
///         context.timer(1, 0, 10_000_000);
///     }
///
///     fn on_timer(&mut self, context: &mut Context<'_>, _client: u64, _token: u64) {
///         self.ask(context);
///     }
///
///     fn on_reply(&mut self, _: &mut Context<'_>, _client: u64, _token: u64, reply: Reply) {
///         self.done += u64::from(matches!(reply.outcome(), hamok::Outcome::Done { .. }));
///     }
/// }
///
/// let mut counting = Counting::default();
/// let report = Simulation::new(42).profile(Profile::Calm).nodes(3).run(&mut counting);
/// assert!(report.passed(), "{report}");
/// assert_eq!(counting.done, 20);
/// ```
#[derive(Clone, Debug)]
pub struct Simulation {
    seed: u64,
    settings: Settings,
    plan: Option<Plan>,
    overrides: Vec<Override>,
}

/// What came of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What the run did.
    pub plan: Plan,
    /// Draws that were not those of the seed.
    pub overrides: Vec<Override>,
    /// How it ended.
    pub verdict: RunVerdict,
    /// When it ended.
    pub ended: Moment,
    /// The hash of all inputs, outputs and state digests, in order.
    pub trace_hash: u64,
    /// What happened.
    pub counts: Counts,
    /// The codes of the checkers that watched.
    pub checks: Vec<&'static str>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunVerdict {
    /// Nothing was found.
    Passed,
    /// An invariant was broken.
    Violated(Violation),
    /// A budget ran out before it could be told; in words, which.
    Unknown(String),
}

impl Simulation {
    /// A run of this seed with the default [`Settings`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, settings: Settings::new(), plan: None, overrides: Vec::new() }
    }

    /// Takes all settings at once.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Takes the intensities of faults from this profile.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.settings.profile = profile;
        self
    }

    /// With so many nodes, at least one.
    #[must_use]
    pub fn nodes(mut self, nodes: u64) -> Self {
        self.settings.nodes = Some(nodes.max(1));
        self
    }

    /// With so many clients.
    #[must_use]
    pub fn clients(mut self, clients: u64) -> Self {
        self.settings.clients = Some(clients);
        self
    }

    /// With a safety phase of at least so long.
    #[must_use]
    pub fn time(mut self, time: SimTime) -> Self {
        self.settings.time = time;
        self
    }

    /// Lets a fault strike so many times in a million.
    #[must_use]
    pub fn fault(mut self, fault: Fault, ppm: u32) -> Self {
        self.settings.faults.insert(fault, ppm);
        self
    }

    /// Does what the plan says, whatever the settings are.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Replaces single draws.
    #[must_use]
    pub fn overrides(mut self, overrides: Vec<Override>) -> Self {
        self.overrides = overrides;
        self
    }

    /// Runs with the simulator's own clients, and checks their history for linearizability.
    #[must_use]
    pub fn run_clients(self) -> (Report, Clients) {
        let mut clients = Clients::new();
        let report = self.run(&mut clients);
        (report, clients)
    }

    /// Like [`run_clients`](Simulation::run_clients), but writes down every step that does something.
    ///
    /// # Errors
    /// Those of `writer`, once the run is over.
    pub fn run_clients_aloud(self, writer: impl Write + 'static) -> io::Result<(Report, Clients)> {
        let mut clients = Clients::new();
        let transcript = Transcript::new(Box::new(writer));
        let checkers = self.checkers();
        let (report, transcript) = self.go(&mut clients, checkers, Some(transcript));
        transcript.map_or(Ok(()), Transcript::finish)?;
        Ok((report, clients))
    }

    /// Runs with a workload, under all checkers.
    pub fn run(self, workload: &mut dyn Workload) -> Report {
        let checkers = self.checkers();
        self.run_checked(workload, checkers)
    }

    /// Those that hold in such a run.
    fn checkers(&self) -> Vec<Box<dyn Checker>> {
        if self.planned().is_hostile() { checker::of_hostile_runs() } else { checker::all() }
    }

    fn planned(&self) -> Plan {
        self.plan.clone().unwrap_or_else(|| Plan::draw(&self.settings, self.seed))
    }

    /// Runs with a workload, under these checkers only.
    pub fn run_checked(
        self,
        workload: &mut dyn Workload,
        checkers: Vec<Box<dyn Checker>>,
    ) -> Report {
        self.go(workload, checkers, None).0
    }

    fn go(
        self,
        workload: &mut dyn Workload,
        checkers: Vec<Box<dyn Checker>>,
        transcript: Option<Transcript>,
    ) -> (Report, Option<Transcript>) {
        let plan = self.planned();
        let Self { seed, overrides, .. } = self;
        let checks = checkers.iter().map(|checker| checker.code()).collect();
        let mut world = World::new(plan.clone(), Draws::new(seed, &overrides), checkers);
        world.transcript = transcript;
        let ended = world.run(workload);
        let mut moment = world.moment();
        let verdict = match ended {
            Ended::Violated(violation, when) => {
                moment = when;
                RunVerdict::Violated(violation)
            }
            Ended::Exhausted => RunVerdict::Unknown("the run took too many steps".to_owned()),
            Ended::Whole | Ended::Steps if plan.is_hostile() => RunVerdict::Passed,
            Ended::Whole | Ended::Steps => linearizable(workload.history(), plan.search_steps),
        };
        let report = Report {
            seed,
            overrides,
            verdict,
            ended: moment,
            trace_hash: world.trace.digest(),
            counts: world.counts,
            checks,
            plan,
        };
        (report, world.transcript)
    }
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == RunVerdict::Passed
    }

    /// Whether the run did too little to count: less time or fewer operations than were asked for,
    /// or a safety phase of less than ten of the longest election time-outs.
    #[must_use]
    pub fn is_thin(&self, tally: &Tally) -> bool {
        let least = self.plan.time.micros().max(10 * self.plan.longest_election());
        tally.total.begun < self.plan.operations || self.ended.at.micros() < least
    }
}

/// What the black-box search says of a history.
fn linearizable(history: Option<&History>, steps: u64) -> RunVerdict {
    match history.map(|history| search(history, steps)) {
        None | Some(Verdict::Linearizable) => RunVerdict::Passed,
        Some(Verdict::Violation(text)) => RunVerdict::Violated(Violation::new("RL", None, text)),
        Some(Verdict::Unknown(text)) => RunVerdict::Unknown(text),
    }
}

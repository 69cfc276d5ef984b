//! The black box: looks for an order of the calls that explains what clients saw.
//!
//! The search of Wing and Gong (1993) with the state cache of Lowe (2017), one part of the history
//! at a time. From the empty collection on, it appends to the order some call that began before any of
//! those left out had ended, and goes back when the model then answers otherwise than the client was
//! told. Reaching the same state with the same set of calls a second time is a dead end.
//!
//! Log positions, where they are known, decide what is tried first, and nothing else: no order is
//! left out because of them.
//!
//! # What need not be tried
//!
//! A call of unknown outcome may come anywhere after its beginning, or not at all. If there is any
//! order that explains the history, there is one with as few such calls as possible, among those one
//! in which they come as late as possible, and among those one in which neighbours stand in the order
//! in which they began where that makes no difference. It suffices to find that one, and so after
//! such a call nothing needs to be tried
//!
//! - that leads to the same state without it: then it could be left out;
//! - that was told its outcome and could as well come before it: then it could come later;
//! - that is of unknown outcome too, began earlier, and could as well come before it.
//!
//! What it makes of the next call depends on the state before it, which therefore belongs to what is
//! kept in the cache. The cache holds fingerprints of 128 bits; that two of them are the same by
//! chance is less likely than a fault of the machine.

use std::collections::BTreeSet;
use std::hash::Hash;

use xxhash_rust::xxh3::Xxh3;

use super::Verdict;
use super::model::{Change, State};
use super::needs::Needs;
use super::partition::{Piece, partitions};
use crate::history::{Call, CallOutcome, History};

/// Judges a history by what clients saw; `steps` bounds the tries over all of its parts.
#[must_use]
pub fn search(history: &History, steps: u64) -> Verdict {
    search_calls(&history.calls(), steps)
}

/// Judges some of the calls of a history.
pub(super) fn search_calls(calls: &[Call<'_>], steps: u64) -> Verdict {
    let mut left = steps;
    for part in partitions(calls) {
        let mut search = Search::new(&part);
        match search.run(&mut left) {
            Found::Order => {}
            Found::None => return Verdict::Violation(search.deepest.explain(&part)),
            Found::OutOfBudget => {
                let first = &part[0].call;
                return Verdict::Unknown(format!(
                    "{steps} steps were not enough for the {} calls on the same as {first}",
                    part.len(),
                ));
            }
        }
    }
    Verdict::Linearizable
}

struct Search<'a> {
    pieces: &'a [Piece<'a>],
    order: Order,
    needs: Needs<'a>,
    path: Vec<Frame<'a>>,
    /// Completed calls not in the order yet.
    missing: usize,
    tried: BTreeSet<u128>,
    deepest: Deepest<'a>,
}

/// One call of the order, and what may come after it.
struct Frame<'a> {
    /// Which call; none at the root.
    piece: Option<usize>,
    state: State<'a>,
    /// What may come next, the most promising last.
    next: Vec<usize>,
}

enum Found {
    Order,
    None,
    OutOfBudget,
}

impl<'a> Search<'a> {
    fn new(pieces: &'a [Piece<'a>]) -> Self {
        let mut search = Self {
            pieces,
            order: Order::new(pieces.len()),
            needs: Needs::new(pieces),
            path: Vec::new(),
            missing: pieces.iter().filter(|piece| piece.result.is_some()).count(),
            tried: BTreeSet::new(),
            deepest: Deepest::default(),
        };
        let model = pieces.first().expect("a part holds a call").operation.model();
        search.descend(None, State::empty(model));
        search
    }

    fn run(&mut self, left: &mut u64) -> Found {
        while self.missing > 0 {
            let Some(frame) = self.path.last_mut() else { return Found::None };
            let Some(piece) = frame.next.pop() else {
                self.ascend();
                continue;
            };
            if *left == 0 {
                return Found::OutOfBudget;
            }
            *left -= 1;
            if let Some(state) = self.next_state(piece)
                && self.is_new(piece, &state)
            {
                self.descend(Some(piece), state);
            }
        }
        Found::Order
    }

    /// The state after one more call, if that call may come next and needs to be tried.
    fn next_state(&self, piece: usize) -> Option<State<'a>> {
        let last = self.path.last()?;
        let mut state = last.state.clone();
        let mut barred = false;
        let fits = run(&self.pieces[piece], &mut state, |change| {
            barred = barred || self.needs.bars(piece, &last.state, change);
        });
        let needed = || self.unknown_before().is_none_or(|before| before.is_needed(piece, &state));
        (fits && !barred && needed()).then_some(state)
    }

    /// The last call, if its outcome is unknown.
    fn unknown_before(&self) -> Option<UnknownBefore<'_, 'a>> {
        let [.., parent, last] = self.path.as_slice() else { return None };
        let piece = last.piece.filter(|&piece| self.pieces[piece].result.is_none())?;
        Some(UnknownBefore { pieces: self.pieces, piece, before: &parent.state })
    }

    /// Notes that the order comes to this call and this state; tells whether it never did before.
    fn is_new(&mut self, piece: usize, state: &State<'a>) -> bool {
        let mut set = self.order.taken.clone();
        set[piece / 64] |= 1 << (piece % 64);
        let before = self.path.last().map(|last| &last.state);
        let unknown = self.pieces[piece].result.is_none();
        let mut hasher = Xxh3::new();
        (set, state, unknown.then_some((piece, before))).hash(&mut hasher);
        self.tried.insert(hasher.digest128())
    }

    fn descend(&mut self, piece: Option<usize>, state: State<'a>) {
        if let Some(piece) = piece {
            self.order.take(piece);
            self.needs.take(piece);
            self.missing -= usize::from(self.pieces[piece].result.is_some());
        }
        let next = self.candidates();
        self.path.push(Frame { piece, state, next });
        self.deepest.note(&self.path, self.missing, &self.order);
    }

    fn ascend(&mut self) {
        let piece = self.path.pop().and_then(|frame| frame.piece);
        if let Some(piece) = piece {
            self.order.put_back(piece);
            self.needs.put_back(piece);
            self.missing += usize::from(self.pieces[piece].result.is_some());
        }
    }

    /// The calls that began before any call not in the order had ended. Best first is the completed
    /// one with the lowest log position; then those of unknown outcome, which may be why it does not
    /// fit; then the rest. They are returned the other way round.
    fn candidates(&self) -> Vec<usize> {
        let mut first_end = usize::MAX;
        let mut completed = Vec::new();
        let mut unknown: Vec<usize> = Vec::new();
        for place in self.order.left() {
            let piece = &self.pieces[place];
            if piece.call.invoked > first_end {
                break;
            }
            if piece.result.is_some() {
                first_end = first_end.min(piece.call.completed);
                completed.push(place);
            } else if !unknown.iter().any(|&other| self.pieces[other].operation == piece.operation)
            {
                // Of two that do the same, the one that began first can always stand in.
                unknown.push(place);
            }
        }
        completed.sort_by_key(|&place| (self.position(place), place));
        let rest = completed.split_off(completed.len().min(1));
        completed.into_iter().chain(unknown).chain(rest).rev().collect()
    }

    fn position(&self, place: usize) -> u64 {
        match self.pieces[place].call.outcome {
            CallOutcome::Done { index, .. } => index.unwrap_or(u64::MAX),
            CallOutcome::Refused { .. } | CallOutcome::NotExecuted | CallOutcome::Unknown => {
                u64::MAX
            }
        }
    }
}

/// A call of unknown outcome that the order ends with.
struct UnknownBefore<'s, 'a> {
    pieces: &'a [Piece<'a>],
    piece: usize,
    before: &'s State<'a>,
}

impl<'a> UnknownBefore<'_, 'a> {
    /// Whether `next` needs to be tried after this one, where it comes to `state`.
    fn is_needed(&self, next: usize, state: &State<'a>) -> bool {
        let mut swapped = self.before.clone();
        if !run(&self.pieces[next], &mut swapped, |_| {}) {
            return true;
        }
        if swapped == *state {
            return false;
        }
        let as_well = run(&self.pieces[self.piece], &mut swapped, |_| {}) && swapped == *state;
        let may_be_earlier = self.pieces[next].result.is_some() || next < self.piece;
        !(as_well && may_be_earlier)
    }
}

/// Runs a call on `state`; tells whether it can stand there. One of unknown outcome that changes
/// nothing need not.
fn run<'a>(
    piece: &'a Piece<'a>,
    state: &mut State<'a>,
    mut on_change: impl FnMut(Change<'a>),
) -> bool {
    let mut changed = false;
    let answered = state.apply(&piece.operation, |change| {
        changed = true;
        on_change(change);
    });
    match piece.result {
        Some(result) => answered == *result,
        None => changed,
    }
}

/// Which calls are in the order, and a list of those that are not, in the order in which they began.
struct Order {
    taken: Vec<u64>,
    after: Vec<usize>,
    before: Vec<usize>,
}

impl Order {
    /// The list is circular around a place of its own, behind the last call.
    fn new(count: usize) -> Self {
        let places = count + 1;
        Self {
            taken: vec![0; count.div_ceil(64)],
            after: (0..places).map(|place| (place + 1) % places).collect(),
            before: (0..places).map(|place| (place + count) % places).collect(),
        }
    }

    fn left(&self) -> impl Iterator<Item = usize> {
        let end = self.after.len() - 1;
        std::iter::successors(Some(self.after[end]), |&place| Some(self.after[place]))
            .take_while(move |&place| place != end)
    }

    fn take(&mut self, place: usize) {
        self.taken[place / 64] |= 1 << (place % 64);
        let (before, after) = (self.before[place], self.after[place]);
        self.after[before] = after;
        self.before[after] = before;
    }

    /// Undoes the last `take`.
    fn put_back(&mut self, place: usize) {
        self.taken[place / 64] &= !(1 << (place % 64));
        let (before, after) = (self.before[place], self.after[place]);
        self.after[before] = place;
        self.before[after] = place;
    }
}

/// The order that came furthest, to explain a failure by.
#[derive(Default)]
struct Deepest<'a> {
    reached: Option<Reached<'a>>,
}

struct Reached<'a> {
    missing: usize,
    taken: Vec<u64>,
    last: Vec<usize>,
    state: State<'a>,
    next: Vec<usize>,
}

impl<'a> Deepest<'a> {
    fn note(&mut self, path: &[Frame<'a>], missing: usize, order: &Order) {
        if self.reached.as_ref().is_some_and(|reached| reached.missing <= missing) {
            return;
        }
        let Some(frame) = path.last() else { return };
        let shown = &path[path.len().saturating_sub(SHOWN)..];
        self.reached = Some(Reached {
            missing,
            taken: order.taken.clone(),
            last: shown.iter().filter_map(|frame| frame.piece).collect(),
            state: frame.state.clone(),
            next: frame.next.clone(),
        });
    }

    fn explain(&self, pieces: &'a [Piece<'a>]) -> String {
        let mut text = "no order of these calls explains what they answered".to_owned();
        let Some(reached) = &self.reached else { return text };
        let Reached { missing, last, state, next, .. } = reached;
        text += &format!("; the longest leaves out {missing} of those that completed");
        if !last.is_empty() {
            text += "\n  it ends with";
            last.iter().for_each(|&place| text += &format!("\n    {}", pieces[place].call));
        }
        text += &format!("\n  so that {state}");
        text += "\n  (?? being a value that nobody saw), and none of these leads on";
        for &place in next.iter().rev().take(SHOWN) {
            text += &format!("\n    {}", pieces[place].call);
            if let Some(other) = reached.robbed_by(place, pieces) {
                text += &format!("\n      (it takes away what {} saw)", pieces[other].call.id);
            }
        }
        text
    }
}

impl<'a> Reached<'a> {
    /// A call still to come that would not see what it saw, if the call in this place came first.
    fn robbed_by(&self, place: usize, pieces: &'a [Piece<'a>]) -> Option<usize> {
        let mut needs = Needs::new(pieces);
        let taken = |place: usize| self.taken[place / 64] & (1 << (place % 64)) != 0;
        (0..pieces.len()).filter(|&place| taken(place)).for_each(|place| needs.take(place));
        let mut robbed = None;
        run(&pieces[place], &mut self.state.clone(), |change| {
            if needs.bars(place, &self.state, change) {
                let mut left = (0..pieces.len()).filter(|&other| !taken(other) && other != place);
                robbed = left.find(|&other| needs.robs(other, &self.state, change)).or(robbed);
            }
        });
        robbed
    }
}

/// How many calls an explanation lists.
const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::testing::Script;
    use crate::linearizability::testing::{Execution, Planned, any_order_explains, guesses};

    fn verdict(script: &Script) -> Verdict {
        search(&script.history, 100_000)
    }

    fn accepted(script: &Script) -> bool {
        match verdict(script) {
            Verdict::Linearizable => true,
            Verdict::Violation(_) => false,
            Verdict::Unknown(text) => panic!("{text}"),
        }
    }

    #[test]
    fn a_stale_read_is_not_linearizable() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(1, "set a 2", "1");
        script.done(2, "read a", "1");
        let Verdict::Violation(text) = verdict(&script) else { panic!("accepted") };
        assert!(text.contains(r#"the entries are {"a": "1"}"#), "{text}");
        assert!(text.contains(r#"c1.2 m.set("a", "2") = "1""#), "{text}");
        assert!(text.contains("takes away what c2.1 saw"), "{text}");
    }

    #[test]
    fn calls_that_overlap_may_stand_either_way_round() {
        for (first, second) in [("none", "1"), ("2", "none")] {
            let mut script = Script::new();
            script.begin(1, "set a 1");
            script.begin(2, "set a 2");
            script.answer(1, 5, first);
            script.answer(2, 5, second);
            assert!(accepted(&script));
        }
    }

    #[test]
    fn positions_decide_nothing() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.begin(2, "set a 2");
        script.answer(1, 9, "none");
        script.answer(2, 3, "1");
        assert!(accepted(&script));
    }

    #[test]
    fn an_unknown_outcome_may_have_happened_or_not_but_only_once() {
        let mut script = Script::new();
        script.begin(1, "set a 1");
        script.end(1, CallOutcome::Unknown);
        script.done(2, "read a", "none");
        assert!(accepted(&script), "it has not happened yet");
        script.done(2, "read a", "1");
        assert!(accepted(&script), "it has happened late");
        script.done(2, "remove a", "1");
        script.done(2, "read a", "1");
        assert!(!accepted(&script), "it has happened twice");
    }

    #[test]
    fn an_unknown_outcome_cannot_come_before_its_call() {
        let mut script = Script::new();
        script.done(2, "read a", "1");
        script.begin(1, "set a 1");
        assert!(!accepted(&script));
    }

    #[test]
    fn what_was_not_executed_or_refused_never_shows() {
        for outcome in [CallOutcome::NotExecuted, CallOutcome::Refused { index: None }] {
            let mut script = Script::new();
            script.begin(1, "set a 1");
            script.end(1, outcome);
            script.done(2, "read a", "none");
            assert!(accepted(&script));
            script.done(2, "read a", "1");
            assert!(!accepted(&script));
        }
    }

    #[test]
    fn a_call_on_several_keys_happens_at_one_moment() {
        let mut script = Script::new();
        script.begin(1, "set_all a=1 b=2");
        script.done(2, "read a", "1");
        script.done(2, "read b", "none");
        script.answer(1, 1, "");
        assert!(!accepted(&script));
    }

    #[test]
    fn a_search_out_of_budget_says_so() {
        let mut script = Script::new();
        script.done(1, "set a 1", "none");
        script.done(1, "set a 2", "1");
        assert!(matches!(search(&script.history, 1), Verdict::Unknown(_)));
        assert_eq!(search(&script.history, 2), Verdict::Linearizable);
    }

    #[test]
    fn many_calls_of_unknown_outcome_that_nobody_saw_do_not_multiply() {
        let mut script = Script::new();
        for client in 0..40 {
            script.begin(client, &format!("set a unseen{client}"));
        }
        script.done(90, "set a 1", "none");
        script.done(90, "read a", "1");
        script.done(90, "delete a", "false");
        assert!(!accepted(&script));
    }

    proptest! {
        #[test]
        fn a_real_execution_is_accepted(plan in any::<Planned>()) {
            let run = Execution::of(&plan);
            prop_assert_eq!(search(&run.history(), 1_000_000), Verdict::Linearizable);
        }

        #[test]
        fn a_value_that_nobody_wrote_is_rejected(plan in any::<Planned>(), which in any::<usize>()) {
            let mut run = Execution::of(&plan);
            if run.corrupt_with(which, "nobody's") == Some(true) {
                let verdict = search(&run.history(), 1_000_000);
                prop_assert!(matches!(verdict, Verdict::Violation(_)), "{verdict}");
            }
        }

        /// On histories small enough to try every order of every choice of calls.
        #[test]
        fn it_agrees_with_trying_everything(history in guesses()) {
            let expected = any_order_explains(&history);
            let verdict = search(&history, 1_000_000);
            prop_assert_eq!(verdict == Verdict::Linearizable, expected, "{}", verdict);
        }
    }
}

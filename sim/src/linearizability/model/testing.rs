//! Tables of operations, one after the other on the same collection.

use super::{Change, State};
use crate::history::testing::{answer, parse};
use crate::history::{CallResult, Model, Operation};

/// Each operation answers as the table says and makes the changes that it lists; a replica that is
/// told of the changes only comes to the same.
#[track_caller]
pub(super) fn assert_follows(model: Model, table: &[(Operation, CallResult, &str)]) {
    let mut state = State::empty(model);
    let mut replica = State::empty(model);
    for (operation, result, changes) in table {
        let mut seen: Vec<Change<'_>> = Vec::new();
        let answered = state.apply(operation, |change| seen.push(change));
        assert_eq!(&answered, result, "{operation}");
        let shown: Vec<String> = seen.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join("; "), *changes, "{operation}");
        assert!(seen.into_iter().all(|change| replica.force(change)), "{operation}");
        assert_eq!(state, replica, "{operation}");
    }
}

/// A table of operations and answers as tests write them down.
pub(super) fn table<'a>(
    model: Model,
    rows: &[(&str, &str, &'a str)],
) -> Vec<(Operation, CallResult, &'a str)> {
    let row = |&(text, result, changes): &(&str, &str, &'a str)| {
        let operation = parse(model, text);
        let result = answer(&operation, result);
        (operation, result, changes)
    };
    rows.iter().map(row).collect()
}

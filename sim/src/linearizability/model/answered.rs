//! What an operation on a model answers, without owning it.

use std::fmt;

use crate::history::CallResult;

/// What an operation answers: a [`CallResult`] that borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered<'a> {
    Value(Option<&'a str>),
    Values(Vec<&'a str>),
    Entries(Vec<(&'a str, &'a str)>),
    Keys(Vec<&'a str>),
    Flag(bool),
    Count(u64),
    Nothing,
}

impl PartialEq<CallResult> for Answered<'_> {
    fn eq(&self, result: &CallResult) -> bool {
        match (self, result) {
            (Self::Value(ours), CallResult::Value(theirs)) => *ours == theirs.as_deref(),
            (Self::Values(ours), CallResult::Values(theirs))
            | (Self::Keys(ours), CallResult::Keys(theirs)) => ours == theirs,
            (Self::Entries(ours), CallResult::Entries(theirs)) => {
                let theirs = theirs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
                theirs.eq(ours.iter().copied())
            }
            (Self::Flag(ours), CallResult::Flag(theirs)) => ours == theirs,
            (Self::Count(ours), CallResult::Count(theirs)) => ours == theirs,
            (Self::Nothing, CallResult::Nothing) => true,
            (
                Self::Value(_)
                | Self::Values(_)
                | Self::Entries(_)
                | Self::Keys(_)
                | Self::Flag(_)
                | Self::Count(_)
                | Self::Nothing,
                CallResult::Value(_)
                | CallResult::Values(_)
                | CallResult::Entries(_)
                | CallResult::Keys(_)
                | CallResult::Flag(_)
                | CallResult::Count(_)
                | CallResult::Nothing,
            ) => false,
        }
    }
}

impl From<&Answered<'_>> for CallResult {
    fn from(answered: &Answered<'_>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        match answered {
            Answered::Value(value) => Self::Value(value.map(str::to_owned)),
            Answered::Values(values) => Self::Values(owned(values)),
            Answered::Entries(entries) => {
                let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
                Self::Entries(entries.iter().map(owned).collect())
            }
            Answered::Keys(keys) => Self::Keys(owned(keys)),
            Answered::Flag(flag) => Self::Flag(*flag),
            Answered::Count(count) => Self::Count(*count),
            Answered::Nothing => Self::Nothing,
        }
    }
}

impl fmt::Display for Answered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CallResult::from(self).fmt(f)
    }
}

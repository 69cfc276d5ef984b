//! Results of commands and queries.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, Kind};
use super::remote_operation::{RemoteAnswer, RemoteOutcome};
use crate::bytes::Bytes;
use crate::types::{Index, NodeId, SessionId};

/// The result of a command or a query, before a [`Ticket`](crate::Ticket) gives it its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(pub(crate) Content);

/// What a result consists of. The order is that of the codes in snapshots: append only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Content {
    Nothing,
    Entries(Vec<(Bytes, Bytes)>),
    Keys(Vec<Bytes>),
    Flag(bool),
    Count(u64),
    Session(SessionId),
    Values(Vec<Bytes>),
    Index(Index),
    Remote(RemoteOutcome),
    Delivered { received: Vec<NodeId>, unanswered: Vec<NodeId> },
}

impl Answer {
    /// What it counts against [`SessionLimits::max_reply_bytes`](crate::SessionLimits).
    pub(crate) fn size(&self) -> u64 {
        let content = match &self.0 {
            Content::Nothing
            | Content::Flag(_)
            | Content::Count(_)
            | Content::Session(_)
            | Content::Index(_) => 0,
            Content::Entries(entries) => {
                entries.iter().map(|(key, value)| key.len_u64() + value.len_u64()).sum()
            }
            Content::Keys(values) | Content::Values(values) => {
                values.iter().map(Bytes::len_u64).sum()
            }
            Content::Remote(RemoteOutcome::Done(answer)) => answer.size(),
            Content::Remote(RemoteOutcome::Failed(error)) => error.as_str().len() as u64,
            Content::Delivered { .. } => 0,
        };
        content + OVERHEAD * self.items()
    }

    /// How many things it consists of, itself included.
    pub(super) fn items(&self) -> u64 {
        1 + match &self.0 {
            Content::Nothing
            | Content::Flag(_)
            | Content::Count(_)
            | Content::Session(_)
            | Content::Index(_) => 0,
            Content::Entries(entries) => entries.len() as u64,
            Content::Keys(values) | Content::Values(values) => values.len() as u64,
            Content::Remote(RemoteOutcome::Done(RemoteAnswer::Values(values))) => {
                values.len() as u64
            }
            Content::Remote(_) => 0,
            Content::Delivered { received, unanswered } => {
                (received.len() + unanswered.len()) as u64
            }
        }
    }

    /// A digest of the result.
    pub(crate) fn digest(&self) -> u64 {
        let kind = |code| Digest::of(Kind::Answer).number(code);
        match &self.0 {
            Content::Nothing => kind(0),
            Content::Entries(entries) => {
                entries.iter().fold(kind(1), |digest, (key, value)| digest.bytes(key).bytes(value))
            }
            Content::Keys(keys) => keys.iter().fold(kind(2), |digest, key| digest.bytes(key)),
            Content::Flag(flag) => kind(3).number(u64::from(*flag)),
            Content::Count(count) => kind(4).number(*count),
            Content::Session(session) => kind(5).number(session.opened_at().get()),
            Content::Values(values) => {
                values.iter().fold(kind(6), |digest, value| digest.bytes(value))
            }
            Content::Index(index) => kind(7).number(index.get()),
            Content::Remote(outcome) => kind(8).bytes(&outcome.encode()),
            Content::Delivered { received, unanswered } => {
                let nodes = received.iter().chain(unanswered);
                nodes.fold(kind(9).number(received.len() as u64), |digest, node| {
                    digest.number(node.get())
                })
            }
        }
        .get()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Content::Nothing => f.write_str("nothing"),
            Content::Entries(entries) => {
                list(f, "{}", entries, |f, (key, value)| write!(f, "{key} = {value}"))
            }
            Content::Keys(keys) => list(f, "{}", keys, |f, key| write!(f, "{key}")),
            Content::Values(values) => list(f, "[]", values, |f, value| write!(f, "{value}")),
            Content::Index(index) => write!(f, "{index}"),
            Content::Remote(outcome) => write!(f, "{outcome}"),
            Content::Delivered { received, unanswered } => {
                f.write_str("received by ")?;
                list(f, "[]", received, |f, node| write!(f, "{node}"))?;
                f.write_str(", unanswered by ")?;
                list(f, "[]", unanswered, |f, node| write!(f, "{node}"))
            }
            Content::Flag(flag) => write!(f, "{flag}"),
            Content::Count(count) => write!(f, "{count}"),
            Content::Session(session) => write!(f, "{session}"),
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    brackets: &str,
    items: &[T],
    show: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    let (open, close) = brackets.split_at(1);
    f.write_str(open)?;
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            f.write_str(", ")?;
        }
        show(f, item)?;
    }
    f.write_str(close)
}

/// What a result, and each item in it, counts beyond its bytes.
pub(super) const OVERHEAD: u64 = 16;

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::super::remote_operation::StoreError;
    use super::*;

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn remote(answer: RemoteAnswer) -> Content {
        Content::Remote(RemoteOutcome::Done(answer))
    }

    fn delivered(received: &[u64], unanswered: &[u64]) -> Content {
        let nodes = |ids: &[u64]| ids.iter().map(|id| NodeId::new(*id)).collect();
        Content::Delivered { received: nodes(received), unanswered: nodes(unanswered) }
    }

    fn one_of_each() -> Vec<(Content, u64, &'static str)> {
        let pair = |key, value| (bytes(key), bytes(value));
        vec![
            (Content::Nothing, 16, "nothing"),
            (Content::Entries(vec![]), 16, "{}"),
            (Content::Entries(vec![pair("", "")]), 32, r#"{"" = ""}"#),
            (
                Content::Entries(vec![pair("a", "1"), pair("b", "22")]),
                53,
                r#"{"a" = "1", "b" = "22"}"#,
            ),
            (Content::Keys(vec![]), 16, "{}"),
            (Content::Keys(vec![bytes("a"), bytes("bc")]), 51, r#"{"a", "bc"}"#),
            (Content::Keys(vec![bytes("ab"), bytes("c")]), 51, r#"{"ab", "c"}"#),
            (Content::Flag(false), 16, "false"),
            (Content::Flag(true), 16, "true"),
            (Content::Count(0), 16, "0"),
            (Content::Session(SessionId::new(Index::new(3))), 16, "s3"),
            (Content::Values(vec![]), 16, "[]"),
            (Content::Values(vec![bytes("a"), bytes("bc")]), 51, r#"["a", "bc"]"#),
            (Content::Index(Index::new(3)), 16, "3"),
            (remote(RemoteAnswer::Values(vec![None, Some(bytes("abc"))])), 51, r#"[none, "abc"]"#),
            (Content::Remote(RemoteOutcome::Failed(StoreError::new("full"))), 20, "failed: full"),
            (delivered(&[1], &[2]), 48, "received by [n1], unanswered by [n2]"),
            (delivered(&[1, 2], &[]), 48, "received by [n1, n2], unanswered by []"),
        ]
    }

    #[test]
    fn answers_have_a_size_and_a_text() {
        for (content, size, text) in one_of_each() {
            let answer = Answer(content);
            assert_eq!((answer.size(), &*answer.to_string()), (size, text));
        }
    }

    #[test]
    fn different_answers_have_different_digests() {
        let answers: Vec<Answer> = one_of_each().into_iter().map(|(c, ..)| Answer(c)).collect();
        for (position, answer) in answers.iter().enumerate() {
            for other in &answers[position + 1..] {
                assert_ne!(answer.digest(), other.digest(), "{answer:?} and {other:?}");
            }
            assert_eq!(answer.digest(), answer.clone().digest());
        }
    }
}

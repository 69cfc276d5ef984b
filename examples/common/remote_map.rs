//! What clients may ask of a remote map, whatever its outside store is.
//!
//! | a line | its answer |
//! |---|---|
//! | `SET key value`, `INSERT key value` | the value before: `VALUE value` or `NONE` |
//! | `UPDATE key value expected` | whether it had the expected value: `true` or `false` |
//! | `GET key`, a linearizable read | `VALUE value` or `NONE` |
//! | `ADOPT` | `OK`: the map's entries are this group's, whosever they were |
//! | `OPEN` | `SESSION number` |
//! | `AS session number …`, one of the above | that one's |
//!
//! What fails by `ERROR` may have taken effect. A command in a session, under a number of its own that is
//! higher than the one before, may be sent again, through any node, until it is answered, and takes effect
//! once.

use hamok::{Call, Index, RemoteMap, Sequence, SessionId, open_session};

use super::tcp_node::{Asked, Result};

const MAP: RemoteMap<String, String> = RemoteMap::new("shared");

/// Where a command stands in a session, if in any.
#[derive(Clone, Copy)]
struct Place(Option<(SessionId, Sequence)>);

pub(crate) fn understand(words: &[&str]) -> Result<Asked> {
    if let ["AS", session, number, words @ ..] = words {
        let session = SessionId::new(Index::try_from(session.parse::<u64>()?)?);
        let number = Sequence::try_from(number.parse::<u64>()?)?;
        return command(words, Place(Some((session, number))));
    }
    command(words, Place(None))
}

fn command(words: &[&str], place: Place) -> Result<Asked> {
    Ok(match *words {
        ["SET", key, value] => {
            Asked::new(place.put(MAP.set(&key.into(), &value.into())?), value_or_none)
        }
        ["INSERT", key, value] => {
            Asked::new(place.put(MAP.insert(&key.into(), &value.into())?), value_or_none)
        }
        ["UPDATE", key, value, expected] => {
            let update = MAP.update_if(&key.into(), &value.into(), &expected.into())?;
            Asked::new(place.put(update), |updated| updated.to_string())
        }
        ["GET", key] => Asked::new(MAP.read(&key.into())?, value_or_none),
        ["ADOPT"] => Asked::new(place.put(MAP.adopt()), |()| "OK".into()),
        ["OPEN"] => {
            Asked::new(open_session(), |session| format!("SESSION {}", session.opened_at().get()))
        }
        _ => return Err("expected SET, INSERT, UPDATE, GET, ADOPT, OPEN, AS or STATUS".into()),
    })
}

impl Place {
    fn put<R>(self, call: Call<R>) -> Call<R> {
        match self.0 {
            // Nobody waits for the answer to a lower number any more.
            Some((session, number)) => call.in_session(session, number, number),
            None => call,
        }
    }
}

fn value_or_none(value: Option<String>) -> String {
    value.map_or("NONE".into(), |value| format!("VALUE {value}"))
}

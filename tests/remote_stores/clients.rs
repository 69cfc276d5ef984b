//! Clients that know of every operation of theirs what came of it.

use std::collections::BTreeMap;

use hamok::{
    Call, Failure, Held, NotExecuted, RemoteMap, RequestId, Sequence, SessionId, Ticket, Unknown,
    open_session,
};

use crate::group::Group;

pub(crate) const MAP: RemoteMap<String, u64> = RemoteMap::new("shared");
/// The key that all clients count up.
pub(crate) const COUNTER: &str = "counter";

/// A client that, again and again, inserts a key of its own and then tries to count the counter up. Each
/// operation has a number in a session of the client's, so that it may be sent again until it is known
/// what came of it.
pub(crate) struct Client {
    number: u64,
    round: u64,
    stopping: bool,
    at: usize,
    sequence: Sequence,
    session: Option<SessionId>,
    doing: Doing,
    /// How often it has counted the counter up.
    pub(crate) counted: u64,
}

enum Doing {
    Opening(Option<(RequestId, Ticket<SessionId>)>),
    Inserting(Option<(RequestId, Ticket<Option<u64>>)>),
    Reading(Option<(RequestId, Ticket<Option<Held<u64>>>)>),
    Updating(Held<u64>, Option<(RequestId, Ticket<bool>)>),
    Nothing,
}

impl Client {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            round: 0,
            stopping: false,
            at: 0,
            sequence: Sequence::new(0),
            session: None,
            doing: Doing::Opening(None),
            counted: 0,
        }
    }

    /// Begins no other round.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.doing, Doing::Nothing)
    }

    /// How many rounds it has done.
    pub(crate) fn rounds(&self) -> u64 {
        self.round
    }

    /// The keys it has inserted, with their values.
    pub(crate) fn inserted(&self) -> BTreeMap<String, u64> {
        (0..self.round).map(|round| (self.key(round), round)).collect()
    }

    /// Whoever answered for it is gone, perhaps.
    pub(crate) fn forget_requests(&mut self) {
        match &mut self.doing {
            Doing::Opening(asked) => *asked = None,
            Doing::Inserting(asked) => *asked = None,
            Doing::Reading(asked) => *asked = None,
            Doing::Updating(_, asked) => *asked = None,
            Doing::Nothing => {}
        }
    }

    /// Asks for what is next, or looks whether the answer is there.
    pub(crate) fn act(&mut self, group: &mut Group) {
        let key = self.key(self.round);
        let counter = COUNTER.to_owned();
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Opening(asked) => match self.poll(group, asked, open_session) {
                Ok(session) => {
                    self.session = Some(session);
                    self.begin(Doing::Inserting(None));
                }
                Err(asked) => self.doing = Doing::Opening(asked),
            },
            Doing::Inserting(asked) => {
                let insert = || self.place(MAP.insert(&key, &self.round).expect("it encodes"));
                let call = insert();
                match self.poll(group, asked, || call.clone()) {
                    Ok(existing) => {
                        assert_eq!(
                            existing, None,
                            "{key} was inserted once, and not in its own way"
                        );
                        self.begin(Doing::Reading(None));
                    }
                    Err(asked) => self.doing = Doing::Inserting(asked),
                }
            }
            Doing::Reading(asked) => {
                let read = || MAP.get_held(&counter).expect("it encodes");
                match self.poll(group, asked, read) {
                    Ok(held) => {
                        let held = held.expect("the counter is there from the beginning");
                        self.begin(Doing::Updating(held, None));
                    }
                    Err(asked) => self.doing = Doing::Reading(asked),
                }
            }
            Doing::Updating(held, asked) => {
                let next = held.value + 1;
                let call = self.place(MAP.update_held(&counter, &next, &held).expect("it encodes"));
                match self.poll(group, asked, || call.clone()) {
                    Ok(counted) => {
                        self.counted += u64::from(counted);
                        self.round += 1;
                        if !self.stopping {
                            self.begin(Doing::Inserting(None));
                        }
                    }
                    Err(asked) => self.doing = Doing::Updating(held, asked),
                }
            }
            Doing::Nothing => {}
        }
    }

    /// The result, or what is still asked for.
    fn poll<R>(
        &mut self,
        group: &mut Group,
        asked: Option<(RequestId, Ticket<R>)>,
        call: impl FnOnce() -> Call<R>,
    ) -> Result<R, Option<(RequestId, Ticket<R>)>> {
        let Some((id, ticket)) = asked else {
            // Through another node each time.
            self.at = (0..3)
                .map(|next| (self.at + 1 + next) % 3)
                .find(|&at| group.is_up(at))
                .unwrap_or(0);
            return Err(Some(group.ask(self.at, call())));
        };
        let Some(reply) = group.reply(id) else { return Err(Some((id, ticket))) };
        match ticket.redeem(reply) {
            Ok(result) => Ok(result),
            Err(
                Failure::NotExecuted(
                    NotExecuted::NoLeader
                    | NotExecuted::NoGroup
                    | NotExecuted::Busy
                    | NotExecuted::StoreSilent,
                )
                | Failure::Unknown(Unknown::TimedOut),
            ) => Err(None),
            Err(failure) => panic!("client {}: {failure}", self.number),
        }
    }

    fn begin(&mut self, doing: Doing) {
        self.sequence = self.sequence.next();
        self.doing = doing;
    }

    fn place<R>(&self, call: Call<R>) -> Call<R> {
        let session = self.session.expect("it was opened first");
        call.in_session(session, self.sequence, self.sequence)
    }

    fn key(&self, round: u64) -> String {
        format!("client {} round {round}", self.number)
    }
}

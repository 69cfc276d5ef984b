//! Requests that concern the group itself: its members and its leader.

use alloc::vec::Vec;

use super::Call;
use super::coding::nothing;
use crate::io::{Request, Upkeep};
use crate::raft::MemberChange;
use crate::types::NodeId;

/// Asks the leader to change the members, through whichever node it is given to.
///
/// All changes of one call take effect together. Those that touch the voters go through a joint
/// configuration (Raft §6), in which the old and the new voters must each agree, so that any number of
/// members may be exchanged at once. The call is done once that is over and committed; a new member
/// then is a learner, and becomes a voter by itself once it has caught up.
///
/// What is asked for is a state, not a step: asking again for what is so already changes nothing, and
/// a call whose end is unknown may be made again. Only one change is under way at a time, so a call
/// may wait for another. Every node tells of each configuration in force as
/// [`Event::MembersChanged`](crate::Event).
///
/// A change that is not possible ([`ChangeRefusal`](crate::ChangeRefusal)), or whose voters have no majority
/// that answers, is [`NotExecuted::Declined`](crate::NotExecuted) and changes nothing.
pub fn change_members(changes: impl IntoIterator<Item = MemberChange>) -> Call<()> {
    let changes: Vec<MemberChange> = changes.into_iter().collect();
    call(Upkeep::Change(changes))
}

/// Asks for the node it is given to, to be a member of its group again after it was removed: as a
/// learner, which becomes a voter once it has caught up if `voter` is set. A learner that asks to be a
/// voter becomes one; a voter that asks to be a learner stays a voter. The call is done once a committed
/// configuration that names the node so has reached it, or the leader says that there is one.
///
/// A leader that does not let it in says why, and the node tells of that as
/// [`Event::JoinRefused`](crate::Event) and asks again, also when the call's time is up and it has ended as
/// `Unknown`, until it is let in, is told to [`leave`], or asks in another way; a node that was stopped by
/// [`stop`](crate::stop) goes on asking for as long as it is stepped. Of several calls of `join` and
/// [`leave`] the last holds: the earlier ask no more, and end as what comes of it.
///
/// A node without a group joins one by its [`Birth`](crate::Birth).
pub fn join(voter: bool) -> Call<()> {
    call(Upkeep::Join { voter })
}

/// Asks for the node it is given to, to be removed from the group. When it is done the node may be
/// stopped for good.
///
/// The last voter cannot leave: [`NotExecuted::Declined`](crate::NotExecuted). A leader may, and hands
/// leadership on. The node tells of it as [`Event::Removed`](crate::Event).
///
/// A node that was removed and has asked to [`join`] again, in this life or one before, asks no more. Whether
/// it is let in all the same it cannot tell: the call is done if it is, and is removed again, and else ends
/// as `Unknown`. The call is done at once on a node that was removed and has not asked since; if others have
/// made it a member again meanwhile ([`change_members`]), without its having heard so, it still is one.
pub fn leave() -> Call<()> {
    call(Upkeep::Leave)
}

/// Asks the leader to hand leadership on: to that voter, or to the one that has come furthest
/// (Raft thesis §3.10).
///
/// Commands wait meanwhile; none is lost. The call is done once the node that it was given to knows
/// the other for the leader, or knows another than before when none is named. The leader tells of it as
/// [`Event::TransferBegan`](crate::Event).
///
/// If the other is no voter, the call is [`NotExecuted::Declined`](crate::NotExecuted). If it does not come
/// into office within an election time-out, the leader tells
/// [`Event::TransferFailed`](crate::Event) and goes on; the call is declined, or `Unknown` if the other had
/// been told to stand for election by then.
pub fn transfer_leadership(to: Option<NodeId>) -> Call<()> {
    call(Upkeep::Transfer(to))
}

fn call(upkeep: Upkeep) -> Call<()> {
    Call::new(Request::upkeep(upkeep), nothing)
}

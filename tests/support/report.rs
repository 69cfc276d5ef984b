//! What a node says of itself, in one line each.

use hamok::{Membership, NodeId, Status, Stored};

pub(super) fn role(status: &Status) -> String {
    let Status { role, term, last, durable, committed, applied, .. } = status;
    let id = status.identity.peer.id;
    let leader = status.leader.map_or("unknown".into(), |leader| leader.to_string());
    format!(
        "{id} {role} in {term}, leader {leader}, last {last}, durable {durable}, \
         committed {committed}, applied {applied}"
    )
}

pub(super) fn members(status: &Status) -> String {
    let Status { configuration, configuration_index, .. } = status;
    let id = status.identity.peer.id;
    let standing = match status.membership {
        Membership::Outside => "outside",
        Membership::Voter => "voter",
        Membership::Learner => "learner",
        Membership::NotNamed => "not named",
        Membership::Removed => "removed",
        Membership::OutOfService | _ => "out of service",
    };
    let mut line = format!("{id} {standing}: {configuration} by {configuration_index}");
    for (peer, member) in configuration.members() {
        if !member.metadata.is_empty() {
            let said = String::from_utf8_lossy(&member.metadata);
            line += &format!(", {} at {said}", peer.id);
        }
    }
    line
}

pub(super) fn log(status: &Status) -> String {
    let Status { compacted, last, snapshot, version, .. } = status;
    let id = status.identity.peer.id;
    format!("{id} log after {compacted} to {last}, snapshot {snapshot}, version {version}")
}

pub(super) fn image(id: NodeId, stored: &Stored) -> String {
    let snapshot = stored.snapshot().map_or("no snapshot".into(), |head| {
        let (configuration, index) = (head.configuration(), head.configuration_index());
        format!("snapshot {head} with {configuration} by {index}")
    });
    format!("{id} has on disk {snapshot}, log after {} to {}", stored.start(), stored.last())
}

//! Copies of collections, taken from one node and imported under another name: what is exported from there
//! is the same again.

use hamok::{Collection, Export, Failure, Node, NodeId, Reply, Request, Ticket, ViewError};

use crate::calls::{TextMap, TextQueue, TextRecord};
use crate::draw::Stream;
use crate::history::{CallOutcome, CallResult};
use crate::observation::Violation;
use crate::tally::Tally;
use crate::workload::Context;

/// Takes one copy after the other.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    taken: u64,
    under_way: Option<UnderWay>,
    objection: Option<Violation>,
}

#[derive(Debug)]
struct UnderWay {
    token: u64,
    node: NodeId,
    copy: Copy,
    export: Export,
    import: Ticket<()>,
}

/// A collection that nobody else writes.
#[derive(Debug)]
enum Copy {
    Map(TextMap),
    Queue(TextQueue),
    Record(TextRecord),
}

impl Exports {
    /// Takes another copy, unless one is under way.
    pub(crate) fn take(&mut self, context: &mut Context<'_>, client: u64, tally: &mut Tally) {
        if context.is_quiet() || self.under_way.is_some() {
            if self.under_way.take().is_some() {
                tally.end(KIND, &CallOutcome::Unknown);
            }
            return;
        }
        self.taken += 1;
        let mut dice = context.dice(Stream::Export, self.taken, 0);
        let nodes: Vec<NodeId> = context.plan().node_ids().collect();
        let id = *dice.pick(&nodes);
        let Some(node) = context.node(id) else { return };
        let name = format!("copy{}", self.taken);
        let (export, copy) = match dice.between(0, 2) {
            0 => (node.map(&TextMap::new("bulk1")).export(), TextMap::named(name).map(Copy::Map)),
            1 => {
                let export = node.queue(&TextQueue::new("queue1")).export();
                (export, TextQueue::named(name).map(Copy::Queue))
            }
            _ => {
                let export = node.record(&TextRecord::new("record1")).export();
                (export, TextRecord::named(name).map(Copy::Record))
            }
        };
        let copy = copy.expect("a short name");
        let export = export.expect("nobody uses the name for another kind");
        let export = Export::decode(&export.encode()).expect("what was just encoded");
        let call = match &copy {
            Copy::Map(map) => map.import(&export, dice.chance(500_000)),
            Copy::Queue(queue) => queue.import(&export, dice.chance(500_000)),
            Copy::Record(record) => record.import(&export, dice.chance(500_000)),
        };
        let (request, import) = call.expect("an export of its kind").into_parts();
        let token = 2 * self.taken;
        tally.begin(KIND);
        context.request_here(client, token, id, request);
        self.under_way = Some(UnderWay { token, node: id, copy, export, import });
    }

    pub(crate) fn on_reply(
        &mut self,
        context: &mut Context<'_>,
        client: u64,
        token: u64,
        reply: Reply,
        tally: &mut Tally,
    ) {
        let Some(under_way) = self.under_way.take_if(|under_way| under_way.token == token) else {
            return;
        };
        let UnderWay { node: id, copy, export, import, .. } = under_way;
        let outcome = match import.redeem(reply) {
            Ok(()) => CallOutcome::Done { index: None, result: CallResult::Nothing },
            Err(Failure::Unknown(_)) => CallOutcome::Unknown,
            Err(_) => CallOutcome::NotExecuted,
        };
        tally.end(KIND, &outcome);
        if !matches!(outcome, CallOutcome::Done { .. }) {
            return;
        }
        let Some(node) = context.node(id) else { return };
        let again = copy.export(node);
        if again.as_ref() == Ok(&export) {
            context.request_here(client, token + 1, id, copy.drop());
        } else {
            let text = format!("what was imported as {export:?} is exported as {again:?}");
            self.objection.get_or_insert_with(|| Violation::new(CODE, Some(id), text));
        }
    }

    pub(crate) fn verdict(&mut self) -> Result<(), Violation> {
        self.objection.take().map_or(Ok(()), Err)
    }
}

impl Copy {
    fn export(&self, node: &Node) -> Result<Export, ViewError> {
        match self {
            Self::Map(map) => node.map(map).export(),
            Self::Queue(queue) => node.queue(queue).export(),
            Self::Record(record) => node.record(record).export(),
        }
    }

    fn drop(&self) -> Request {
        match self {
            Self::Map(map) => map.drop_collection(),
            Self::Queue(queue) => queue.drop_collection(),
            Self::Record(record) => record.drop_collection(),
        }
        .into_parts()
        .0
    }
}

const CODE: &str = "EX";
const KIND: &str = "collection.import";

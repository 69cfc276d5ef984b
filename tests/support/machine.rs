//! One machine: a node, its disk, and what a crash leaves of both.

use std::collections::VecDeque;

use hamok::{
    Config, Incarnation, Input, Node, Output, Peer, RestoreError, Stored, Ticks, Write, WriteId,
};

pub(crate) struct Machine {
    pub(crate) config: Config,
    node: Option<Node>,
    disk: Disk,
    /// What a recovery has made of the disk: the next start is from this.
    recovered: Option<Stored>,
    speed: Speed,
    /// How many ticks have passed here.
    clock: u64,
}

/// When a disk confirms.
#[derive(Clone, Copy)]
pub(crate) enum Speed {
    /// At once.
    Fast,
    /// This many ticks after it was asked.
    Slow(u64),
    /// When the script says so.
    Held,
}

/// A file, record by record, and the writes that are not in it yet, each with the tick it was asked at.
#[derive(Default)]
struct Disk {
    file: Vec<Vec<u8>>,
    unconfirmed: VecDeque<(u64, Write)>,
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            node: None,
            disk: Disk::default(),
            recovered: None,
            speed: Speed::Fast,
            clock: 0,
        }
    }

    pub(crate) fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// Creates the node, or restores it when something is stored that can be restored from.
    pub(crate) fn start(&mut self) -> Result<(), RestoreError> {
        assert!(self.node.is_none(), "{} runs already", self.config.id);
        let config = self.config.clone();
        let node = if let Some(recovered) = self.recovered.take() {
            Node::restore(config, recovered)?
        } else if self.disk.file.is_empty() {
            Node::new(config).expect("a script's configuration is valid")
        } else {
            Node::restore(config, self.stored())?
        };
        self.node = Some(node);
        Ok(())
    }

    /// Stops the node. Of its unconfirmed writes the first `kept` have reached the file, and half of
    /// the next when it is `torn`.
    pub(crate) fn crash(&mut self, kept: usize, torn: bool) -> Vec<Write> {
        assert!(self.node.take().is_some(), "{} is down already", self.config.id);
        assert!(kept <= self.disk.unconfirmed.len(), "fewer than {kept} writes are under way");
        for _ in 0..kept {
            self.disk.perform();
        }
        let lost: Vec<Write> = self.disk.unconfirmed.drain(..).map(|(_, write)| write).collect();
        if let Some(write) = lost.first().filter(|write| torn && !write.starts_file()) {
            let bytes = write.encode();
            self.disk.file.push(bytes[..bytes.len() / 2].to_vec());
        }
        lost
    }

    /// Forgets everything: what starts here next is another incarnation.
    pub(crate) fn wipe(&mut self) {
        assert!(self.node.is_none(), "{} still runs", self.config.id);
        self.disk = Disk::default();
        self.config.incarnation = Incarnation::new(self.config.incarnation.get() + 1);
    }

    /// The disk loses the last `count` records of its file although it has confirmed them.
    pub(crate) fn lose(&mut self, count: usize) {
        assert!(self.node.is_none(), "{} still runs", self.config.id);
        let kept = self.disk.file.len().checked_sub(count);
        self.disk.file.truncate(kept.expect("so many records are there"));
    }

    /// Makes the disk that of a new group with these members.
    pub(crate) fn recover(&mut self, members: Vec<Peer>) -> Result<(), RestoreError> {
        assert!(self.node.is_none(), "{} still runs", self.config.id);
        self.recovered = Some(Node::recover(self.stored(), members)?);
        Ok(())
    }

    /// What a restart would find.
    pub(crate) fn stored(&self) -> Stored {
        let file = self.disk.file.concat();
        Stored::decode(&file).expect("a crash leaves a file that can be read")
    }

    pub(crate) fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// One step; a machine that is down does nothing.
    pub(crate) fn step(&mut self, input: Input) -> Vec<Output> {
        if let Input::Tick(ticks) = &input {
            self.clock += ticks.get();
        }
        let outputs = self.node.as_mut().map_or_else(Vec::new, |node| node.step(input));
        for output in &outputs {
            if let Output::Persist(write) = output {
                self.disk.unconfirmed.push_back((self.clock, write.clone()));
            }
        }
        outputs
    }

    /// What the machine does by itself before anything else happens to it: confirm what its disk has
    /// done, go on with work left over.
    pub(crate) fn next_input(&mut self) -> Option<Input> {
        if let Some(id) = self.confirm_due() {
            return Some(Input::Persisted(id));
        }
        let left_over = self.node.as_ref()?.idle_ticks() == Ticks::ZERO;
        left_over.then_some(Input::Tick(Ticks::ZERO))
    }

    /// Performs the next `count` writes, or all.
    pub(crate) fn confirm(&mut self, count: Option<usize>) -> Option<Input> {
        let count = count.unwrap_or(self.disk.unconfirmed.len());
        let last = (0..count).filter_map(|_| self.disk.perform()).last()?;
        Some(Input::Persisted(last))
    }

    /// The next write fails, and all after it with it.
    pub(crate) fn fail(&mut self) -> Input {
        let (_, write) = self.disk.unconfirmed.pop_front().expect("a write is under way");
        self.disk.unconfirmed.clear();
        Input::PersistFailed(write.id())
    }

    fn confirm_due(&mut self) -> Option<WriteId> {
        let asked = self.disk.unconfirmed.front()?.0;
        match self.speed {
            Speed::Held => None,
            Speed::Slow(ticks) if self.clock < asked + ticks => None,
            Speed::Slow(_) | Speed::Fast => self.disk.perform(),
        }
    }
}

impl Disk {
    fn perform(&mut self) -> Option<WriteId> {
        let (_, write) = self.unconfirmed.pop_front()?;
        if write.starts_file() {
            self.file.clear();
        }
        self.file.extend(write.frames());
        Some(write.id())
    }
}

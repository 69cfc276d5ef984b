//! The language of the scripts.
//!
//! One command a line; a line that begins with `#` says something to the reader. Nodes are numbers,
//! or `all`. Unless it is told otherwise a disk confirms at once, and events and replies are shown.
//!
//! | command | what |
//! |---|---|
//! | `nodes 3 [key=value …]` | sets up machines that are to meet; not started yet |
//! | `group 3 [key=value …]` | the same, started and settled without showing it: n1 leads, all have met |
//! | `configure 1 key=value …` | changes the settings of one machine from its next start on |
//! | `join 4 [learner] [contact=2] [key=value …]` | a machine that is to join; started at once |
//! | `start 1`, `restart 1` | creates a node, or restores it from its disk |
//! | `crash 1 [keep N] [torn]` | of the unconfirmed writes N have reached the disk, and half of one more |
//! | `wipe 1` | the disk of a machine that is down is lost; it returns as another incarnation |
//! | `lose 1 N` | the disk of a machine that is down loses its last N records, confirmed or not |
//! | `recover 1 [2 …]` | the next start of a machine that is down is as a new group, of these members |
//! | `tick 1 5` | time passes for a node, in one input |
//! | `campaign 1` | time passes for a node, tick by tick, until it stands for election |
//! | `elect 1` | a node stands until it leads, and nothing arrives but what elections need |
//! | `run 5` | time passes for all, and everything arrives within a tick |
//! | `settle` | everything arrives, until all is quiet |
//! | `deliver 1 2 [Kind] [first]` | what is on its way from n1 to n2 arrives; `drop` loses it |
//! | `copy 1 2 [Kind] [first]` | the network will deliver this twice: `bring-back` sends the copies |
//! | `aside 1 2 [Kind] [first]` | the network is late with this, until `bring-back` |
//! | `cut 1 2`, `cut-one-way 1 2`, `isolate 1`, `heal` | links |
//! | `disk 1 held`, `disk 1 slow 7`, `disk 1 fast` | when a disk confirms |
//! | `confirm 1 [N]` | a held disk confirms its next writes, or all |
//! | `fail 1` | the next write of a held disk fails, and all after it with it |
//! | `request 1 set k v [timeout=5] [in=3/1/1]` | a request; `in` is session, sequence, answered below |
//! | `request 1 change +4 +5/2 ~6 -3 promote 6 demote 2` | of the members: n5 takes the place of n2, n6 learns |
//! | `request 1 leave`, `request 1 join [learner]`, `request 1 transfer [3]` | of this node, of leadership |
//! | `request 1 subscribe e [metadata]`, `request 1 unsubscribe e` | of this node, to an event |
//! | `request 1 publish e payload`, `request 1 notify e payload` | an event for those who subscribed |
//! | `request 1 close-emitter`, `request 1 reopen-emitter` | of the use that this node makes of it |
//! | `show events replies persists calls sends Kind …` | what is shown from here on; `show nothing` |
//! | `show elections members transfers snapshots storage changes emissions logs drops contacts` | some of the events |
//! | `quietly …` | any other command, showing nothing |
//! | `status 1`, `stored 1`, `map 1` | what a node says, what its disk holds, its copy of the map |
//! | `emitter 1` | who subscribed to what, by its copy |
//! | `members 1`, `log 1` | what it says of the members, and of its log, snapshot and format version |
//! | `image 1` | what the snapshot on its disk covers, and the log after it |
//! | `request 1 remote set k v` | of the remote map: `set`, `insert`, `get`, `read`, `adopt`, `sync` |
//! | `call 1 performed`, `call 1 lost`, `call 1 answer-lost` | what becomes of a call that a node has made |
//! | `call 1 late`, `call 1 arrives` | it is given up; one that was given up reaches the store |
//! | `row` | what the outside store has |
//! | `same` | checks that all nodes that run have applied the same and are in the same state |

use std::collections::BTreeSet;

use hamok::{Input, NodeId, Ticks};

use super::cluster::{Cluster, EMITTER, MAP};
use super::machine::Speed;
use super::network::Choice;
use super::report;
use super::settings::configure;

impl Cluster {
    /// Carries out a script.
    ///
    /// # Panics
    /// When the script asks for what makes no sense, or a check in it fails.
    pub(crate) fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.transcript.command(line);
            if !line.starts_with('#') {
                self.command(line);
            }
        }
    }

    fn command(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        match verb {
            "quietly" => self.silently(|cluster| cluster.command(rest)),
            "nodes" | "group" => self.set_up(verb, &words),
            "start" | "restart" | "wipe" | "campaign" | "elect" | "isolate" | "fail" | "status"
            | "members" | "log" | "stored" | "image" | "map" | "emitter" => {
                for id in self.named(words[0]) {
                    self.on_node(verb, id);
                }
            }
            "configure" => self.configure(node(words[0]), |config| {
                words[1..].iter().for_each(|word| configure(config, word));
            }),
            "join" => self.on_join(&words),
            "crash" => self.on_crash(&words),
            "lose" => self.lose(node(words[0]), count(words[1])),
            "recover" => {
                let ids: Vec<NodeId> = words.iter().map(|word| node(word)).collect();
                self.recover(ids[0], &ids[1..]);
            }
            "tick" => {
                for id in self.named(words[0]) {
                    self.feed(id, Input::Tick(Ticks::new(number(words[1]))));
                }
            }
            "run" => self.run(number(words[0])),
            "settle" => self.settle(),
            "deliver" | "drop" | "copy" | "aside" => self.on_envelopes(verb, &choice(&words)),
            "bring-back" => {
                let count = self.network.bring_back();
                self.transcript.note(format!("{count} on their way again"));
            }
            "cut" | "cut-one-way" => self.on_cut(verb, &words),
            "heal" => self.network.heal(),
            "disk" | "confirm" => self.on_disk(verb, &words),
            "request" => {
                let request = self.parse_request(&words[1..]);
                self.request(node(words[0]), request);
            }
            "call" => self.on_call(node(words[0]), &words[1..]),
            "row" => self.transcript.note(self.outside.row()),
            "show" => {
                let what = words.iter().filter(|word| **word != "nothing");
                self.transcript.show_only(what.map(ToString::to_string).collect());
            }
            "same" => self.check_same(),
            unknown => panic!("no such command: {unknown}"),
        }
    }

    fn set_up(&mut self, verb: &str, words: &[&str]) {
        self.add(number(words[0]), |config| {
            for word in &words[1..] {
                configure(config, word);
            }
        });
        if verb == "group" {
            self.silently(|cluster| {
                for id in cluster.ids() {
                    cluster.start(id);
                }
                cluster.settle();
                // Followers get to know each other when they stand, which the leader outlives.
                for id in cluster.ids().into_iter().skip(1) {
                    cluster.campaign(id);
                    cluster.settle();
                    cluster.run(2);
                }
            });
        }
    }

    fn on_node(&mut self, verb: &str, id: NodeId) {
        match verb {
            "start" | "restart" => self.start(id),
            "wipe" => self.wipe(id),
            "campaign" => self.campaign(id),
            "elect" => self.elect(id),
            "isolate" => {
                for other in self.ids() {
                    self.network.cut(id, other);
                    self.network.cut(other, id);
                }
            }
            "fail" => self.fail(id),
            "status" | "members" | "log" if self.machine(id).node().is_none() => {
                self.transcript.note(format!("{id} is down"));
            }
            "status" => self.transcript.note(report::role(&self.status(id))),
            "members" => self.transcript.note(report::members(&self.status(id))),
            "log" => self.transcript.note(report::log(&self.status(id))),
            "image" => self.transcript.note(report::image(id, &self.stored(id))),
            "stored" => {
                let stored = self.stored(id);
                let vote = stored.vote().map_or("nobody".into(), |peer| peer.id.to_string());
                let (life, term, last) = (stored.life(), stored.term(), stored.last());
                self.transcript
                    .note(format!("{id} has stored life {life} {term} vote {vote} last {last}"));
            }
            "map" => {
                let view = self.machine(id).node().expect("the node runs").map(&MAP);
                let entries: Vec<String> = view
                    .iter()
                    .map(|entry| entry.expect("text decodes"))
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                self.transcript.note(format!("{id} has {}", entries.join(" ")));
            }
            "emitter" => {
                let view = self.machine(id).node().expect("the node runs").emitter(&EMITTER);
                let subscriptions: Vec<String> = view
                    .subscriptions()
                    .map(|subscription| subscription.expect("text decodes"))
                    .map(|(event, node, metadata)| format!(" {event} for {node} ({metadata})"))
                    .collect();
                self.transcript.note(format!("{id} has{}", subscriptions.concat()));
            }
            unknown => unreachable!("{unknown} is not about a node"),
        }
    }

    fn on_join(&mut self, words: &[&str]) {
        let mut contacts = Vec::new();
        let mut settings = Vec::new();
        for word in words[1..].iter().filter(|word| **word != "learner") {
            match word.strip_prefix("contact=") {
                Some(contact) => contacts.push(node(contact)),
                None => settings.push(*word),
            }
        }
        if contacts.is_empty() {
            contacts.push(NodeId::new(1));
        }
        let id = node(words[0]);
        self.add_newcomer(id, contacts, !words.contains(&"learner"), |config| {
            settings.iter().for_each(|word| configure(config, word));
        });
        self.start(id);
    }

    fn on_crash(&mut self, words: &[&str]) {
        let kept = words.iter().position(|word| *word == "keep");
        let kept = kept.map_or(0, |at| count(words[at + 1]));
        for id in self.named(words[0]) {
            for write in self.crash(id, kept, words.contains(&"torn")) {
                self.transcript.note(format!("{id} lost {write}"));
            }
        }
    }

    fn on_envelopes(&mut self, verb: &str, choice: &Choice) {
        let count = match verb {
            "deliver" => return self.deliver(choice),
            "drop" => self.network.take(choice).len(),
            "copy" => self.network.copy_aside(choice),
            "aside" => {
                let copied = self.network.copy_aside(choice);
                self.network.take(choice);
                copied
            }
            unknown => unreachable!("{unknown} is not about envelopes"),
        };
        assert!(count > 0, "there is nothing on its way to {verb}");
        self.transcript.note(format!("{count} envelopes"));
    }

    fn on_cut(&mut self, verb: &str, words: &[&str]) {
        let (from, to) = (node(words[0]), node(words[1]));
        self.network.cut(from, to);
        if verb == "cut" {
            self.network.cut(to, from);
        }
    }

    fn on_disk(&mut self, verb: &str, words: &[&str]) {
        for id in self.named(words[0]) {
            match (verb, &words[1..]) {
                ("confirm", []) => self.confirm(id, None),
                ("confirm", [writes]) => self.confirm(id, Some(count(writes))),
                ("disk", ["fast"]) => self.set_disk(id, Speed::Fast),
                ("disk", ["held"]) => self.set_disk(id, Speed::Held),
                ("disk", ["slow", ticks]) => self.set_disk(id, Speed::Slow(number(ticks))),
                (_, words) => panic!("a disk cannot be {words:?}"),
            }
        }
    }

    fn check_same(&mut self) {
        let states = self.running().into_iter().map(|id| self.status(id));
        let states: BTreeSet<_> = states.map(|status| (status.applied, status.digest)).collect();
        assert_eq!(states.len(), 1, "{}", self.transcript());
        let applied = states.first().expect("a node runs").0;
        self.transcript.note(format!("all have applied {applied}"));
    }

    fn named(&self, word: &str) -> Vec<NodeId> {
        if word == "all" { self.ids() } else { vec![node(word)] }
    }
}

fn choice(words: &[&str]) -> Choice {
    let end = |word: &&str| (*word != "all").then(|| node(word));
    let kind = words.get(2..).and_then(|rest| rest.iter().find(|word| **word != "first"));
    Choice {
        from: words.first().and_then(end),
        to: words.get(1).and_then(end),
        kind: kind.map(ToString::to_string),
        first_only: words.contains(&"first"),
    }
}

pub(super) fn node(word: &str) -> NodeId {
    NodeId::new(number(word))
}

pub(super) fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("{word} is not a number"))
}

pub(super) fn count(word: &str) -> usize {
    word.parse().unwrap_or_else(|_| panic!("{word} is not a count"))
}

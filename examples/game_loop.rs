//! Three players in one game, driven by a fixed timestep on one thread.
//!
//! Each player owns a node and steps it inside the frame, between reading the controls and drawing.
//! A step does a bounded amount of work, so a frame stays within its time; nothing waits, and no
//! thread or runtime is needed. Coins appear on a strip; who picks one up is settled by the group:
//! `insert` gives a coin to the first player only, however close the others were.
//!
//! ```text
//! cargo run --example game_loop
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;

use hamok::{
    Birth, Config, Envelope, Incarnation, Input, Map, Node, NodeId, Output, RequestId, Ticket,
    Ticks,
};

/// Which player has which coin.
const COINS: Map<u32, String> = Map::new("coins");
const PLAYERS: [&str; 3] = ["ada", "bob", "cyd"];
const FRAMES: u32 = 600;
/// A new coin appears every so many frames.
const COIN_EVERY: u32 = 30;

fn main() -> Result<(), Box<dyn Error>> {
    let mut network = Network::default();
    let mut games = Vec::new();
    for (id, player) in (1..).zip(PLAYERS) {
        games.push(Game::new(NodeId::new(id), player)?);
    }
    // Real games run each player in a process of its own and wait for the next frame here.
    for frame in 0..FRAMES {
        for game in &mut games {
            game.frame(frame, &mut network)?;
        }
    }
    for game in &games {
        println!("{} sees {}", game.player, game.score_board()?);
    }
    Ok(())
}

/// One player's program.
struct Game {
    id: NodeId,
    player: &'static str,
    node: Node,
    asked: BTreeMap<RequestId, (u32, Ticket<Option<String>>)>,
    won: u32,
}

/// What is on its way to each node: bytes, as a socket would carry them.
#[derive(Default)]
struct Network {
    queues: BTreeMap<NodeId, VecDeque<Vec<u8>>>,
}

impl Game {
    fn new(id: NodeId, player: &'static str) -> Result<Self, Box<dyn Error>> {
        let peers = (1..=PLAYERS.len() as u64).map(NodeId::new).collect();
        // A game that is over is over: nothing is kept on disk, so every start draws another
        // incarnation.
        let incarnation = Incarnation::new(getrandom::u64()?);
        let node = Node::new(Config::new(id, incarnation, Birth::Meet { peers }))?;
        Ok(Self { id, player, node, asked: BTreeMap::new(), won: 0 })
    }

    /// One turn of the loop: controls, network, simulation, time.
    fn frame(&mut self, frame: u32, network: &mut Network) -> Result<(), Box<dyn Error>> {
        // These players are automata: each coin is reached by all three, a few frames apart.
        let coin = frame / COIN_EVERY;
        let head_start = 2 * ((u64::from(coin) + self.id.get()) % 3);
        if u64::from(frame % COIN_EVERY) == head_start {
            self.reach_for(coin, network)?;
        }
        for bytes in network.receive(self.id) {
            // Bytes that are no envelope are the network's fault, and are dropped.
            if let Ok(envelope) = Envelope::decode(&bytes) {
                self.step(Input::Receive(envelope), network)?;
            }
        }
        // A frame is a tick: at 60 frames a second a leader's silence is noticed in 1/6 s.
        self.step(Input::Tick(Ticks::new(1)), network)
    }

    /// Tries to pick up a coin. The game goes on meanwhile; the reply comes in some later frame.
    fn reach_for(&mut self, coin: u32, network: &mut Network) -> Result<(), Box<dyn Error>> {
        let (request, ticket) = COINS.insert(&coin, &self.player.to_owned())?.into_parts();
        let id = RequestId::new(u64::from(coin));
        self.asked.insert(id, (coin, ticket));
        self.step(Input::Request(id, request), network)
    }

    fn step(&mut self, input: Input, network: &mut Network) -> Result<(), Box<dyn Error>> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.node.step(input) {
                match output {
                    // Nothing is kept, so it is done at once.
                    Output::Persist(write) => inputs.push_back(Input::Persisted(write.id())),
                    Output::Send(envelope) => network.send(&envelope),
                    Output::Reply(reply) => {
                        let (coin, ticket) =
                            self.asked.remove(&reply.id()).ok_or("a reply to no request")?;
                        // The answer is who had the coin already. A request can also fail, while
                        // nobody leads for example; this player then simply tries the next coin.
                        if let Ok(None) = ticket.redeem(reply) {
                            self.won += 1;
                            println!("{} picks up coin {coin}", self.player);
                        }
                    }
                    Output::Event(_) | Output::Remote(_) => {}
                }
            }
        }
        Ok(())
    }

    /// Counts every player's coins in this node's own copy of the map.
    fn score_board(&self) -> Result<String, Box<dyn Error>> {
        let mut coins = BTreeMap::from(PLAYERS.map(|player| (player.to_owned(), 0)));
        for entry in self.node.map(&COINS).iter() {
            let (_, owner) = entry?;
            *coins.entry(owner).or_insert(0) += 1;
        }
        assert_eq!(coins.get(self.player), Some(&self.won), "what was won is on the board");
        let scores: Vec<String> =
            coins.iter().map(|(player, coins)| format!("{player}: {coins}")).collect();
        Ok(scores.join(", "))
    }
}

impl Network {
    fn send(&mut self, envelope: &Envelope) {
        self.queues.entry(envelope.to()).or_default().push_back(envelope.encode());
    }

    fn receive(&mut self, id: NodeId) -> VecDeque<Vec<u8>> {
        self.queues.remove(&id).unwrap_or_default()
    }
}

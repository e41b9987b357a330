//! A user with one device: takes what is due, acks what it is offered, and keeps what was not confirmed, as every client should. Counts what it is offered again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::body;
use super::crowd::Scene;
use super::said::{self, Said};
use super::socket::Socket;
use crate::client::Backoff;
use crate::clock;

/// An answer to a hello comes within this time, or the connection is no good.
const HELLO_TIMEOUT: Duration = Duration::from_secs(20);
/// Rounds of one person that may be under way; what is due beyond is not begun, and counted.
pub(super) const ROUNDS_MAX: usize = 16;

/// Who takes part.
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) scene: Rc<Scene>,
    /// When the rounds under way should have begun, by their number. Shared with the tasks that publish.
    begun: Rc<RefCell<BTreeMap<u64, Instant>>>,
    next_number: u64,
    /// Rounds that were offered, and not confirmed: their window.
    held: BTreeMap<u64, String>,
    /// Rounds whose confirm has come.
    confirmed: BTreeSet<u64>,
}

/// What is to be done after a frame was read.
enum Todo {
    Ack { number: u64, window: String },
    Confirmed(u64),
    Leave,
}

impl Person {
    pub(super) fn new(number: usize, name: String, scene: Rc<Scene>) -> Person {
        Person { number, name, scene, begun: Rc::default(), next_number: 0, held: BTreeMap::new(), confirmed: BTreeSet::new() }
    }

    /// Connects, says hello, and waits until all that waited was offered.
    pub(super) async fn connect(&mut self) -> io::Result<Socket> {
        let place = self.scene.place_of(self.number);
        let attempt = async {
            let mut socket = Socket::open(place, self.scene.rank_of(self.number)).await?;
            let keys: Vec<(String, String)> = self.held.iter().map(|(number, window)| (body::id(*number), window.clone())).collect();
            // What it holds it has acked: that ack is on its way, or lost.
            socket.send(&body::hello(&self.scene.token(&self.name), &keys, &keys)).await?;
            let mut is_caught_up = false;
            while !is_caught_up {
                is_caught_up = self.listen(&mut socket).await?;
            }
            Ok(socket)
        };
        tokio::time::timeout(HELLO_TIMEOUT, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Lives until the run is over. `due` brings the moments at which rounds should begin; in a closed loop each begins when the one before is confirmed.
    pub(super) async fn live(mut self, socket: Socket, mut due: mpsc::Receiver<Instant>) {
        let mut socket = Some(socket);
        let mut backoff = Backoff::default();
        let mut over = self.scene.over.clone();
        loop {
            let Some(open) = &mut socket else {
                tokio::select! {
                    _ = over.wait_for(|is_over| *is_over) => return,
                    () = tokio::time::sleep(backoff.next_wait(0)) => {}
                }
                socket = self.reconnect(&mut backoff).await;
                continue;
            };
            let scene = Rc::clone(&self.scene);
            tokio::select! {
                _ = over.wait_for(|is_over| *is_over) => return,
                intended = due.recv() => match intended {
                    Some(intended) => self.begin(intended),
                    None => return,
                },
                heard = self.listen(open) => if let Err(error) = heard {
                    scene.tally.borrow_mut().error(format!("connection: {}", error.kind()));
                    socket = None;
                }
            }
        }
    }

    async fn reconnect(&mut self, backoff: &mut Backoff) -> Option<Socket> {
        match self.connect().await {
            Ok(socket) => {
                self.scene.tally.borrow_mut().reconnects += 1;
                backoff.reset();
                Some(socket)
            }
            Err(error) => {
                self.scene.tally.borrow_mut().error(format!("reconnect: {}", error.kind()));
                None
            }
        }
    }

    /// Begins a round: publishes, on a task of its own.
    pub(super) fn begin(&mut self, intended: Instant) {
        if self.begun.borrow().len() >= ROUNDS_MAX {
            self.scene.shared.not_begun_count.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.begun.borrow_mut().insert(number, intended);
        self.scene.shared.under_way_count.fetch_add(1, Ordering::Relaxed);
        let (scene, name, begun) = (Rc::clone(&self.scene), self.name.clone(), Rc::clone(&self.begun));
        let place = self.number + usize::try_from(number).unwrap_or(0);
        tokio::task::spawn_local(async move {
            if !scene.publish(place, (&name, number), intended).await {
                // Nobody took it; should its offer come after all, it is acked and counted for nothing.
                if begun.borrow_mut().remove(&number).is_some() {
                    scene.shared.under_way_count.fetch_sub(1, Ordering::Relaxed);
                }
            }
        });
    }

    /// Reads a frame, and does what follows from it. Whether all that waited was offered.
    async fn listen(&mut self, socket: &mut Socket) -> io::Result<bool> {
        let mut todo = Vec::new();
        let mut is_caught_up = false;
        let held = &self.held;
        let confirmed = &self.confirmed;
        let scene = &self.scene;
        socket
            .read(|text| {
                said::each(text, |said| match said {
                    Some(said) if said.kind == "caught_up" => is_caught_up = true,
                    Some(said) => todo.extend(meant(&said, (held, confirmed), scene)),
                    None => scene.tally.borrow_mut().error("a message that can't be read"),
                });
            })
            .await?;
        for what in todo {
            self.carry_out(what, socket).await?;
        }
        Ok(is_caught_up)
    }

    async fn carry_out(&mut self, what: Todo, socket: &Socket) -> io::Result<()> {
        match what {
            Todo::Ack { number, window } => {
                if let Some(intended) = self.begun.borrow().get(&number) {
                    self.scene.note(*intended, |tally| &mut tally.offered);
                }
                let ack = body::ack(&body::id(number), &window);
                self.held.insert(number, window);
                socket.send(&ack).await
            }
            Todo::Confirmed(number) => {
                self.held.remove(&number);
                self.confirmed.insert(number);
                let intended = self.begun.borrow_mut().remove(&number);
                if let Some(intended) = intended {
                    self.scene.confirmed(self.number, intended);
                    if self.scene.is_closed_loop() && self.scene.goes_on() {
                        self.begin(clock::monotonic());
                    }
                }
                Ok(())
            }
            Todo::Leave => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// What follows from a message.
fn meant(said: &Said<'_>, (held, confirmed): (&BTreeMap<u64, String>, &BTreeSet<u64>), scene: &Scene) -> Option<Todo> {
    let number = said.id.as_deref().and_then(body::number);
    match said.kind.as_ref() {
        "offer" => {
            let number = number?;
            let mut tally = scene.tally.borrow_mut();
            tally.again_after_confirm += u64::from(confirmed.contains(&number));
            tally.again_before_confirm += u64::from(held.contains_key(&number));
            Some(Todo::Ack { number, window: said.window().to_owned() })
        }
        "confirm" => number.map(Todo::Confirmed),
        "error" => {
            scene.tally.borrow_mut().error(format!("error {}", said.code.as_deref().unwrap_or("without a code")));
            // The ack is sent again in the next hello.
            said.retry.then_some(Todo::Leave)
        }
        "bye" => Some(Todo::Leave),
        _ => None,
    }
}

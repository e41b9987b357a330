//! A user's connection, and a publisher's many. Both speak any of the protocols.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::ground::Ground;
use crate::speech::{Heard, Speaker, Speech, To, bad};
use crate::wire::{Inbox, Wire};

/// A connection on which one task reads and writes.
pub struct Link {
    wire: Wire,
    inbox: Inbox,
}

impl Link {
    /// Connects, says the greeting, and waits until it is answered.
    pub async fn open<S: Speech>(speech: &mut S, ground: &Ground, speaker: Speaker) -> io::Result<Link> {
        let door = match speaker {
            Speaker::User(number) => ground.door(number),
            Speaker::Publisher(number) => ground.publisher_door(number),
        };
        Link::open_at(speech, door, speaker, &mut Vec::new()).await
    }

    /// The same for a user for whom something may wait: what comes with the answer to the greeting.
    pub async fn open_into<S: Speech>(speech: &mut S, ground: &Ground, number: usize, heard: &mut Vec<Heard>) -> io::Result<Link> {
        Link::open_at(speech, ground.door(number), Speaker::User(number), heard).await
    }

    async fn open_at<S: Speech>(speech: &mut S, door: SocketAddr, speaker: Speaker, heard: &mut Vec<Heard>) -> io::Result<Link> {
        let (wire, inbox) = Wire::open(door, S::framing(speaker)).await?;
        let mut link = Link { wire, inbox };
        let mut greeting = Vec::new();
        speech.greet(&mut greeting);
        link.wire.write(&greeting).await?;
        // What came with the upgrade is heard with what comes next: each server says more than its first word.
        while !heard.contains(&Heard::Ready) {
            link.listen(speech, heard).await?;
        }
        Ok(link)
    }

    /// Waits until the server said something, and answers what is to be answered.
    pub async fn listen<S: Speech>(&mut self, speech: &mut S, heard: &mut Vec<Heard>) -> io::Result<()> {
        self.wire.read(&mut self.inbox).await?;
        let mut out = Vec::new();
        let count = speech.hear(&self.inbox.plain, heard, &mut out)?;
        self.inbox.consume(count);
        self.wire.write(&out).await
    }
}

/// One of a publisher's connections: many say things on it, one task writes them, one reads.
struct Lane<S> {
    wire: Wire,
    speech: RefCell<S>,
    out: RefCell<Vec<u8>>,
    wake: Notify,
}

/// A publisher, or a writer.
pub struct Publisher<S> {
    lanes: Vec<Rc<Lane<S>>>,
    failed: Rc<Cell<Option<&'static str>>>,
}

impl<S: Speech> Publisher<S> {
    /// Connects. What is heard goes to `take`.
    pub async fn open(ground: &Ground, take: impl Fn(Heard) + Clone + 'static) -> io::Result<Publisher<S>> {
        let mut lanes = Vec::new();
        let failed = Rc::new(Cell::new(None));
        for number in 0..S::LANES {
            let mut speech = S::new(Speaker::Publisher(number));
            let Link { wire, inbox } = Link::open(&mut speech, ground, Speaker::Publisher(number)).await?;
            let lane = Rc::new(Lane { wire, speech: RefCell::new(speech), out: RefCell::default(), wake: Notify::new() });
            let (reader, take, failing) = (Rc::clone(&lane), take.clone(), Rc::clone(&failed));
            tokio::task::spawn_local(async move {
                if let Err(error) = reader.read(inbox, take).await {
                    eprintln!("a publisher's connection ended: {error}");
                    failing.set(Some("a publisher's connection ended"));
                }
            });
            let writer = Rc::clone(&lane);
            tokio::task::spawn_local(async move { writer.write().await });
            lanes.push(lane);
        }
        Ok(Publisher { lanes, failed })
    }

    /// Publishes; the answer is heard later.
    pub fn publish(&self, to: To, body: &[u8]) {
        let lane = &self.lanes[to.user % self.lanes.len()];
        lane.speech.borrow_mut().publish(to, body, &mut lane.out.borrow_mut());
        lane.wake.notify_one();
    }

    /// Says something of the protocol's own on one connection.
    pub fn say(&self, say: impl FnOnce(&mut S, &mut Vec<u8>)) {
        let lane = &self.lanes[0];
        say(&mut lane.speech.borrow_mut(), &mut lane.out.borrow_mut());
        lane.wake.notify_one();
    }

    /// An error, once a connection was lost: none is opened anew.
    pub fn check(&self) -> io::Result<()> {
        self.failed.get().map_or(Ok(()), |why| Err(bad(why)))
    }
}

impl<S: Speech> Lane<S> {
    async fn read(&self, mut inbox: Inbox, take: impl Fn(Heard)) -> io::Result<()> {
        let mut heard = Vec::new();
        loop {
            self.wire.read(&mut inbox).await?;
            let count = self.speech.borrow_mut().hear(&inbox.plain, &mut heard, &mut self.out.borrow_mut())?;
            inbox.consume(count);
            self.wake.notify_one();
            heard.drain(..).for_each(&take);
        }
    }

    async fn write(&self) -> io::Result<()> {
        loop {
            self.wake.notified().await;
            let said = self.out.take();
            self.wire.write(&said).await?;
        }
    }
}

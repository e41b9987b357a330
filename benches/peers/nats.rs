//! NATS with JetStream: one stream of three replicas on disk, a durable consumer of as many for each user, which pushes what is for them to the subject that their device subscribes
//! to. Of the protocol only what the jobs need.
//!
//! What is confirmed: an offer is a delivery with a subject to ack it by; the ack asks for an answer, and that, sent when the consumer's replicas have it, is the confirm. Consumers
//! of one replica, or in memory, would cost less, and forget acks with their node. Of what the ledger promises it has no windows, no steps, no holder among devices; a publish
//! can be made safe to repeat by a header, for the stream's window of duplicates.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use crate::ground::Ground;
use crate::link::Publisher;
use crate::speech::{Framing, Heard, Speaker, Speech, To, bad, number, number_in};

const STREAM: &str = "engagements";
/// What a device of engage's may hold at once, too.
const IN_FLIGHT_MAX: usize = 64;
const ACK_WAIT: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_secs(24 * 3_600);
/// Consumers that are made at once.
const MAKING_MAX: usize = 128;
/// A call that isn't answered is made again.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const ATTEMPTS: usize = 12;

pub struct Nats {
    speaker: Speaker,
    is_ready: bool,
}

impl Speech for Nats {
    /// Two to each server.
    const LANES: usize = 6;

    /// Users come from browsers, publishers from within.
    fn framing(speaker: Speaker) -> Framing {
        match speaker {
            Speaker::User(_) => Framing::Bytes { path: "/", protocol: None },
            Speaker::Publisher(_) => Framing::Stream,
        }
    }

    fn new(speaker: Speaker) -> Nats {
        Nats { speaker, is_ready: false }
    }

    fn greet(&mut self, out: &mut Vec<u8>) {
        self.is_ready = false;
        out.extend_from_slice(
            b"CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,\"lang\":\"bench\",\"version\":\"1\",\"protocol\":1}\r\n",
        );
        let subscribe = match self.speaker {
            Speaker::User(user) => format!("SUB offers.{user} 1\r\nSUB acked.{user}.* 2\r\nPING\r\n"),
            Speaker::Publisher(lane) => format!("SUB taken.{lane}.*.* 1\r\nPING\r\n"),
        };
        out.extend_from_slice(subscribe.as_bytes());
    }

    fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        while let Some(end) = bytes[at..].windows(2).position(|two| two == b"\r\n") {
            let line = &bytes[at..at + end];
            let next = at + end + 2;
            let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
            match words.as_slice() {
                [b"MSG" | b"HMSG", subject, _, rest @ .., length] => {
                    let length: usize = number(length).ok_or_else(|| bad(line))?;
                    let Some(body) = bytes.get(next..next + length) else { break };
                    if bytes.len() < next + length + 2 {
                        break;
                    }
                    // Before the length of all an HMSG has that of its headers; only an answer that nobody gave has some.
                    if words[0] == b"HMSG" {
                        return Err(bad([subject, &b" "[..], body].concat()));
                    }
                    self.take(subject, rest.first().copied(), body, (heard, out))?;
                    at = next + length + 2;
                    continue;
                }
                [b"PING", ..] => out.extend_from_slice(b"PONG\r\n"),
                [b"PONG", ..] if !self.is_ready => {
                    self.is_ready = true;
                    heard.push(Heard::Ready);
                }
                [b"-ERR", ..] => return Err(bad(line)),
                _ => {}
            }
            at = next;
        }
        Ok(at)
    }

    fn publish(&mut self, to: To, body: &[u8], out: &mut Vec<u8>) {
        self.say(&format!("users.{}", to.user), to, body, out);
    }

    async fn prepare(ground: &Ground, users: Range<usize>) -> io::Result<()> {
        let all = users.clone();
        let made = Rc::new(Made { answered: RefCell::new(vec![false; users.end]), under_way: Cell::new(0), wake: Notify::new() });
        let answered = Rc::clone(&made);
        let publisher: Publisher<Nats> = Publisher::open(ground, move |heard| answered.take(heard)).await?;
        make_stream(&publisher, &made).await?;
        for _ in 0..ATTEMPTS {
            for user in all.clone() {
                if made.answered.borrow()[user] {
                    continue;
                }
                made.wait_below(MAKING_MAX).await;
                publisher.check()?;
                made.under_way.set(made.under_way.get() + 1);
                let request = consumer(user).to_string();
                let api = format!("$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.c{user}");
                publisher.say(|speech, out| speech.say(&api, To { user, number: 0 }, request.as_bytes(), out));
            }
            made.wait_below(1).await;
            if made.answered.borrow()[all.clone()].iter().all(|answered| *answered) {
                return Ok(());
            }
            made.under_way.set(0);
        }
        Err(bad("not all consumers could be made"))
    }
}

impl Nats {
    /// Publishes with a subject for the answer, that tells what was answered.
    fn say(&mut self, subject: &str, to: To, body: &[u8], out: &mut Vec<u8>) {
        let Speaker::Publisher(lane) = self.speaker else { return };
        let head = format!("PUB {subject} taken.{lane}.{}.{} {}\r\n", to.user, to.number, body.len());
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n");
    }

    fn take(&self, subject: &[u8], reply: Option<&[u8]>, body: &[u8], (heard, out): (&mut Vec<Heard>, &mut Vec<u8>)) -> io::Result<()> {
        let unknown = || bad([subject, &b" "[..], body].concat());
        let mut parts = subject.split(|byte| *byte == b'.');
        match (parts.next().unwrap_or_default(), self.speaker, reply) {
            // What was published, with its own subject; the one that it was pushed to shows only in the subscription.
            (b"users", Speaker::User(user), Some(reply)) => {
                let number = number_in(body).ok_or_else(unknown)?;
                out.extend_from_slice(b"PUB ");
                out.extend_from_slice(reply);
                out.extend_from_slice(format!(" acked.{user}.{number} 4\r\n+ACK\r\n").as_bytes());
                heard.push(Heard::Offer(number));
            }
            (b"acked", ..) => heard.push(Heard::Confirmed(parts.nth(1).and_then(number).ok_or_else(unknown)?)),
            (b"taken", ..) => {
                if body.windows(8).any(|window| window == b"\"error\":") {
                    // A server that is busy may say so. Whoever waits for this answer tries again, or counts it as missing.
                    eprintln!("{}", unknown());
                    heard.push(Heard::Trouble("the server answered with an error"));
                    return Ok(());
                }
                let mut next = || parts.nth(0);
                let (_lane, user, round) = (next(), next(), next());
                let (user, number) = user.and_then(number).zip(round.and_then(number)).ok_or_else(unknown)?;
                heard.push(Heard::Taken(To { user, number }));
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }
}

/// Which calls were answered, and how many are under way.
struct Made {
    answered: RefCell<Vec<bool>>,
    under_way: Cell<usize>,
    wake: Notify,
}

/// The number of the call that makes the stream.
const STREAM_CALL: To = To { user: 0, number: 1 };

impl Made {
    fn take(&self, heard: Heard) {
        match heard {
            Heard::Taken(to) if to != STREAM_CALL => self.answered.borrow_mut()[to.user] = true,
            Heard::Taken(_) | Heard::Trouble(_) => {}
            _ => return,
        }
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.wake.notify_one();
    }

    /// Waits until so few are under way, or no further answer comes.
    async fn wait_below(&self, count: usize) {
        while self.under_way.get() >= count {
            if tokio::time::timeout(ANSWER_WITHIN, self.wake.notified()).await.is_err() {
                return;
            }
        }
    }
}

async fn make_stream(publisher: &Publisher<Nats>, made: &Made) -> io::Result<()> {
    let config = json!({
        "name": STREAM, "subjects": ["users.*"], "retention": "limits", "storage": "file", "num_replicas": 3, "discard": "old",
        "max_age": nanoseconds(WINDOW), "max_msgs": -1, "max_bytes": -1, "max_consumers": -1, "duplicate_window": nanoseconds(Duration::from_secs(1)),
    });
    made.under_way.set(1);
    publisher.say(|speech, out| speech.say(&format!("$JS.API.STREAM.CREATE.{STREAM}"), STREAM_CALL, config.to_string().as_bytes(), out));
    made.wait_below(1).await;
    publisher.check()?;
    if made.under_way.get() == 0 { Ok(()) } else { Err(bad("the stream was not made in time")) }
}

fn consumer(user: usize) -> serde_json::Value {
    json!({
        "stream_name": STREAM,
        "config": {
            "durable_name": format!("c{user}"), "deliver_subject": format!("offers.{user}"), "filter_subject": format!("users.{user}"),
            "deliver_policy": "all", "ack_policy": "explicit", "replay_policy": "instant", "ack_wait": nanoseconds(ACK_WAIT),
            "max_ack_pending": IN_FLIGHT_MAX,
        },
    })
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("the span is short")
}

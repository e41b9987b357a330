//! socket.io, over engine.io over a WebSocket: packets of text, whose first digits tell their kind. Users keep what connection state recovery needs: the session's private id,
//! and the offset of what came last.
//!
//! What is confirmed: an offer is an event, its ack an event of the client's, and its confirm the server's answer to that. The server of benches/peers/socketio keeps acks in
//! memory, and knows by the client's offset alone what is to be sent again.

use std::io;

use crate::speech::{Framing, Heard, Speaker, Speech, To, bad, number, number_in};

const OFFER: &[u8] = br#"42["offer",""#;
/// The number of a publish is its user and, in so many bits, which of theirs it is.
const NUMBER_BITS: u32 = 24;

pub struct SocketIo {
    speaker: Speaker,
    pid: Option<String>,
    offset: Option<String>,
}

impl Speech for SocketIo {
    const LANES: usize = 4;

    fn framing(_: Speaker) -> Framing {
        Framing::Lines { path: "/socket.io/?EIO=4&transport=websocket" }
    }

    fn new(speaker: Speaker) -> SocketIo {
        SocketIo { speaker, pid: None, offset: None }
    }

    /// engine.io's server speaks first, but takes this before it has.
    fn greet(&mut self, out: &mut Vec<u8>) {
        let who = match self.speaker {
            Speaker::User(number) => format!(r#""user":"u{number}""#),
            Speaker::Publisher(_) => r#""publisher":true"#.to_owned(),
        };
        let back = match (&self.pid, &self.offset) {
            (Some(pid), Some(offset)) => format!(r#","pid":"{pid}","offset":"{offset}""#),
            _ => String::new(),
        };
        out.extend_from_slice(format!("40{{{who}{back}}}\n").as_bytes());
    }

    fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        while let Some(end) = bytes[at..].iter().position(|byte| *byte == b'\n') {
            self.take(&bytes[at..at + end], heard, out)?;
            at += end + 1;
        }
        Ok(at)
    }

    fn publish(&mut self, to: To, body: &[u8], out: &mut Vec<u8>) {
        let id = (to.user as u64) << NUMBER_BITS | to.number;
        out.extend_from_slice(format!(r#"42{id}["publish","u{}",""#, to.user).as_bytes());
        out.extend_from_slice(body);
        out.extend_from_slice(b"\"]\n");
    }
}

impl SocketIo {
    fn take(&mut self, packet: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> io::Result<()> {
        match packet {
            [b'0', ..] => {}
            [b'2'] => out.extend_from_slice(b"3\n"),
            [b'4', b'0', ..] => {
                let pid = text_after(packet, b"\"pid\":\"").map(str::to_owned);
                if self.offset.is_some() && pid != self.pid {
                    heard.push(Heard::Trouble("the session was not recovered"));
                }
                self.pid = pid;
                heard.push(Heard::Ready);
            }
            [b'4', b'2', ..] => {
                let body = packet.strip_prefix(OFFER).ok_or_else(|| bad(packet))?;
                let number = number_in(body).ok_or_else(|| bad(packet))?;
                // With connection state recovery the last argument is the offset.
                let last = packet.strip_suffix(b"\"]").and_then(|rest| Some(&rest[rest.iter().rposition(|byte| *byte == b'"')? + 1..]));
                self.offset = last.and_then(|last| Some(std::str::from_utf8(last).ok()?.to_owned()));
                out.extend_from_slice(format!("42{number}[\"ack\",{number}]\n").as_bytes());
                heard.push(Heard::Offer(number));
            }
            [b'4', b'3', ..] => {
                let id: u64 = packet[2..].split(|byte| *byte == b'[').next().and_then(number).ok_or_else(|| bad(packet))?;
                heard.push(match self.speaker {
                    Speaker::User(_) => Heard::Confirmed(id),
                    Speaker::Publisher(_) => {
                        let user = usize::try_from(id >> NUMBER_BITS).map_err(io::Error::other)?;
                        Heard::Taken(To { user, number: id & ((1 << NUMBER_BITS) - 1) })
                    }
                });
            }
            other => return Err(bad(other)),
        }
        Ok(())
    }
}

/// The text that follows, up to its quote.
fn text_after<'a>(packet: &'a [u8], key: &[u8]) -> Option<&'a str> {
    let start = packet.windows(key.len()).position(|window| window == key)? + key.len();
    let rest = &packet[start..];
    std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == b'"')?]).ok()
}

//! Puts of etcd by gRPC: as much of HTTP/2 and of its header compression as a client needs that sends one kind of request and asks only whether it succeeded. A put that fails has
//! no message in its answer; so headers of answers need not be understood.

use std::collections::{HashMap, VecDeque};
use std::io;

use crate::speech::{Framing, Heard, Speaker, Speech, To, bad};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const FRAME_HEAD_BYTES: usize = 9;
/// What may be sent before the server allows more.
const FIRST_WINDOW: i64 = 65_535;
/// What the server may send: more than all its answers are long.
const OWN_WINDOW: u32 = 0x7fff_ffff - 65_535;

/// Each header as it is or by its number in the table that never changes: POST, http, the path, the authority, the type of content, te.
const REQUEST: &[u8] = b"\x83\x86\x04\x14/etcdserverpb.KV/Put\x01\x04etcd\x0f\x10\x10application/grpc\x00\x02te\x08trailers";

pub struct Etcd {
    next_stream: u32,
    window: i64,
    /// Puts under way, and whether their answer has a message.
    sent: HashMap<u32, (To, bool)>,
    /// Puts that wait for the window.
    waiting: VecDeque<(To, Vec<u8>)>,
}

impl Speech for Etcd {
    /// Over three servers.
    const LANES: usize = 24;

    fn framing(_: Speaker) -> Framing {
        Framing::Stream
    }

    fn new(_: Speaker) -> Etcd {
        Etcd { next_stream: 1, window: FIRST_WINDOW, sent: HashMap::new(), waiting: VecDeque::new() }
    }

    fn greet(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        put_frame(out, (SETTINGS, 0, 0), &[]);
        put_frame(out, (WINDOW_UPDATE, 0, 0), &OWN_WINDOW.to_be_bytes());
    }

    fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        while let Some(head) = bytes.get(at..at + FRAME_HEAD_BYTES) {
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let Some(payload) = bytes.get(at + FRAME_HEAD_BYTES..at + FRAME_HEAD_BYTES + length) else { break };
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            self.take((head[3], head[4], stream), payload, (heard, out))?;
            at += FRAME_HEAD_BYTES + length;
        }
        Ok(at)
    }

    fn publish(&mut self, to: To, body: &[u8], out: &mut Vec<u8>) {
        let key = format!("{}/{}", to.user, to.number);
        // A message of gRPC, not compressed, of two fields: the key and the value.
        let mut put = vec![0, 0, 0, 0, 0];
        for (tag, field) in [(0x0a, key.as_bytes()), (0x12, body)] {
            put.push(tag);
            put_length(&mut put, field.len());
            put.extend_from_slice(field);
        }
        let length = u32::try_from(put.len() - 5).expect("what is put here is short");
        put[1..5].copy_from_slice(&length.to_be_bytes());
        self.waiting.push_back((to, put));
        self.send(out);
    }
}

impl Etcd {
    fn send(&mut self, out: &mut Vec<u8>) {
        while self.waiting.front().is_some_and(|(_, put)| put.len() as i64 <= self.window) {
            let Some((to, put)) = self.waiting.pop_front() else { break };
            self.window -= put.len() as i64;
            put_frame(out, (HEADERS, END_HEADERS, self.next_stream), REQUEST);
            put_frame(out, (DATA, END_STREAM, self.next_stream), &put);
            self.sent.insert(self.next_stream, (to, false));
            self.next_stream += 2;
        }
    }

    fn take(
        &mut self,
        (kind, flags, stream): (u8, u8, u32),
        payload: &[u8],
        (heard, out): (&mut Vec<Heard>, &mut Vec<u8>),
    ) -> io::Result<()> {
        match kind {
            SETTINGS if flags & ACK == 0 => {
                put_frame(out, (SETTINGS, ACK, 0), &[]);
                heard.push(Heard::Ready);
            }
            PING if flags & ACK == 0 => put_frame(out, (PING, ACK, 0), payload),
            WINDOW_UPDATE if stream == 0 => {
                let more = payload.try_into().map_err(|_| bad("a window of no size"))?;
                self.window += i64::from(u32::from_be_bytes(more) & 0x7fff_ffff);
                self.send(out);
            }
            DATA | HEADERS => {
                if let Some((_, has_message)) = self.sent.get_mut(&stream) {
                    *has_message |= kind == DATA && !payload.is_empty();
                }
                if flags & END_STREAM != 0 {
                    match self.sent.remove(&stream) {
                        Some((to, true)) => heard.push(Heard::Taken(to)),
                        _ => return Err(bad("a put failed")),
                    }
                }
            }
            RST_STREAM | GOAWAY => return Err(bad(format!("the server ends it: {}", String::from_utf8_lossy(payload)))),
            _ => {}
        }
        Ok(())
    }
}

fn put_frame(out: &mut Vec<u8>, (kind, flags, stream): (u8, u8, u32), payload: &[u8]) {
    out.extend_from_slice(&u32::try_from(payload.len()).expect("what is said here is short").to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// In parts of seven bits.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

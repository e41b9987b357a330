//! MQTT 3.1.1 with QoS 2, as mosquitto speaks it: a persistent session for each user, who subscribes to a topic of their own once. Of the protocol only what the jobs need.
//!
//! What is confirmed: an offer is a PUBLISH, its ack the PUBREC, and its confirm the PUBREL, by which the broker says that it won't send it again. A broker of one node keeps this
//! in memory and writes it to disk now and then: what a crash forgets is delivered again, or is lost.

use std::collections::HashMap;
use std::io;

use crate::speech::{Framing, Heard, Speaker, Speech, To, bad, number_in};

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBREC: u8 = 0x50;
const PUBREL: u8 = 0x62;
const PUBCOMP: u8 = 0x70;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const QOS_2: u8 = 2;
/// Longer than any run: nobody has to ping.
const KEEP_ALIVE_S: u16 = 1_800;
/// Of four bytes of seven bits.
const LENGTH_BYTES_MAX: usize = 4;

/// One side of a connection; users' go through a WebSocket, or over TCP.
pub struct Mqtt<const IS_WEB: bool> {
    speaker: Speaker,
    next_packet: u16,
    /// Publishes that are not accepted yet.
    sent: HashMap<u16, To>,
    /// Deliveries that are not confirmed yet.
    held: HashMap<u16, u64>,
}

impl<const IS_WEB: bool> Speech for Mqtt<IS_WEB> {
    const LANES: usize = 8;

    /// By TCP, as devices of this protocol do. Browsers need a WebSocket, which mosquitto serves through another library.
    fn framing(speaker: Speaker) -> Framing {
        match speaker {
            Speaker::User(_) if IS_WEB => Framing::Bytes { path: "/mqtt", protocol: Some("mqtt") },
            _ => Framing::Stream,
        }
    }

    fn new(speaker: Speaker) -> Self {
        Mqtt { speaker, next_packet: 0, sent: HashMap::new(), held: HashMap::new() }
    }

    fn greet(&mut self, out: &mut Vec<u8>) {
        let (id, clean) = match self.speaker {
            Speaker::User(number) => (format!("u{number}"), 0),
            Speaker::Publisher(number) => (format!("p{number}"), 2),
        };
        let mut packet = vec![0, 4, b'M', b'Q', b'T', b'T', 4, clean];
        packet.extend_from_slice(&KEEP_ALIVE_S.to_be_bytes());
        put_text(&mut packet, id.as_bytes());
        put_packet(out, CONNECT, &packet);
    }

    fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        while let Some((kind, packet, length)) = first(&bytes[at..])? {
            self.take(kind, packet, (heard, out))?;
            at += length;
        }
        Ok(at)
    }

    fn publish(&mut self, to: To, body: &[u8], out: &mut Vec<u8>) {
        loop {
            self.next_packet = self.next_packet.checked_add(1).unwrap_or(1);
            if !self.sent.contains_key(&self.next_packet) {
                break;
            }
        }
        self.sent.insert(self.next_packet, to);
        let mut packet = Vec::with_capacity(body.len() + 16);
        put_text(&mut packet, format!("u/{}", to.user).as_bytes());
        packet.extend_from_slice(&self.next_packet.to_be_bytes());
        packet.extend_from_slice(body);
        put_packet(out, PUBLISH | QOS_2 << 1, &packet);
    }
}

impl<const IS_WEB: bool> Mqtt<IS_WEB> {
    fn take(&mut self, kind: u8, packet: &[u8], (heard, out): (&mut Vec<Heard>, &mut Vec<u8>)) -> io::Result<()> {
        match kind & 0xf0 {
            CONNACK => match (packet, self.speaker) {
                // A session that is there has its subscription.
                ([1, 0], _) | ([_, 0], Speaker::Publisher(_)) => heard.push(Heard::Ready),
                ([_, 0], Speaker::User(number)) => {
                    let mut subscribe = vec![0, 1];
                    put_text(&mut subscribe, format!("u/{number}").as_bytes());
                    subscribe.push(QOS_2);
                    put_packet(out, SUBSCRIBE, &subscribe);
                }
                _ => return Err(bad(format!("the broker refuses: {packet:?}"))),
            },
            SUBACK if packet.get(2) == Some(&QOS_2) => heard.push(Heard::Ready),
            PUBLISH => {
                let (number, id) = delivery(packet).ok_or_else(|| bad("a delivery that nobody sent"))?;
                // The same packet again, before its release, is the same delivery: QoS 2 is there to see that.
                if self.held.insert(id, number) != Some(number) {
                    heard.push(Heard::Offer(number));
                }
                put_packet(out, PUBREC, &id.to_be_bytes());
            }
            0x60 => {
                let id = packet_id(packet)?;
                put_packet(out, PUBCOMP, &id.to_be_bytes());
                heard.extend(self.held.remove(&id).map(Heard::Confirmed));
            }
            PUBREC => put_packet(out, PUBREL, &packet_id(packet)?.to_be_bytes()),
            PUBCOMP => heard.extend(self.sent.remove(&packet_id(packet)?).map(Heard::Taken)),
            other => return Err(bad(format!("a packet of kind {other:#x} isn't expected"))),
        }
        Ok(())
    }
}

/// The number of a delivery, and its packet's.
fn delivery(packet: &[u8]) -> Option<(u64, u16)> {
    let topic = usize::from(u16::from_be_bytes(packet.get(..2)?.try_into().ok()?));
    let id = u16::from_be_bytes(packet.get(2 + topic..4 + topic)?.try_into().ok()?);
    Some((number_in(packet.get(4 + topic..)?)?, id))
}

fn packet_id(packet: &[u8]) -> io::Result<u16> {
    let id = packet.get(..2).and_then(|id| id.try_into().ok()).ok_or_else(|| bad("a packet without its id"))?;
    Ok(u16::from_be_bytes(id))
}

/// The first packet, and how many bytes it takes; nothing, while it isn't whole.
fn first(bytes: &[u8]) -> io::Result<Option<(u8, &[u8], usize)>> {
    let Some(kind) = bytes.first() else { return Ok(None) };
    let mut length = 0;
    for place in 0..LENGTH_BYTES_MAX {
        let Some(byte) = bytes.get(1 + place) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let head = 2 + place;
            return Ok(bytes.get(head..head + length).map(|packet| (*kind, packet, head + length)));
        }
    }
    Err(bad("a packet of no known length"))
}

fn put_packet(out: &mut Vec<u8>, kind: u8, packet: &[u8]) {
    out.push(kind);
    let mut rest = packet.len();
    while rest > 0x7f {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out.extend_from_slice(packet);
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u16::try_from(text.len()).expect("what is said here is short").to_be_bytes());
    out.extend_from_slice(text);
}

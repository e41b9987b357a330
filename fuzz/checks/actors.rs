//! What comes in on a WebSocket as bytes, and what edges and owners say to each other. Whatever comes, it is read or refused, never a panic.

use bytes::BytesMut;

use super::assembler::{Assembler, Incoming};
use super::letter::Letter;
use super::wire;

/// Longest message of a client, as it is here.
const MESSAGE_MAX_BYTES: usize = 4 * 1024;

/// The bytes of a WebSocket: they give the same messages however they are cut, and none is longer than the bound.
pub fn websocket_frame(data: &[u8]) {
    let refusing = || Assembler::new(MESSAGE_MAX_BYTES);
    let whole = read(refusing(), data, data.len().max(1));
    for message in &whole {
        match message {
            Incoming::Text(text) => assert!(text.len() <= MESSAGE_MAX_BYTES),
            Incoming::Binary(_) => panic!("none is taken"),
            Incoming::Ping(payload) => assert!(payload.len() <= 125),
            Incoming::Pong | Incoming::Close(_) | Incoming::Bad(_) => {}
        }
    }
    let cut = usize::from(data.first().copied().unwrap_or(1)) % 13 + 1;
    assert_eq!(read(refusing(), data, cut), whole);
    for message in read(refusing().taking_binary(), data, cut) {
        assert!(!matches!(message, Incoming::Binary(bytes) if bytes.len() > MESSAGE_MAX_BYTES));
    }
}

fn read(mut assembler: Assembler, data: &[u8], chunk_bytes: usize) -> Vec<Incoming> {
    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    for chunk in data.chunks(chunk_bytes) {
        buffer.extend_from_slice(chunk);
        loop {
            let next = match wire::take_frame(&mut buffer, MESSAGE_MAX_BYTES) {
                Ok(None) => break,
                Ok(Some(frame)) => assembler.take(frame),
                Err(violation) => Err(violation),
            };
            match next {
                Ok(None) => {}
                Ok(Some(message)) => {
                    let is_over = matches!(message, Incoming::Close(_));
                    messages.push(message);
                    if is_over {
                        return messages;
                    }
                }
                Err(violation) => {
                    messages.push(Incoming::Bad(violation));
                    return messages;
                }
            }
        }
        assert!(buffer.len() <= MESSAGE_MAX_BYTES + 14, "what waits is bounded");
    }
    messages
}

/// What an edge and an owner say to each other: what is read is read again as it was written.
pub fn session_letter(data: &[u8]) {
    if let Ok(letter) = Letter::decode(data) {
        assert_eq!(Letter::decode(&letter.encode()).as_ref(), Ok(&letter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::fakes::{ack, attach, connection, offer, session, user};
    use crate::actors::wire::tests::masked;
    use crate::fuzz_corpus::walk;
    use crate::ledger::command::{Departure, Key, Visibility};
    use crate::ledger::engagement::{Payload, Scope};
    use crate::ledger::ids::{DeviceId, EngagementId, ShardId};
    use crate::ledger::time::LedgerTime;
    use crate::ports::session::{AttachRefused, Attempt, Item, Said, ToEdge, ToOwner};

    #[test]
    fn websocket_frames_of_the_corpus_are_read_or_refused() {
        let fragments =
            [masked(0x01, "\u{e4}".as_bytes()), masked(0x89, b"p"), masked(0x00, b"b"), masked(0x80, b"c"), masked(0x88, &[3, 232])];
        let samples = vec![
            ("fragments", fragments.concat()),
            ("text", masked(0x81, br#"{"type":"ping","ref":9}"#)),
            ("too_long", masked(0x81, &[b'a'; 5_000])[..14].to_vec()),
            ("longest_length", vec![0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4]),
            ("half_a_letter", [masked(0x01, &[0xc3]), masked(0x80, &[0xa4])].concat()),
            ("bad_close_code", masked(0x88, &[3, 237])),
            ("binary", masked(0x82, b"a")),
        ];
        walk("websocket_frame", samples, websocket_frame);
    }

    #[test]
    fn letters_of_the_corpus_are_read_or_refused() {
        let attempt = Attempt { connection: connection(1), number: 2 };
        let mut with_data = ack("a");
        with_data.data = Some(Payload("{\"a\":1}".into()));
        let said = vec![
            Said::Ack { ack: with_data, number: 7 },
            Said::Dismiss { key: Key { id: ack("b").id, window: ack("b").window }, number: 8 },
            Said::Visible(Visibility::Hidden),
            Said::Seen(EngagementId::parse("flash").unwrap()),
        ];
        let (user, device) = (user("u1"), DeviceId::parse("d").unwrap());
        let items = vec![
            Item::Welcome { window: session(), at: LedgerTime(9), acks: Vec::new() },
            Item::Do(offer("a", Scope::User, 2_000)),
            Item::Refused { why: AttachRefused::Full, acks: Vec::new() },
            Item::Notice { id: EngagementId::parse("flash").unwrap(), payload: Payload("[]".into()), at: LedgerTime(1) },
            Item::NotNow,
        ];
        let attached = ToOwner::Attach { user: user.clone(), attempt, attach: attach("d", 1), said: said.clone() };
        let samples = vec![
            ("attach", Letter::ToOwner(attached).encode()),
            ("posted", Letter::ToOwner(ToOwner::Posted { user: user.clone(), device: device.clone(), said }).encode()),
            ("gone", Letter::ToOwner(ToOwner::Gone { user, device, attempt, departure: Departure::Lost }).encode()),
            ("to_edge", Letter::ToEdge(ToEdge { attempt, shard: ShardId(3), term: 4, items }).encode()),
        ];
        walk("session_letter", samples, session_letter);
    }
}

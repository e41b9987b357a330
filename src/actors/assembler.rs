//! The frames of a WebSocket as messages: fragments put together under a bound on their total. Pure: reads no socket.

use bytes::{Bytes, BytesMut};

use super::wire::{Frame, Kind, Violation};

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(String),
    /// Only where binary messages are taken.
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// A Close frame, with its code.
    Close(Option<u16>),
    /// Something that ends the connection.
    Bad(Violation),
}

/// What becomes of binary messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binary {
    Refused,
    Taken,
}

/// Puts fragments together.
pub struct Assembler {
    message_max_bytes: usize,
    binary: Binary,
    /// The fragments so far.
    message: Option<Message>,
}

struct Message {
    kind: Kind,
    bytes: BytesMut,
}

impl Assembler {
    /// Of messages of at most `message_max_bytes`. A binary one is a violation, by its first header.
    pub fn new(message_max_bytes: usize) -> Assembler {
        Assembler { message_max_bytes, binary: Binary::Refused, message: None }
    }

    /// The same, for one that takes binary messages too.
    #[must_use]
    pub fn taking_binary(self) -> Assembler {
        Assembler { binary: Binary::Taken, ..self }
    }

    /// Longest message.
    pub fn message_max_bytes(&self) -> usize {
        self.message_max_bytes
    }

    /// What a frame brings; none, when more of its message is to come.
    ///
    /// # Errors
    /// A [`Violation`]; nothing after it can be read.
    pub fn take(&mut self, frame: Frame) -> Result<Option<Incoming>, Violation> {
        match frame.kind {
            Kind::Ping => Ok(Some(Incoming::Ping(frame.payload.freeze()))),
            Kind::Pong => Ok(Some(Incoming::Pong)),
            Kind::Close => close_code(&frame.payload).map(|code| Some(Incoming::Close(code))),
            Kind::Text | Kind::Binary if self.message.is_some() => Err(Violation::Protocol),
            Kind::Binary if self.binary == Binary::Refused => Err(Violation::Binary),
            Kind::Text | Kind::Binary => self.fragment(Message { kind: frame.kind, bytes: BytesMut::new() }, frame),
            Kind::Continuation => {
                let so_far = self.message.take().ok_or(Violation::Protocol)?;
                self.fragment(so_far, frame)
            }
        }
    }

    fn fragment(&mut self, mut message: Message, frame: Frame) -> Result<Option<Incoming>, Violation> {
        if message.bytes.len() + frame.payload.len() > self.message_max_bytes {
            return Err(Violation::TooLarge);
        }
        if message.bytes.is_empty() {
            message.bytes = frame.payload;
        } else {
            message.bytes.extend_from_slice(&frame.payload);
        }
        if !frame.is_final {
            self.message = Some(message);
            return Ok(None);
        }
        if message.kind == Kind::Binary {
            return Ok(Some(Incoming::Binary(message.bytes.freeze())));
        }
        String::from_utf8(message.bytes.into()).map(|text| Some(Incoming::Text(text))).map_err(|_| Violation::Utf8)
    }
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let [high, low, reason @ ..] = payload else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::Protocol) };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    std::str::from_utf8(reason).map(|_| Some(code)).map_err(|_| Violation::Utf8)
}

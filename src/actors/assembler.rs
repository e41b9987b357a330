//! The frames of a WebSocket as messages: fragments put together under a bound on their total. Pure: reads no socket.

use bytes::{Bytes, BytesMut};

use super::wire::{Frame, Kind, Violation};

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(String),
    Ping(Bytes),
    Pong,
    /// A Close frame, with its code.
    Close(Option<u16>),
    /// Something that ends the connection.
    Bad(Violation),
}

/// Puts fragments together.
pub struct Assembler {
    message_max_bytes: usize,
    /// The fragments so far of a text.
    message: Option<BytesMut>,
}

impl Assembler {
    /// Of messages of at most `message_max_bytes`.
    pub fn new(message_max_bytes: usize) -> Assembler {
        Assembler { message_max_bytes, message: None }
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
            Kind::Binary if self.message.is_none() => Err(Violation::Binary),
            Kind::Text if self.message.is_none() => self.fragment(BytesMut::new(), frame),
            Kind::Text | Kind::Binary => Err(Violation::Protocol),
            Kind::Continuation => {
                let so_far = self.message.take().ok_or(Violation::Protocol)?;
                self.fragment(so_far, frame)
            }
        }
    }

    fn fragment(&mut self, mut message: BytesMut, frame: Frame) -> Result<Option<Incoming>, Violation> {
        if message.len() + frame.payload.len() > self.message_max_bytes {
            return Err(Violation::TooLarge);
        }
        if message.is_empty() {
            message = frame.payload;
        } else {
            message.extend_from_slice(&frame.payload);
        }
        if !frame.is_final {
            self.message = Some(message);
            return Ok(None);
        }
        String::from_utf8(message.into()).map(|text| Some(Incoming::Text(text))).map_err(|_| Violation::Utf8)
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

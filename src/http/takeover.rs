//! A socket that changes hands: a route answers 101, and says with that who takes the socket. What HTTP kept for it (two buffers of 8 KiB above all) goes, so that an idle
//! connection costs little. Knows nothing of what is said on the socket then.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::HttpResponse;
use actix_web::error::PayloadError;
use bytes::{Buf as _, Bytes};
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::actors::frames::Received;

/// What one read takes at most; all sockets of a thread read into one buffer.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// What goes out. The connection ends with it.
pub type Sent = Pin<Box<dyn Stream<Item = Result<Bytes, actix_web::Error>>>>;

type Take = Box<dyn FnOnce(Received) -> Sent>;

/// Who takes the socket after an answer. In the extensions of that answer.
pub struct Takeover(Cell<Option<Take>>);

impl Takeover {
    /// Adds it to a 101.
    pub fn add(response: &mut HttpResponse, take: impl FnOnce(Received) -> Sent + 'static) {
        response.extensions_mut().insert(Takeover(Cell::new(Some(Box::new(take)))));
    }

    /// Whoever it is; nobody, the second time.
    pub(super) fn taker(&self) -> Option<Take> {
        self.0.take()
    }
}

/// A socket in new hands: reads when asked to, writes what goes out, and ends with it.
pub(super) struct Pump<T> {
    socket: Rc<RefCell<T>>,
    out: Sent,
    /// What is being written.
    chunk: Bytes,
    is_flushed: bool,
    is_over: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Pump<T> {
    /// `first` is what goes out before all else, and `rest` what came in behind the request.
    pub(super) fn new(socket: T, (first, rest): (Bytes, Bytes), take: Take) -> Pump<T> {
        let socket = Rc::new(RefCell::new(socket));
        let out = take(Box::pin(Reader { socket: Rc::clone(&socket), rest }));
        Pump { socket, out, chunk: first, is_flushed: false, is_over: false }
    }

    fn poll_chunk(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = self.socket.borrow_mut();
        while !self.chunk.is_empty() {
            let written = ready!(Pin::new(&mut *socket).poll_write(task, &self.chunk))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.chunk.advance(written);
            self.is_flushed = false;
        }
        // Not to keep the allocation that it was a part of.
        self.chunk = Bytes::new();
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_flushed {
            ready!(Pin::new(&mut *self.socket.borrow_mut()).poll_flush(task))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Future for Pump<T> {
    type Output = io::Result<()>;

    /// A socket that takes nothing holds back what goes out, and with it whoever speaks there: who cuts such a client must do it from outside.
    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_chunk(task))?;
            if self.is_over {
                ready!(self.poll_flush(task))?;
                return Pin::new(&mut *self.socket.borrow_mut()).poll_shutdown(task);
            }
            match self.out.as_mut().poll_next(task) {
                Poll::Ready(Some(Ok(chunk))) => self.chunk = chunk,
                Poll::Ready(Some(Err(_)) | None) => self.is_over = true,
                Poll::Pending => {
                    // Its errors are seen by whoever reads.
                    let _ = self.poll_flush(task);
                    return Poll::Pending;
                }
            }
        }
    }
}

/// What comes in, read when it is asked for.
struct Reader<T> {
    socket: Rc<RefCell<T>>,
    rest: Bytes,
}

impl<T: AsyncRead + Unpin> Stream for Reader<T> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        READ.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            Poll::Ready(match ready!(Pin::new(&mut *self.socket.borrow_mut()).poll_read(task, &mut read)) {
                Ok(()) if read.filled().is_empty() => None,
                Ok(()) => Some(Ok(Bytes::copy_from_slice(read.filled()))),
                Err(error) => Some(Err(PayloadError::Io(error))),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn echo(received: Received) -> Sent {
        Box::pin(received.map(|chunk| chunk.map_err(actix_web::Error::from)).take_while(|chunk| {
            let goes_on = chunk.as_ref().is_ok_and(|chunk| chunk.as_ref() != b"end");
            async move { goes_on }
        }))
    }

    #[tokio::test]
    async fn what_came_behind_the_request_is_read_first_and_the_answer_goes_out_first() {
        let (near, mut far) = tokio::io::duplex(64);
        let pump = Pump::new(near, (Bytes::from_static(b"101 "), Bytes::from_static(b"rest ")), Box::new(echo));
        let client = async move {
            far.write_all(b"more").await.unwrap();
            let mut heard = [0; 13];
            far.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"101 rest more");
            far.write_all(b"end").await.unwrap();
            let mut rest = Vec::new();
            far.read_to_end(&mut rest).await.unwrap();
            assert!(rest.is_empty(), "it ends with who took it");
        };
        let (pumped, ()) = tokio::join!(pump, client);
        pumped.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_holds_back_what_goes_out() {
        let (near, mut far) = tokio::io::duplex(8);
        let endless = |_: Received| -> Sent { Box::pin(futures_util::stream::repeat_with(|| Ok(Bytes::from_static(b"0123456789")))) };
        let mut pump = Box::pin(Pump::new(near, (Bytes::new(), Bytes::new()), Box::new(endless)));
        let mut heard = [0; 30];
        assert!(futures_util::poll!(&mut pump).is_pending());
        tokio::select! {
            _ = &mut pump => panic!("it has no end"),
            read = far.read_exact(&mut heard) => drop(read.unwrap()),
        }
        assert_eq!(&heard, b"012345678901234567890123456789");
        drop(far);
        assert!(pump.await.is_err());
    }
}

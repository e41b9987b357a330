//! A connection whose keeper may change: what HTTP needed for it is given back as soon as somebody else takes the socket, while the server goes on counting it as one connection.
//! Knows neither HTTP nor WebSockets.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_service::{Service, ServiceFactory};
use futures_util::future::LocalBoxFuture;

thread_local! {
    /// Left here by a keeper on its last poll, and taken by [`Kept`], which polled it, before anything else runs on the thread.
    static NEXT: Cell<Option<LocalBoxFuture<'static, ()>>> = const { Cell::new(None) };
}

/// Says who keeps the connection when the future that says so has ended, which it must do at once.
pub(super) fn then(next: LocalBoxFuture<'static, ()>) {
    NEXT.set(Some(next));
}

/// What is done with each socket, and by whom it is kept after that.
pub(super) struct Succession<F>(pub(super) F);

impl<F, Io> ServiceFactory<Io> for Succession<F>
where
    F: ServiceFactory<Io, Config = (), Response = ()>,
    F::Service: 'static,
    F::Future: 'static,
    <F::Service as Service<Io>>::Future: 'static,
{
    type Response = ();
    type Error = F::Error;
    type Config = ();
    type Service = Succession<F::Service>;
    type InitError = F::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, F::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let made = self.0.new_service(());
        Box::pin(async move { Ok(Succession(made.await?)) })
    }
}

impl<S, Io> Service<Io> for Succession<S>
where
    S: Service<Io, Response = ()>,
    S::Future: 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Kept<S::Error>;

    fn poll_ready(&self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(task)
    }

    fn call(&self, io: Io) -> Kept<S::Error> {
        Kept(Keeper::First(Box::pin(self.0.call(io))))
    }
}

/// A connection, from its first keeper to the end of the last one.
pub(super) struct Kept<E>(Keeper<E>);

enum Keeper<E> {
    First(LocalBoxFuture<'static, Result<(), E>>),
    Next(LocalBoxFuture<'static, ()>),
}

impl<E> Future for Kept<E> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let ended = match &mut self.0 {
                Keeper::First(first) => first.as_mut().poll(task),
                Keeper::Next(next) => next.as_mut().poll(task).map(Ok),
            };
            match NEXT.take() {
                Some(next) => self.0 = Keeper::Next(next),
                None => return ended,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[tokio::test]
    async fn what_the_first_keeper_held_goes_when_the_next_one_keeps_it() {
        let held = Rc::new([0u8; 64]);
        let watched = Rc::downgrade(&held);
        let mut kept = Kept::<()>(Keeper::First(Box::pin(std::future::poll_fn(move |_| {
            // As HTTP keeps its buffers until it is dropped.
            let _ = &held;
            then(Box::pin(tokio::task::yield_now()));
            Poll::Ready(Ok(()))
        }))));
        assert!(futures_util::poll!(&mut kept).is_pending(), "the next one keeps it");
        assert_eq!(watched.strong_count(), 0);
        assert_eq!(kept.await, Ok(()));
    }

    #[tokio::test]
    async fn a_connection_that_nobody_takes_ends_with_its_first_keeper() {
        assert_eq!(Kept(Keeper::First(Box::pin(async { Err(7) }))).await, Err(7));
    }
}

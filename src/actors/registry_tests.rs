//! Actors come and go, and nothing is lost on the way.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::actors::fakes::{FakeLedger, ack, device, until, user, yes};
use crate::actors::house::{self, FakeOwners};
use crate::ledger::command::By;

fn registry(ledger: Arc<FakeLedger>, limits: Limits) -> Arc<Registry> {
    house::registry(ledger, FakeOwners::new(), limits)
}

fn command(name: &str) -> Command {
    Command::Ack { user: user(name), by: By::posted(device("d")), ack: ack("a") }
}

#[actix_web::test]
async fn no_call_is_lost_while_actors_come_and_go() {
    const USERS: u64 = 2;
    const THREADS: u64 = 3;
    const CALLS: u64 = 20_000;
    let answered_count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&answered_count);
    let ledger = FakeLedger::new(move |command| {
        counted.fetch_add(1, Relaxed);
        Some(Ok(yes(command)))
    });
    // An actor leaves as soon as it has nothing to do; callers who wait for each answer meet it at any moment of that.
    let registry = registry(ledger, Limits { actor_idle_ms: 0, ..Limits::default() });
    let arbiters = [Arbiter::new(), Arbiter::new()];
    for arbiter in &arbiters {
        registry.place(arbiter.handle());
    }
    let callers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let registry = Arc::clone(&registry);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async move {
                    for at in 0..CALLS {
                        let name = format!("u{}", (at + thread) % USERS);
                        registry.call(command(&name), Duration::from_secs(10)).await.expect("no call is lost");
                    }
                });
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(answered_count.load(Relaxed), THREADS * CALLS);
    until("all leave", || registry.actor_count() == 0).await;
    for arbiter in arbiters {
        arbiter.stop();
        arbiter.join().unwrap();
    }
}

#[actix_web::test]
async fn an_actor_that_a_message_waits_for_may_not_leave() {
    let registry = registry(FakeLedger::agreeable(), Limits::default());
    let arbiter = Arbiter::new();
    registry.place(arbiter.handle());
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    // Its thread stands still while a call is on the way.
    arbiter.spawn_fn(move || wait.recv().unwrap());
    let call = registry.call(command("u1"), Duration::from_secs(10));
    let door = Arc::clone(&registry.doors.get(&user("u1")).unwrap());
    assert!(!registry.let_go(&user("u1"), &door));
    go_on.send(()).unwrap();
    assert!(call.await.is_ok());
    until("nothing waits", || door.nobody_waits()).await;
    assert!(registry.let_go(&user("u1"), &door));
    assert!(!registry.let_go(&user("u1"), &door));
    arbiter.stop();
    arbiter.join().unwrap();
}

#[actix_web::test]
async fn there_are_only_so_many_actors() {
    let registry = registry(FakeLedger::agreeable(), Limits { actors_max: 2, actor_idle_ms: 20, ..Limits::default() });
    let call = |name: &str| registry.call(command(name), Duration::from_secs(5));
    assert!(call("u1").await.is_ok() && call("u2").await.is_ok());
    assert_eq!(call("u3").await, Err(CallError::Overloaded));
    assert!(call("u1").await.is_ok());
    until("they leave", || registry.actor_count() == 0).await;
    assert!(call("u3").await.is_ok());
}

#[actix_web::test]
async fn a_call_that_gets_no_answer_ends_in_time() {
    let registry = registry(FakeLedger::new(|_| None), Limits::default());
    assert_eq!(registry.call(command("u1"), Duration::from_millis(5)).await, Err(CallError::Unknown));
    assert_eq!(registry.call(Command::Advance, Duration::from_secs(5)).await, Err(CallError::Unavailable));
}

#[actix_web::test]
async fn an_actor_whose_thread_died_is_replaced() {
    let registry = registry(FakeLedger::agreeable(), Limits::default());
    let arbiter = Arbiter::new();
    registry.place(arbiter.handle());
    assert!(registry.call(command("u1"), Duration::from_secs(5)).await.is_ok());
    arbiter.stop();
    arbiter.join().unwrap();
    assert!(registry.call(command("u1"), Duration::from_secs(5)).await.is_ok());
    assert_eq!(registry.actor_count(), 1);
}

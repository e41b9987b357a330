//! A line holds what waits, in order and within its bounds, and tells what is due.

use futures_util::future::poll_fn;
use futures_util::task::noop_waker;

use super::*;
use crate::actors::fakes::connection;
use crate::ledger::time::LedgerTime;
use crate::protocol::server_message::ServerMessage;

fn line(limits: Limits) -> Line {
    Line::new(connection(1), Kind::WebSocket, None, Arc::new(limits))
}

fn batch() -> Batch {
    Batch::of(&ServerMessage::CaughtUp)
}

fn next(line: &Line) -> Option<Outgoing> {
    let waker = noop_waker();
    match line.poll_next(&mut Context::from_waker(&waker)) {
        Poll::Ready(outgoing) => Some(outgoing),
        Poll::Pending => None,
    }
}

fn frame(line: &Line) -> String {
    match next(line) {
        Some(Outgoing::Frame(text)) => text.to_string(),
        _ => panic!("a frame should be ready"),
    }
}

#[test]
fn what_waits_goes_out_as_one_frame_in_order() {
    let line = line(Limits::default());
    line.try_send(vec![batch()]).unwrap();
    line.try_send(vec![batch()]).unwrap();
    assert_eq!(frame(&line), r#"[{"type":"caught_up"},{"type":"caught_up"}]"#);
    line.try_send(vec![batch()]).unwrap();
    assert_eq!(frame(&line), r#"{"type":"caught_up"}"#);
    assert!(next(&line).is_none());
}

#[test]
fn a_client_that_does_not_read_fills_its_line_and_no_more() {
    let line = line(Limits { outbox_messages_max: 3, ..Limits::default() });
    for _ in 0..3 {
        line.try_send(vec![batch()]).unwrap();
    }
    assert_eq!(line.try_send(vec![batch()]), Err(OutboxError::Full));
    frame(&line);
    assert_eq!(line.try_send(vec![batch()]), Ok(()));
    let line = super::tests::line(Limits { outbox_bytes_max: 50, ..Limits::default() });
    line.try_send(vec![batch()]).unwrap();
    line.try_send(vec![batch()]).unwrap();
    assert_eq!(line.try_send(vec![batch()]), Err(OutboxError::Full));
}

#[test]
fn what_one_step_says_always_fits_into_an_empty_line() {
    let line = line(Limits { outbox_messages_max: 3, outbox_bytes_max: 50, ..Limits::default() });
    assert_eq!(line.try_send(vec![batch(), batch(), batch(), batch()]), Ok(()));
    assert_eq!(line.try_send(vec![batch()]), Err(OutboxError::Full));
    frame(&line);
    assert_eq!(line.try_send(vec![batch()]), Ok(()));
}

#[test]
fn nothing_goes_out_before_the_answer_to_the_hello() {
    let line = line(Limits { outbox_messages_max: 2, ..Limits::default() });
    let pong = |number| Batch::of(&ServerMessage::Pong { reference: Some(number), server_time: LedgerTime(0) });
    line.answer(pong(1)).unwrap();
    line.answer(pong(2)).unwrap();
    assert_eq!(line.answer(pong(3)), Err(OutboxError::Full));
    assert!(next(&line).is_none());
    line.try_send(vec![batch()]).unwrap();
    let text = frame(&line);
    assert!(text.starts_with(r#"[{"type":"caught_up"},{"type":"pong","ref":1"#), "{text}");
    line.answer(pong(4)).unwrap();
    assert!(frame(&line).contains(r#""ref":4"#));
}

#[test]
fn an_end_comes_after_what_waits_and_only_the_first_counts() {
    let line = line(Limits::default());
    line.try_send(vec![batch()]).unwrap();
    line.close(Ending::unavailable());
    line.close(Ending::internal());
    assert_eq!(line.try_send(vec![batch()]), Err(OutboxError::Closed));
    assert!(frame(&line).contains("\"unavailable\""));
    assert!(matches!(next(&line), Some(Outgoing::End(ending)) if ending.word == "unavailable"));
    assert!(next(&line).is_none() && line.is_closing());
}

#[test]
fn a_slow_consumer_is_not_sent_what_it_did_not_read() {
    let line = line(Limits::default());
    line.try_send(vec![batch()]).unwrap();
    line.close(Ending::slow_consumer());
    let last = frame(&line);
    assert!(last.contains("slow_consumer") && !last.contains("caught_up"));
    assert!(matches!(next(&line), Some(Outgoing::End(ending)) if ending.close == 4440));
}

#[test]
fn each_timeout_comes_when_it_is_due() {
    let limits = Limits { hello_timeout_ms: 5_000, heartbeat_ms: 25_000, close_timeout_ms: 2_000, ..Limits::default() };
    let line = line(limits);
    let at_ms = |after_ms: u64| line.opened_at_ms + after_ms;
    assert_eq!(line.due(at_ms(4_999), 0), None);
    assert_eq!(line.due(at_ms(5_000), 0), Some(Due::HelloTimeout));
    line.greeted();
    assert_eq!(line.due(at_ms(24_999), 0), None);
    assert_eq!(line.due(at_ms(25_000), 0), Some(Due::Ping));
    line.attend(Due::Ping, at_ms(25_000));
    assert!(matches!(next(&line), Some(Outgoing::Ping)));
    assert_eq!(line.due(at_ms(26_000), 0), None);
    assert_eq!(line.due(at_ms(50_000), 0), Some(Due::Silent));
    line.renew(1_000);
    assert_eq!(line.due(at_ms(1), 999), None);
    assert_eq!(line.due(at_ms(1), 1_000), Some(Due::TokenExpired));
    line.close(Ending::unavailable());
    assert_eq!(line.due(clock::monotonic_ms(), 1_000), None);
    assert_eq!(line.due(clock::monotonic_ms() + 2_000, 1_000), Some(Due::Cut));
    line.attend(Due::Cut, 0);
    assert!(matches!(next(&line), Some(Outgoing::Cut)));
}

#[test]
fn the_client_of_a_stream_cannot_be_silent() {
    let line = Line::new(connection(1), Kind::Stream, None, Arc::new(Limits::default()));
    line.greeted();
    assert_eq!(line.due(line.opened_at_ms + 1_000_000, 0), Some(Due::Ping));
}

#[actix_web::test]
async fn a_writer_that_waits_is_woken() {
    let line = Arc::new(line(Limits::default()));
    let other = Arc::clone(&line);
    let writer = actix_rt::spawn(async move { poll_fn(|task| other.poll_next(task)).await });
    tokio::task::yield_now().await;
    std::thread::spawn(move || line.try_send(vec![batch()])).join().unwrap().unwrap();
    assert!(matches!(writer.await.unwrap(), Outgoing::Frame(_)));
}

#[test]
fn nothing_but_an_end_goes_out_before_the_welcome() {
    let pong = || Batch::of(&ServerMessage::Pong { reference: Some(1), server_time: LedgerTime(5) });
    let line = line(Limits::default());
    line.answer(pong()).unwrap();
    assert!(next(&line).is_none());
    line.try_send(vec![batch()]).unwrap();
    assert_eq!(frame(&line), r#"[{"type":"caught_up"},{"type":"pong","ref":1,"server_time":5}]"#);
    line.answer(pong()).unwrap();
    assert_eq!(frame(&line), r#"{"type":"pong","ref":1,"server_time":5}"#);
}

/// Browsers heard of the end of a connection a second late.
#[test]
fn a_client_that_answers_the_farewell_is_let_go_at_once() {
    let line = line(Limits::default());
    line.close(Ending::protocol(1002));
    line.closed_by_client();
    assert!(matches!(next(&line), Some(Outgoing::End(_))), "its Close crossed ours, which has to go out first");
    assert!(next(&line).is_none());
    line.closed_by_client();
    assert!(matches!(next(&line), Some(Outgoing::Cut)));
}

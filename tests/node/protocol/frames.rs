//! Frames: in pieces, too large, of no UTF-8, and mixed with control frames.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::nodes::common;
use crate::support::device::{Device, Event};
use crate::support::fresh;

async fn connected() -> Device {
    Device::connect_idle(common(), &fresh("user"), "d1").await
}

/// A ping message, blown up by spaces to so many bytes.
fn ping_of(bytes: usize) -> String {
    let ping = r#"{"type":"ping","ref":5}"#;
    format!("{ping}{}", " ".repeat(bytes - ping.len()))
}

#[tokio::test]
async fn a_message_in_fragments_is_put_together() {
    let mut device = connected().await;
    device.send_fragments(&[br#"{"type":"pi"#, br#"ng","re"#, b"", br#"f":5}"#]).await;
    assert_eq!(device.expect("pong").await["ref"], 5);
    let text = json!({"type": "ping", "ref": 6, "note": "grüße 👋"}).to_string();
    let bytes = text.as_bytes();
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    device.send_fragments(&pieces).await;
    assert_eq!(device.expect("pong").await["ref"], 6, "cut inside a character");
}

#[tokio::test]
async fn control_frames_may_come_between_fragments() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let mut device = connected().await;
    let frame = |text: &'static [u8], kind, last| Message::Frame(Frame::message(text.to_vec(), OpCode::Data(kind), last));
    device.send_raw(frame(br#"{"type":"ping","#, Data::Text, false)).await;
    device.send_raw(Message::Ping(b"between".to_vec().into())).await;
    device.send_raw(frame(br#""ref":9}"#, Data::Continue, true)).await;
    assert_eq!(device.expect("pong").await["ref"], 9);
}

#[tokio::test]
async fn a_frame_at_its_bound_is_taken_and_one_over_it_ends_the_connection() {
    let mut device = connected().await;
    device.send_raw(Message::text(ping_of(64 * 1024))).await;
    device.expect("pong").await;
    let _ = device.try_send_raw(Message::text(ping_of(64 * 1024 + 1))).await;
    too_large(&mut device).await;
}

#[tokio::test]
async fn fragments_that_together_are_too_large_end_the_connection() {
    let mut device = connected().await;
    let text = ping_of(200 * 1024);
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(10 * 1024).collect();
    for (index, piece) in pieces.iter().enumerate() {
        use tokio_tungstenite::tungstenite::protocol::frame::Frame;
        use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
        let kind = if index == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), index + 1 == pieces.len());
        if device.try_send_raw(Message::Frame(frame)).await.is_err() {
            break;
        }
    }
    too_large(&mut device).await;
}

async fn too_large(device: &mut Device) {
    let mut event = device.next().await;
    if let Event::Message(error) = &event {
        assert_eq!(error["code"], "too_large", "{error}");
        event = device.next().await;
    }
    assert_eq!(event, Event::Closed(4413));
}

#[tokio::test]
async fn text_that_is_no_utf8_ends_the_connection() {
    for wrong in [&b"{\"type\":\"ping\",\"x\":\"\xff\"}"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"] {
        let mut device = connected().await;
        device.send_fragments(&[wrong]).await;
        let mut event = device.next().await;
        if let Event::Message(error) = &event {
            assert_eq!(error["code"], "bad_message", "{error}");
            event = device.next().await;
        }
        assert!(matches!(event, Event::Closed(1007 | 4400)), "{event:?}");
    }
}

#[tokio::test]
async fn frames_against_the_standard_end_the_connection() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let lone = Frame::message(b"x".to_vec(), OpCode::Data(Data::Continue), true);
    let mut reserved = Frame::message(b"{\"type\":\"ping\"}".to_vec(), OpCode::Data(Data::Text), true);
    reserved.header_mut().rsv1 = true;
    for frame in [lone, reserved] {
        let mut device = connected().await;
        device.send_raw(Message::Frame(frame)).await;
        let mut event = device.next().await;
        if let Event::Message(error) = &event {
            assert_eq!(error["code"], "bad_message", "{error}");
            event = device.next().await;
        }
        assert!(matches!(event, Event::Closed(1002 | 4400) | Event::Broken), "{event:?}");
    }
}

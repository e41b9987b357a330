//! `engage connect`: a device in a terminal. Prints what the node sends, a message a line; reconnects by itself; Ctrl-C closes the connection cleanly.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::device::{Device, Habit};
use super::identity::Claims;
use super::output;
use super::target::Target;
use crate::client::{Backoff, ConnectError, Connection, Left, ServerMessage};
use crate::clock;
use crate::config::Span;

/// How long a token made here holds; it is renewed at half of it.
const TOKEN_TTL: Span = Span::from_secs(3_600);

#[derive(Debug, Args)]
pub(super) struct Connect {
    /// The person
    #[arg(long)]
    user: String,
    /// The device
    #[arg(long)]
    device: String,
    /// Ack every offer to its last step, and answer every notice
    #[arg(long)]
    ack: bool,
    /// Connect as a device that nobody looks at
    #[arg(long)]
    hidden: bool,
    /// Most unsettled offers to hold at once [default: 16]
    #[arg(long, value_name = "N")]
    max_in_flight: Option<u16>,
    /// A token, instead of one made with the node's secret
    #[arg(long, env = "ENGAGE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print messages as JSON: they always are
    #[arg(long = "json")]
    _json: bool,
    #[command(flatten)]
    target: Target,
}

/// How a connection ended, and how long to wait before the next.
struct Again {
    cause: String,
    after_ms: u64,
}

impl Connect {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let url = self.target.url()?;
        let mut device = Device::new(&self.device, if self.ack { Habit::Acks } else { Habit::Looks });
        device.hello.visible = self.hidden.then_some(false);
        device.hello.max_in_flight = self.max_in_flight;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        output::note(format_args!("connecting to {url} as device {} of user {}; ctrl-c ends it", self.device, self.user));
        let ended = tokio::select! {
            ended = self.stay_connected(&url, &mut device) => ended,
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        };
        if let Some(connection) = device.connection.take() {
            connection.close().await;
        }
        let unconfirmed = device.outbox.unconfirmed().len();
        output::note(format_args!("closed; {unconfirmed} acks without a confirm, {} offers on the screen", device.hello.open.len()));
        ended
    }

    /// Never returns but for an error that connecting again can't mend.
    async fn stay_connected(&self, url: &str, device: &mut Device) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        loop {
            let again = self.connection(url, device, &mut backoff).await?;
            device.connection = None;
            let wait = backoff.next_wait(again.after_ms);
            output::note(format_args!("{}; connecting again in {} ms", again.cause, wait.as_millis()));
            sleep(wait).await;
        }
    }

    /// One connection, from the hello to its end.
    async fn connection(&self, url: &str, device: &mut Device, backoff: &mut Backoff) -> anyhow::Result<Again> {
        match Connection::connect(url, device.next_hello(self.token()?)).await {
            Ok(connection) => device.connection = Some(connection),
            Err(ConnectError::Refused { status: status @ (401 | 403), problem }) => {
                bail!("refused with {status}{}", problem.map(|problem| format!(": {}", problem.detail)).unwrap_or_default())
            }
            Err(error @ ConnectError::Address(_)) => return Err(error.into()),
            Err(error) => return Ok(Again { cause: error.to_string(), after_ms: 0 }),
        }
        let mut after_ms = 0;
        let left = self.listen(device, backoff, &mut after_ms).await?;
        if left.may_reconnect() { Ok(Again { cause: left.to_string(), after_ms }) } else { Err(left.into()) }
    }

    async fn listen(&self, device: &mut Device, backoff: &mut Backoff, after_ms: &mut u64) -> anyhow::Result<Left> {
        let renewal = Duration::from_millis(TOKEN_TTL.ms() / 2);
        let mut renew_at = Instant::from_std(clock::monotonic()) + renewal;
        loop {
            let Some(connection) = &mut device.connection else { bail!("there is no connection to listen on") };
            let received = tokio::select! {
                received = connection.next() => received,
                () = sleep_until(renew_at), if self.token.is_none() => {
                    renew_at += renewal;
                    match connection.token(&self.token()?).await {
                        Ok(()) => continue,
                        Err(left) => Err(left),
                    }
                }
            };
            let received = match received {
                Ok(received) => received,
                Err(left) => return Ok(left),
            };
            output::data(&received.json)?;
            match &received.message {
                ServerMessage::Welcome(_) => backoff.reset(),
                ServerMessage::Bye(bye) => *after_ms = bye.after_ms,
                _ => {}
            }
            // Where it can't be sent, the next `next` says why the connection ended, and the outbox keeps what matters.
            let _ = device.react(&received.message).await;
        }
    }

    fn token(&self) -> anyhow::Result<String> {
        match &self.token {
            Some(token) => Ok(token.clone()),
            None => Claims::new(&self.user, Some(&self.device), TOKEN_TTL.ms()).sign(&self.target.local.jwt_secret()?),
        }
    }
}

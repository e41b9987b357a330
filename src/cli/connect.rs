//! `engage connect`: a device in a terminal. Prints what the node sends, a message a line; reconnects by itself; Ctrl-C closes the connection cleanly.

use std::time::Duration;

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, value_parser};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::device::{Device, Habit};
use super::output;
use super::target::Target;
use crate::client::{Backoff, Claims, ConnectError, Connection, Left, ServerMessage};
use crate::clock;
use crate::config::{Secret, Span};

/// How long a token made here holds; it is renewed at half of it.
const TOKEN_TTL: Span = Span::from_secs(3_600);

#[derive(Debug, Args)]
pub(super) struct Connect {
    /// The person
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// The device
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    device: String,
    /// Ack every offer to its last step, and answer every notice
    #[arg(long)]
    ack: bool,
    /// Connect as a device that nobody looks at
    #[arg(long)]
    hidden: bool,
    /// Most unsettled offers to hold at once, 1 to 256 [default: 16]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=256))]
    max_in_flight: Option<u16>,
    /// A token, instead of one made with the node's secret
    #[arg(long, env = "ENGAGE_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
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

/// What the server said last that bears on how the connection ends.
#[derive(Default)]
struct Farewell {
    why: Option<String>,
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
        let unconfirmed = output::count(device.outbox.unconfirmed().len() as u64, "ack");
        let on_screen = output::count(device.hello.open.len() as u64, "offer");
        output::note(format_args!("closed; {unconfirmed} without a confirm, {on_screen} on the screen"));
        ended
    }

    /// Never returns but for an error that connecting again can't mend.
    async fn stay_connected(&self, url: &str, device: &mut Device) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        // Said once: whoever saw a node there, or read it, needs no hint.
        let mut hint = "; hint: is a node running there? `engage serve` starts one";
        loop {
            let again = self.connection(url, device, &mut backoff).await?;
            if device.connection.take().is_some() {
                hint = "";
            }
            let wait = backoff.next_wait(again.after_ms);
            output::note(format_args!("{}; connecting again in {} ms{hint}", again.cause, wait.as_millis()));
            hint = "";
            sleep(wait).await;
        }
    }

    /// One connection, from the hello to its end.
    async fn connection(&self, url: &str, device: &mut Device, backoff: &mut Backoff) -> anyhow::Result<Again> {
        match Connection::connect(url, device.next_hello(self.token()?)).await {
            Ok(connection) => device.connection = Some(connection),
            // The same hello would be refused again; only a limit passes by itself.
            Err(ConnectError::Refused { status: status @ 400..=499, problem }) if status != 429 => {
                bail!("refused with {status}{}", problem.map(|problem| format!(": {}", problem.detail)).unwrap_or_default())
            }
            Err(error @ ConnectError::Address(_)) => return Err(error.into()),
            Err(error) => return Ok(Again { cause: error.to_string(), after_ms: 0 }),
        }
        let mut farewell = Farewell::default();
        let left = self.listen(device, backoff, &mut farewell).await?;
        let cause = format!("{left}{}", farewell.why.map(|why| format!(": {why}")).unwrap_or_default());
        if left.may_reconnect() { Ok(Again { cause, after_ms: farewell.after_ms }) } else { bail!(cause) }
    }

    async fn listen(&self, device: &mut Device, backoff: &mut Backoff, farewell: &mut Farewell) -> anyhow::Result<Left> {
        let renewal = Duration::from_millis(TOKEN_TTL.ms() / 2);
        let mut renew_at = Instant::from_std(clock::monotonic()) + renewal;
        loop {
            let Some(connection) = &mut device.connection else { bail!("there is no connection to listen on") };
            let received = tokio::select! {
                received = connection.next() => received,
                () = sleep_until(renew_at), if self.given_token().is_none() => {
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
                ServerMessage::Welcome(welcome) if welcome.user != self.user => {
                    bail!("the token is for user {}, not for {}; hint: give the --user of the token", welcome.user, self.user)
                }
                ServerMessage::Welcome(_) => backoff.reset(),
                ServerMessage::Bye(bye) => *farewell = Farewell { why: Some(bye.reason.clone()), after_ms: bye.after_ms },
                ServerMessage::Error(refusal) => farewell.why = Some(refusal.message.clone()),
                _ => farewell.why = None,
            }
            // Where it can't be sent, the next `next` says why the connection ended, and the outbox keeps what matters.
            let _ = device.react(&received.message).await;
        }
    }

    /// An empty variable is how a shell says that there is none.
    fn given_token(&self) -> Option<&str> {
        self.token.as_ref().map(Secret::expose).filter(|token| !token.is_empty())
    }

    fn token(&self) -> anyhow::Result<String> {
        match self.given_token() {
            Some(token) => Ok(token.to_owned()),
            None => {
                let secret = self.target.local.jwt_secret("give a token with --token")?;
                Ok(Claims::new(&self.user, Some(&self.device), clock::wall_ms(), TOKEN_TTL.ms()).sign(&secret)?)
            }
        }
    }
}

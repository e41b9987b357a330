//! `engage publish`: publishes one engagement to one user, and says what became of it. Sends it once.

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum, value_parser};
use serde_json::Value;

use super::output;
use super::target::{Need, Target};
use crate::client::{self, Published};

#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The person to show it to
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// Your name for it: published again in the same window, it is a duplicate
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// What to show, any JSON
    #[arg(long, value_parser = json)]
    payload: Value,
    /// How many steps it has [default: 1]
    #[arg(long, value_parser = value_parser!(u8).range(1..=100))]
    steps: Option<u8>,
    /// Which ack is the end of it [default: shown with one step, completed with more]
    #[arg(long, value_enum)]
    settle_on: Option<SettleOn>,
    /// One delivery for the person, or one for each device [default: user]
    #[arg(long, value_enum)]
    scope: Option<Scope>,
    /// One device at a time, or all at once [default: active]
    #[arg(long, value_enum)]
    targets: Option<Targets>,
    /// Recorded and repeated until confirmed, or sent once [default: standard]
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// A window of its own, like 2m or 180d [default: the user's session window]
    #[arg(long, value_name = "DURATION")]
    window: Option<String>,
    /// It expires after this time [default: when its window closes]
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
    /// Not offered earlier, in ms since the epoch
    #[arg(long, value_name = "MS")]
    not_before: Option<u64>,
    /// -100 to 100; higher is offered first [default: 0]
    #[arg(long, allow_negative_numbers = true, value_parser = value_parser!(i8).range(-100..=100))]
    priority: Option<i8>,
    /// It expires when it would be offered more often; 0 is no limit [default: 0]
    #[arg(long)]
    max_offers: Option<u32>,
    /// A dismiss puts it off for this time [default: a dismiss is the end of it]
    #[arg(long, value_name = "DURATION")]
    snooze: Option<String>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SettleOn {
    Shown,
    Completed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scope {
    User,
    Device,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Targets {
    Active,
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Standard,
    #[value(name = "fire_and_forget", alias = "fire-and-forget")]
    FireAndForget,
}

impl Publish {
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let api = self.target.api(Need::Publish)?;
        let published =
            api.publish(&self.user, &self.body()).await.with_context(|| format!("{} was not published to {}", self.id, self.user))?;
        if self.json { output::json(&published) } else { output::data(sentence(&published, &self.id, &self.user)) }
    }

    fn body(&self) -> client::Publish {
        client::Publish {
            id: self.id.clone(),
            payload: self.payload.clone(),
            steps: self.steps,
            settle_on: word(self.settle_on),
            scope: word(self.scope),
            targets: word(self.targets),
            mode: word(self.mode),
            window: self.window.clone(),
            ttl: self.ttl.clone(),
            not_before: self.not_before,
            priority: self.priority,
            max_offers: self.max_offers,
            snooze: self.snooze.clone(),
        }
    }
}

fn sentence(published: &Published, id: &str, user: &str) -> String {
    match published {
        Published::Queued { window, state, closes_at, .. } => {
            format!("queued: {id} for {user}, in window {window}, {state}, until {}", output::time(*closes_at))
        }
        Published::Duplicate { window, state, step, closes_at, .. } => {
            format!("duplicate: {id} for {user} is in window {window}, {state}, step {step}, until {}", output::time(*closes_at))
        }
        Published::Sent { devices } => format!("sent: {id} to {} of {user}", output::count(*devices, "device")),
    }
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}; hint: quote it, like '{{\"title\":\"Hello\"}}'"))
}

/// The contract's word for a choice.
fn word<T: ValueEnum>(choice: Option<T>) -> Option<String> {
    choice.and_then(|choice| choice.to_possible_value()).map(|value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_go_out_in_the_words_of_the_contract() {
        assert_eq!(word(Some(Mode::FireAndForget)).as_deref(), Some("fire_and_forget"));
        assert_eq!(word(Some(SettleOn::Completed)).as_deref(), Some("completed"));
        assert_eq!(word::<Scope>(None), None);
    }
}

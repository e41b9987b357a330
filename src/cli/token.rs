//! `engage token`: makes a token with the node's secret. Calls no node.

use anyhow::bail;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use super::output;
use super::target::Local;
use crate::client::Claims;
use crate::clock;
use crate::config::Span;

#[derive(Debug, Args)]
pub(super) struct Token {
    /// Whom the token is for
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    user: String,
    /// Bind the token to this device
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    device: Option<String>,
    /// How long it holds
    #[arg(long, default_value = "1h")]
    ttl: Span,
    /// Print it with what it says, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    local: Local,
}

impl Token {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        if self.ttl.ms() == 0 {
            bail!("a token of --ttl 0s has expired before it is used; hint: 5m, 1h or 30d");
        }
        let claims = Claims::new(&self.user, self.device.as_deref(), clock::wall_ms(), self.ttl.ms());
        let token = claims.sign(&self.local.jwt_secret("configure it")?)?;
        if self.json {
            output::json(
                &json!({ "token": token, "user": claims.user, "device": claims.device, "expires_at": claims.expires_at_s * 1_000 }),
            )?;
        } else {
            output::data(&token)?;
        }
        let device = self.device.as_ref().map(|device| format!(" on device {device}")).unwrap_or_default();
        output::note(format_args!("good for user {}{device} until {}", self.user, output::time(claims.expires_at_s * 1_000)));
        Ok(())
    }
}

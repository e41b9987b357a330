//! What a request says in its path and its query: ids from the path as it was sent, and the parameters of the query, read as strictly as a body.

use std::time::Duration;

use actix_web::{HttpRequest, web};
use std::ops::RangeInclusive;

use crate::ledger::ids::{EngagementId, IdError, UserId};
use crate::ledger::time::Millis;
use crate::protocol::code::Code;
use crate::protocol::{duration, percent};

use super::problem::Problem;

/// The place of `{user}` between the slashes of `/v1/users/{user}/engagements/{id}`.
const USER_SEGMENT: usize = 3;
const ENGAGEMENT_SEGMENT: usize = 5;
/// The place of `{name}` in `/v1/cluster/nodes/{name}/drain`.
const NODE_SEGMENT: usize = 4;

/// The user of a path `/v1/users/{user}…`.
///
/// # Errors
/// [`Code::BadRequest`], when it is not an id.
pub fn user(request: &HttpRequest) -> Result<UserId, Problem> {
    id(request, USER_SEGMENT, "user", UserId::parse)
}

/// The engagement of a path `/v1/users/{user}/engagements/{id}`.
///
/// # Errors
/// [`Code::BadRequest`], when it is not an id.
pub fn engagement(request: &HttpRequest) -> Result<EngagementId, Problem> {
    id(request, ENGAGEMENT_SEGMENT, "id", EngagementId::parse)
}

/// The name of the node of a path `/v1/cluster/nodes/{name}…`. Whether there is one of that name is for the cluster to say.
///
/// # Errors
/// [`Code::BadRequest`], when it is not UTF-8.
pub fn node(request: &HttpRequest) -> Result<String, Problem> {
    id(request, NODE_SEGMENT, "name", |name| Ok(name.to_owned()))
}

/// Reads the path as it was sent: the router's own copy has invalid UTF-8 replaced, so that two ids could be taken for one.
fn id<T>(request: &HttpRequest, segment: usize, field: &str, parse: fn(&str) -> Result<T, IdError>) -> Result<T, Problem> {
    let bad = |detail: String| Problem::new(Code::BadRequest, format!("`{field}` in the path {detail}")).field(field);
    let sent = request.uri().path().split('/').nth(segment).unwrap_or_default();
    let bytes = percent::decoded(sent).ok_or_else(|| bad("has a `%` that no two hexadecimal digits follow".to_owned()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("is not UTF-8".to_owned()))?;
    parse(text).map_err(|error| bad(format!("is not an id: {error}")))
}

/// The parameters of a query. Each is taken once; what is left over is unknown.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of a request that may have these parameters, each once.
    ///
    /// # Errors
    /// [`Code::UnknownField`] for another one, [`Code::BadRequest`] for one that stands there twice.
    pub fn read(request: &HttpRequest, known: &[&str]) -> Result<Query, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let pairs = pairs.map_err(|error| Problem::new(Code::BadRequest, format!("the query is not valid: {error}")))?.into_inner();
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let detail = format!("there is no parameter `{name}`; hint: it may be one of {}", known.join(", "));
                return Err(Problem::new(Code::UnknownField, detail).field(name));
            }
            if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(bad(name, "stands there twice"));
            }
        }
        Ok(Query(pairs))
    }

    /// A parameter's text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A whole number within a range.
    ///
    /// # Errors
    /// [`Code::BadRequest`], when it is something else.
    pub fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if is_plain && range.contains(&number) => Ok(Some(number)),
            _ => Err(bad(name, &format!("must be an integer from {} to {}", range.start(), range.end()))),
        }
    }

    /// A duration no longer than `longest`.
    ///
    /// # Errors
    /// [`Code::BadRequest`], when it is something else.
    pub fn duration(&self, name: &str, longest: Duration) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let span = duration::parse(text).map(|span| Duration::from_millis(span.0));
        match span {
            Ok(span) if span <= longest => Ok(Some(span)),
            _ => {
                let longest = duration::format(Millis(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)));
                Err(bad(name, &format!("must be a duration of up to {longest}; hint: \"30s\"")))
            }
        }
    }
}

fn bad(name: &str, must: &str) -> Problem {
    Problem::new(Code::BadRequest, format!("the parameter `{name}` {must}")).field(name)
}

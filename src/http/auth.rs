//! API keys and roles: who calls, and what that caller may do. Says no more to a stranger than that the key is not known.

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use metrics::counter;
use std::future::{Ready, ready};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::config::{ApiKey, Role};
use crate::protocol::code::Code;
use crate::telemetry::names::REFUSED_CREDENTIALS_TOTAL;

use super::problem::Problem;

/// All keys of the configuration.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys(Vec<ApiKey>);

impl ApiKeys {
    /// Takes the keys. An empty secret is never accepted as a key.
    #[must_use]
    pub fn new(keys: Vec<ApiKey>) -> ApiKeys {
        ApiKeys(keys)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Who calls, by the `Authorization` header.
    ///
    /// # Errors
    /// [`Code::Unauthorized`], when there is no key, or one that isn't known.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let refuse = |detail: &str| {
            counter!(REFUSED_CREDENTIALS_TOTAL, "kind" => "key").increment(1);
            Problem::new(Code::Unauthorized, detail)
        };
        let presented = bearer(headers).ok_or_else(|| refuse("there is no API key; hint: send `Authorization: Bearer <api key>`"))?;
        self.find(presented).ok_or_else(|| refuse("the API key is not known"))
    }

    /// Compares with every key, and takes as long whichever it is.
    fn find(&self, presented: &[u8]) -> Option<Caller> {
        let mut found = u32::MAX;
        for (index, key) in (0u32..).zip(&self.0) {
            found.conditional_assign(&index, key.key.expose().as_bytes().ct_eq(presented));
        }
        let index = usize::try_from(found).ok()?;
        let key = self.0.get(index).filter(|key| !key.key.expose().is_empty())?;
        Some(Caller { name: key.name.clone(), role: key.role, key_index: index })
    }
}

/// The credentials of `Authorization: Bearer …`; none when there are two such headers, since nobody could say which one counts.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION);
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, credentials) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| credentials.trim_ascii())
}

/// Who calls. A handler takes it as an argument; the table of routes has checked it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's name.
    pub name: String,
    pub role: Role,
    /// The key's place in the configuration.
    pub key_index: usize,
}

impl Caller {
    /// Checks that this caller may do what these roles may.
    ///
    /// # Errors
    /// [`Code::Forbidden`], which names the roles.
    pub fn require(&self, allowed: &[Role]) -> Result<(), Problem> {
        if self.role == Role::Admin || allowed.contains(&self.role) {
            return Ok(());
        }
        counter!(REFUSED_CREDENTIALS_TOTAL, "kind" => "role").increment(1);
        let mut roles: Vec<&str> = allowed.iter().map(|role| role.as_str()).collect();
        if !allowed.contains(&Role::Admin) {
            roles.push(Role::Admin.as_str());
        }
        Err(Problem::new(
            Code::Forbidden,
            format!("this needs a key of role {}; this one has role {}", roles.join(" or "), self.role.as_str()),
        ))
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Caller, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.ok_or_else(|| Problem::new(Code::Internal, "this route has no rule on who may call it")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use actix_web::http::header::HeaderValue;

    fn key(name: &str, role: Role, secret: &str) -> ApiKey {
        ApiKey { name: name.to_owned(), key: Secret::new(secret), role }
    }

    fn keys() -> ApiKeys {
        ApiKeys::new(vec![key("shop", Role::Publish, "secret-1"), key("ops", Role::Admin, "secret-2"), key("unset", Role::Admin, "")])
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_caller_is_known_by_the_key() {
        let caller = keys().caller(&headers(&["bearer  secret-2 "])).unwrap();
        assert_eq!((caller.name.as_str(), caller.role), ("ops", Role::Admin));
        assert_eq!(keys().caller(&headers(&["Bearer secret-1"])).unwrap().role, Role::Publish);
    }

    #[test]
    fn whoever_has_no_key_or_a_wrong_one_is_refused() {
        let wrong: [&[&str]; 9] = [
            &[],
            &["Bearer "],
            &["Bearer"],
            &["secret-1"],
            &["Basic secret-1"],
            &["Bearer secret-"],
            &["Bearer secret-11"],
            &["Bearer SECRET-1"],
            &["Bearer secret-1", "Bearer secret-1"],
        ];
        for values in wrong {
            assert_eq!(keys().caller(&headers(values)).unwrap_err().code(), Code::Unauthorized, "{values:?}");
        }
    }

    #[test]
    fn a_forbidden_call_says_which_role_it_needs() {
        let caller = keys().caller(&headers(&["Bearer secret-1"])).unwrap();
        assert!(caller.require(&[Role::Publish]).is_ok());
        let problem = caller.require(&[Role::Read]).unwrap_err();
        assert_eq!(problem.code(), Code::Forbidden);
        assert!(problem.detail().contains("role read or admin"), "{problem}");
    }

    #[test]
    fn a_key_shows_its_secret_to_no_log() {
        assert!(!format!("{:?}", keys()).contains("secret-1"));
    }
}

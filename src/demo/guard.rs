//! Who may ask the demo's server anything: its own page, and nobody else. A page from elsewhere that a person has open must neither end nodes nor read tokens: not by asking for
//! 127.0.0.1 itself (then its `Origin` tells), nor under a name of its own that it had the resolver point here (then the `Host` tells).

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, ResponseError as _, web};

use super::answer::Refusal;

/// What the server is called, and what its page may reach.
pub(super) struct Guard {
    /// `127.0.0.1:7480` and `localhost:7480`.
    hosts: [String; 2],
    content_security_policy: HeaderValue,
}

impl Guard {
    /// Of a page on this port, which may connect to these addresses.
    pub(super) fn new(port: u16, reaches: &[String]) -> Guard {
        let sockets = reaches.iter().map(|url| url.replacen("http://", "ws://", 1));
        let reaches: Vec<String> = reaches.iter().cloned().chain(sockets).collect();
        // `frame-src` is for the devices, which are pages of their own in the page.
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {}; frame-src 'self'; frame-ancestors 'self'; \
             base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
            reaches.join(" ")
        );
        let content_security_policy = HeaderValue::from_str(&policy).expect("a policy of words and addresses is a header's value");
        Guard { hosts: hosts(port), content_security_policy }
    }

    fn check(&self, request: &HttpRequest) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = only(headers, &header::HOST);
        if !host.is_some_and(|host| self.hosts.iter().any(|own| own == host)) {
            return Err(Refusal::foreign("the demo answers to 127.0.0.1 and localhost alone"));
        }
        let is_own = |origin: &str| origin.strip_prefix("http://") == host;
        // A browser names the origin with everything that may change something.
        let may_lack = [Method::GET, Method::HEAD].contains(request.method());
        let is_from_here = match only(headers, &header::ORIGIN) {
            Some(origin) => is_own(origin),
            None => may_lack && !headers.contains_key(header::ORIGIN),
        };
        // Opening the page by a link from elsewhere is fine; asking for data from elsewhere is not.
        let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
        let is_same_site = matches!(site, None | Some("same-origin" | "none")) || request.path() == "/";
        if is_from_here && is_same_site {
            return Ok(());
        }
        Err(Refusal::foreign("the demo answers to its own page alone"))
    }

    fn dress(&self, headers: &mut HeaderMap) {
        let mut say = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        say(header::REFERRER_POLICY, "no-referrer");
        say(header::CACHE_CONTROL, "no-store");
        say(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        say(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
        headers.insert(header::CONTENT_SECURITY_POLICY, self.content_security_policy.clone());
    }
}

/// What pages of a demo on this port are called by browsers.
pub(super) fn origins(port: u16) -> Vec<String> {
    hosts(port).iter().map(|host| format!("http://{host}")).collect()
}

fn hosts(port: u16) -> [String; 2] {
    [format!("127.0.0.1:{port}"), format!("localhost:{port}")]
}

/// The one value of a header; none where there are several, of which nobody could say which counts.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let first = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(first)
}

/// Lets a request through, or not, and dresses the answer.
pub(super) async fn stand(
    guard: web::Data<Guard>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut answer = match guard.check(request.request()) {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(refusal) => request.into_response(refusal.error_response()),
    };
    guard.dress(answer.headers_mut());
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn passes(request: TestRequest) -> bool {
        Guard::new(7480, &["http://127.0.0.1:7481".to_owned()]).check(&request.to_http_request()).is_ok()
    }

    fn get(host: &str) -> TestRequest {
        TestRequest::get().uri("/demo/state").insert_header((header::HOST, host))
    }

    fn post(host: &str) -> TestRequest {
        TestRequest::post().uri("/demo/token").insert_header((header::HOST, host))
    }

    #[test]
    fn the_pages_own_requests_pass() {
        for host in ["127.0.0.1:7480", "localhost:7480"] {
            assert!(passes(get(host)));
            assert!(passes(get(host).insert_header(("sec-fetch-site", "same-origin"))));
            assert!(passes(post(host).insert_header((header::ORIGIN, format!("http://{host}")))));
        }
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        let own = "127.0.0.1:7480";
        for origin in ["https://evil.example", "http://127.0.0.1:7481", "http://localhost:7480", "null", "https://127.0.0.1:7480", ""] {
            assert!(!passes(post(own).insert_header((header::ORIGIN, origin))), "{origin}");
            assert!(!passes(get(own).insert_header((header::ORIGIN, origin))), "{origin}");
        }
        assert!(!passes(post(own)), "a change without an origin");
        let both = post(own).insert_header((header::ORIGIN, format!("http://{own}")));
        assert!(!passes(both.append_header((header::ORIGIN, "https://evil.example"))));
        for site in ["cross-site", "same-site"] {
            assert!(!passes(get(own).insert_header(("sec-fetch-site", site))), "{site}");
        }
        let link = TestRequest::get().uri("/").insert_header((header::HOST, own)).insert_header(("sec-fetch-site", "cross-site"));
        assert!(passes(link), "a link to the page may stand anywhere");
    }

    #[test]
    fn a_name_that_somebody_points_here_is_refused() {
        for host in ["evil.example", "evil.example:7480", "127.0.0.1:7481", "127.0.0.1", "localhost", "127.0.0.1:7480.evil.example"] {
            assert!(!passes(get(host)), "{host}");
            assert!(!passes(post(host).insert_header((header::ORIGIN, format!("http://{host}")))), "{host}");
        }
        assert!(!passes(TestRequest::get().uri("/")), "no host at all");
    }
}

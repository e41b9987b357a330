//! Addresses: the parts of paths, and the WebSocket address that goes with a node's HTTP address. No IO.

/// A node's address can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the address of a node; hint: like http://127.0.0.1:7400")]
pub struct AddressError(pub String);

/// The node's address without a slash at the end.
///
/// # Errors
/// [`AddressError`], unless it starts with `http://` or `https://`.
pub(super) fn base(url: &str) -> Result<String, AddressError> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(AddressError(url.to_owned())),
    }
}

/// Where a WebSocket to that node goes.
///
/// # Errors
/// As [`base`].
pub(super) fn websocket(url: &str) -> Result<String, AddressError> {
    let base = base(url)?;
    // `http` becomes `ws`, `https` becomes `wss`.
    Ok(format!("ws{}/v1/connect", &base["http".len()..]))
}

/// One segment of a path: all but RFC 3986's unreserved characters are percent-encoded.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A path with those of the parameters that have a value.
pub(super) fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut out = path.to_owned();
    let given = parameters.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
    for ((name, value), mark) in given.zip(std::iter::once('?').chain(std::iter::repeat('&'))) {
        out.push_str(&format!("{mark}{name}={}", segment(value)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parameters_with_a_value_go_into_the_query() {
        assert_eq!(
            with_query("/v1/outcomes", &[("after", None), ("limit", Some("5")), ("wait", Some("3 s"))]),
            "/v1/outcomes?limit=5&wait=3%20s"
        );
        assert_eq!(with_query("/v1/outcomes", &[("after", None)]), "/v1/outcomes");
    }

    #[test]
    fn a_user_with_any_characters_is_one_segment_of_a_path() {
        assert_eq!(segment("ann/b c+ä"), "ann%2Fb%20c%2B%C3%A4");
    }

    #[test]
    fn the_websocket_address_follows_the_http_address() {
        assert_eq!(websocket("http://127.0.0.1:7400/"), Ok("ws://127.0.0.1:7400/v1/connect".to_owned()));
        assert_eq!(websocket("https://node.example"), Ok("wss://node.example/v1/connect".to_owned()));
    }

    #[test]
    fn an_address_without_a_scheme_is_refused() {
        assert!(base("127.0.0.1:7400").is_err());
        assert!(base("http://").is_err());
    }
}

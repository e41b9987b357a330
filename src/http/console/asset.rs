//! One file of the console, and the headers that all of them are sent with.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

/// What a browser may load and do on this page: its own files, and calls to the node that it came from. Nothing inline, no form that is sent anywhere, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// Sent with each file. It is asked for again each time and answered 304 while it is the same, so that a node that was upgraded never serves half of two pages.
pub const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-cache"),
];

/// A file in the binary.
pub struct Asset {
    name: &'static str,
    text: &'static str,
}

impl Asset {
    /// Of a file with this name, whose ending says what it is.
    pub const fn new(name: &'static str, text: &'static str) -> Asset {
        Asset { name, text }
    }

    /// Its name in the folder.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What names this content, and no other.
    pub fn tag(&self) -> String {
        format!("\"{:032x}\"", xxh3_128(self.text.as_bytes()))
    }

    /// Whether a list of tags, as a browser sends it back, names it.
    pub fn is_in(&self, tags: &str) -> bool {
        tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == self.tag())
    }

    /// Its content.
    pub fn body(&self) -> Bytes {
        Bytes::from_static(self.text.as_bytes())
    }

    /// Its type.
    pub fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }
}

//! Errors as RFC 9457 problem documents.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;

use crate::protocol::code::Code;

/// One error, as a caller sees it.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
}

impl Problem {
    /// A problem with a sentence on what is wrong here.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.meaning().status).expect("the table of codes holds statuses")
    }

    fn error_response(&self) -> HttpResponse {
        let meaning = self.code.meaning();
        let document = json!({
            "type": format!("urn:engage:problem:{}", meaning.name), "title": meaning.title, "status": meaning.status,
            "detail": self.detail, "code": meaning.name,
        });
        HttpResponse::build(self.status_code()).content_type("application/problem+json").body(document.to_string())
    }
}

//! What the demo's server answers when it says no: a problem document, as the nodes do.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use super::DemoError;
use crate::client::ApiError;

/// See the file's comment.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: String,
    detail: String,
}

impl Refusal {
    /// The request is not one of the demo's page.
    pub(super) fn foreign(detail: &str) -> Refusal {
        Refusal { status: StatusCode::FORBIDDEN, code: "forbidden".to_owned(), detail: detail.to_owned() }
    }

    /// There is no such thing.
    pub(super) fn unknown(what: &str) -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, code: "not_found".to_owned(), detail: format!("there is no {what}") }
    }

    /// No node could do it.
    pub(super) fn unavailable(detail: impl fmt::Display) -> Refusal {
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, code: "unavailable".to_owned(), detail: detail.to_string() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let body = json!({ "status": self.status.as_u16(), "code": self.code, "detail": self.detail });
        HttpResponse::build(self.status).insert_header((header::CONTENT_TYPE, "application/problem+json")).body(body.to_string())
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        match error {
            ApiError::Problem(problem) => Refusal {
                status: StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY),
                code: problem.code,
                detail: problem.detail,
            },
            other => Refusal::unavailable(other),
        }
    }
}

impl From<DemoError> for Refusal {
    fn from(error: DemoError) -> Refusal {
        match error {
            DemoError::Api(error) => error.into(),
            other => Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, code: "internal".to_owned(), detail: other.to_string() },
        }
    }
}

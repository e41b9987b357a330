//! Errors as RFC 9457 problem documents. Whatever goes wrong in a request ends here, also what actix-web finds wrong by itself.

use std::fmt;
use std::time::Duration;

use actix_web::error::JsonPayloadError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::protocol::api::fields::BodyError;
use crate::protocol::code::Code;

/// The media type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// When to try again what may be tried again, where nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One error, as a caller sees it. Holds no secret and no payload.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    /// Members beyond those of the RFC, such as `field`.
    members: Map<String, Value>,
    retry_after: Option<Duration>,
    /// The `Allow` header of a 405.
    allow: Option<String>,
}

impl Problem {
    /// A problem with a sentence on what is wrong here.
    pub fn new(code: Code, detail: impl Into<String>) -> Problem {
        let retry_after = code.meaning().retry.then_some(RETRY_AFTER);
        Problem { code, detail: detail.into(), members: Map::new(), retry_after, allow: None }
    }

    /// Names the field that it is about.
    #[must_use]
    pub fn field(self, field: impl Into<String>) -> Problem {
        let field: String = field.into();
        self.with("field", field)
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Says when to try again; rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// The stable word.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The field that it is about.
    #[must_use]
    pub fn named_field(&self) -> Option<&str> {
        self.members.get("field").and_then(Value::as_str)
    }

    /// The document, as JSON text.
    #[must_use]
    pub fn text(&self) -> String {
        /// The members that every problem has, in their usual order.
        #[derive(Serialize)]
        struct Document<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            detail: &'a str,
            code: &'a str,
            #[serde(flatten)]
            members: &'a Map<String, Value>,
        }
        let meaning = self.code.meaning();
        let r#type = format!("urn:engage:problem:{}", meaning.name);
        let document = Document {
            r#type,
            title: meaning.title,
            status: meaning.status,
            detail: &self.detail,
            code: meaning.name,
            members: &self.members,
        };
        serde_json::to_string(&document).expect("a problem is made of texts and numbers")
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
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            answer.insert_header((header::RETRY_AFTER, seconds.max(1).to_string()));
        }
        if self.status_code() == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"engage\""));
        }
        if let Some(allow) = &self.allow {
            answer.insert_header((header::ALLOW, allow.as_str()));
        }
        answer.body(self.text())
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        let problem = Problem::new(error.code(), error.to_string());
        match error.field() {
            Some(field) => problem.field(field),
            None => problem,
        }
    }
}

/// Answers a path that no route has.
pub async fn no_route(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NotFound, format!("there is no route {}; hint: /openapi.json lists them", request.uri().path())))
}

/// Answers a route that has other methods only.
#[must_use]
pub fn no_method(allow: String) -> Problem {
    let mut problem = Problem::new(Code::MethodNotAllowed, format!("this route takes {allow}"));
    problem.allow = Some(allow);
    problem
}

/// Makes what actix-web's own extractors find wrong into problems too.
pub fn extractor_errors(app: &mut web::ServiceConfig) {
    let bad = |detail: String| Problem::new(Code::BadRequest, detail);
    app.app_data(web::PathConfig::default().error_handler(move |error, _| bad(format!("the path is not valid: {error}")).into()))
        .app_data(web::QueryConfig::default().error_handler(move |error, _| bad(format!("the query is not valid: {error}")).into()))
        .app_data(web::JsonConfig::default().error_handler(|error, _| json_problem(&error).into()));
}

fn json_problem(error: &JsonPayloadError) -> Problem {
    let code = match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => Code::TooLarge,
        JsonPayloadError::ContentType => Code::UnsupportedMediaType,
        _ => Code::BadRequest,
    };
    Problem::new(code, format!("the body can't be taken: {error}"))
}

//! Errors over HTTP, as RFC 9457 has them. None quotes what a request held.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;

/// What went wrong.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// What was wrong, where, what to do.
    detail: Cow<'static, str>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem of a status.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").into();
        Self {
            kind: "about:blank",
            title,
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The request does not fit.
    pub fn bad(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// The queue is full.
    pub fn busy() -> Self {
        let detail = "too much is waiting to be written; send it again after the pause named";
        Self { retry_after: Some(1), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// Is it this side that failed?
    pub fn is_ours(&self) -> bool {
        self.status >= 500
    }

    /// Something of ours failed; the log says what.
    pub fn ours(error: &dyn std::fmt::Display) -> Self {
        let at = jiff::Timestamp::now().to_string();
        super::log::write(
            &serde_json::json!({"level": "error", "at": at, "message": error.to_string()}),
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something failed here; the log says what")
    }
}

/// An error in OpenAI's shape.
#[derive(Serialize)]
struct OpenAiError<'a> {
    error: OpenAiDetail<'a>,
}

#[derive(Serialize)]
struct OpenAiDetail<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Problem {
    /// In the shape of OpenAI, for the routes of the proxy.
    pub fn as_openai(&self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = match status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            _ if status.is_client_error() => "invalid_request_error",
            _ => "server_error",
        };
        let error = OpenAiDetail { message: &self.detail, kind, param: None, code: None };
        (status, Json(OpenAiError { error })).into_response()
    }

    /// In the shape of the route that it happened on.
    pub fn on(&self, path: &str) -> Response {
        const PROXIED: [&str; 4] =
            ["/v1/chat/", "/v1/responses", "/v1/conversations", "/v1/models"];
        match PROXIED.iter().any(|route| path.starts_with(route)) {
            true => self.as_openai(),
            false => self.clone().into_response(),
        }
    }
}

impl From<tactful_store::StoreError> for Problem {
    fn from(error: tactful_store::StoreError) -> Self {
        Self::ours(&error)
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::ours(&format!("{error:#}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

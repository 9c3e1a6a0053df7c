//! Events in.

use super::{AppState, Who};
use crate::serve::access::Scope;
use crate::serve::cloudevents;
use crate::serve::intake::{Ended, Input};
use crate::serve::problem::Problem;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Events of one request, at most.
const MOST_EVENTS: usize = 10_000;

/// What became of one event.
#[derive(Serialize, ToSchema)]
pub(super) struct EventAnswer {
    /// `used`, `known`, the code of a refusal, `not_used`, or `bad_event`.
    outcome: String,
    /// Of a bad event: the field and what was expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl From<Ended> for EventAnswer {
    fn from(ended: Ended) -> Self {
        match ended {
            Ok(code) => Self { outcome: code.to_owned(), detail: None },
            Err(bad) => Self { outcome: "bad_event".to_owned(), detail: Some(bad) },
        }
    }
}

/// What became of the events, in their order.
#[derive(Serialize, ToSchema)]
pub(super) struct EventsAnswer {
    events: Vec<EventAnswer>,
}

/// Take in events: one JSON object, an array, or NDJSON (`application/x-ndjson`); or CloudEvents,
/// structured, batched or binary. Answered once they are durable. Sending one again changes
/// nothing. Of what was not used for being sensitive, the answer is only `not_used`, as for what
/// says nothing of interest.
#[utoipa::path(post, path = "/v1/events", request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = EventsAnswer), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem)))]
pub async fn events(
    State(app): AppState,
    Extension(who): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<EventsAnswer>, Problem> {
    who.need(Scope::Ingest)?;
    let kind = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let line = |bytes: &[u8]| Input::Line(Zeroizing::new(bytes.to_vec()));
    let of_values = |values: Vec<Value>, cloud: bool| {
        let one = |value: Value| match cloud {
            true => cloudevents::structured(value).map(|bytes| line(&bytes)),
            false => Ok(line(value.to_string().as_bytes())),
        };
        values.into_iter().map(one).collect::<Result<Vec<_>, _>>()
    };
    let parsed = || {
        serde_json::from_slice::<Value>(&body).map_err(|e| {
            Problem::bad(format!("not JSON from line {}, column {}", e.line(), e.column()))
        })
    };
    let mut single = false;
    let inputs = match kind.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => body
            .split(|byte| *byte == b'\n')
            .filter(|bytes| !bytes.trim_ascii().is_empty())
            .map(line)
            .collect(),
        "application/cloudevents+json" => {
            single = true;
            of_values(vec![parsed()?], true)?
        }
        "application/cloudevents-batch+json" => match parsed()? {
            Value::Array(values) => of_values(values, true)?,
            _ => return Err(Problem::bad("expected a JSON array of CloudEvents")),
        },
        "application/json" => match cloudevents::binary(&headers, &body) {
            Some(event) => {
                single = true;
                vec![line(&event?)]
            }
            None if body.trim_ascii_start().starts_with(b"[") => match parsed()? {
                Value::Array(values) => of_values(values, false)?,
                _ => Vec::new(),
            },
            None => {
                single = true;
                vec![line(&body)]
            }
        },
        _ => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send application/json, application/x-ndjson, application/cloudevents+json or \
                 application/cloudevents-batch+json",
            ));
        }
    };
    if inputs.len() > MOST_EVENTS {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("at most {MOST_EVENTS} events a request"),
        ));
    }
    let mut events: Vec<EventAnswer> =
        app.take(inputs).await?.into_iter().map(Into::into).collect();
    match (single, &mut events[..]) {
        (true, [EventAnswer { detail: Some(detail), .. }]) => {
            Err(Problem::bad(std::mem::take(detail)))
        }
        _ => Ok(Json(EventsAnswer { events })),
    }
}

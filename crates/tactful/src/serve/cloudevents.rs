//! CloudEvents 1.0 → the events of the log. What the envelope says and the data does not is put
//! into the data: the type, the time, and the id of a turn or an activity.

use super::problem::Problem;
use axum::http::HeaderMap;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The attributes that matter here.
struct Envelope<'a> {
    version: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
}

/// One event in structured mode.
///
/// # Errors
/// The attribute that is missing.
pub fn structured(mut event: Value) -> Result<Vec<u8>, Problem> {
    let data = event.get_mut("data").map(Value::take);
    let text = |name: &str| event[name].as_str().map(Cow::Borrowed);
    let envelope = Envelope {
        version: text("specversion"),
        id: text("id"),
        source: text("source"),
        kind: text("type"),
        time: text("time"),
    };
    match data {
        Some(Value::Object(data)) => fill(&envelope, data),
        _ => Err(Problem::bad("`data`: expected a JSON object")),
    }
}

/// One event in binary mode: the envelope in headers. `None` when it has none.
pub fn binary(headers: &HeaderMap, body: &[u8]) -> Option<Result<Vec<u8>, Problem>> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(Cow::Borrowed);
    let envelope = Envelope {
        version: Some(text("ce-specversion")?),
        id: text("ce-id"),
        source: text("ce-source"),
        kind: text("ce-type"),
        time: text("ce-time"),
    };
    Some(match serde_json::from_slice(body) {
        Ok(data) => fill(&envelope, data),
        Err(_) => Err(Problem::bad("expected one JSON object as the data")),
    })
}

fn fill(envelope: &Envelope, mut data: Map<String, Value>) -> Result<Vec<u8>, Problem> {
    if envelope.version.as_deref() != Some("1.0") {
        return Err(Problem::bad("`specversion`: expected 1.0"));
    }
    let needed = |value: &Option<Cow<str>>, name: &str| match value.as_deref() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Problem::bad(format!("`{name}`: is missing"))),
    };
    let (id, source) = (needed(&envelope.id, "id")?, needed(&envelope.source, "source")?);
    let kind = needed(&envelope.kind, "type")?;
    let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
    let own = match kind.as_str() {
        "turn" => Some("turn"),
        "activity" => Some("activity"),
        _ => None,
    };
    data.entry("type").or_insert(Value::String(kind));
    if let Some(time) = envelope.time.as_deref() {
        data.entry("at").or_insert(Value::String(time.to_owned()));
    }
    if let Some(own) = own {
        // Source and id together name an event; its hash fits where an id must.
        let named = blake3::hash(format!("{source}\n{id}").as_bytes()).to_hex().to_string();
        data.entry(own).or_insert(Value::String(named));
    }
    serde_json::to_vec(&data).map_err(|error| Problem::ours(&error))
}

//! The demo: an example world of our own, four accounts of one person, a small assistant.

use super::proxy::Heard;
use super::{App, neighbours};
use crate::data::Data;
use crate::items::take_in_text;
use anyhow::{Result, anyhow};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use tactful_core::policy::Policy;
use tactful_reader::Model;
use tactful_store::batch::Batch;

const POLICY: &str = include_str!("../../../../policies/announced-2025-12-16.toml");
const ITEMS: &str = include_str!("../../../../examples/world/items.jsonl");

/// The person who looks at the demo: four accounts, linked. The notice reached three of them.
const PERSON: &str = r#"{"type":"account","at":"2025-01-01T00:00:00Z","account":"whatsapp:you","region":"US","language":"en","birth_date":"1990-05-17"}
{"type":"account","at":"2025-01-01T00:00:00Z","account":"facebook:you","region":"US","language":"en","birth_date":"1990-05-17"}
{"type":"account","at":"2025-01-01T00:00:00Z","account":"instagram:you","region":"US","language":"en","birth_date":"1990-05-17"}
{"type":"account","at":"2025-01-01T00:00:00Z","account":"messenger:you","region":"US","language":"en","birth_date":"1990-05-17"}
{"type":"notice","at":"2025-10-07T09:00:00Z","account":"whatsapp:you","notice":"ai-chats","version":"1","channel":"email","delivered":"2025-10-07T09:00:00Z"}
{"type":"notice","at":"2025-10-07T09:00:00Z","account":"facebook:you","notice":"ai-chats","version":"1","channel":"email","delivered":"2025-10-07T09:00:00Z"}
{"type":"notice","at":"2025-10-07T09:00:00Z","account":"instagram:you","notice":"ai-chats","version":"1","channel":"email","delivered":"2025-10-07T09:00:00Z"}
{"type":"link","at":"2025-01-01T00:00:00Z","accounts":["whatsapp:you","facebook:you","instagram:you","messenger:you"]}"#;

/// Puts the example world and the person into a fresh folder.
///
/// # Errors
/// When the store refuses.
pub fn fill(data: &mut Data, model: &Model) -> Result<()> {
    // The day of the announcement: when this policy was first known.
    data.remember_policy(POLICY, "2025-10-01T09:00:00Z".parse()?)?;
    let policy = Policy::parse(POLICY).map_err(|error| anyhow!("the demo's policy: {error}"))?;
    let items = take_in_text(ITEMS.as_bytes(), data, model)?
        .map_err(|trouble| anyhow!("the demo's items, line {}: {}", trouble.line, trouble.what))?;
    data.store.put_items(&items)?;
    let mut batch = Batch::default();
    neighbours::add_all_known(&mut batch, PERSON, data, &policy)?;
    data.store.commit(&batch, &policy)?;
    neighbours::fill(data, &policy)
}

/// What the small assistant says. It is no model: it says so, and answers nothing.
const SAYING: &str = "This is only the demo, so no answer comes. \
    Look at the feed to see what came of your message.";

/// What it says once it has said that: nobody reads the same thing twice.
const SAYING_AGAIN: &str = "Noted. Only a demo: see the feed.";

/// Answers as an OpenAI-compatible server would, streamed or not; says in a header how the turn
/// ended, which only a demo does.
pub async fn answer(app: &Arc<App>, heard: Option<Heard>, body: &Bytes) -> Response {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = format!("chatcmpl-{}", &blake3::hash(body).to_hex()[..24]);
    let ended = match heard {
        Some(heard) => heard.learn(app, Some(&id), true).await,
        None => None,
    };
    let outcome = [("tactful-outcome", ended.unwrap_or("not_used"))];
    let before = request["messages"].as_array().into_iter().flatten();
    let saying = match before.into_iter().any(|message| message["role"] == json!("assistant")) {
        true => SAYING_AGAIN,
        false => SAYING,
    };
    let model = request["model"].as_str().unwrap_or("demo");
    let created = jiff::Timestamp::now().as_second();
    if request["stream"] != json!(true) {
        let answer = json!({"id": id, "object": "chat.completion", "created": created, "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": saying},
                "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}});
        return (outcome, Json(answer)).into_response();
    }
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({"id": id, "object": "chat.completion.chunk", "created": created,
            "model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut chunks = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    chunks.extend(
        saying.split_inclusive(' ').map(|word| chunk(json!({"content": word}), Value::Null)),
    );
    chunks.push(chunk(json!({}), json!("stop")));
    chunks.push("data: [DONE]\n\n".to_owned());
    let stream = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    (outcome, kind, Body::from_stream(stream)).into_response()
}

//! What a person wants: preferences, and the choice about chats.

use super::{AppState, Path, Who, account, from_now_on, object, take_json};
use crate::serve::App;
use crate::serve::problem::Problem;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
pub(super) struct PreferenceRequest {
    /// A leaf of the taxonomy; or else an advertiser.
    interest: Option<String>,
    advertiser: Option<String>,
    /// `less`, `never`, `more` (an interest that was not there is added), `clear`.
    wish: String,
    at: Option<String>,
}

/// Correct: less of an interest or an advertiser, never again, more, or as if nothing had been said.
#[utoipa::path(post, path = "/v1/persons/{account}/preferences", params(("account" = String, Path, description = "platform:id")), request_body = PreferenceRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn preference(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.own(&account(&asked)?)?;
    let said: PreferenceRequest = object(&body)?;
    let mut event = json!({"type": "preference", "account": asked, "wish": said.wish});
    if let Some(interest) = said.interest {
        event["interest"] = json!(interest);
    }
    if let Some(advertiser) = said.advertiser {
        event["advertiser"] = json!(advertiser);
    }
    for at in from_now_on(&app, account(&asked)?, said.at.as_deref()).await? {
        event["at"] = json!(at.to_string());
        take_json(&app, event.clone()).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
pub(super) struct ChoiceRequest {
    /// `in` or `out`.
    chats: String,
    at: Option<String>,
}

/// Choose whether chats are used, where the policy leaves a choice.
#[utoipa::path(post, path = "/v1/persons/{account}/choice", params(("account" = String, Path, description = "platform:id")), request_body = ChoiceRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn choice(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.own(&account(&asked)?)?;
    let said: ChoiceRequest = object(&body)?;
    choose(&app, &asked, &said.chats, said.at.as_deref()).await
}

/// Takes in what an account wants to become of its chats.
async fn choose(
    app: &Arc<App>,
    of: &str,
    chats: &str,
    at: Option<&str>,
) -> Result<StatusCode, Problem> {
    for at in from_now_on(app, account(of)?, at).await? {
        let at = at.to_string();
        take_json(app, json!({"type": "choice", "at": at, "account": of, "chats": chats})).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseRequest {
    /// Pause, or go on?
    paused: bool,
    /// From when on; from now, unless it is said.
    at: Option<String>,
}

/// Pause: while it lasts, nothing is learned from chats and nothing that they taught is used, under
/// any policy. What is said in the meantime is not learned afterwards either.
#[utoipa::path(post, path = "/v1/persons/{account}/pause", params(("account" = String, Path, description = "platform:id")), request_body = PauseRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn pause(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.own(&account(&asked)?)?;
    let said: PauseRequest = object(&body)?;
    let chats = if said.paused { "pause" } else { "resume" };
    choose(&app, &asked, chats, said.at.as_deref()).await
}

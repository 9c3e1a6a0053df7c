//! What the operator and the privacy officer look at.

use super::{AppState, Who};
use crate::serve::Pool;
use crate::serve::access::Scope;
use crate::serve::problem::Problem;
use axum::extract::State;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The policy in force, in words.
#[derive(Serialize, ToSchema)]
pub(super) struct PolicyView {
    version: String,
    /// The first 8 bytes of its file's hash.
    id: String,
    words: String,
    /// The file.
    text: String,
}

/// The policy in force: what it means, in plain words, and its text.
#[utoipa::path(get, path = "/v1/policy", responses((status = 200, body = PolicyView)))]
pub async fn policy(State(app): AppState) -> Json<PolicyView> {
    let policy = app.policy.load();
    Json(PolicyView {
        version: policy.version.clone(),
        id: format!("{:016x}", policy.id.0),
        words: policy.to_string(),
        text: app.policy_text.load().to_string(),
    })
}

/// How many events ended how, since the server began; of no account, by no text.
#[utoipa::path(get, path = "/v1/flow", responses((status = 200, body = Object), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn flow(State(app): AppState, Extension(who): Who) -> Result<Json<Value>, Problem> {
    who.need(Scope::Admin)?;
    Ok(Json(json!({"flow": app.figures.flow(), "items": app.inventory.load().items().len()})))
}

/// A leaf of the taxonomy.
#[derive(Serialize, ToSchema)]
pub(super) struct LeafView {
    id: String,
    name: String,
}

/// All interests that there are.
#[utoipa::path(get, path = "/v1/interests", responses((status = 200, body = [LeafView])))]
pub async fn interests(State(app): AppState) -> Result<Json<Vec<LeafView>>, Problem> {
    let leaves = Pool::with(&app, |_, data| {
        let leaves = data.taxonomy.leaves().iter();
        Ok(leaves.map(|leaf| LeafView { id: leaf.id.clone(), name: leaf.name.clone() }).collect())
    });
    leaves.await.map(Json)
}

/// How the model did on texts that it had never seen, as its training measured it.
#[utoipa::path(get, path = "/v1/model", responses((status = 200, body = Object)))]
pub async fn model(State(app): AppState) -> Result<Json<Value>, Problem> {
    let metrics: Value = serde_json::from_str(include_str!("../../../../../models/metrics.json"))
        .map_err(|error| Problem::ours(&error))?;
    Ok(Json(
        json!({"model": format!("{:016x}", tactful_core::reading::Reader::model(&*app.model).0), "metrics": metrics}),
    ))
}

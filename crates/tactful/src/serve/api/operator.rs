//! What the operator and the privacy officer look at.

use super::{AppState, Who};
use crate::serve::Pool;
use crate::serve::access::Scope;
use crate::serve::problem::Problem;
use axum::extract::State;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tactful_core::chat::Region;
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

/// Instants of the rollout that the timeline shows, a day apart.
const ROLLOUT_DAYS: i64 = 240;

/// From when on chats are used where, region by region, for a plot.
#[utoipa::path(get, path = "/v1/rollout", responses((status = 200, body = Object)))]
pub async fn rollout(State(app): AppState) -> Json<Value> {
    let policy = app.policy.load();
    let day = jiff::SignedDuration::from_hours(24);
    let from = policy.effective - day * 30;
    let state = |region: Region, at: Timestamp| {
        let allowed = policy.permission(region, at);
        match at >= policy.effective && allowed.infer && allowed.apply && !policy.kill_switch {
            true => "used",
            false => "not used",
        }
    };
    // A region that no rule names stands for all the others.
    let mut named: BTreeMap<String, Region> = BTreeMap::new();
    for rule in &policy.regions {
        for (name, region) in rule.named.iter().zip(rule.regions.iter()) {
            let first = Region::new(name).unwrap_or(*region);
            named.insert(name.clone(), first);
        }
    }
    let listed: BTreeSet<Region> =
        policy.regions.iter().flat_map(|rule| rule.regions.iter().copied()).collect();
    let other = ["US", "CA", "BR", "ZZ"].iter().filter_map(|code| Region::new(code));
    if let Some(other) = other.into_iter().find(|region| !listed.contains(region)) {
        named.insert("elsewhere".to_owned(), other);
    }
    let rows: Vec<Value> = named
        .into_iter()
        .map(|(name, region)| {
            let mut spans: Vec<(&str, Timestamp, Timestamp)> = Vec::new();
            let mut at = from;
            for _ in 0..ROLLOUT_DAYS {
                let (now, next) = (state(region, at), at + day);
                match spans.last_mut() {
                    Some((state, _, until)) if *state == now => *until = next,
                    _ => spans.push((now, at, next)),
                }
                at = next;
            }
            let spans = spans.into_iter().map(|(state, from, until)| {
                json!({"state": state, "from": from.to_string(), "until": until.to_string()})
            });
            json!({"name": name, "spans": spans.collect::<Vec<_>>()})
        })
        .collect();
    let until = from + day * i32::try_from(ROLLOUT_DAYS).unwrap_or(i32::MAX);
    let ticks: Vec<String> =
        [from, policy.effective, until].iter().map(Timestamp::to_string).collect();
    Json(
        json!({"from": from.to_string(), "until": until.to_string(), "rows": rows, "ticks": ticks}),
    )
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

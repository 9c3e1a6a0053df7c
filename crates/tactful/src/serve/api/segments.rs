//! Interests for the ad world: ids of the IAB's taxonomies, and nothing else.

use super::{AppState, At, Path, Query, Who, account, instant, object};
use crate::segments;
use crate::serve::access::Scope;
use crate::serve::problem::Problem;
use crate::serve::{Pool, signals};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use tactful_core::chat::Tag;
use tactful_core::ledger::Source;
use tactful_core::profile::Lens;
use utoipa::ToSchema;

/// A person's interests as segments of the IAB's taxonomies: `user.data` of OpenRTB 2.6.
#[utoipa::path(get, path = "/v1/persons/{account}/segments", params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339")),
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn user_segments(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let (account, at) = (account(&asked)?, instant(at.as_deref())?);
    if who.need(Scope::Recommend).is_err() {
        who.own(&account)?;
    }
    let opted_out = signals::in_headers(&headers);
    let data = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        if opted_out && policy.gpc {
            return Ok(Vec::new());
        }
        let person = data.store.person(account.tag(&data.keyring), at, policy.cross_platform)?;
        let lens = Lens::new(&policy, &person, at);
        let profile = tactful_core::profile::reduce(&person.rows, &lens);
        Ok(segments::user_data(&profile, &data.taxonomy))
    });
    Ok(Json(json!({"user": {"data": data.await?}})))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BidRequestEnrichment {
    /// `platform:id`.
    account: String,
    /// An OpenRTB 2.6 bid request.
    #[schema(value_type = Object)]
    bid_request: Value,
    /// When; now, unless it is said.
    at: Option<String>,
}

/// Put a person's segments into an OpenRTB 2.6 bid request. Ids or segments, never both: a request
/// that says who the person or the device is comes back as it was; so does one that carries an
/// opt-out that the policy heeds.
#[utoipa::path(post, path = "/v1/openrtb/segments", request_body = BidRequestEnrichment,
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn enrich(
    State(app): AppState,
    Extension(who): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    who.need(Scope::Recommend)?;
    let asked: BidRequestEnrichment = object(&body)?;
    let (account, at) = (account(&asked.account)?, instant(asked.at.as_deref())?);
    let mut request = asked.bid_request;
    if !request.is_object() || !(request["user"].is_null() || request["user"].is_object()) {
        return Err(Problem::bad("`bid_request`: expected an OpenRTB 2.6 object"));
    }
    let opted_out = signals::in_headers(&headers) || signals::in_bid_request(&request);
    if segments::names_the_person(&request) || opted_out && app.policy.load().gpc {
        return Ok(Json(request));
    }
    let data = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let person = data.store.person(account.tag(&data.keyring), at, policy.cross_platform)?;
        let lens = Lens::new(&policy, &person, at);
        let profile = tactful_core::profile::reduce(&person.rows, &lens);
        Ok(segments::user_data(&profile, &data.taxonomy))
    });
    let data = data.await?;
    if !data.is_empty() {
        let there = request["user"]["data"].as_array().cloned().unwrap_or_default();
        request["user"]["data"] = there.into_iter().chain(data).collect();
    }
    Ok(Json(request))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextMatch {
    /// `platform:id`. It does not leave: AdCP matches identities apart.
    account: String,
    /// The conversation that the placement stands beside: the operator's id, or the tag.
    conversation: String,
    /// As AdCP has it.
    property_id: String,
    /// As AdCP has it.
    placement_id: String,
    /// When; now, unless it is said.
    at: Option<String>,
}

/// AdCP's `context_match_request` for a conversation with the assistant: topics, as ids of the IAB's
/// Content Taxonomy, and the country. Never a summary, a keyword or an embedding; never who it is. A
/// conversation that was shut, or may not be used, has no topics.
#[utoipa::path(post, path = "/v1/adcp/context-match", request_body = ContextMatch,
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn context_match(
    State(app): AppState,
    Extension(who): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    who.need(Scope::Recommend)?;
    let asked: ContextMatch = object(&body)?;
    let (account, at) = (account(&asked.account)?, instant(asked.at.as_deref())?);
    let opted_out = signals::in_headers(&headers);
    let matched = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let tag = account.tag(&data.keyring);
        let named = Tag::parse(&asked.conversation);
        let by_id = data.keyring.conversation(tag, &asked.conversation);
        let mut person = data.store.person(tag, at, policy.cross_platform)?;
        if opted_out {
            signals::heed(&policy, &mut person, at);
        }
        let lens = Lens::new(&policy, &person, at);
        let of_it = person.rows.iter().filter(|row| {
            let is_it = row.conversation == by_id || named == Some(row.conversation);
            row.source == Source::Chat && is_it && lens.sees(row)
        });
        let topics = segments::topics(of_it.map(|row| row.interest), &data.taxonomy);
        let asking = person.members.iter().find(|member| member.account == tag);
        let region = asking.and_then(|member| member.history.standing(&policy, at).region);
        // A name of its own each time: nothing ties two requests together.
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| Problem::ours(&error))?;
        let mut request = json!({"request_id": Tag(u128::from_be_bytes(nonce)).to_string(),
            "property_id": asked.property_id, "property_type": "ai_assistant",
            "placement_id": asked.placement_id,
            "context_signals": {"topics": topics, "taxonomy_source": "iab",
                "taxonomy_id": segments::CONTENT}});
        if let Some(region) = region {
            request["geo"] = json!({"country": region.as_str()});
        }
        Ok(request)
    });
    Ok(Json(json!({"context_match_request": matched.await?})))
}

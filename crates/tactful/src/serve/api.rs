//! The API: what an operator's systems and a person's own pages ask.

use super::access::{Caller, Scope};
use super::intake::{Ended, Input};
use super::problem::Problem;
use super::{App, Pool, cloudevents};
use crate::events::Event;
use crate::identity::Account;
use crate::show::{self, ProfileView, Request, SlotView, profile_view};
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tactful_core::chat::{Region, Tag};
use tactful_core::ledger::Deletion;
use tactful_core::profile::Lens;
use tactful_core::ranking::item::Surface;
use tactful_core::standing::About;
use tactful_store::inventory::Shown;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

/// Events of one request, at most.
const MOST_EVENTS: usize = 10_000;

/// People whom a figure about a campaign or an interest must be of, at least.
const SMALLEST_AUDIENCE: u64 = 50;

type AppState = State<Arc<App>>;
type Who = Extension<Caller>;

/// The routes with what describes them.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(events))
        .routes(routes!(recommendations))
        .routes(routes!(impressions))
        .routes(routes!(profile))
        .routes(routes!(export))
        .routes(routes!(segments))
        .routes(routes!(preference))
        .routes(routes!(choice))
        .routes(routes!(delete_person))
        .routes(routes!(delete_conversation))
        .routes(routes!(delete_interest))
        .routes(routes!(link))
        .routes(routes!(unlink))
        .routes(routes!(put_items))
        .routes(routes!(campaigns))
        .routes(routes!(policy))
        .routes(routes!(flow))
        .routes(routes!(interests))
        .routes(routes!(rollout))
        .routes(routes!(model))
}

/// What became of one event.
#[derive(Serialize, ToSchema)]
struct EventAnswer {
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
struct EventsAnswer {
    events: Vec<EventAnswer>,
}

/// Take in events: one JSON object, an array, or NDJSON (`application/x-ndjson`); or CloudEvents,
/// structured, batched or binary. Answered once they are durable. Sending one again changes
/// nothing. Of what was not used for being sensitive, the answer is only `not_used`, as for what
/// says nothing of interest.
#[utoipa::path(post, path = "/v1/events", request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = EventsAnswer), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem)))]
async fn events(
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

/// One event made here.
async fn take_one(app: &App, event: Event) -> Result<(), Problem> {
    match app.take(vec![Input::Event(Box::new(event))]).await?.pop() {
        Some(Ok("unknown_platform")) => {
            Err(Problem::bad("the policy in force does not name this platform"))
        }
        _ => Ok(()),
    }
}

/// Takes one event in that is written as the log writes it.
async fn take_json(app: &App, event: Value) -> Result<(), Problem> {
    let input = Input::Line(Zeroizing::new(event.to_string().into_bytes()));
    match app.take(vec![input]).await?.pop() {
        Some(Err(bad)) => Err(Problem::bad(bad)),
        Some(Ok("unknown_platform")) => {
            Err(Problem::bad("the policy in force does not name this platform"))
        }
        _ => Ok(()),
    }
}

fn account(text: &str) -> Result<Account, Problem> {
    text.parse().map_err(|expected: String| Problem::bad(format!("`account`: {expected}")))
}

#[derive(Deserialize, ToSchema)]
struct RecommendationRequest {
    /// `platform:id`.
    account: String,
    /// Which parts of the feed: `ads`, `posts`, `reels`, `groups`; all, unless it is said.
    surfaces: Option<Vec<String>>,
    /// How many on each, 1 to 200.
    k: Option<u16>,
    /// When; now, unless it is said.
    at: Option<String>,
    /// Where the person is, `LAT,LON` in degrees. Used for this answer and not kept.
    place: Option<String>,
    /// The person's friends, as items name their authors. Used for this answer and not kept.
    friends: Option<Vec<String>>,
}

/// The slates that answer a request.
#[derive(Serialize, ToSchema)]
struct Slates {
    /// One a surface, in the order asked.
    slates: Vec<SlateView>,
}

#[derive(Serialize, ToSchema)]
struct SlateView {
    surface: String,
    slate: Vec<SlotView>,
}

fn instant(at: Option<&str>) -> Result<Timestamp, Problem> {
    match at {
        None => Ok(Timestamp::now()),
        Some(text) => text.parse().map_err(|_| {
            Problem::bad("`at`: expected an RFC 3339 instant, such as 2026-01-15T09:00:00Z")
        }),
    }
}

const SURFACES: [(&str, Surface); 4] = [
    ("ads", Surface::Ads),
    ("posts", Surface::Posts),
    ("reels", Surface::Reels),
    ("groups", Surface::Groups),
];

/// Ask for slates: what to show, with the reasons of each.
#[utoipa::path(post, path = "/v1/recommendations", request_body = RecommendationRequest,
    responses((status = 200, body = Slates), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn recommendations(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<Json<Slates>, Problem> {
    let asked: RecommendationRequest = object(&body)?;
    let account = account(&asked.account)?;
    if who.need(Scope::Recommend).is_err() {
        who.own(&account)?;
    }
    let at = instant(asked.at.as_deref())?;
    let k = usize::from(asked.k.unwrap_or(10));
    if !(1..=200).contains(&k) {
        return Err(Problem::bad("`k`: expected 1 to 200"));
    }
    let place = asked.place.as_deref().map(crate::items::parse_place).transpose();
    let place = place.map_err(|expected| Problem::bad(format!("`place`: {expected}")))?;
    let surfaces = match asked.surfaces {
        None => SURFACES.to_vec(),
        Some(names) => names
            .iter()
            .map(|name| SURFACES.iter().find(|(known, _)| known == name).copied())
            .collect::<Option<_>>()
            .ok_or_else(|| Problem::bad("`surfaces`: expected ads, posts, reels, groups"))?,
    };
    let friends: BTreeSet<String> = asked.friends.unwrap_or_default().into_iter().collect();
    let slates = Pool::with(&app, move |app, data| {
        let (policy, inventory) = (app.policy.load(), app.inventory.load());
        let account = account.tag(&data.keyring);
        let mut slates = Vec::new();
        for (name, surface) in surfaces {
            let friends = friends.clone();
            let request = Request { account, surface, k, at, place, friends };
            let (_, slate) = show::recommend(data, &inventory, &policy, &request)?;
            slates.push(SlateView { surface: name.to_owned(), slate });
        }
        Ok(slates)
    });
    Ok(Json(Slates { slates: slates.await? }))
}

#[derive(Deserialize, ToSchema)]
struct Impression {
    account: String,
    /// The item that was shown or clicked.
    item: String,
    /// The operator's id of this showing: a repeat of it counts once.
    id: String,
    at: Option<String>,
    /// Of an ad: what it is charged, in its currency; nothing for one that is only shown.
    price: Option<f64>,
}

#[derive(Deserialize, ToSchema)]
struct Impressions {
    impressions: Vec<Impression>,
}

/// Tell what was shown, or clicked (with its `price`): frequency caps and budgets count it.
#[utoipa::path(post, path = "/v1/impressions", request_body = Impressions,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn impressions(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.need(Scope::Recommend)?;
    let told: Impressions = object(&body)?;
    let told = told
        .impressions
        .into_iter()
        .map(|one| {
            let price = one.price.unwrap_or(0.0);
            if !(0.0..=1e6).contains(&price) {
                return Err(Problem::bad("`price`: expected 0 to 1000000"));
            }
            Ok((account(&one.account)?, instant(one.at.as_deref())?, price, one))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    Pool::with(&app, move |app, data| {
        let inventory = app.inventory.load();
        let shown: Vec<Shown> = told
            .into_iter()
            .map(|(account, at, price, one)| {
                let account = account.tag(&data.keyring);
                let items = inventory.items();
                let found = items.binary_search_by(|item| item.id.cmp(&one.item)).ok();
                let campaign = found.and_then(|at| items[at].campaign.as_ref());
                let charge = campaign
                    .filter(|_| price > 0.0)
                    .map(|campaign| (campaign.id.clone(), (price * 1e6).round() as u64));
                let parts: [&[u8]; 2] = [&account.0.to_be_bytes(), one.id.as_bytes()];
                Shown {
                    account,
                    slot: data.keyring.tag("impression", &parts),
                    item: one.item,
                    at,
                    charge,
                }
            })
            .collect();
        Ok(data.store.show(&shown)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct At {
    at: Option<String>,
}

/// A person's interests, with what is behind each.
#[utoipa::path(get, path = "/v1/persons/{account}/profile",
    params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said")),
    responses((status = 200, body = ProfileView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn profile(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Json<ProfileView>, Problem> {
    let (account, at) = (account(&asked)?, instant(at.as_deref())?);
    who.own(&account)?;
    let view = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let person = data.store.person(account.tag(&data.keyring), at, policy.cross_platform)?;
        Ok(profile_view(&person, &policy, &data.taxonomy, at))
    });
    view.await.map(Json)
}

/// All that is held of a person: every row, every fact, every choice.
#[utoipa::path(get, path = "/v1/persons/{account}/export", params(("account" = String, Path, description = "platform:id")),
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn export(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
) -> Result<Json<Value>, Problem> {
    let account = account(&asked)?;
    who.own(&account)?;
    let archive = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let now = Timestamp::now();
        let tag = account.tag(&data.keyring);
        let person = data.store.person(tag, now, policy.cross_platform)?;
        let taxonomy = &data.taxonomy;
        let rows: Vec<Value> = person
            .rows
            .iter()
            .map(|row| {
                json!({"platform": row.platform.as_str(), "kind": row.source.as_str(),
                    "interest": taxonomy.id(row.interest), "weight": f64::from(row.weight.0) / 1000.0,
                    "stage": row.stage.as_str(), "at": row.at.to_string(),
                    "conversation": row.conversation.to_string(), "event": row.event.to_string(),
                    "product": row.product.as_str(), "modality": row.modality.as_str(),
                    "policy": format!("{:016x}", row.policy.0), "model": format!("{:016x}", row.model.0)})
            })
            .collect();
        let accounts: Vec<Value> = person
            .members
            .iter()
            .map(|member| {
                let history = &member.history;
                let preferences = history.preferences.iter().map(|said| {
                    let (about, what) = match &said.about {
                        About::Interest(interest) => ("interest", taxonomy.id(*interest)),
                        About::Advertiser(advertiser) => ("advertiser", advertiser.as_str()),
                    };
                    json!({about: what, "wish": said.taste.as_str(), "at": said.at.to_string()})
                });
                let facts = history.facts.iter().map(|fact| {
                    json!({"at": fact.at.to_string(), "region": fact.region.map(|r| r.as_str().to_owned()),
                        "language": fact.language, "birth_date": fact.birth_date.map(|d| d.to_string()),
                        "likely_minor": fact.likely_minor})
                });
                let notices = history.notices.iter().map(|notice| {
                    json!({"notice": notice.notice, "version": notice.version,
                        "channel": notice.channel.as_str(), "delivered": notice.delivered.to_string()})
                });
                let choices = history
                    .choices
                    .iter()
                    .map(|(at, wish)| json!({"at": at.to_string(), "chats": wish.as_str()}));
                json!({"platform": member.platform.as_str(), "account": member.account.to_string(),
                    "facts": facts.collect::<Vec<_>>(), "notices": notices.collect::<Vec<_>>(),
                    "choices": choices.collect::<Vec<_>>(),
                    "preferences": preferences.collect::<Vec<_>>()})
            })
            .collect();
        let tags: Vec<Tag> = person.members.iter().map(|member| member.account).collect();
        let shown = data.store.shown_since(tags, Timestamp::MIN)?;
        let shown: Vec<Value> =
            shown.iter().map(|(item, at)| json!({"item": item, "at": at.to_string()})).collect();
        let view = profile_view(&person, &policy, taxonomy, now);
        Ok(json!({"made": now.to_string(), "asked_by": asked, "accounts": accounts,
            "interests": view.interests, "contributions": rows, "shown": shown}))
    });
    archive.await.map(Json)
}

/// A person's interests as segments of the IAB's taxonomies: `user.data` of OpenRTB 2.6.
#[utoipa::path(get, path = "/v1/persons/{account}/segments", params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339")),
    responses((status = 200, body = Object), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn segments(
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
    // Whom a browser asks not to be sold to is not told of, where the policy heeds the signal.
    let signal = headers.get("sec-gpc").is_some_and(|value| value == "1");
    let data = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        if signal && policy.gpc {
            return Ok(Vec::new());
        }
        let person = data.store.person(account.tag(&data.keyring), at, policy.cross_platform)?;
        let lens = Lens::new(&policy, &person, at);
        let profile = tactful_core::profile::reduce(&person.rows, &lens);
        Ok(crate::segments::user_data(&profile, &data.taxonomy))
    });
    Ok(Json(json!({"user": {"data": data.await?}})))
}

#[derive(Deserialize, ToSchema)]
struct PreferenceRequest {
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
async fn preference(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.own(&account(&asked)?)?;
    let said: PreferenceRequest = object(&body)?;
    let mut event = json!({"type": "preference", "at": instant(said.at.as_deref())?.to_string(),
        "account": asked, "wish": said.wish});
    if let Some(interest) = said.interest {
        event["interest"] = json!(interest);
    }
    if let Some(advertiser) = said.advertiser {
        event["advertiser"] = json!(advertiser);
    }
    take_json(&app, event).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
struct ChoiceRequest {
    /// `in` or `out`.
    chats: String,
    at: Option<String>,
}

/// Choose whether chats are used, where the policy leaves a choice; `out` is also the pause.
#[utoipa::path(post, path = "/v1/persons/{account}/choice", params(("account" = String, Path, description = "platform:id")), request_body = ChoiceRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn choice(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.own(&account(&asked)?)?;
    let said: ChoiceRequest = object(&body)?;
    let at = instant(said.at.as_deref())?.to_string();
    take_json(&app, json!({"type": "choice", "at": at, "account": asked, "chats": said.chats}))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// That something was deleted, up to which instant.
#[derive(Serialize, ToSchema)]
struct Receipt {
    /// A keyed tag of what was deleted and when; the same request at the same instant has the same.
    receipt: String,
    deleted: String,
    at: String,
}

async fn delete(
    app: &Arc<App>,
    asked: &str,
    what: String,
    at: Timestamp,
    deletion: impl FnOnce(&crate::data::Data) -> Result<Deletion, Problem> + Send + 'static,
) -> Result<Json<Receipt>, Problem> {
    let account = account(asked)?;
    let named = what.clone();
    let (tag, deletion, receipt) = Pool::with(app, move |_, data| {
        let tag = account.tag(&data.keyring);
        let parts: [&[u8]; 3] =
            [&tag.0.to_be_bytes(), named.as_bytes(), &at.as_microsecond().to_be_bytes()];
        Ok((tag, deletion(data)?, data.keyring.tag("receipt", &parts).to_string()))
    })
    .await?;
    let platform = asked.parse::<Account>().map_err(Problem::bad)?.platform;
    take_one(app, Event::Delete(tag, platform, deletion, at)).await?;
    Ok(Json(Receipt { receipt, deleted: what, at: at.to_string() }))
}

/// Delete all that is held of an account.
#[utoipa::path(delete, path = "/v1/persons/{account}", params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "up to when; now, unless it is said")),
    responses((status = 200, body = Receipt), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn delete_person(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Json<Receipt>, Problem> {
    who.own(&account(&asked)?)?;
    let at = instant(at.as_deref())?;
    delete(&app, &asked, "account".to_owned(), at, |_| Ok(Deletion::Account)).await
}

/// Delete what a conversation gave: by the operator's id of it, or by the tag that the reasons name.
#[utoipa::path(delete, path = "/v1/persons/{account}/conversations/{conversation}", params(("account" = String, Path, description = "platform:id"), ("conversation" = String, Path, description = "id or tag"), ("at" = Option<String>, Query, description = "up to when")),
    responses((status = 200, body = Receipt), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn delete_conversation(
    State(app): AppState,
    Extension(who): Who,
    Path((asked, conversation)): Path<(String, String)>,
    Query(At { at }): Query<At>,
) -> Result<Json<Receipt>, Problem> {
    let owner = account(&asked)?;
    who.own(&owner)?;
    let at = instant(at.as_deref())?;
    let is_tag = conversation.len() == 32 && conversation.bytes().all(|b| b.is_ascii_hexdigit());
    let tag = is_tag.then(|| u128::from_str_radix(&conversation, 16).ok().map(Tag)).flatten();
    let what = tag.map_or("conversation".to_owned(), |tag| format!("conversation {tag}"));
    delete(&app, &asked, what, at, move |data| {
        let of = owner.tag(&data.keyring);
        Ok(Deletion::Conversation(
            tag.unwrap_or_else(|| data.keyring.conversation(of, &conversation)),
        ))
    })
    .await
}

/// Delete an interest: what brought it is gone; what comes after counts again.
#[utoipa::path(delete, path = "/v1/persons/{account}/interests/{interest}", params(("account" = String, Path, description = "platform:id"), ("interest" = String, Path, description = "a leaf"), ("at" = Option<String>, Query, description = "up to when")),
    responses((status = 200, body = Receipt), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn delete_interest(
    State(app): AppState,
    Extension(who): Who,
    Path((asked, interest)): Path<(String, String)>,
    Query(At { at }): Query<At>,
) -> Result<Json<Receipt>, Problem> {
    who.own(&account(&asked)?)?;
    let at = instant(at.as_deref())?;
    let what = format!("interest {interest}");
    // Of all accounts that are linked: the interest is the person's.
    let owner = account(&asked)?;
    let members = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        Ok(data.store.person(owner.tag(&data.keyring), at, policy.cross_platform)?.members)
    })
    .await?;
    let leaf = interest.clone();
    let found = Pool::with(&app, move |_, data| Ok(data.taxonomy.find(&leaf))).await?;
    let found = found.ok_or_else(|| Problem::bad("`interest`: expected a leaf of the taxonomy"))?;
    for member in members {
        let gone = Event::Delete(member.account, member.platform, Deletion::Interest(found), at);
        take_one(&app, gone).await?;
    }
    delete(&app, &asked, what, at, move |_| Ok(Deletion::Interest(found))).await
}

#[derive(Deserialize, ToSchema)]
struct LinkRequest {
    /// Two or more accounts of one person.
    accounts: Vec<String>,
    at: Option<String>,
}

/// Link accounts: they share one profile from now on.
#[utoipa::path(post, path = "/v1/links", request_body = LinkRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn link(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let asked: LinkRequest = object(&body)?;
    for one in &asked.accounts {
        who.own(&account(one)?)?;
    }
    let at = instant(asked.at.as_deref())?.to_string();
    take_json(&app, json!({"type": "link", "at": at, "accounts": asked.accounts})).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unlink an account: it stands alone from now on.
#[utoipa::path(delete, path = "/v1/links/{account}", params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "from when")),
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn unlink(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<StatusCode, Problem> {
    who.own(&account(&asked)?)?;
    let at = instant(at.as_deref())?.to_string();
    take_json(&app, json!({"type": "unlink", "at": at, "account": asked})).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many items were taken in.
#[derive(Serialize, ToSchema)]
struct ItemsAnswer {
    items: u64,
}

/// Take in items (NDJSON), as `docs/formats.md` says; one of the same id is replaced. All or none.
#[utoipa::path(post, path = "/v1/items", request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = ItemsAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn put_items(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<Json<ItemsAnswer>, Problem> {
    who.need(Scope::Advertiser)?;
    let items = Pool::with(&app, move |app, data| {
        let items = crate::items::take_in_text(&body, data, &*app.model)?
            .map_err(|trouble| Problem::bad(format!("line {}: {}", trouble.line, trouble.what)))?;
        data.store.put_items(&items)?;
        app.reload_items(data)?;
        Ok(items.len() as u64)
    });
    Ok(Json(ItemsAnswer { items: items.await? }))
}

/// A campaign, and how it stands.
#[derive(Serialize, ToSchema)]
struct CampaignView {
    campaign: String,
    advertiser: String,
    ads: u64,
    budget: f64,
    spent: f64,
    /// How often it was shown; left out below the smallest audience that is told of.
    shown: Option<u64>,
}

/// The campaigns with what they have spent. No figure is of fewer than 50 people.
#[utoipa::path(get, path = "/v1/campaigns", responses((status = 200, body = [CampaignView]), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn campaigns(
    State(app): AppState,
    Extension(who): Who,
) -> Result<Json<Vec<CampaignView>>, Problem> {
    who.need(Scope::Advertiser)?;
    let views = Pool::with(&app, move |app, data| {
        let inventory = app.inventory.load();
        let spent = data.store.spent()?;
        let audience = data.store.audiences()?;
        let mut views: BTreeMap<&str, CampaignView> = BTreeMap::new();
        for item in inventory.items() {
            let Some(campaign) = &item.campaign else { continue };
            let view = views.entry(&campaign.id).or_insert_with(|| CampaignView {
                campaign: campaign.id.clone(),
                advertiser: campaign.advertiser.clone(),
                ads: 0,
                budget: campaign.budget as f64 / 1e6,
                spent: spent.get(&campaign.id).copied().unwrap_or(0) as f64 / 1e6,
                shown: None,
            });
            view.ads += 1;
            if let Some((people, times)) = audience.get(&item.id)
                && *people >= SMALLEST_AUDIENCE
            {
                *view.shown.get_or_insert(0) += times;
            }
        }
        Ok(views.into_values().collect())
    });
    views.await.map(Json)
}

/// The policy in force, in words.
#[derive(Serialize, ToSchema)]
struct PolicyView {
    version: String,
    /// The first 8 bytes of its file's hash.
    id: String,
    words: String,
    /// The file.
    text: String,
}

/// The policy in force: what it means, in plain words, and its text.
#[utoipa::path(get, path = "/v1/policy", responses((status = 200, body = PolicyView)))]
async fn policy(State(app): AppState) -> Json<PolicyView> {
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
async fn flow(State(app): AppState, Extension(who): Who) -> Result<Json<Value>, Problem> {
    who.need(Scope::Admin)?;
    Ok(Json(json!({"flow": app.figures.flow(), "items": app.inventory.load().items().len()})))
}

/// A leaf of the taxonomy.
#[derive(Serialize, ToSchema)]
struct LeafView {
    id: String,
    name: String,
}

/// All interests that there are.
#[utoipa::path(get, path = "/v1/interests", responses((status = 200, body = [LeafView])))]
async fn interests(State(app): AppState) -> Result<Json<Vec<LeafView>>, Problem> {
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
async fn rollout(State(app): AppState) -> Json<Value> {
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
async fn model(State(app): AppState) -> Result<Json<Value>, Problem> {
    let metrics: Value = serde_json::from_str(include_str!("../../../../models/metrics.json"))
        .map_err(|error| Problem::ours(&error))?;
    Ok(Json(
        json!({"model": format!("{:016x}", tactful_core::reading::Reader::model(&*app.model).0), "metrics": metrics}),
    ))
}

/// A body that is one JSON object of a known shape.
fn object<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        // serde's own message names the field and may quote what stands there: only the place is told.
        serde_json::error::Category::Data => Problem::bad(format!(
            "line {}, column {}: a field is missing or of another kind than /openapi.json says",
            error.line(),
            error.column()
        )),
        _ => {
            Problem::bad(format!("not JSON from line {}, column {}", error.line(), error.column()))
        }
    })
}

//! Slates out; what was shown or clicked in.

use super::{AppState, Path, Query, Who, account, instant, object};
use crate::data::Data;
use crate::identity::{Account, valid_id};
use crate::serve::access::Scope;
use crate::serve::problem::Problem;
use crate::serve::{App, Pool, signals};
use crate::show::{self, Request, SlotView};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tactful_core::ranking::item::Surface;
use tactful_store::inventory::Shown;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
pub(super) struct RecommendationRequest {
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
    /// A GPP string. Where the policy heeds it, an opt-out in it holds for this answer.
    gpp: Option<String>,
}

/// The slates that answer a request.
#[derive(Serialize, ToSchema)]
pub(super) struct Slates {
    /// One a surface, in the order asked.
    slates: Vec<SlateView>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SlateView {
    surface: String,
    slate: Vec<SlotView>,
}

/// How deep a slate goes.
const DEEPEST: usize = 200;

const SURFACES: [(&str, Surface); 4] = [
    ("ads", Surface::Ads),
    ("posts", Surface::Posts),
    ("reels", Surface::Reels),
    ("groups", Surface::Groups),
];

/// Ask for slates: what to show, with the reasons of each.
#[utoipa::path(post, path = "/v1/recommendations", request_body = RecommendationRequest,
    responses((status = 200, body = Slates), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn recommendations(
    State(app): AppState,
    Extension(who): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Slates>, Problem> {
    let asked: RecommendationRequest = object(&body)?;
    let account = account(&asked.account)?;
    if who.need(Scope::Recommend).is_err() {
        who.own(&account)?;
    }
    let at = instant(asked.at.as_deref())?;
    let k = usize::from(asked.k.unwrap_or(10));
    if !(1..=DEEPEST).contains(&k) {
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
    let opted_out =
        signals::in_headers(&headers) || asked.gpp.as_deref().is_some_and(signals::gpp_opts_out);
    let slates = Pool::with(&app, move |app, data| {
        let (policy, inventory) = (app.policy.load(), app.inventory.load());
        let account = account.tag(&data.keyring);
        let mut slates = Vec::new();
        for (name, surface) in surfaces {
            let friends = friends.clone();
            let request = Request { account, surface, k, at, place, friends, opted_out };
            let (_, slate) = show::recommend(data, &inventory, &policy, &request)?;
            slates.push(SlateView { surface: name.to_owned(), slate });
        }
        Ok(slates)
    });
    Ok(Json(Slates { slates: slates.await? }))
}

#[derive(Deserialize)]
pub(super) struct WhyQuery {
    item: String,
    at: Option<String>,
    place: Option<String>,
}

/// Why an item is on a person's slate: what brought it, with the sources, and the place that it
/// would have had without.
#[utoipa::path(get, path = "/v1/persons/{account}/reasons",
    params(("account" = String, Path, description = "platform:id"), ("item" = String, Query, description = "the item's id"),
        ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said"), ("place" = Option<String>, Query, description = "LAT,LON; not kept")),
    responses((status = 200, body = SlotView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn reasons(
    State(app): AppState,
    Extension(who): Who,
    headers: HeaderMap,
    Path(asked): Path<String>,
    Query(query): Query<WhyQuery>,
) -> Result<Json<SlotView>, Problem> {
    let (account, at) = (account(&asked)?, instant(query.at.as_deref())?);
    who.own(&account)?;
    let place = query.place.as_deref().map(crate::items::parse_place).transpose();
    let place = place.map_err(|expected| Problem::bad(format!("`place`: {expected}")))?;
    let opted_out = signals::in_headers(&headers);
    let slot = Pool::with(&app, move |app, data| {
        let (policy, inventory) = (app.policy.load(), app.inventory.load());
        let missing = |why| Problem::new(StatusCode::NOT_FOUND, why);
        let items = inventory.items();
        let found = items.binary_search_by(|item| item.id.cmp(&query.item)).ok();
        let found = found.ok_or_else(|| missing("there is no such item"))?;
        let request = Request {
            account: account.tag(&data.keyring),
            surface: items[found].surface,
            k: DEEPEST,
            at,
            place,
            friends: BTreeSet::new(),
            opted_out,
        };
        let (_, slate) = show::recommend(data, &inventory, &policy, &request)?;
        let slot = slate.into_iter().find(|slot| slot.item == query.item);
        slot.ok_or_else(|| missing("it is not among the first 200 for this person"))
    });
    slot.await.map(Json)
}

/// What was shown or clicked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    /// `platform:id`.
    account: String,
    /// The item.
    item: String,
    /// The operator's id of this showing or click: a repeat of it counts once.
    id: String,
    /// When; now, unless it is said.
    at: Option<String>,
    /// Of an ad: what it is charged, in its currency, at most its bid. Nothing for one that is only
    /// shown.
    price: Option<f64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Impressions {
    impressions: Vec<Told>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Clicks {
    clicks: Vec<Told>,
}

/// Tell what was shown: frequency caps and reports count it.
#[utoipa::path(post, path = "/v1/impressions", request_body = Impressions,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn impressions(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.need(Scope::Recommend)?;
    let told = checked(object::<Impressions>(&body)?.impressions)?;
    Pool::with(&app, move |app, data| {
        let shown = charged(app, data, "impression", told);
        Ok(data.store.show(&shown)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tell what was clicked: its price is charged to the campaign, once.
#[utoipa::path(post, path = "/v1/clicks", request_body = Clicks,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn clicks(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.need(Scope::Recommend)?;
    let told = checked(object::<Clicks>(&body)?.clicks)?;
    Pool::with(&app, move |app, data| {
        let clicks = charged(app, data, "click", told);
        Ok(data.store.click(&clicks)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

type Checked = (Account, Timestamp, f64, Told);

fn checked(told: Vec<Told>) -> Result<Vec<Checked>, Problem> {
    let one = |one: Told| {
        let price = one.price.unwrap_or(0.0);
        if !(0.0..=1e6).contains(&price) {
            return Err(Problem::bad("`price`: expected 0 to 1000000"));
        }
        if !valid_id(&one.id) || !valid_id(&one.item) {
            return Err(Problem::bad(
                "`id`, `item`: expected 1 to 256 bytes without control characters",
            ));
        }
        Ok((account(&one.account)?, instant(one.at.as_deref())?, price, one))
    };
    told.into_iter().map(one).collect()
}

/// With the campaign of each ad, and what it owes: never more than it bids.
fn charged(app: &App, data: &Data, kind: &str, told: Vec<Checked>) -> Vec<Shown> {
    let inventory = app.inventory.load();
    let one = |(account, at, price, one): Checked| {
        let account = account.tag(&data.keyring);
        let items = inventory.items();
        let found = items.binary_search_by(|item| item.id.cmp(&one.item)).ok();
        let campaign = found.and_then(|at| items[at].campaign.as_ref());
        let micros = (price * 1e6).round() as u64;
        let charge = campaign
            .filter(|_| micros > 0)
            .map(|campaign| (campaign.id.clone(), micros.min(campaign.bid)));
        let parts: [&[u8]; 2] = [&account.0.to_be_bytes(), one.id.as_bytes()];
        Shown { account, slot: data.keyring.tag(kind, &parts), item: one.item, at, charge }
    };
    told.into_iter().map(one).collect()
}

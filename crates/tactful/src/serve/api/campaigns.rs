//! Items, and the campaigns that pay for some of them.

use super::{AppState, Path, Who, object};
use crate::identity::valid_id;
use crate::items::CampaignTerms;
use crate::serve::access::{Caller, Scope};
use crate::serve::problem::Problem;
use crate::serve::{App, Change, Pool};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::Item;
use utoipa::ToSchema;

/// People whom a figure about a campaign must be of, at least.
const SMALLEST_AUDIENCE: u64 = 50;

/// How many items were taken in.
#[derive(Serialize, ToSchema)]
pub(super) struct ItemsAnswer {
    items: u64,
}

/// Take in items (NDJSON), as `docs/formats.md` says; one of the same id is replaced. All or none.
#[utoipa::path(post, path = "/v1/items", request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = ItemsAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn put_items(
    State(app): AppState,
    Extension(who): Who,
    body: Bytes,
) -> Result<Json<ItemsAnswer>, Problem> {
    who.need(Scope::Advertiser)?;
    let whose = who.advertiser().map(str::to_owned);
    let items = Pool::with(&app, move |app, data| {
        let stored = crate::items::take_in_text(&body, data, &*app.model)?
            .map_err(|trouble| Problem::bad(format!("line {}: {}", trouble.line, trouble.what)))?;
        let terms = crate::items::terms(data)?;
        let items = crate::items::with_terms(&stored, &terms)?;
        if let Some(whose) = whose {
            Owners::of(&app.inventory.load(), &terms).check(&items, &whose)?;
        }
        data.store.put_items(&stored)?;
        let count = items.len() as u64;
        app.items_changed(data, Change::Items(items, BTreeSet::new()))?;
        Ok(count)
    });
    Ok(Json(ItemsAnswer { items: items.await? }))
}

/// Take an item away: from now on it is not shown.
#[utoipa::path(delete, path = "/v1/items/{item}", params(("item" = String, Path, description = "the operator's id")),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn remove_item(
    State(app): AppState,
    Extension(who): Who,
    Path(item): Path<String>,
) -> Result<StatusCode, Problem> {
    who.need(Scope::Advertiser)?;
    let whose = who.advertiser().map(str::to_owned);
    Pool::with(&app, move |app, data| {
        let is_theirs = whose.is_none_or(|whose| {
            let inventory = app.inventory.load();
            let found = inventory.items().binary_search_by(|known| known.id.cmp(&item));
            found.is_ok_and(|at| is_ad_of(&inventory.items()[at], &whose))
        });
        if !is_theirs || !data.store.remove_item(&item)? {
            return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such item"));
        }
        app.items_changed(data, Change::Items(Vec::new(), BTreeSet::from([item])))?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

fn is_ad_of(item: &Item, advertiser: &str) -> bool {
    item.campaign.as_ref().is_some_and(|campaign| campaign.advertiser == advertiser)
}

/// Whose each campaign and each item is.
struct Owners<'a> {
    campaigns: BTreeMap<&'a str, &'a str>,
    items: BTreeMap<&'a str, &'a Item>,
}

impl<'a> Owners<'a> {
    fn of(inventory: &'a Inventory, terms: &'a BTreeMap<String, CampaignTerms>) -> Self {
        let items = inventory.items().iter().map(|item| (item.id.as_str(), &**item)).collect();
        let ads = inventory.items().iter().filter_map(|item| item.campaign.as_ref());
        let by_ads = ads.map(|campaign| (campaign.id.as_str(), campaign.advertiser.as_str()));
        let named = |(id, terms): (&'a String, &'a CampaignTerms)| {
            Some((id.as_str(), terms.advertiser.as_deref()?))
        };
        Self { campaigns: by_ads.chain(terms.iter().filter_map(named)).collect(), items }
    }

    /// May this advertiser put these items in?
    fn check(&self, items: &[Item], whose: &str) -> Result<(), Problem> {
        for item in items {
            let campaign = item.campaign.as_ref().map_or("", |campaign| &campaign.id);
            let is_theirs = is_ad_of(item, whose)
                && self.campaigns.get(campaign).is_none_or(|owner| *owner == whose)
                && self.items.get(item.id.as_str()).is_none_or(|known| is_ad_of(known, whose));
            if !is_theirs {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    format!("the item {}: this key is for the ads of {whose} alone", item.id),
                ));
            }
        }
        Ok(())
    }
}

/// A campaign, and how it stands. A figure of fewer than 50 people is left out.
#[derive(Serialize, ToSchema)]
pub(super) struct CampaignView {
    campaign: String,
    advertiser: String,
    ads: u64,
    paused: bool,
    budget: f64,
    spent: f64,
    /// People whom one of its ads was shown to.
    people: Option<u64>,
    /// How often they were shown.
    shown: Option<u64>,
    /// How often they were clicked.
    clicked: Option<u64>,
}

/// The campaigns with what they have spent, and what came of it.
#[utoipa::path(get, path = "/v1/campaigns", responses((status = 200, body = [CampaignView]), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn campaigns(
    State(app): AppState,
    Extension(who): Who,
) -> Result<Json<Vec<CampaignView>>, Problem> {
    who.need(Scope::Advertiser)?;
    reports(&app, None, who.advertiser()).await.map(Json)
}

/// One campaign with what it has spent, and what came of it.
#[utoipa::path(get, path = "/v1/campaigns/{campaign}", params(("campaign" = String, Path, description = "the operator's id")),
    responses((status = 200, body = CampaignView), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn campaign(
    State(app): AppState,
    Extension(who): Who,
    Path(campaign): Path<String>,
) -> Result<Json<CampaignView>, Problem> {
    who.need(Scope::Advertiser)?;
    let mut one = reports(&app, Some(campaign), who.advertiser()).await?;
    one.pop().map(Json).ok_or_else(no_campaign)
}

fn no_campaign() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no such campaign")
}

async fn reports(
    app: &Arc<App>,
    only: Option<String>,
    whose: Option<&str>,
) -> Result<Vec<CampaignView>, Problem> {
    let whose = whose.map(str::to_owned);
    Pool::with(app, move |app, data| {
        let inventory = app.inventory.load();
        let spent = data.store.spent()?;
        let spent = |id: &str| spent.get(id).copied().unwrap_or(0) as f64 / 1e6;
        let mut views: BTreeMap<String, (CampaignView, Vec<String>)> = BTreeMap::new();
        for (id, body) in data.store.campaigns()? {
            let terms = CampaignTerms::kept(&body)?;
            let view = CampaignView {
                campaign: id.clone(),
                advertiser: terms.advertiser.unwrap_or_default(),
                ads: 0,
                paused: terms.paused.unwrap_or(false),
                budget: terms.budget.unwrap_or(0.0),
                spent: spent(&id),
                people: None,
                shown: None,
                clicked: None,
            };
            views.insert(id, (view, Vec::new()));
        }
        for item in inventory.items() {
            let Some(campaign) = &item.campaign else { continue };
            let fresh = || CampaignView {
                campaign: campaign.id.clone(),
                advertiser: campaign.advertiser.clone(),
                ads: 0,
                paused: campaign.paused,
                budget: campaign.budget as f64 / 1e6,
                spent: spent(&campaign.id),
                people: None,
                shown: None,
                clicked: None,
            };
            let (view, items) =
                views.entry(campaign.id.clone()).or_insert_with(|| (fresh(), Vec::new()));
            view.advertiser.clone_from(&campaign.advertiser);
            view.budget = campaign.budget as f64 / 1e6;
            view.ads += 1;
            items.push(item.id.clone());
        }
        views.retain(|id, (view, _)| {
            only.as_ref().is_none_or(|only| only == id)
                && whose.as_ref().is_none_or(|whose| *whose == view.advertiser)
        });
        let (shown, clicked) = (data.store.audiences()?, data.store.clicks()?);
        let mut told = Vec::new();
        for (mut view, items) in views.into_values() {
            let people = data.store.reach(&items)?;
            if people >= SMALLEST_AUDIENCE {
                let sum =
                    |counts: &dyn Fn(&String) -> Option<u64>| items.iter().filter_map(counts).sum();
                view.people = Some(people);
                view.shown = Some(sum(&|item| shown.get(item).map(|(_, times)| *times)));
                view.clicked = Some(sum(&|item| clicked.get(item).copied()));
            }
            told.push(view);
        }
        Ok(told)
    })
    .await
}

/// Make a campaign, or say all of its terms anew. They hold for all its ads from the next slate on.
#[utoipa::path(put, path = "/v1/campaigns/{campaign}", params(("campaign" = String, Path, description = "the operator's id")), request_body = CampaignTerms,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn put_campaign(
    State(app): AppState,
    Extension(who): Who,
    Path(campaign): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.need(Scope::Advertiser)?;
    if !valid_id(&campaign) {
        return Err(Problem::bad("`campaign`: expected 1 to 256 bytes without control characters"));
    }
    let terms: CampaignTerms = object(&body)?;
    if terms.advertiser.is_none() || terms.budget.is_none() {
        return Err(Problem::bad("`advertiser`, `budget`: are needed to make a campaign"));
    }
    keep(&app, &who, campaign, terms).await
}

/// Change some terms of a campaign: its budget, its bid, whether it is paused.
#[utoipa::path(patch, path = "/v1/campaigns/{campaign}", params(("campaign" = String, Path, description = "the operator's id")), request_body = CampaignTerms,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn change_campaign(
    State(app): AppState,
    Extension(who): Who,
    Path(campaign): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    who.need(Scope::Advertiser)?;
    let changed: CampaignTerms = object(&body)?;
    let of = campaign.clone();
    let before = Pool::with(&app, move |app, data| {
        if let Some(body) = data.store.campaigns()?.get(&of) {
            return Ok(CampaignTerms::kept(body)?);
        }
        // Until now its ads alone said what holds.
        let inventory = app.inventory.load();
        let mut campaigns = inventory.items().iter().filter_map(|item| item.campaign.as_ref());
        let found = campaigns.find(|campaign| campaign.id == of).ok_or_else(no_campaign)?;
        let advertiser = Some(found.advertiser.clone());
        Ok(CampaignTerms { advertiser, ..CampaignTerms::default() })
    });
    keep(&app, &who, campaign, changed.over(before.await?)).await
}

async fn keep(
    app: &Arc<App>,
    who: &Caller,
    campaign: String,
    terms: CampaignTerms,
) -> Result<StatusCode, Problem> {
    terms.check().map_err(|bad| Problem::bad(bad.to_string()))?;
    let whose = who.advertiser().map(str::to_owned);
    let body = serde_json::to_string(&terms).map_err(|error| Problem::ours(&error))?;
    Pool::with(app, move |app, data| {
        if let Some(whose) = whose {
            let (inventory, others) = (app.inventory.load(), crate::items::terms(data)?);
            let owners = Owners::of(&inventory, &others);
            let named = terms.advertiser.as_ref();
            if owners.campaigns.get(&*campaign).is_some_and(|owner| *owner != whose) {
                return Err(no_campaign());
            }
            if named.is_some_and(|named| *named != whose) {
                let why = format!("`advertiser`: this key is for {whose} alone");
                return Err(Problem::new(StatusCode::FORBIDDEN, why));
            }
        }
        data.store.put_campaign(&campaign, &body)?;
        app.items_changed(data, Change::Terms)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

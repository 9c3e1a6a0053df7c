//! How a person stands, for their own page: where their chats count and why not, what they told
//! us, and how each interest grew and will fade. All of it is computed when it is asked for.

use super::access::{Caller, Scope};
use super::api::{At, Path, Query, account, instant};
use super::problem::Problem;
use super::{App, Pool};
use axum::extract::State;
use axum::{Extension, Json};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tactful_core::chat::{Audience, Facts, Modality, Name, Role, Tag};
use tactful_core::gate;
use tactful_core::policy::Policy;
use tactful_core::profile::{self, Lens, Member, Person, UNIT};
use tactful_core::standing::{About, Taste};
use tactful_core::taxonomy::Taxonomy;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Instants of a plot, at most.
const MOST_INSTANTS: i64 = 400;

/// The routes with what describes them.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(standing))
        .routes(routes!(weights))
        .routes(routes!(topics))
        .routes(routes!(advertisers))
}

/// How a person stands.
#[derive(Serialize, ToSchema)]
struct PersonStandingView {
    /// The linked accounts.
    accounts: Vec<AccountStanding>,
    /// What is wanted of interests and advertisers, the newest first.
    preferences: Vec<PreferenceView>,
    /// The policy in force.
    policy: String,
    /// What was learned counts half after so many days …
    half_life_days: u16,
    /// … and is gone after so many.
    retention_days: u16,
}

/// How an account stands.
#[derive(Serialize, ToSchema)]
struct AccountStanding {
    platform: String,
    /// Its tag.
    account: String,
    /// Is it the account that was asked about?
    asked: bool,
    region: Option<String>,
    /// Would a chat count now: `used`, or the reason why not.
    chats: &'static str,
    /// What the policy leaves to the person there: `none`, `opt-out`, `opt-in`.
    choice: Option<&'static str>,
    /// What they chose: `in`, `out`.
    wish: Option<&'static str>,
    /// The first notice that was delivered: its day.
    told: Option<String>,
}

/// What a person told us.
#[derive(Serialize, ToSchema)]
struct PreferenceView {
    /// `interest` or `advertiser`.
    about: &'static str,
    /// The leaf, or the advertiser's name.
    id: String,
    /// `less`, `never`, `more`.
    wish: &'static str,
    /// The day.
    day: String,
}

fn day(at: Timestamp) -> String {
    jiff::tz::Offset::UTC.to_datetime(at).date().to_string()
}

/// How a person stands: would a chat of each account count now, and why not; what they told us of
/// interests and advertisers.
#[utoipa::path(get, path = "/v1/persons/{account}/standing",
    params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said")),
    responses((status = 200, body = PersonStandingView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn standing(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Json<PersonStandingView>, Problem> {
    let (account, at) = (account(&asked)?, instant(at.as_deref())?);
    who.own(&account)?;
    let view = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let tag = account.tag(&data.keyring);
        let person = data.store.person(tag, at, policy.cross_platform)?;
        let accounts = person.members.iter();
        Ok(PersonStandingView {
            accounts: accounts.map(|member| stands(member, &policy, tag, at)).collect(),
            preferences: told(&person, &data.taxonomy, at),
            policy: policy.version.clone(),
            half_life_days: policy.half_life_days,
            retention_days: policy.retention_days,
        })
    });
    view.await.map(Json)
}

/// The gate's own answer for a chat that would be had now, so that this page cannot differ from
/// what is done.
fn stands(member: &Member, policy: &Policy, asked: Tag, at: Timestamp) -> AccountStanding {
    let standing = member.history.standing(policy, at);
    let refusal = Name::new("assistant").and_then(|product| {
        let facts = Facts {
            account: member.account,
            platform: member.platform,
            conversation: Tag(0),
            event: Tag(0),
            role: Role::User,
            audience: Audience::Assistant,
            encrypted: false,
            modality: Modality::Text,
            product,
            at,
        };
        gate::refusal(policy, &standing, &facts)
    });
    let heard = member.history.notices.iter();
    let heard = heard.filter(|notice| member.history.holds(notice.delivered));
    AccountStanding {
        platform: member.platform.as_str().to_owned(),
        account: member.account.to_string(),
        asked: member.account == asked,
        region: standing.region.map(|region| region.as_str().to_owned()),
        chats: refusal.map_or("used", gate::Refusal::code),
        choice: standing.region.map(|region| policy.permission(region, at).choice.as_str()),
        wish: standing.wish.map(tactful_core::standing::Wish::as_str),
        told: heard.map(|notice| notice.delivered).filter(|told| *told <= at).min().map(day),
    }
}

/// What a person wants, the newest of each thing.
fn told(person: &Person, taxonomy: &Taxonomy, at: Timestamp) -> Vec<PreferenceView> {
    let mut newest: BTreeMap<(&str, &str), (Timestamp, Taste)> = BTreeMap::new();
    for member in &person.members {
        for said in &member.history.preferences {
            if said.at > at || !member.history.holds(said.at) {
                continue;
            }
            let about = match &said.about {
                About::Interest(interest) => ("interest", taxonomy.id(*interest)),
                About::Advertiser(advertiser) => ("advertiser", advertiser.as_str()),
            };
            let kept = newest.entry(about).or_insert((said.at, said.taste));
            *kept = (said.at, said.taste).max(*kept);
        }
    }
    let mut told: Vec<_> =
        newest.into_iter().filter(|(_, (_, taste))| *taste != Taste::Clear).collect();
    told.sort_by_key(|(_, (at, _))| std::cmp::Reverse(*at));
    told.into_iter()
        .map(|((kind, id), (at, taste))| PreferenceView {
            about: if kind == "interest" { "interest" } else { "advertiser" },
            id: id.to_owned(),
            wish: taste.as_str(),
            day: day(at),
        })
        .collect()
}

#[derive(Deserialize)]
struct Window {
    at: Option<String>,
    back: Option<u16>,
    ahead: Option<u16>,
}

/// The weights of interests at instants.
#[derive(Serialize, ToSchema)]
struct WeightsView {
    /// A day apart, oldest first.
    instants: Vec<String>,
    /// Which of the instants is now: what comes after it is what would be, if nothing happened.
    now: usize,
    /// Of each interest, a weight at each instant.
    interests: BTreeMap<String, Vec<f64>>,
}

/// How each interest grew and will fade: its weight day by day, before and after an instant. As the
/// policy in force and the links of that instant see it.
#[utoipa::path(get, path = "/v1/persons/{account}/weights",
    params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said"),
        ("back" = Option<u16>, Query, description = "days before; 60, unless it is said"), ("ahead" = Option<u16>, Query, description = "days after; 60, unless it is said")),
    responses((status = 200, body = WeightsView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn weights(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
    Path(asked): Path<String>,
    Query(window): Query<Window>,
) -> Result<Json<WeightsView>, Problem> {
    let (account, at) = (account(&asked)?, instant(window.at.as_deref())?);
    who.own(&account)?;
    let (back, ahead) =
        (i64::from(window.back.unwrap_or(60)), i64::from(window.ahead.unwrap_or(60)));
    if back + ahead + 1 > MOST_INSTANTS {
        return Err(Problem::bad(format!("`back`, `ahead`: at most {MOST_INSTANTS} days in all")));
    }
    let view = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let person = data.store.person(account.tag(&data.keyring), at, policy.cross_platform)?;
        let instants: Vec<Timestamp> = (-back..=ahead)
            .filter_map(|days| at.checked_add(SignedDuration::from_hours(24 * days)).ok())
            .collect();
        let mut interests: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (n, instant) in instants.iter().enumerate() {
            let lens = Lens::new(&policy, &person, *instant);
            for (interest, weight) in profile::reduce(&person.rows, &lens).iter() {
                let id = data.taxonomy.id(interest).to_owned();
                let of = interests.entry(id).or_insert_with(|| vec![0.0; instants.len()]);
                of[n] = weight as f64 / UNIT as f64;
            }
        }
        Ok(WeightsView {
            now: instants.iter().position(|instant| *instant == at).unwrap_or(0),
            instants: instants.iter().map(Timestamp::to_string).collect(),
            interests,
        })
    });
    view.await.map(Json)
}

/// A group of interests.
#[derive(Serialize, ToSchema)]
struct TopicView {
    id: String,
    name: String,
    interests: Vec<TopicLeaf>,
}

#[derive(Serialize, ToSchema)]
struct TopicLeaf {
    id: String,
    name: String,
}

/// All interests that there are, by group: what a person may choose from.
#[utoipa::path(get, path = "/v1/topics", responses((status = 200, body = [TopicView])))]
async fn topics(State(app): State<Arc<App>>) -> Result<Json<Vec<TopicView>>, Problem> {
    let topics = Pool::with(&app, |_, data| {
        let leaves = data.taxonomy.leaves();
        let of = |group: &str| {
            let under = leaves
                .iter()
                .filter(|leaf| leaf.id.split_once('.').is_some_and(|(parent, _)| parent == group));
            under.map(|leaf| TopicLeaf { id: leaf.id.clone(), name: leaf.name.clone() }).collect()
        };
        let groups = data.taxonomy.groups();
        Ok(groups
            .map(|(id, name)| TopicView {
                id: id.to_owned(),
                name: name.to_owned(),
                interests: of(id),
            })
            .collect())
    });
    topics.await.map(Json)
}

/// The advertisers that there are, by name: what a person may want fewer ads of, or none. For anyone
/// who is known here: whose customers they are is the operator's business.
#[utoipa::path(get, path = "/v1/advertisers", responses((status = 200, body = [String]), (status = 401, body = Problem)))]
async fn advertisers(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
) -> Result<Json<Vec<String>>, Problem> {
    if let Caller::Nobody = who {
        who.need(Scope::Recommend)?;
    }
    let inventory = app.inventory.load();
    let mut names: Vec<String> = inventory
        .items()
        .iter()
        .filter_map(|item| item.campaign.as_ref())
        .map(|campaign| campaign.advertiser.clone())
        .filter(|name| who.advertiser().is_none_or(|mine| mine == name))
        .collect();
    names.sort();
    names.dedup();
    Ok(Json(names))
}

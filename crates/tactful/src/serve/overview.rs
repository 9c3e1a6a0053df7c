//! What the console shows beside the API's own answers: counts by outcome, notices by day and
//! region, spending by day, the policies that were in force. None of it is of one account.

use super::access::{Caller, Scope};
use super::problem::Problem;
use super::{App, Pool};
use axum::extract::State;
use axum::{Extension, Json};
use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tactful_core::chat::Region;
use tactful_core::policy::Policy;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes with what describes them.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(about))
        .routes(routes!(outcomes))
        .routes(routes!(notices))
        .routes(routes!(spending))
        .routes(routes!(policies))
}

/// What this server is, for its own pages.
#[derive(Serialize, ToSchema)]
struct AboutView {
    /// Is it a demo, on an example world of its own?
    demo: bool,
    /// The version of the program.
    version: &'static str,
    /// Names this run, so that a page forgets what it knew of another.
    run: u32,
}

/// What this server is: a demo or not.
#[utoipa::path(get, path = "/v1/about", responses((status = 200, body = AboutView)))]
async fn about(State(app): State<Arc<App>>) -> Json<AboutView> {
    Json(AboutView { demo: app.demo, version: env!("CARGO_PKG_VERSION"), run: app.run })
}

/// How many events ended how.
#[derive(Serialize, ToSchema)]
struct OutcomesView {
    /// Since the data was made, of every way in.
    ever: BTreeMap<String, u64>,
    /// Since this server began.
    here: BTreeMap<String, u64>,
}

/// How many events ended how, ever and since the server began; of no account, by no text.
#[utoipa::path(get, path = "/v1/overview/outcomes", responses((status = 200, body = OutcomesView), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn outcomes(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
) -> Result<Json<OutcomesView>, Problem> {
    who.need(Scope::Admin)?;
    let ever = Pool::with(&app, |_, data| Ok(data.store.counters()?)).await?;
    let here = app.figures.flow().into_iter().map(|(name, count)| (name.to_owned(), count));
    Ok(Json(OutcomesView { ever, here: here.collect() }))
}

/// Notices: what is asked, who has them, who is still due.
#[derive(Serialize, ToSchema)]
struct NoticesView {
    required: bool,
    /// Notices from before this do not count.
    first_day: Option<String>,
    /// Days between a notice and the first chat that counts.
    lead_days: u16,
    /// Chats before this are never used.
    effective: String,
    /// How notices may be delivered.
    channels: Vec<&'static str>,
    delivered: Vec<DeliveredView>,
    regions: Vec<ToldView>,
}

#[derive(Serialize, ToSchema)]
struct DeliveredView {
    day: String,
    notice: String,
    version: String,
    channel: String,
    accounts: u64,
}

#[derive(Serialize, ToSchema)]
struct ToldView {
    region: String,
    accounts: u64,
    told: u64,
    /// Those of them who were told so long ago that their chats may count.
    ready: u64,
    /// Accounts that the policy may use chats of, once they are told.
    due: u64,
}

fn date(days: i64) -> String {
    let day =
        Span::new().try_days(days).and_then(|span| Date::constant(1970, 1, 1).checked_add(span));
    day.map_or_else(|_| String::new(), |day| day.to_string())
}

/// Notices by day and channel, and by region how many accounts were told and how many are due.
#[utoipa::path(get, path = "/v1/overview/notices", responses((status = 200, body = NoticesView), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn notices(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
) -> Result<Json<NoticesView>, Problem> {
    who.need(Scope::Admin)?;
    let view = Pool::with(&app, |app, data| {
        let policy = app.policy.load();
        let rule = &policy.notice;
        let since = rule.first_day.map_or(Timestamp::MIN, |day| day.earliest);
        let delivered = data.store.notices_by_day()?.into_iter().map(|of| DeliveredView {
            day: date(of.day),
            notice: of.notice,
            version: of.version,
            channel: of.channel,
            accounts: of.accounts,
        });
        // Whom the policy leaves out at its beginning needs no notice yet.
        let included = |code: &str| {
            Region::new(code)
                .is_some_and(|region| policy.permission(region, policy.effective).infer)
        };
        let lead = SignedDuration::from_hours(24 * i64::from(rule.lead_days));
        let until = Timestamp::now().checked_sub(lead).unwrap_or(Timestamp::MIN);
        let told = data.store.told_by_region(since, until)?;
        let regions = told.into_iter().map(|of| ToldView {
            due: match rule.required && included(&of.region) {
                true => of.accounts.saturating_sub(of.told),
                false => 0,
            },
            region: of.region,
            accounts: of.accounts,
            told: of.told,
            ready: of.ready,
        });
        Ok(NoticesView {
            required: rule.required,
            // As the policy wrote it: the day is kept by where it comes last.
            first_day: rule
                .first_day
                .map(|day| Offset::constant(-12).to_datetime(day.latest).date().to_string()),
            lead_days: rule.lead_days,
            effective: policy.effective.to_string(),
            channels: rule.channels.iter().map(|channel| channel.as_str()).collect(),
            delivered: delivered.collect(),
            regions: regions.collect(),
        })
    });
    view.await.map(Json)
}

/// What a campaign spent on a day.
#[derive(Serialize, ToSchema)]
struct SpendingView {
    day: String,
    spent: f64,
}

/// What each campaign spent, day by day.
#[utoipa::path(get, path = "/v1/overview/spending", responses((status = 200, body = Object), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn spending(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
) -> Result<Json<BTreeMap<String, Vec<SpendingView>>>, Problem> {
    who.need(Scope::Advertiser)?;
    let mut days = Pool::with(&app, |_, data| Ok(data.store.spent_by_day()?)).await?;
    if let Some(mine) = who.advertiser() {
        let inventory = app.inventory.load();
        let campaigns = inventory.items().iter().filter_map(|item| item.campaign.as_ref());
        let mine: BTreeSet<_> =
            campaigns.filter(|of| of.advertiser == mine).map(|of| &of.id).collect();
        days.retain(|campaign, _| mine.contains(campaign));
    }
    let view =
        |(day, micros): (i64, u64)| SpendingView { day: date(day), spent: micros as f64 / 1e6 };
    let each = days.into_iter();
    Ok(Json(each.map(|(name, days)| (name, days.into_iter().map(view).collect())).collect()))
}

/// A policy that is or was in force.
#[derive(Serialize, ToSchema)]
struct PastPolicyView {
    version: String,
    id: String,
    /// From when on it was in force here.
    since: String,
    words: String,
}

/// The policies that were in force, the newest first, in words.
#[utoipa::path(get, path = "/v1/overview/policies", responses((status = 200, body = [PastPolicyView])))]
async fn policies(State(app): State<Arc<App>>) -> Result<Json<Vec<PastPolicyView>>, Problem> {
    let past = Pool::with(&app, |_, data| Ok(data.policies()?)).await?;
    let views = past.into_iter().rev().filter_map(|past| {
        let policy = Policy::parse(&past.text).ok()?;
        Some(PastPolicyView {
            version: policy.version.clone(),
            id: format!("{:016x}", policy.id.0),
            since: past.since,
            words: policy.to_string(),
        })
    });
    Ok(Json(views.collect()))
}

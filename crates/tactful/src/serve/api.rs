//! The API: what an operator's systems and a person's own pages ask.

mod campaigns;
mod corrections;
mod deletions;
mod events;
mod links;
mod notices;
mod operator;
mod persons;
mod segments;
mod slates;

use super::access::Caller;
use super::intake::Input;
use super::problem::Problem;
use super::{App, Pool};
use crate::events::Event;
use crate::identity::Account;
use axum::Extension;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

type AppState = State<Arc<App>>;
type Who = Extension<Caller>;

/// What the path names, or a problem.
#[derive(axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// What the query names, or a problem.
#[derive(axum::extract::FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<axum::extract::rejection::PathRejection> for Problem {
    fn from(_: axum::extract::rejection::PathRejection) -> Self {
        Self::bad("the path: expected UTF-8, as /openapi.json has it")
    }
}

impl From<axum::extract::rejection::QueryRejection> for Problem {
    fn from(_: axum::extract::rejection::QueryRejection) -> Self {
        Self::bad(
            "the query: a part is missing, stands twice or is of another kind than /openapi.json says",
        )
    }
}

/// The routes with what describes them.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(events::events))
        .routes(routes!(slates::recommendations))
        .routes(routes!(slates::impressions))
        .routes(routes!(slates::clicks))
        .routes(routes!(slates::reasons))
        .routes(routes!(persons::profile))
        .routes(routes!(persons::export))
        .routes(routes!(segments::user_segments))
        .routes(routes!(segments::enrich))
        .routes(routes!(segments::context_match))
        .routes(routes!(corrections::preference))
        .routes(routes!(corrections::pause))
        .routes(routes!(corrections::choice))
        .routes(routes!(deletions::delete_person))
        .routes(routes!(deletions::delete_conversation))
        .routes(routes!(deletions::delete_interest))
        .routes(routes!(links::link))
        .routes(routes!(links::unlink, links::links))
        .routes(routes!(campaigns::put_items))
        .routes(routes!(campaigns::remove_item))
        .routes(routes!(campaigns::campaigns))
        .routes(routes!(campaigns::campaign, campaigns::put_campaign, campaigns::change_campaign))
        .routes(routes!(notices::notices))
        .routes(routes!(notices::due))
        .routes(routes!(notices::put_notice))
        .routes(routes!(notices::deliver))
        .routes(routes!(notices::inbox))
        .routes(routes!(notices::seen))
        .routes(routes!(notices::standing))
        .routes(routes!(operator::policy))
        .routes(routes!(operator::flow))
        .routes(routes!(operator::interests))
        .routes(routes!(operator::model))
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

/// What an account is named.
///
/// # Errors
/// When it is no `platform:id`.
pub fn account(text: &str) -> Result<Account, Problem> {
    text.parse().map_err(|expected: String| Problem::bad(format!("`account`: {expected}")))
}

/// The instant that was asked for; now, when none was.
///
/// # Errors
/// When it is none, or out of range.
pub fn instant(at: Option<&str>) -> Result<Timestamp, Problem> {
    let fits = |at: &Timestamp| crate::events::INSTANTS.contains(&at.as_second());
    match at {
        None => Ok(Timestamp::now()),
        Some(text) => text.parse().ok().filter(fits).ok_or_else(|| {
            Problem::bad(
                "`at`: expected an RFC 3339 instant from 1970 to 2199, such as 2026-01-15T09:00:00Z",
            )
        }),
    }
}

/// The instant of the latest thing that is held of an account, if the clock has not come so far:
/// it was set back, or an event was of the future.
async fn ahead(app: &Arc<App>, account: Account) -> Result<Option<Timestamp>, Problem> {
    Pool::with(app, move |_, data| {
        let tag = account.tag(&data.keyring);
        let row = data.store.rows(tag)?.iter().map(|row| row.at).max();
        let history = data.store.history(tag)?;
        // A deletion that reached into the future holds what is said until then off.
        let latest = row.max(history.latest_instant()).max(history.forgotten);
        Ok(latest.filter(|latest| *latest >= Timestamp::now()))
    })
    .await
}

/// When what a person wants now is to hold from: the instant that was asked for; else now, and,
/// where something is held of a later one, after that too. What is said last counts, whatever the
/// clock says.
async fn from_now_on(
    app: &Arc<App>,
    account: Account,
    at: Option<&str>,
) -> Result<Vec<Timestamp>, Problem> {
    let mut moments = vec![instant(at)?];
    if at.is_none()
        && let Some(latest) = ahead(app, account).await?
    {
        moments.push(latest.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(latest));
    }
    Ok(moments)
}

/// Up to when is deleted: as asked; else all that is held.
async fn up_to(app: &Arc<App>, account: Account, at: Option<&str>) -> Result<Timestamp, Problem> {
    let now = instant(at)?;
    if at.is_some() {
        return Ok(now);
    }
    Ok(ahead(app, account).await?.map_or(now, |latest| latest.max(now)))
}

/// The instant of a question.
#[derive(Deserialize)]
pub struct At {
    /// RFC 3339.
    pub at: Option<String>,
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

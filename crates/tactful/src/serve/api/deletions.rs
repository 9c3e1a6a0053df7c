//! Deleting, with a receipt.

use super::{AppState, At, Path, Query, Who, account, take_one, up_to};
use crate::events::Event;
use crate::identity::Account;
use crate::serve::problem::Problem;
use crate::serve::{App, Pool};
use axum::extract::State;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Serialize;
use std::sync::Arc;
use tactful_core::chat::Tag;
use tactful_core::ledger::Deletion;
use utoipa::ToSchema;

/// That something was deleted, up to which instant.
#[derive(Serialize, ToSchema)]
pub(super) struct Receipt {
    /// A keyed tag of what was deleted and when; the same request at the same instant has the same.
    receipt: String,
    deleted: String,
    at: String,
}

pub async fn delete(
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
pub async fn delete_person(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Json<Receipt>, Problem> {
    who.own(&account(&asked)?)?;
    let at = up_to(&app, account(&asked)?, at.as_deref()).await?;
    delete(&app, &asked, "account".to_owned(), at, |_| Ok(Deletion::Account)).await
}

/// Delete what a conversation gave: by the operator's id of it, or by the tag that the reasons name.
#[utoipa::path(delete, path = "/v1/persons/{account}/conversations/{conversation}", params(("account" = String, Path, description = "platform:id"), ("conversation" = String, Path, description = "id or tag"), ("at" = Option<String>, Query, description = "up to when")),
    responses((status = 200, body = Receipt), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn delete_conversation(
    State(app): AppState,
    Extension(who): Who,
    Path((asked, conversation)): Path<(String, String)>,
    Query(At { at }): Query<At>,
) -> Result<Json<Receipt>, Problem> {
    let owner = account(&asked)?;
    who.own(&owner)?;
    let at = up_to(&app, account(&asked)?, at.as_deref()).await?;
    let tag = Tag::parse(&conversation);
    let what = tag.map_or("conversation".to_owned(), |tag| format!("conversation {tag}"));
    if let Some(tag) = tag {
        let _ = delete(&app, &asked, what.clone(), at, move |_| Ok(Deletion::Conversation(tag)))
            .await?;
    }
    // An operator's own id may look like a tag: whatever bears this name goes.
    delete(&app, &asked, what, at, move |data| {
        let of = owner.tag(&data.keyring);
        Ok(Deletion::Conversation(data.keyring.conversation(of, &conversation)))
    })
    .await
}

/// Delete an interest: what brought it is gone; what comes after counts again.
#[utoipa::path(delete, path = "/v1/persons/{account}/interests/{interest}", params(("account" = String, Path, description = "platform:id"), ("interest" = String, Path, description = "a leaf"), ("at" = Option<String>, Query, description = "up to when")),
    responses((status = 200, body = Receipt), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn delete_interest(
    State(app): AppState,
    Extension(who): Who,
    Path((asked, interest)): Path<(String, String)>,
    Query(At { at }): Query<At>,
) -> Result<Json<Receipt>, Problem> {
    who.own(&account(&asked)?)?;
    let now = up_to(&app, account(&asked)?, at.as_deref()).await?;
    let what = format!("interest {interest}");
    // Of all accounts that are linked: the interest is the person's.
    let owner = account(&asked)?;
    let person = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        Ok(data.store.person(owner.tag(&data.keyring), now, policy.cross_platform)?)
    })
    .await?;
    let members = person.members;
    let latest = person.rows.iter().map(|row| row.at).max().filter(|_| at.is_none());
    let at = latest.map_or(now, |latest| latest.max(now));
    let leaf = interest.clone();
    let found = Pool::with(&app, move |_, data| Ok(data.taxonomy.find(&leaf))).await?;
    let found = found.ok_or_else(|| Problem::bad("`interest`: expected a leaf of the taxonomy"))?;
    for member in members {
        let gone = Event::Delete(member.account, member.platform, Deletion::Interest(found), at);
        take_one(&app, gone).await?;
    }
    delete(&app, &asked, what, at, move |_| Ok(Deletion::Interest(found))).await
}

//! The accounts center: which accounts are one person's.

use super::{AppState, At, Path, Query, Who, account, instant, object, take_json};
use crate::serve::Pool;
use crate::serve::problem::Problem;
use crate::show::AccountView;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
pub(super) struct LinkRequest {
    /// Two or more accounts of one person.
    accounts: Vec<String>,
    at: Option<String>,
}

/// Link accounts: they share one profile from now on.
#[utoipa::path(post, path = "/v1/links", request_body = LinkRequest,
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn link(
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
pub async fn unlink(
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

/// The accounts that are linked with one, itself among them: app and tag.
#[utoipa::path(get, path = "/v1/links/{account}", params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said")),
    responses((status = 200, body = [AccountView]), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn links(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Json<Vec<AccountView>>, Problem> {
    let (account, at) = (account(&asked)?, instant(at.as_deref())?);
    who.own(&account)?;
    let linked = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let mut views = Vec::new();
        for tag in data.store.linked(account.tag(&data.keyring), at, policy.cross_platform)? {
            let platform = data.store.platform(tag)?.unwrap_or(account.platform);
            views.push(AccountView {
                platform: platform.as_str().to_owned(),
                account: tag.to_string(),
            });
        }
        Ok(views)
    });
    linked.await.map(Json)
}

//! What is held of a person: the profile, and all of it.

use super::{AppState, At, Path, Query, Who, account, instant};
use crate::serve::Pool;
use crate::serve::problem::Problem;
use crate::show::{ProfileView, profile_view};
use axum::extract::State;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tactful_core::chat::Tag;
use tactful_core::standing::About;

/// A person's interests, with what is behind each.
#[utoipa::path(get, path = "/v1/persons/{account}/profile",
    params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said")),
    responses((status = 200, body = ProfileView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn profile(
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
pub async fn export(
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
                let links = data.store.memberships(member.account)?;
                let linked = links
                    .joined
                    .iter()
                    .map(|(center, at)| json!({"center": center.to_string(), "at": at.to_string()}));
                let unlinked = links.left.iter().map(Timestamp::to_string);
                Ok(json!({"platform": member.platform.as_str(), "account": member.account.to_string(),
                    "linked": linked.collect::<Vec<_>>(), "unlinked": unlinked.collect::<Vec<_>>(),
                    "facts": facts.collect::<Vec<_>>(), "notices": notices.collect::<Vec<_>>(),
                    "choices": choices.collect::<Vec<_>>(),
                    "preferences": preferences.collect::<Vec<_>>()}))
            })
            .collect::<Result<_, Problem>>()?;
        // An account may be known by nothing but what it was shown or sent.
        let tags: BTreeSet<Tag> =
            person.members.iter().map(|member| member.account).chain([tag]).collect();
        let items = |list: Vec<(String, Timestamp)>| -> Vec<Value> {
            list.iter().map(|(item, at)| json!({"item": item, "at": at.to_string()})).collect()
        };
        let shown = items(data.store.shown_since(tags.clone(), Timestamp::MIN)?);
        let clicked = items(data.store.clicked(tags.clone())?);
        let mut deliveries = Vec::new();
        for tag in tags {
            deliveries.extend(data.store.deliveries(tag)?.into_iter().map(|one| {
                json!({"account": tag.to_string(), "notice": one.notice, "version": one.version,
                    "channel": one.channel.as_str(), "language": one.language,
                    "state": one.state, "at": one.at.to_string(), "proof": one.proof})
            }));
        }
        let view = profile_view(&person, &policy, taxonomy, now);
        Ok(json!({"made": now.to_string(), "asked_by": asked, "accounts": accounts,
            "interests": view.interests, "contributions": rows, "shown": shown,
            "clicked": clicked, "deliveries": deliveries}))
    });
    archive.await.map(Json)
}

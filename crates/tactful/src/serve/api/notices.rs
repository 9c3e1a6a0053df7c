//! Notices: their texts, who is due, how far each has come, and the inbox in the app.

use super::{AppState, At, Path, Query, Who, account, instant, object, take_one};
use crate::events::{Event, primary_language};
use crate::identity::{Account, valid_id};
use crate::notices::{Notice, lint};
use crate::serve::access::Scope;
use crate::serve::problem::Problem;
use crate::serve::{App, Pool};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tactful_core::chat::Tag;
use tactful_core::standing::{Channel, NoticeFact};
use tactful_store::notices::{Delivery, Template};
use utoipa::ToSchema;

/// Accounts that one request for who is due looks through, at most.
const LOOKED_THROUGH: usize = 10_000;

/// Accounts of one delivery request, at most.
const MOST_DELIVERIES: usize = 1_000;

/// Webhook requests at once.
const AT_ONCE: usize = 8;

/// How a template stands.
#[derive(Serialize, ToSchema)]
pub(super) struct TemplateAnswer {
    notice: String,
    version: String,
    language: String,
    /// Does delivering it count under the policy in force?
    counts: bool,
}

/// Keep the text of a notice in one language. Refused when its first screen does not name AI chats;
/// a version that is there already stays what it is.
#[utoipa::path(put, path = "/v1/notices/{notice}/{version}/{language}",
    params(("notice" = String, Path, description = "the operator's name of it"), ("version" = String, Path, description = "of its text"), ("language" = String, Path, description = "BCP 47")),
    request_body = Notice,
    responses((status = 201, body = TemplateAnswer), (status = 200, body = TemplateAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn put_notice(
    State(app): AppState,
    Extension(who): Who,
    Path((notice, version, language)): Path<(String, String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Json<TemplateAnswer>), Problem> {
    who.need(Scope::Admin)?;
    if !valid_id(&notice) || !valid_id(&version) {
        return Err(Problem::bad(
            "`notice`, `version`: expected 1 to 256 bytes without control characters",
        ));
    }
    let language = primary_language(&language)
        .ok_or_else(|| Problem::bad("`language`: expected BCP 47, such as en or pt-BR"))?;
    let text: Notice = object(&body)?;
    lint(&language, &text).map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let body = serde_json::to_string(&text).map_err(|error| Problem::ours(&error))?;
    let template = Template { notice, version, language, body, made: Timestamp::now() };
    let answer = TemplateAnswer {
        notice: template.notice.clone(),
        version: template.version.clone(),
        language: template.language.clone(),
        counts: counts(&app, &template.notice, &template.version),
    };
    let status = Pool::with(&app, move |_, data| {
        if data.store.put_template(&template)? {
            return Ok(StatusCode::CREATED);
        }
        let same = data
            .store
            .templates()?
            .into_iter()
            .any(|kept| Template { made: template.made, ..kept } == template);
        match same {
            true => Ok(StatusCode::OK),
            false => Err(Problem::new(
                StatusCode::CONFLICT,
                "this version has another text already, which people may have seen; take a new version",
            )),
        }
    });
    Ok((status.await?, Json(answer)))
}

/// Would delivering it now, by any channel, count under the policy in force?
fn counts(app: &App, notice: &str, version: &str) -> bool {
    let policy = app.policy.load();
    Channel::ALL.into_iter().any(|channel| {
        policy.notice.counts(&NoticeFact {
            delivered: Timestamp::now(),
            notice: notice.to_owned(),
            version: version.to_owned(),
            channel,
        })
    })
}

/// How many deliveries of a notice stand how.
#[derive(Serialize, ToSchema)]
pub(super) struct ProgressView {
    notice: String,
    version: String,
    channel: String,
    /// `queued`, `delivered`, `seen`, `failed`.
    state: String,
    accounts: u64,
}

/// The notices with how far they have come.
#[derive(Serialize, ToSchema)]
pub(super) struct NoticesAnswer {
    templates: Vec<TemplateAnswer>,
    deliveries: Vec<ProgressView>,
}

/// The texts that there are, and how many deliveries stand how.
#[utoipa::path(get, path = "/v1/notices", responses((status = 200, body = NoticesAnswer), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn notices(
    State(app): AppState,
    Extension(who): Who,
) -> Result<Json<NoticesAnswer>, Problem> {
    who.need(Scope::Admin)?;
    let (templates, progress) = Pool::with(&app, |_, data| {
        Ok((data.store.templates()?, data.store.deliveries_by_state()?))
    })
    .await?;
    let templates = templates.into_iter().map(|one| TemplateAnswer {
        counts: counts(&app, &one.notice, &one.version),
        notice: one.notice,
        version: one.version,
        language: one.language,
    });
    let deliveries = progress.into_iter().map(|((notice, version, channel, state), accounts)| {
        ProgressView { notice, version, channel, state, accounts }
    });
    Ok(Json(NoticesAnswer { templates: templates.collect(), deliveries: deliveries.collect() }))
}

/// An account that no notice that counts has reached.
#[derive(Serialize, ToSchema)]
pub(super) struct DueView {
    /// The account's tag: the operator's own id is not kept.
    account: String,
    platform: String,
    language: Option<String>,
    region: Option<String>,
}

/// Who is due.
#[derive(Serialize, ToSchema)]
pub(super) struct DueAnswer {
    due: Vec<DueView>,
    /// Accounts that were looked through.
    looked_through: usize,
    /// Where to go on, when there are more.
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DueQuery {
    after: Option<String>,
    at: Option<String>,
}

/// Who is due: known accounts where the policy lets chats be read, whom no notice that counts has
/// reached. In pages of 10,000 accounts looked through.
#[utoipa::path(get, path = "/v1/notices/due",
    params(("after" = Option<String>, Query, description = "the `next` of the page before"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said")),
    responses((status = 200, body = DueAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn due(
    State(app): AppState,
    Extension(who): Who,
    Query(asked): Query<DueQuery>,
) -> Result<Json<DueAnswer>, Problem> {
    who.need(Scope::Admin)?;
    let at = instant(asked.at.as_deref())?;
    let after = asked.after.map(|text| {
        u128::from_str_radix(&text, 16)
            .map(Tag)
            .map_err(|_| Problem::bad("`after`: expected the `next` of the page before"))
    });
    let after = after.transpose()?;
    let answer = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let mut accounts: Vec<Tag> = data.store.accounts()?.into_iter().collect();
        accounts.retain(|account| after.is_none_or(|after| *account > after));
        let more = accounts.len() > LOOKED_THROUGH;
        accounts.truncate(LOOKED_THROUGH);
        let mut due = Vec::new();
        for account in &accounts {
            let history = data.store.history(*account)?;
            if !is_due(&policy, &history, at) {
                continue;
            }
            let Some(platform) = data.store.platform(*account)? else { continue };
            due.push(DueView {
                account: account.to_string(),
                platform: platform.as_str().to_owned(),
                language: history.language(at),
                region: history.standing(&policy, at).region.map(|r| r.as_str().to_owned()),
            });
        }
        let next = accounts.last().filter(|_| more).map(Tag::to_string);
        Ok(DueAnswer { due, looked_through: accounts.len(), next })
    });
    answer.await.map(Json)
}

fn is_due(
    policy: &tactful_core::policy::Policy,
    history: &tactful_core::standing::History,
    at: Timestamp,
) -> bool {
    let reached = history
        .notices
        .iter()
        .any(|notice| history.holds(notice.delivered) && policy.notice.counts(notice));
    let region = history.standing(policy, at).region;
    let read =
        region.is_some_and(|region| policy.permission(region, at.max(policy.effective)).infer);
    policy.notice.required && !reached && read
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeliveryRequest {
    /// `platform:id`, at most 1000.
    accounts: Vec<String>,
    /// `in_app`: into the inbox; delivered once the person's app says that it was seen. `email`: sent
    /// to the operator's webhook; delivered once that has taken it.
    channel: String,
}

/// How one delivery went.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryAnswer {
    account: String,
    /// `queued`, `delivered`, `failed`.
    state: String,
    language: String,
    /// A hash of what the channel answered.
    proof: String,
}

/// How the deliveries went.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveriesAnswer {
    deliveries: Vec<DeliveryAnswer>,
}

/// Send a notice to accounts, each in its own language where there is a text in it.
#[utoipa::path(post, path = "/v1/notices/{notice}/{version}/deliveries",
    params(("notice" = String, Path, description = "the operator's name of it"), ("version" = String, Path, description = "of its text")),
    request_body = DeliveryRequest,
    responses((status = 200, body = DeliveriesAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn deliver(
    State(app): AppState,
    Extension(who): Who,
    Path((notice, version)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<DeliveriesAnswer>, Problem> {
    who.need(Scope::Admin)?;
    let asked: DeliveryRequest = object(&body)?;
    let channel = Channel::parse(&asked.channel)
        .ok_or_else(|| Problem::bad("`channel`: expected in_app or email"))?;
    if asked.accounts.len() > MOST_DELIVERIES {
        return Err(Problem::bad(format!("`accounts`: at most {MOST_DELIVERIES} a request")));
    }
    if channel == Channel::Email && app.webhook.is_none() {
        return Err(Problem::bad(
            "`channel`: email needs a webhook: tactful serve --notice-webhook URL",
        ));
    }
    let accounts =
        asked.accounts.iter().map(|text| account(text)).collect::<Result<Vec<_>, _>>()?;
    let (name, of) = (notice.clone(), version.clone());
    let found = Pool::with(&app, move |_, data| {
        let mut templates = data.store.templates()?;
        templates.retain(|one| one.notice == name && one.version == of);
        if templates.is_empty() {
            return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such notice and version"));
        }
        let now = Timestamp::now();
        let mut found = Vec::new();
        for account in accounts {
            let tag = account.tag(&data.keyring);
            let language = data.store.history(tag)?.language(now);
            let of = |language: &str| templates.iter().find(|one| one.language == language);
            let template = language.as_deref().and_then(of).or_else(|| of("en"));
            let template = template.or(templates.first()).cloned();
            found.extend(template.map(|template| (account, tag, template)));
        }
        Ok(found)
    });
    let sent = futures_util::stream::iter(found.await?)
        .map(|(account, tag, template)| send(&app, channel, account, tag, template))
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut deliveries = Vec::new();
    for (account, delivery) in sent.into_iter().collect::<Result<Vec<_>, Problem>>()? {
        if delivery.state == "delivered" {
            take_one(&app, told(&account, &delivery, delivery.at)).await?;
        }
        deliveries.push((account, delivery));
    }
    let kept: Vec<Delivery> = deliveries.iter().map(|(_, delivery)| delivery.clone()).collect();
    Pool::with(&app, move |_, data| Ok(data.store.put_deliveries(&kept)?)).await?;
    let deliveries = deliveries.into_iter().map(|(account, delivery)| DeliveryAnswer {
        account: format!("{}:{}", account.platform, account.id),
        state: delivery.state,
        language: delivery.language,
        proof: delivery.proof,
    });
    Ok(Json(DeliveriesAnswer { deliveries: deliveries.collect() }))
}

/// The event that says that a notice has reached an account.
fn told(account: &Account, delivery: &Delivery, delivered: Timestamp) -> Event {
    let fact = NoticeFact {
        delivered,
        notice: delivery.notice.clone(),
        version: delivery.version.clone(),
        channel: delivery.channel,
    };
    Event::Notice(delivery.account, account.platform, Some(fact))
}

async fn send(
    app: &Arc<App>,
    channel: Channel,
    account: Account,
    tag: Tag,
    template: Template,
) -> Result<(Account, Delivery), Problem> {
    let now = Timestamp::now();
    let mut delivery = Delivery {
        account: tag,
        notice: template.notice,
        version: template.version,
        channel,
        language: template.language,
        state: "queued".to_owned(),
        at: now,
        proof: String::new(),
    };
    if let (Channel::Email, Some(webhook)) = (channel, &app.webhook) {
        let text: Value =
            serde_json::from_str(&template.body).map_err(|error| Problem::ours(&error))?;
        // The same delivery again has the same id: the other side can tell a repeat.
        let name = format!("{tag}\n{}\n{}", delivery.notice, delivery.version);
        let id = format!("msg_{}", &blake3::hash(name.as_bytes()).to_hex()[..32]);
        let message = json!({"type": "notice.deliver", "timestamp": now.to_string(), "data": {
            "account": format!("{}:{}", account.platform, account.id), "notice": delivery.notice,
            "version": delivery.version, "language": delivery.language, "channel": "email",
            "title": text["title"], "first_screen": text["first_screen"], "body": text["body"]}});
        match webhook.send(&app.client, &id, now, &message).await? {
            Some(proof) => {
                delivery.state = "delivered".to_owned();
                delivery.proof = proof;
            }
            None => delivery.state = "failed".to_owned(),
        }
    }
    Ok((account, delivery))
}

/// A notice in the inbox.
#[derive(Serialize, ToSchema)]
pub(super) struct InboxEntry {
    notice: String,
    version: String,
    language: String,
    /// `queued`: not seen yet; `seen`.
    state: String,
    at: String,
    title: String,
    first_screen: String,
    body: String,
}

/// The notices in the app's inbox of an account.
#[derive(Serialize, ToSchema)]
pub(super) struct InboxAnswer {
    notices: Vec<InboxEntry>,
}

/// The inbox of an account, for the person's app to show.
#[utoipa::path(get, path = "/v1/persons/{account}/inbox", params(("account" = String, Path, description = "platform:id")),
    responses((status = 200, body = InboxAnswer), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn inbox(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
) -> Result<Json<InboxAnswer>, Problem> {
    let account = account(&asked)?;
    who.own(&account)?;
    let notices = Pool::with(&app, move |_, data| {
        let templates = data.store.templates()?;
        let tag = account.tag(&data.keyring);
        let mut notices = Vec::new();
        for one in data.store.deliveries(tag)? {
            let same = |template: &&Template| {
                (&template.notice, &template.version, &template.language)
                    == (&one.notice, &one.version, &one.language)
            };
            let template = templates.iter().find(same).filter(|_| one.channel == Channel::InApp);
            let Some(template) = template else { continue };
            let text: Notice =
                serde_json::from_str(&template.body).map_err(|error| Problem::ours(&error))?;
            notices.push(InboxEntry {
                notice: one.notice,
                version: one.version,
                language: one.language,
                state: one.state,
                at: one.at.to_string(),
                title: text.title,
                first_screen: text.first_screen,
                body: text.body,
            });
        }
        Ok(notices)
    });
    Ok(Json(InboxAnswer { notices: notices.await? }))
}

/// Say that a notice of the inbox was shown: from now on it counts as delivered.
#[utoipa::path(post, path = "/v1/persons/{account}/inbox/{notice}/{version}/seen",
    params(("account" = String, Path, description = "platform:id"), ("notice" = String, Path, description = "which"), ("version" = String, Path, description = "which")),
    responses((status = 204), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn seen(
    State(app): AppState,
    Extension(who): Who,
    Path((asked, notice, version)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let owner = account(&asked)?;
    who.own(&owner)?;
    let of = owner.clone();
    let found = Pool::with(&app, move |_, data| {
        let tag = of.tag(&data.keyring);
        let mut all = data.store.deliveries(tag)?;
        all.retain(|one| {
            one.channel == Channel::InApp && (&one.notice, &one.version) == (&notice, &version)
        });
        let proof = |at: Timestamp| {
            data.keyring.tag("seen", &[&tag.0.to_be_bytes(), &at.as_microsecond().to_be_bytes()])
        };
        let now = Timestamp::now();
        Ok(all.pop().map(|one| match one.state.as_str() {
            "seen" => one,
            _ => {
                Delivery { state: "seen".to_owned(), at: now, proof: proof(now).to_string(), ..one }
            }
        }))
    });
    let Some(delivery) = found.await? else {
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such notice in this inbox"));
    };
    // The fact first: a notice that is marked as seen and does not count would never be due again.
    take_one(&app, told(&owner, &delivery, delivery.at)).await?;
    Pool::with(&app, move |_, data| Ok(data.store.put_deliveries(&[delivery])?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How the notices to an account stand.
#[derive(Serialize, ToSchema)]
pub(super) struct StandingView {
    /// May chats of this instant be used, as far as notices go?
    told: bool,
    /// From when on they may, under the policy in force; nothing, when no notice counts.
    usable_from: Option<String>,
    deliveries: Vec<ProofView>,
}

/// One delivery with its proof.
#[derive(Serialize, ToSchema)]
pub(super) struct ProofView {
    notice: String,
    version: String,
    channel: String,
    language: String,
    state: String,
    at: String,
    proof: String,
}

/// The notices to an account with their proofs, and from when on its chats may be used.
#[utoipa::path(get, path = "/v1/persons/{account}/notices",
    params(("account" = String, Path, description = "platform:id"), ("at" = Option<String>, Query, description = "RFC 3339; now, unless it is said")),
    responses((status = 200, body = StandingView), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub async fn standing(
    State(app): AppState,
    Extension(who): Who,
    Path(asked): Path<String>,
    Query(At { at }): Query<At>,
) -> Result<Json<StandingView>, Problem> {
    let (account, at) = (account(&asked)?, instant(at.as_deref())?);
    who.own(&account)?;
    let view = Pool::with(&app, move |app, data| {
        let policy = app.policy.load();
        let tag = account.tag(&data.keyring);
        let history = data.store.history(tag)?;
        let lead = jiff::SignedDuration::from_hours(24 * i64::from(policy.notice.lead_days));
        let counting = history
            .notices
            .iter()
            .filter(|notice| history.holds(notice.delivered) && policy.notice.counts(notice));
        let from = counting.filter_map(|notice| notice.delivered.checked_add(lead).ok()).min();
        let deliveries = data.store.deliveries(tag)?.into_iter().map(|one| ProofView {
            notice: one.notice,
            version: one.version,
            channel: one.channel.as_str().to_owned(),
            language: one.language,
            state: one.state,
            at: one.at.to_string(),
            proof: one.proof,
        });
        Ok(StandingView {
            told: history.standing(&policy, at).told,
            usable_from: from.map(|from| from.max(policy.effective).to_string()),
            deliveries: deliveries.collect(),
        })
    });
    view.await.map(Json)
}

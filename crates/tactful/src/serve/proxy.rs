//! A proxy before any OpenAI-compatible server: the app changes its base URL, and nothing else.
//!
//! Bytes go through as they are, but for our own headers, which are taken out. What the person said
//! is learned from beside the way: if that fails, the answer still flows.

use super::access::{Caller, Scope, bearer_of};
use super::intake::Input;
use super::problem::Problem;
use super::{App, Pool, demo};
use crate::events::Event;
use crate::identity::{Account, Keyring};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use futures_util::StreamExt;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tactful_core::chat::{Audience, Facts, Message, Modality, Name, Region, Role, Turn, Words};
use tactful_core::ledger::Deletion;
use tactful_core::standing::{AccountFact, History};

/// Messages before a turn that are read with it, at most: an app may send a chat that began before
/// it came here.
const CONTEXT: usize = 200;

/// Bytes of an answer in which its id is looked for.
const ID_WITHIN: usize = 8192;

/// The routes that are passed on.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/chat/completions", post(pass).get(pass))
        .route("/v1/chat/completions/{id}", any(pass))
        .route("/v1/chat/completions/{id}/messages", get(pass))
        .route("/v1/responses", post(pass))
        .route("/v1/responses/{id}", any(pass))
        .route("/v1/responses/{id}/cancel", post(pass))
        .route("/v1/responses/{id}/input_items", get(pass))
        .route("/v1/conversations", post(pass))
        .route("/v1/conversations/{id}", any(pass))
        .route("/v1/conversations/{id}/items", any(pass))
        .route("/v1/conversations/{id}/items/{item}", any(pass))
        .route("/v1/models", get(pass))
        .route("/v1/models/{id}", get(pass))
}

fn refused(status: StatusCode, message: &'static str) -> Response {
    Problem::new(status, message).as_openai()
}

/// Is this path the upstream's?
pub fn is_proxied(path: &str) -> bool {
    let of = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["/v1/chat/completions", "/v1/responses", "/v1/conversations", "/v1/models"].into_iter().any(of)
}

/// The answer to who may not use it.
pub fn without_key() -> Response {
    refused(StatusCode::UNAUTHORIZED, "send a key with the scope ingest: Tactful-Key")
}

/// Headers of an answer that speak to a browser about the site it came from: ours, here.
fn is_of_a_site(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("access-control-") || matches!(name, "set-cookie" | "clear-site-data")
}

/// Does a request carry our own key, which is not the upstream's business?
fn is_ours(name: &HeaderName, value: &HeaderValue) -> bool {
    let token = value.to_str().ok().and_then(bearer_of);
    name == header::AUTHORIZATION && token.is_some_and(|token| token.starts_with("tk_"))
}

/// Does a path name something above itself, in any writing? A URL would be made shorter by it.
fn climbs(path: &str) -> bool {
    let dots =
        |part: &str| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    path.split('/').any(dots) || path.to_ascii_lowercase().contains("%2f") || path.contains('\\')
}

/// Headers that are between two machines only, or ours.
fn is_passed_on(name: &HeaderName) -> bool {
    const HOP: [&str; 12] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "proxy-connection",
        "expect",
    ];
    // Some servers read `_` as `-`.
    let ours = name.as_str().starts_with("tactful-") || name.as_str().starts_with("tactful_");
    !HOP.contains(&name.as_str()) && !ours
}

/// The headers that `Connection` names are between two machines too.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

async fn pass(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Caller>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // The key of the proxy may come in our own header, so that `Authorization` stays the upstream's.
    if who.need(Scope::Ingest).is_err() && !own_key(&app, &headers) {
        return without_key();
    }
    if climbs(uri.path()) {
        return refused(StatusCode::BAD_REQUEST, "this path climbs out of what it names");
    }
    let is_compressed = headers.get(header::CONTENT_ENCODING).is_some_and(|how| how != "identity");
    if is_turn(&method, uri.path()) && is_compressed {
        let why = "send the body as it is: one that is compressed cannot be judged";
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    }
    let heard = match is_turn(&method, uri.path()) {
        true => Heard::of(&app, &headers, &body),
        false => None,
    };
    if method == Method::DELETE {
        unlearn(&app, uri.path(), &headers).await;
    }
    if app.demo && app.upstream.is_none() {
        return demo::answer(&app, heard, &body).await;
    }
    let Some(upstream) = &app.upstream else {
        return refused(StatusCode::BAD_GATEWAY, "no upstream was named: tactful serve --upstream");
    };
    let rest = uri.path().strip_prefix("/v1").unwrap_or_default();
    let mut url = upstream.clone();
    url.set_path(&format!("{}{rest}", upstream.path().trim_end_matches('/')));
    url.set_query(uri.query());
    let mut request = app.client.request(method, url).body(body);
    let authorised = matches!(who, Caller::Operator(..) | Caller::Person(_));
    let between = named_by_connection(&headers);
    for (name, value) in &headers {
        if between.iter().any(|named| named == name.as_str()) {
            continue;
        }
        // The answer's id is looked for, so it must come as it is.
        let is_asked_plain = heard.is_some() && name == header::ACCEPT_ENCODING;
        let is_own = is_ours(name, value) || (authorised && name == header::AUTHORIZATION);
        if is_passed_on(name) && !is_own && !is_asked_plain {
            request = request.header(name, value);
        }
    }
    if heard.is_some() {
        request = request.header(header::ACCEPT_ENCODING, "identity");
    }
    // It was said, whatever becomes of it: where nobody answers, it teaches nothing, but what is
    // sensitive shuts the chat.
    let mut tap = Tap { app, heard, answered: false, seen: Vec::new() };
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => {
            return refused(StatusCode::GATEWAY_TIMEOUT, "the upstream did not answer in time");
        }
        Err(_) => return refused(StatusCode::BAD_GATEWAY, "the upstream could not be reached"),
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if (is_passed_on(name) || name == header::CONTENT_LENGTH) && !is_of_a_site(name) {
            response = response.header(name, value);
        }
    }
    tap.answered = answer.status().is_success();
    let tap = Arc::new(Mutex::new(tap));
    let stream = answer.bytes_stream().map(move |chunk| {
        if let Ok(bytes) = &chunk {
            tap.lock().unwrap_or_else(PoisonError::into_inner).see(bytes);
        }
        chunk
    });
    response.body(Body::from_stream(stream)).unwrap_or_else(|_| {
        refused(StatusCode::BAD_GATEWAY, "the upstream's answer was unreadable")
    })
}

/// Does a request carry a key for the proxy in our own header?
pub fn own_key(app: &App, headers: &HeaderMap) -> bool {
    let Some(key) = headers.get("tactful-key").and_then(|key| key.to_str().ok()) else {
        return false;
    };
    let hash = blake3::hash(key.as_bytes());
    let found = app
        .keys
        .load()
        .iter()
        .find(|kept| blake3::Hash::from_hex(&kept.hash).is_ok_and(|kept| kept == hash))
        .cloned();
    found.is_some_and(|key| key.scopes.contains(&Scope::Ingest))
}

/// Sees the beginning of an answer, for its id; then lets the turn be learned from. Dropped with
/// the stream: an answer that ends early, or whose client is gone, is learned from all the same.
struct Tap {
    app: Arc<App>,
    heard: Option<Heard>,
    /// Did the upstream answer it?
    answered: bool,
    seen: Vec<u8>,
}

impl Tap {
    fn see(&mut self, bytes: &[u8]) {
        if self.heard.is_none() {
            return;
        }
        let room = ID_WITHIN.saturating_sub(self.seen.len());
        self.seen.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(id) = id_in(&self.seen) {
            self.learn(Some(id));
        } else if self.seen.len() >= ID_WITHIN {
            self.learn(None);
        }
    }

    fn learn(&mut self, id: Option<String>) {
        let Some(heard) = self.heard.take() else { return };
        let (app, answered) = (Arc::clone(&self.app), self.answered);
        let id = id.filter(|_| answered);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { heard.learn(&app, id.as_deref(), answered).await });
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.learn(None);
    }
}

/// The id of an answer: the first `"id": "…"` of its JSON.
fn id_in(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| {
        std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
    });
    let after = text.split_once("\"id\"")?.1.trim_start().strip_prefix(':')?.trim_start();
    let id = after.strip_prefix('"')?.split_once('"')?.0;
    crate::identity::valid_id(id).then(|| id.to_owned())
}

/// A turn on its way through the proxy.
pub struct Heard {
    account: Account,
    conversation: String,
    region: Option<Region>,
    modality: Modality,
    at: Timestamp,
    words: Words,
    context: Vec<Message>,
    /// Names the turn where the answer has no id: the same request again is the same turn.
    digest: String,
}

impl Heard {
    /// What a request says and who says it; `None` when it is no turn of a known account.
    fn of(app: &App, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let request: Value =
            serde_json::from_slice(body).or_else(|_| serde_json::from_slice(&whole(body))).ok()?;
        // Of a header that stands twice nobody knows which one is meant.
        let header = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let only = values.next().filter(|_| values.next().is_none());
            only.and_then(|value| value.to_str().ok())
        };
        // Whom a signal opts out is not listened to, where the policy heeds it.
        if app.policy.load().gpc && super::signals::in_headers(headers) {
            app.figures.count("opted_out");
            return None;
        }
        if headers.get_all("tactful-account").iter().count() > 1 {
            return None;
        }
        let named = |name: &str, key: &str| {
            header(name).or_else(|| request["metadata"][key].as_str()).map(str::to_owned)
        };
        let account: Account = named("tactful-account", "tactful_account")
            .or_else(|| request["safety_identifier"].as_str().map(str::to_owned))?
            .parse()
            .ok()?;
        let mut said = messages(&request);
        // An instruction may follow what the person said; where an answer or a tool follows, it was
        // heard before.
        let last = said.iter().rposition(|(role, _)| *role != Role::System)?;
        said.truncate(last + 1);
        let (_, words) = said.pop().filter(|(role, _)| *role == Role::User)?;
        let first = said.iter().find(|(role, _)| *role == Role::User).map_or(&words, |(_, w)| w);
        let opening = blake3::hash(first.as_bytes()).to_hex().to_string();
        let conversation = named("tactful-conversation", "tactful_conversation")
            .or_else(|| request["conversation"].as_str().map(str::to_owned))
            .or_else(|| request["conversation"]["id"].as_str().map(str::to_owned));
        let conversation = match (conversation, request["previous_response_id"].as_str()) {
            (Some(conversation), _) => conversation,
            (None, None) => opening,
            // It goes on from an answer whose conversation is not known (any more): what cannot be
            // put into its conversation cannot be shut with it, so it is not learned from.
            (None, Some(before)) => app.chains.conversation(&account, before)?,
        };
        // Only a demo may say what time it is.
        let at = header("tactful-at").filter(|_| app.demo).and_then(|at| at.parse().ok());
        let modality = named("tactful-modality", "tactful_modality");
        let context = said.into_iter().rev().take(CONTEXT).collect::<Vec<_>>();
        Some(Self {
            account,
            conversation,
            region: named("tactful-region", "tactful_region").and_then(|code| Region::new(&code)),
            modality: modality.and_then(|m| Modality::parse(&m)).unwrap_or(Modality::Text),
            at: at.unwrap_or_else(Timestamp::now),
            words: Words::new(words),
            context: context
                .into_iter()
                .rev()
                .map(|(role, words)| Message { role, words: Words::new(words) })
                .collect(),
            digest: blake3::hash(body).to_hex().to_string(),
        })
    }

    /// Lets it be learned from; tells how it ended, as an answer to an event would.
    pub async fn learn(
        self,
        app: &Arc<App>,
        id: Option<&str>,
        answered: bool,
    ) -> Option<&'static str> {
        if let Some(id) = id {
            app.chains.note(&self.account, id, &self.conversation);
        }
        let id = id.map_or(self.digest, str::to_owned);
        let asked = (self.account, self.conversation);
        let tags = Pool::with(app, move |_, data| {
            let (account, conversation) = asked;
            let keyring = &data.keyring;
            let tag = account.tag(keyring);
            let event = completion(keyring, &account, &id);
            Ok((account.platform, tag, keyring.conversation(tag, &conversation), event))
        });
        let (platform, account, conversation, event) = tags.await.ok()?;
        let mut inputs = Vec::new();
        if let Some(region) = self.region {
            let known = Pool::with(app, move |_, data| Ok(data.store.history(account)?));
            inputs.extend(
                moved(&known.await.ok()?, region, self.at)
                    .map(|fact| Input::Event(Box::new(Event::Account(account, platform, fact)))),
            );
        }
        let facts = Facts {
            account,
            platform,
            conversation,
            event,
            role: Role::User,
            audience: Audience::Assistant,
            encrypted: false,
            modality: self.modality,
            product: Name::new("assistant")?,
            at: self.at,
        };
        let turn = Turn { facts, words: self.words, context: self.context };
        let turn = Box::new(Event::Turn(Box::new(turn)));
        inputs.push(if answered { Input::Event(turn) } else { Input::Unanswered(turn) });
        match app.intake.take(inputs).await {
            Ok(mut ended) => ended.pop()?.ok(),
            Err(_) => {
                app.figures.count("not_learned");
                None
            }
        }
    }
}

/// What is new about where an account is, if anything is. It is dated by the hour, or what is held would
/// tell of every turn when it was said, also of those that must leave no trace.
fn moved(history: &History, region: Region, at: Timestamp) -> Option<AccountFact> {
    let before = history.facts.iter().filter(|fact| fact.region.is_some() && fact.at <= at);
    let last = before.max_by_key(|fact| fact.at);
    if last.is_some_and(|fact| fact.region == Some(region)) {
        return None;
    }
    let hour = TimestampRound::new().smallest(Unit::Hour).mode(RoundMode::Floor);
    let hour = at.round(hour).unwrap_or(at);
    let at = if last.is_some_and(|fact| fact.at >= hour) { at } else { hour };
    Some(AccountFact { at, region: Some(region), ..AccountFact::default() })
}

/// Is it a request that says something to the assistant?
fn is_turn(method: &Method, path: &str) -> bool {
    method == Method::POST && matches!(path, "/v1/chat/completions" | "/v1/responses")
}

/// A body in which every half of a character that JSON writes in two is made a sign for "unknown": a
/// text that was cut within an emoji is still said.
fn whole(body: &[u8]) -> Vec<u8> {
    let unit = |at: usize| -> Option<u16> {
        let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut made, mut at) = (Vec::with_capacity(body.len()), 0);
    while let Some(&byte) = body.get(at) {
        let length = match (byte, unit(at)) {
            (b'\\', Some(0xd800..0xdc00)) => match unit(at + 6) {
                Some(0xdc00..0xe000) => 12,
                _ => 0,
            },
            (b'\\', Some(0xdc00..0xe000)) => 0,
            (b'\\', _) => 2,
            _ => 1,
        };
        if length == 0 {
            made.extend_from_slice(b"\\ufffd");
            at += 6;
        } else {
            let end = (at + length).min(body.len());
            made.extend_from_slice(&body[at..end]);
            at = end;
        }
    }
    made
}

/// Answers that are remembered, for the requests that go on from them.
const REMEMBERED: usize = 65_536;

/// Which conversation an answer belongs to, by its id: a request of `/v1/responses` that goes on
/// from an answer names nothing else. In memory only; by hashes.
#[derive(Default)]
pub struct Chains(Mutex<[HashMap<blake3::Hash, String>; 2]>);

impl Chains {
    fn key(account: &Account, id: &str) -> blake3::Hash {
        blake3::hash(format!("{}:{}\n{id}", account.platform, account.id).as_bytes())
    }

    fn note(&self, account: &Account, id: &str, conversation: &str) {
        let mut both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [new, old] = &mut *both;
        if new.len() >= REMEMBERED {
            *old = std::mem::take(new);
        }
        new.insert(Self::key(account, id), conversation.to_owned());
    }

    fn conversation(&self, account: &Account, id: &str) -> Option<String> {
        let both = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Self::key(account, id);
        both.iter().find_map(|answers| answers.get(&key).cloned())
    }
}

/// The tag of a turn that the upstream has named.
fn completion(keyring: &Keyring, account: &Account, id: &str) -> tactful_core::chat::Tag {
    keyring.tag("completion", &[&account.tag(keyring).0.to_be_bytes(), id.as_bytes()])
}

/// The messages of a request of either kind, with their text.
fn messages(request: &Value) -> Vec<(Role, String)> {
    if let Some(text) = request["input"].as_str() {
        return vec![(Role::User, text.to_owned())];
    }
    let list = request["messages"].as_array().or_else(|| request["input"].as_array());
    list.into_iter()
        .flatten()
        .filter_map(|message| {
            if message["type"].as_str().is_some_and(|kind| kind.starts_with("function_call")) {
                return Some((Role::Tool, String::new()));
            }
            let role = match message["role"].as_str()? {
                "user" => Role::User,
                "assistant" => Role::Assistant,
                "tool" | "function" => Role::Tool,
                _ => Role::System,
            };
            let text = match &message["content"] {
                Value::String(text) => text.clone(),
                Value::Array(parts) => {
                    let texts: Vec<&str> =
                        parts.iter().filter_map(|part| part["text"].as_str()).collect();
                    texts.join("\n")
                }
                _ => return None,
            };
            Some((role, text))
        })
        .collect()
}

/// A stored answer or conversation that is deleted is unlearned.
async fn unlearn(app: &Arc<App>, path: &str, headers: &HeaderMap) {
    let account = headers.get("tactful-account").and_then(|v| v.to_str().ok());
    let Some(account) = account.and_then(|text| text.parse::<Account>().ok()) else { return };
    let Some((kind, id)) = path.strip_prefix("/v1/").and_then(|rest| rest.rsplit_once('/')) else {
        return;
    };
    // Of an item of a conversation it is not known which turn it was: the conversation goes.
    let whole = kind.strip_prefix("conversations/").and_then(|rest| rest.strip_suffix("/items"));
    let (of_conversation, id) = match whole {
        Some(conversation) => (true, conversation.to_owned()),
        None => (kind == "conversations", id.to_owned()),
    };
    let platform = account.platform;
    let tags = Pool::with(app, move |_, data| {
        let tag = account.tag(&data.keyring);
        Ok((
            tag,
            match of_conversation {
                true => Deletion::Conversation(data.keyring.conversation(tag, &id)),
                false => Deletion::Event(completion(&data.keyring, &account, &id)),
            },
        ))
    });
    if let Ok((tag, deletion)) = tags.await {
        let event = Event::Delete(tag, platform, deletion, Timestamp::now());
        if app.intake.take(vec![Input::Event(Box::new(event))]).await.is_err() {
            app.figures.count("not_unlearned");
        }
    }
}

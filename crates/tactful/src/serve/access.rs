//! Who may do what: operator keys with scopes, and people by their identity provider's tokens.
//!
//! A key is `tk_` and 64 hex digits; only its BLAKE3 hash is kept. (A hash without salt or delay is
//! enough: a key is 256 random bits, so there is nothing to guess.)

use super::App;
use super::problem::Problem;
use crate::identity::Account;
use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a key may be used for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Send events; use the proxy.
    Ingest,
    /// Ask for slates.
    Recommend,
    /// Items and reports of campaigns.
    Advertiser,
    /// All else, about anyone.
    Admin,
}

/// A key as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Its name, for revoking it.
    pub name: String,
    /// BLAKE3 of the key, hex.
    pub hash: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub made: String,
    /// The advertiser that it speaks for alone, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertiser: Option<String>,
}

/// The name under which the keys are kept.
pub const KEYS: &str = "api_keys";

/// Reads the keys of a store.
///
/// # Errors
/// When the store refuses, or holds what this version did not write.
pub fn keys(store: &mut tactful_store::Store) -> Result<Vec<Key>> {
    match store.note(KEYS)? {
        Some(text) => serde_json::from_str(&text).context("the keys in the store"),
        None => Ok(Vec::new()),
    }
}

/// Makes a key, keeps its hash, and gives the key: it cannot be shown again.
///
/// # Errors
/// When the name is taken, or the store refuses.
pub fn add(
    store: &mut tactful_store::Store,
    name: &str,
    scopes: &[Scope],
    advertiser: Option<String>,
    now: &str,
) -> Result<String> {
    if advertiser.is_some() && scopes != [Scope::Advertiser] {
        bail!("a key for one advertiser has the scope advertiser and no other");
    }
    let mut all = keys(store)?;
    if all.iter().any(|key| key.name == name) {
        bail!("there is a key named {name} already; revoke it first, or take another name");
    }
    let mut secret = [0u8; 32];
    getrandom::fill(&mut secret).map_err(|e| anyhow::anyhow!("no randomness for a key: {e}"))?;
    let text = format!("tk_{}", blake3::Hash::from_bytes(secret).to_hex());
    let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
    let (name, made) = (name.to_owned(), now.to_owned());
    all.push(Key { name, hash, scopes: scopes.to_vec(), made, advertiser });
    store.set_note(KEYS, &serde_json::to_string(&all)?)?;
    Ok(text)
}

/// Takes a key away.
///
/// # Errors
/// When there is none of that name, or the store refuses.
pub fn revoke(store: &mut tactful_store::Store, name: &str) -> Result<()> {
    let mut all = keys(store)?;
    let before = all.len();
    all.retain(|key| key.name != name);
    if all.len() == before {
        bail!("there is no key named {name}: `tactful keys list` shows them");
    }
    Ok(store.set_note(KEYS, &serde_json::to_string(&all)?)?)
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Caller {
    /// No keys were made yet: everything is open, on loopback only.
    Anyone,
    /// An operator's key, by its scopes; or the key of one advertiser.
    Operator(Vec<Scope>, Option<String>),
    /// A person, with their accounts.
    Person(Vec<String>),
    /// Nobody known.
    Nobody,
}

impl Caller {
    /// May this caller act under a scope?
    ///
    /// # Errors
    /// 401 without a key, 403 with one that may not.
    pub fn need(&self, scope: Scope) -> Result<(), Problem> {
        match self {
            Self::Anyone => Ok(()),
            Self::Operator(scopes, _) if scopes.contains(&scope) => Ok(()),
            Self::Nobody => Err(unknown()),
            Self::Operator(..) | Self::Person(_) => Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!("this needs a key with the scope {}", format!("{scope:?}").to_lowercase()),
            )),
        }
    }

    /// The advertiser that this caller speaks for, if for one alone: what others have is none of
    /// its business.
    pub fn advertiser(&self) -> Option<&str> {
        match self {
            Self::Operator(_, advertiser) => advertiser.as_deref(),
            Self::Anyone | Self::Person(_) | Self::Nobody => None,
        }
    }

    /// May this caller see and change what is held of an account?
    ///
    /// # Errors
    /// 401 without a token, 403 for anyone else's account.
    pub fn own(&self, account: &Account) -> Result<(), Problem> {
        match self {
            Self::Person(accounts) => {
                let asked = format!("{}:{}", account.platform, account.id);
                match accounts.contains(&asked) {
                    true => Ok(()),
                    false => Err(Problem::new(
                        StatusCode::FORBIDDEN,
                        "this token is not for that account",
                    )),
                }
            }
            other => other.need(Scope::Admin),
        }
    }
}

/// Nobody who is known asks.
pub fn unknown() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "send a key or a token: Authorization: Bearer …")
}

/// Tokens of the operator's identity provider.
pub struct People {
    keys: ArcSwap<JwkSet>,
    /// Where the keys can be had again, and when that was tried last.
    source: Option<(reqwest::Url, tokio::sync::Mutex<Instant>)>,
    issuer: Option<String>,
    audience: Option<String>,
}

/// A key that is not known is asked for at most this often: a flood of made-up tokens is no flood
/// of requests to the identity provider.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

/// A key set that is larger is none.
const LONGEST_KEY_SET: usize = 1 << 20;

#[derive(Deserialize)]
struct Claims {
    /// `platform:id`, unless `accounts` says more.
    sub: String,
    #[serde(default)]
    accounts: Vec<String>,
}

/// Signatures that are accepted. None of them is made with a shared secret, and none is no
/// signature.
const SIGNATURES: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

impl People {
    /// Reads a JWKS, of a file or an https URL (http on this machine).
    ///
    /// # Errors
    /// When it cannot be read or is no key set.
    pub async fn load(
        from: &str,
        issuer: Option<String>,
        audience: Option<String>,
        client: &reqwest::Client,
    ) -> Result<Self> {
        let (keys, source) = match from.split_once("://") {
            None => {
                let text = std::fs::read_to_string(from)
                    .with_context(|| format!("cannot read the key set {from}"))?;
                let keys = serde_json::from_str(&text)
                    .with_context(|| format!("{from} is no JSON Web Key Set"))?;
                (keys, None)
            }
            Some((scheme, _)) => {
                let url = reqwest::Url::parse(from).with_context(|| format!("--jwks: {from}"))?;
                let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
                if scheme != "https" && !(scheme == "http" && here) {
                    bail!("--jwks: whoever can change the keys can be anyone: only https is taken");
                }
                (fetch(client, &url).await?, Some((url, tokio::sync::Mutex::new(Instant::now()))))
            }
        };
        Ok(Self { keys: ArcSwap::from_pointee(keys), source, issuer, audience })
    }

    /// The accounts of who carries a token; nothing when it is not to be trusted.
    async fn accounts(&self, token: &str, client: &reqwest::Client) -> Option<Vec<String>> {
        let found = self.accounts_by_known_keys(token);
        let kid = decode_header(token).ok()?.kid;
        let unknown = kid.is_some_and(|kid| self.keys.load().find(&kid).is_none());
        if let (None, true, Some((url, asked))) = (&found, unknown, &self.source) {
            let mut asked = asked.lock().await;
            if asked.elapsed() >= ASKED_AGAIN {
                *asked = Instant::now();
                // A provider that is away leaves the keys as they were.
                if let Ok(keys) = fetch(client, url).await {
                    self.keys.store(Arc::new(keys));
                }
            }
            return self.accounts_by_known_keys(token);
        }
        found
    }

    fn accounts_by_known_keys(&self, token: &str) -> Option<Vec<String>> {
        let header = decode_header(token).ok()?;
        if !SIGNATURES.contains(&header.alg) {
            return None;
        }
        let keys = self.keys.load();
        let key = match &header.kid {
            Some(kid) => keys.find(kid)?,
            None => match &keys.keys[..] {
                [only] => only,
                _ => return None,
            },
        };
        let mut validation = Validation::new(header.alg);
        // What is asked for must be there: of a claim that is missing the library says nothing.
        let asked = [("aud", self.audience.is_some()), ("iss", self.issuer.is_some())];
        let asked = asked.into_iter().filter_map(|(claim, asked)| asked.then_some(claim));
        validation.set_required_spec_claims(&asked.chain(["exp", "sub"]).collect::<Vec<_>>());
        validation.validate_nbf = true;
        match &self.audience {
            Some(audience) => validation.set_audience(&[audience]),
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
        }
        let key = DecodingKey::from_jwk(key).ok()?;
        let claims = decode::<Claims>(token, &key, &validation).ok()?.claims;
        Some(if claims.accounts.is_empty() { vec![claims.sub] } else { claims.accounts })
    }
}

async fn fetch(client: &reqwest::Client, url: &reqwest::Url) -> Result<JwkSet> {
    let wrong = || format!("the key set cannot be had from {url}");
    let asked = client.get(url.clone()).timeout(Duration::from_secs(10)).send();
    let mut answer =
        asked.await.and_then(reqwest::Response::error_for_status).with_context(wrong)?;
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await.with_context(wrong)? {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_KEY_SET {
            bail!("{url} gives more than a key set");
        }
    }
    serde_json::from_slice(&text).with_context(|| format!("{url} gives no JSON Web Key Set"))
}

/// Finds out who asks, and refuses what another site's page sends.
pub async fn identify(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if let Err(problem) = same_site(&request) {
        return problem.on(request.uri().path());
    }
    let bearer = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(bearer_of);
    let keys = app.keys.load_full();
    let caller = match bearer {
        Some(key) if key.starts_with("tk_") => {
            let hash = blake3::hash(key.as_bytes());
            // `blake3::Hash` compares in constant time.
            let found = keys
                .iter()
                .find(|kept| blake3::Hash::from_hex(&kept.hash).is_ok_and(|kept| kept == hash));
            found.map_or(Caller::Nobody, |key| {
                Caller::Operator(key.scopes.clone(), key.advertiser.clone())
            })
        }
        Some(token) if !keys.is_empty() || app.people.is_some() => {
            let accounts = match &app.people {
                Some(people) => people.accounts(token, &app.client).await,
                None => None,
            };
            accounts.map_or(Caller::Nobody, Caller::Person)
        }
        _ if app.may_be_open && keys.is_empty() => Caller::open(host_of(&request)),
        _ => Caller::Nobody,
    };
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The token of `Authorization: Bearer …`; the name of a scheme may be written either way.
pub fn bearer_of(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

/// Whom a request was sent to: HTTP/2 says it in its address.
fn host_of(request: &Request) -> Option<&str> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str))
}

/// A browser says where a request comes from; one that another site's page sends is refused, and
/// so is one under a name that is not ours (DNS rebinding), where there are no keys to ask for.
fn same_site(request: &Request) -> Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    let refused = || Problem::new(StatusCode::FORBIDDEN, "requests from other sites are refused");
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if !safe && header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
    {
        return Err(refused());
    }
    if let (Some(origin), Some(host)) = (header("origin"), host_of(request))
        && !safe
        && origin.split_once("://").is_none_or(|(_, from)| from != host)
    {
        return Err(refused());
    }
    Ok(())
}

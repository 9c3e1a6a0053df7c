//! The server: events in, slates out, a proxy before any OpenAI-compatible upstream, and three
//! pages.

pub mod access;
mod api;
mod cloudevents;
mod demo;
mod figures;
mod intake;
mod log;
mod neighbours;
mod openapi;
mod overview;
mod pages;
mod problem;
mod proxy;
mod rollout;
pub mod signals;
mod standing;
mod traces;
mod webhook;

use crate::data::{Data, model};
use crate::items::inventory;
use access::{Caller, Key, People};
use anyhow::{Context, Result, anyhow, bail};
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use figures::Figures;
use intake::{Input, Intake, Refused, Writer};
use jiff::Timestamp;
use problem::Problem;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tactful_core::policy::Policy;
use tactful_core::ranking::inventory::Inventory;
use tactful_core::ranking::item::Item;
use tactful_reader::Model;
use tactful_store::Store;
use tower_http::catch_panic::CatchPanicLayer;
use traces::Traces;
use webhook::Webhook;

/// The longest body of a request: bytes.
const LONGEST_BODY: usize = 8 << 20;

/// The longest body of a chat, which may hold pictures: bytes.
const LONGEST_CHAT: usize = 32 << 20;

/// How long the head of a request may take, and its whole body.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// How long what was begun may take once the server is told to stop.
const DRAINED_WITHIN: Duration = Duration::from_secs(20);

/// Connections that the process asks the system to let it have, if it may.
const CONNECTIONS: u64 = 65_536;

/// How often what others may have changed is read again: keys, the policy in force, items.
const READ_AGAIN: Duration = Duration::from_secs(2);

/// What is in force, and where the server listens. A flag comes before the environment, and that
/// before the file of `--config`.
#[derive(clap::Args, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Where to listen; 127.0.0.1:8080, unless it is said.
    #[arg(long, env = "TACTFUL_LISTEN")]
    listen: Option<SocketAddr>,
    /// A product to look at: its own data in a temporary folder, an example world, a small
    /// assistant. Loopback only.
    #[arg(long)]
    #[serde(skip)]
    demo: bool,
    /// The policy that is in force from now on.
    #[arg(long, env = "TACTFUL_POLICY")]
    policy: Option<PathBuf>,
    /// An OpenAI-compatible server to pass chats on to, such as https://host/v1.
    #[arg(long, env = "TACTFUL_UPSTREAM")]
    upstream: Option<String>,
    /// The longest that the upstream may be silent, in seconds; 300, unless it is said.
    #[arg(long, env = "TACTFUL_UPSTREAM_TIMEOUT")]
    upstream_timeout: Option<u64>,
    /// The key set of the identity provider whose tokens people carry (JWKS): a file, or an https
    /// URL.
    #[arg(long, env = "TACTFUL_JWKS")]
    jwks: Option<String>,
    /// Who must have issued these tokens.
    #[arg(long, env = "TACTFUL_ISSUER")]
    issuer: Option<String>,
    /// For whom they must be.
    #[arg(long, env = "TACTFUL_AUDIENCE")]
    audience: Option<String>,
    /// Where notices by e-mail are sent to be mailed: a URL of the operator's. What is sent is signed
    /// (Standard Webhooks) with the secret in TACTFUL_NOTICE_SECRET.
    #[arg(long, env = "TACTFUL_NOTICE_WEBHOOK")]
    notice_webhook: Option<String>,
    /// A collector that takes traces by OTLP over HTTP, such as http://127.0.0.1:4318.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp: Option<String>,
    /// A certificate chain (PEM); with it the server speaks TLS.
    #[arg(long, env = "TACTFUL_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, env = "TACTFUL_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// A file of these options (TOML: `listen = "…"`, `policy = "…"`, …).
    #[arg(long, env = "TACTFUL_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

impl Options {
    /// With what the file says where neither a flag nor the environment did.
    fn with_file(self) -> Result<Self> {
        let Some(file) = &self.config else { return Ok(self) };
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the options {}", file.display()))?;
        let said: Self =
            toml::from_str(&text).with_context(|| format!("the options {}", file.display()))?;
        Ok(Self {
            listen: self.listen.or(said.listen),
            policy: self.policy.or(said.policy),
            upstream: self.upstream.or(said.upstream),
            upstream_timeout: self.upstream_timeout.or(said.upstream_timeout),
            notice_webhook: self.notice_webhook.or(said.notice_webhook),
            otlp: self.otlp.or(said.otlp),
            jwks: self.jwks.or(said.jwks),
            issuer: self.issuer.or(said.issuer),
            audience: self.audience.or(said.audience),
            tls_cert: self.tls_cert.or(said.tls_cert),
            tls_key: self.tls_key.or(said.tls_key),
            ..self
        })
    }

    fn address(&self) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)))
    }
}

/// What every request works with.
pub struct App {
    data: Pool,
    policy: Arc<ArcSwap<Policy>>,
    policy_text: ArcSwap<String>,
    model: Arc<Model>,
    inventory: ArcSwap<Inventory>,
    /// The note of when items were changed last, as of this inventory.
    items_seen: Mutex<Option<String>>,
    intake: Intake,
    figures: Arc<Figures>,
    keys: ArcSwap<Vec<Key>>,
    people: Option<People>,
    webhook: Option<Webhook>,
    traces: Option<Traces>,
    chains: proxy::Chains,
    upstream: Option<reqwest::Url>,
    client: reqwest::Client,
    demo: bool,
    /// Without keys from the beginning, and heard on this machine alone: only then may anyone do
    /// anything, as long as there are none. Taking the last key away opens nothing.
    may_be_open: bool,
    /// Names this run, so that a page forgets what it knew of another.
    run: u32,
    draining: std::sync::atomic::AtomicBool,
}

/// Open stores, one for each request that is at work.
pub struct Pool {
    open: Box<dyn Fn() -> Result<Data> + Send + Sync>,
    idle: Mutex<Vec<Data>>,
    /// As many as may be at work at once; the others wait.
    places: tokio::sync::Semaphore,
}

/// Stores that are open at once, beside those of the intake.
const STORES: usize = 16;

impl Pool {
    /// Works with a store, on a thread that may wait.
    ///
    /// # Errors
    /// What the work returns, or that no store could be opened.
    async fn with<T: Send + 'static>(
        app: &Arc<App>,
        work: impl FnOnce(&App, &mut Data) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = app.data.places.acquire().await.map_err(|error| Problem::ours(&error))?;
        let app = Arc::clone(app);
        let done = tokio::task::spawn_blocking(move || {
            let idle = app.data.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut data = match idle {
                Some(data) => data,
                None => (app.data.open)()?,
            };
            let done = work(&app, &mut data);
            // A store that failed is not used again: whatever was wrong with it goes with it.
            if done.as_ref().err().is_none_or(|problem| !problem.is_ours()) {
                app.data.idle.lock().unwrap_or_else(PoisonError::into_inner).push(data);
            }
            done
        });
        done.await.map_err(|error| Problem::ours(&error))?
    }
}

impl App {
    async fn take(&self, events: Vec<Input>) -> Result<Vec<intake::Ended>, Problem> {
        self.intake.take(events).await.map_err(|refused| match refused {
            Refused::Busy => {
                self.figures.count("queue_full");
                Problem::busy()
            }
            Refused::Failed(why) => Problem::ours(&why),
        })
    }

    /// Takes over what was changed in the store's items, and lets other processes know of it.
    fn items_changed(&self, data: &mut Data, change: Change) -> Result<()> {
        let mut seen = self.items_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now().to_string();
        let before = data.store.swap_note(ITEMS_CHANGED, &now)?;
        let inventory = match change {
            Change::Items(come, went) if before == *seen => self.inventory.load().with(come, &went),
            // What another process changed in the meantime is looked at too.
            Change::Items(..) | Change::Terms => inventory(data)?,
        };
        self.inventory.store(Arc::new(inventory));
        *seen = Some(now);
        Ok(())
    }

    /// Looks at what others may have changed: the keys, the policy in force, the items.
    fn look_again(&self, data: &mut Data) -> Result<()> {
        self.keys.store(Arc::new(access::keys(&mut data.store)?));
        if let Some(text) = data.store.note("policy")?
            && text != **self.policy_text.load()
        {
            self.policy.store(Arc::new(data.policy(None)?));
            self.policy_text.store(Arc::new(text));
        }
        let mut seen = self.items_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = data.store.note(ITEMS_CHANGED)?;
        if changed != *seen {
            self.inventory.store(Arc::new(inventory(data)?));
            *seen = changed;
        }
        Ok(())
    }
}

/// What changed in the inventory.
enum Change {
    /// Items that came, or came anew, and the ids of those that went.
    Items(Vec<Item>, BTreeSet<String>),
    /// Terms of a campaign, which hold for all its ads.
    Terms,
}

/// The note of when items were changed last.
pub const ITEMS_CHANGED: &str = "items_changed";

/// Serves until it is told to stop (SIGTERM, Ctrl-C); then answers what it has begun.
///
/// # Errors
/// When something that was asked for cannot be had.
pub fn serve(
    options: Options,
    folder: PathBuf,
    key: Option<PathBuf>,
    database: Option<String>,
) -> Result<()> {
    let options = options.with_file()?;
    let upstream = options.upstream.as_deref().map(|url| {
        reqwest::Url::parse(url)
            .with_context(|| format!("--upstream: {url} is no URL, such as https://host/v1"))
    });
    let upstream = upstream.transpose()?;
    // A second provider may not be in force; that there is one already is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let world = options.demo.then(tempdir).transpose()?;
    let folder = world.as_ref().map_or(folder, |world| world.join("data"));
    let (key, database) = if options.demo { (None, None) } else { (key, database) };
    let may_make = options.demo || options.policy.is_some();
    let mut data = Data::open(&folder, key.as_deref(), database.as_deref(), may_make)?;
    let model = Arc::new(model(&data.taxonomy)?);
    if options.demo {
        demo::fill(&mut data, &model)?;
    }
    if let Some(file) = &options.policy {
        data.put_in_force(file)?;
    }
    let policy = data.policy(None)?;
    let policy_text = data.store.note("policy")?.unwrap_or_default();
    let keys = access::keys(&mut data.store)?;
    let webhook = options.notice_webhook.as_deref().map(|url| {
        let secret = std::env::var("TACTFUL_NOTICE_SECRET").ok();
        Webhook::new(url, secret.as_deref())
    });
    let traces = options.otlp.as_deref().map(Traces::to).transpose()?;
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(options.upstream_timeout.unwrap_or(300)))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let people = match &options.jwks {
        None => None,
        Some(jwks) => {
            let (issuer, audience) = (options.issuer.clone(), options.audience.clone());
            Some(runtime.block_on(People::load(jwks, issuer, audience, &client))?)
        }
    };
    if options.jwks.is_some() && options.audience.is_none() {
        eprintln!(
            "without --audience a token that the identity provider made for another app is taken too"
        );
    }
    if keys.is_empty() && people.is_none() && !options.address().ip().is_loopback() {
        bail!(
            "without keys anyone may do anything, so {} is refused; make a key first (tactful keys \
             add), or listen on 127.0.0.1",
            options.address()
        );
    }
    let keyless = keys.is_empty() && people.is_none();
    let policy = Arc::new(ArcSwap::from_pointee(policy));
    let figures = Arc::new(Figures::new());
    let open = {
        let (location, keyring) = (data.location.clone(), data.keyring.clone());
        let taxonomy = Arc::clone(&data.taxonomy);
        move || {
            Ok(Data {
                store: Store::open(&location, Arc::clone(&taxonomy))?,
                location: location.clone(),
                keyring: keyring.clone(),
                taxonomy: Arc::clone(&taxonomy),
            })
        }
    };
    let judges = match std::thread::available_parallelism().map_or(1, usize::from) {
        1 => 0,
        cores => cores,
    };
    let counting = Arc::clone(&figures);
    let (intake, writer) = Intake::start(Writer {
        store: open()?.store,
        judges: (0..judges).map(|_| Ok(open()?.store)).collect::<Result<_>>()?,
        keyring: data.keyring.clone(),
        taxonomy: Arc::clone(&data.taxonomy),
        policy: Arc::clone(&policy),
        model: Arc::clone(&model),
        count: Box::new(move |code| counting.count(code)),
    });
    let items_seen = Mutex::new(data.store.note(ITEMS_CHANGED)?);
    let app = Arc::new(App {
        inventory: ArcSwap::from_pointee(inventory(&mut data)?),
        items_seen,
        data: Pool {
            open: Box::new(open),
            idle: Mutex::new(vec![data]),
            places: tokio::sync::Semaphore::new(STORES),
        },
        policy,
        policy_text: ArcSwap::from_pointee(policy_text),
        model,
        intake,
        figures,
        keys: ArcSwap::from_pointee(keys),
        people,
        webhook: webhook.transpose()?,
        traces,
        chains: proxy::Chains::default(),
        upstream,
        client,
        demo: options.demo,
        run: random()?,
        may_be_open: keyless && options.address().ip().is_loopback(),
        draining: std::sync::atomic::AtomicBool::new(false),
    });
    let done = runtime.block_on(listen(options, Arc::clone(&app)));
    // Work that was begun beside an answer is ended too, as long as it does not hang.
    runtime.shutdown_timeout(DRAINED_WITHIN);
    if let Some(traces) = &app.traces {
        traces.end();
    }
    // Whatever was acknowledged is durable already; what waits is written before the end.
    drop(app);
    writer.join().map_err(|_| anyhow!("the writer ended early"))?;
    if let Some(world) = world {
        std::fs::remove_dir_all(world)?;
    }
    done
}

fn random() -> Result<u32> {
    getrandom::u32().map_err(|error| anyhow!("no randomness: {error}"))
}

fn tempdir() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("tactful-demo-{:08x}", random()?));
    crate::data::make_folder(&folder)?;
    Ok(folder)
}

async fn listen(options: Options, app: Arc<App>) -> Result<()> {
    let router = router(Arc::clone(&app));
    let handle = axum_server::Handle::new();
    let reloaded = Arc::downgrade(&app);
    tokio::spawn(async move {
        // What the command line or another server changed counts from the next look on; a store
        // that is away now is asked again then.
        while let Some(app) = reloaded.upgrade() {
            let _ = Pool::with(&app, |app, data| Ok(app.look_again(data)?)).await;
            // What was taken back leaves the files within that time, too.
            let _ = Pool::with(&app, |_, data| Ok(data.store.empty_log()?)).await;
            drop(app);
            tokio::time::sleep(READ_AGAIN).await;
        }
    });
    if options.demo {
        neighbours::talk(&app);
    }
    let (stopping, told) = (handle.clone(), Arc::clone(&app));
    tokio::spawn(async move {
        stop_asked().await;
        told.draining.store(true, std::sync::atomic::Ordering::Relaxed);
        stopping.graceful_shutdown(Some(DRAINED_WITHIN));
    });
    let scheme = if options.tls_cert.is_some() { "https" } else { "http" };
    let announced = handle.clone();
    let (open, demo) = (app.keys.load().is_empty() && app.people.is_none(), options.demo);
    drop(app);
    tokio::spawn(async move {
        if let Some(address) = announced.listening().await {
            eprintln!("listening on {scheme}://{address}");
            if demo {
                eprintln!("a demo: open {scheme}://{address}/ and ask about a hike near Boulder");
            } else if open {
                eprintln!(
                    "no keys were made yet: anyone on this machine may do anything (tactful keys add)"
                );
            }
        }
    });
    // Many slow connections must not shut others out: as many as the system lets us have.
    let _ = rlimit::increase_nofile_limit(CONNECTIONS);
    let service = router.into_make_service();
    // Without delay: a chunk of an answer that waited for the one before to be acknowledged would
    // come 40 ms late.
    match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => {
            let tls = axum_server::tls_rustls::RustlsConfig::from_pem_file(cert, key)
                .await
                .context("the certificate or its key cannot be used")?;
            let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
            let mut server = axum_server::bind(options.address()).acceptor(acceptor).handle(handle);
            bound(server.http_builder());
            server.serve(service).await
        }
        (Some(_), None) | (None, Some(_)) => bail!("--tls-cert and --tls-key go together"),
        (None, None) => {
            let acceptor = NoDelayAcceptor::new();
            let mut server = axum_server::bind(options.address()).acceptor(acceptor).handle(handle);
            bound(server.http_builder());
            server.serve(service).await
        }
    }
    .with_context(|| format!("cannot listen on {}", options.address()))
}

/// Bounds what a connection may cost before a request is whole.
fn bound(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    let timer = hyper_util::rt::TokioTimer::new;
    builder.http1().timer(timer()).header_read_timeout(HEAD_WITHIN).max_buf_size(64 << 10);
    builder.http2().timer(timer()).keep_alive_interval(HEAD_WITHIN).max_concurrent_streams(1024);
}

async fn stop_asked() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        match terminated {
            Ok(mut terminated) => {
                tokio::select! {
                    _ = interrupted => {}
                    _ = terminated.recv() => {}
                }
            }
            Err(_) => drop(interrupted.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}

/// Headers of every answer, whatever an upstream says: nothing may be loaded from elsewhere, framed or
/// guessed at.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "geolocation=(), camera=(), microphone=()"),
];

/// Reads the whole body before anything else looks at it, within bounds of size and time: a body
/// that drips in costs one connection, and nothing more.
async fn whole_body(
    State(app): State<Arc<App>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    // Of a stranger nothing is read; and what anyone may ask for needs no body.
    let stranger = matches!(parts.extensions.get(), None | Some(Caller::Nobody));
    let proxied = proxy::is_proxied(&path);
    if stranger && !(proxied && proxy::own_key(&app, &parts.headers)) {
        if proxied {
            return proxy::without_key();
        }
        if !parts.method.is_safe() {
            return access::unknown().on(&path);
        }
        return next.run(axum::extract::Request::from_parts(parts, Body::empty())).await;
    }
    let most = if path.starts_with("/v1/chat/") || path.starts_with("/v1/responses") {
        LONGEST_CHAT
    } else {
        LONGEST_BODY
    };
    let too_long = || {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body of at most {most} bytes fits"))
    };
    let told = parts.headers.get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
    if told.is_some_and(|length: usize| length > most) {
        return too_long().on(&path);
    }
    let body = match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, most)).await {
        Ok(Ok(body)) => body,
        // No length was told: either it was too long, or it broke off, and then nobody reads this.
        Ok(Err(_)) => return too_long().on(&path),
        Err(_) => {
            let why = "the body took too long to come";
            return Problem::new(StatusCode::REQUEST_TIMEOUT, why).on(&path);
        }
    };
    next.run(axum::extract::Request::from_parts(parts, Body::from(body))).await
}

/// Says that Global Privacy Control is heeded, where the policy in force does so.
async fn gpc_support(State(app): State<Arc<App>>) -> axum::Json<serde_json::Value> {
    let heeded = app.policy.load().gpc;
    axum::Json(serde_json::json!({"gpc": heeded, "lastUpdate": "2026-11-24"}))
}

fn router(app: Arc<App>) -> Router {
    let (api, described) = api::router()
        .merge(overview::router())
        .merge(rollout::router())
        .merge(standing::router())
        .split_for_parts();
    let document = openapi::document(&described);
    let known = api
        .merge(proxy::router())
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), whole_body))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), access::identify));
    Router::new()
        .merge(known)
        .merge(pages::router())
        .merge(figures::router())
        .route(
            "/openapi.json",
            axum::routing::get(move || async move {
                ([("content-type", "application/json")], document)
            }),
        )
        .route("/.well-known/gpc.json", axum::routing::get(gpc_support))
        .fallback(|request: axum::extract::Request| async move {
            Problem::new(StatusCode::NOT_FOUND, "there is nothing here").on(request.uri().path())
        })
        .method_not_allowed_fallback(|request: axum::extract::Request| async move {
            let why = "this path has no such method; /openapi.json lists them";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, why).on(request.uri().path())
        })
        .layer(CatchPanicLayer::new())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), figures::watch))
        .layer(axum::middleware::map_response(|mut response: axum::response::Response| async {
            let headers = response.headers_mut();
            for (name, value) in HEADERS {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            // What is told of people is kept by nobody on the way; the pages' own files may be.
            headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
            response
        }))
        .with_state(app)
}

/// Is this caller on the machine itself? Only then may keys be missing.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
    });
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

impl Caller {
    /// The caller when no keys were made: only under a name of this machine, so that no page of
    /// another site can reach it by a name of its own (DNS rebinding).
    fn open(host: Option<&str>) -> Self {
        if host.is_some_and(is_loopback) { Self::Anyone } else { Self::Nobody }
    }
}

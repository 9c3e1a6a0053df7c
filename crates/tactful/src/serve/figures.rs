//! What is counted: `/metrics` (Prometheus' text), `/healthz`, `/readyz`, and one line of JSON a
//! request on standard error. No label holds what a request names.

use super::App;
use super::intake::{NOT_USED, is_private};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

type Requests = Family<Vec<(&'static str, String)>, Counter>;
type Durations = Family<Vec<(&'static str, String)>, Histogram, fn() -> Histogram>;

/// The counters.
pub struct Figures {
    registry: Registry,
    events: Family<Vec<(&'static str, &'static str)>, Counter>,
    requests: Requests,
    durations: Durations,
    flow: Mutex<BTreeMap<&'static str, u64>>,
}

fn buckets() -> Histogram {
    Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0])
}

impl Figures {
    /// All at nothing.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("tactful");
        let (events, requests) = (Family::default(), Requests::default());
        let durations = Durations::new_with_constructor(buckets);
        registry.register("events", "Events by what became of them", events.clone());
        registry.register("http_requests", "Requests by route and status", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "How long requests took, by route",
            durations.clone(),
        );
        Self { registry, events, requests, durations, flow: Mutex::default() }
    }

    /// One more event that ended so.
    pub fn count(&self, outcome: &'static str) {
        // Whoever can read the metrics could tell by them what one turn was: they say no more than an
        // answer does.
        let told = if is_private(outcome) { NOT_USED } else { outcome };
        self.events.get_or_create(&vec![("outcome", told)]).inc();
        *self.flow.lock().unwrap_or_else(PoisonError::into_inner).entry(outcome).or_default() += 1;
    }

    /// How many events ended how, since the process began.
    pub fn flow(&self) -> BTreeMap<&'static str, u64> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts a request and writes its line.
pub async fn watch(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let route = route.unwrap_or("none").to_owned();
    let method = request.method().clone();
    let began = Instant::now();
    let span = app.traces.as_ref().map(|traces| traces.begin(&method, &route, request.headers()));
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let took = began.elapsed();
    let labels = vec![("route", route.clone()), ("status", status.to_string())];
    app.figures.requests.get_or_create(&labels).inc();
    app.figures
        .durations
        .get_or_create(&vec![("route", route.clone())])
        .observe(took.as_secs_f64());
    if let Some(span) = span {
        span.end(status);
    }
    if !app.demo {
        let line = serde_json::json!({"level": "info", "at": jiff::Timestamp::now().to_string(),
            "method": super::traces::known(&method), "route": route, "status": status,
            "milliseconds": took.as_millis() as u64});
        super::log::write(&line);
    }
    response
}

/// The routes for machines that look after this one.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route(
            "/readyz",
            get(|State(app): State<Arc<App>>| async move {
                if app.draining.load(Ordering::Relaxed) {
                    return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
                }
                // Ready is who can read the store.
                match super::Pool::with(&app, |_, data| Ok(data.store.note("schema")?)).await {
                    Ok(_) => "ok\n".into_response(),
                    Err(_) => {
                        (StatusCode::SERVICE_UNAVAILABLE, "the store is away\n").into_response()
                    }
                }
            }),
        )
        .route(
            "/metrics",
            get(|State(app): State<Arc<App>>| async move {
                let mut text = String::new();
                match encode(&mut text, &app.figures.registry) {
                    Ok(()) => (
                        [(
                            "content-type",
                            "application/openmetrics-text; version=1.0.0; charset=utf-8",
                        )],
                        text,
                    )
                        .into_response(),
                    Err(error) => super::Problem::ours(&error).into_response(),
                }
            }),
        )
}

//! The three pages, built into the binary. Nothing of them is loaded from elsewhere.

use super::App;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use std::sync::Arc;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, kind, content.
const FILES: [(&str, &str, &str); 13] = [
    ("/feed", HTML, include_str!("pages/feed.html")),
    ("/interests", HTML, include_str!("pages/interests.html")),
    ("/console", HTML, include_str!("pages/console.html")),
    ("/assets/tactful.css", CSS, include_str!("pages/tactful.css")),
    ("/assets/shared.js", JAVASCRIPT, include_str!("pages/shared.js")),
    ("/assets/plots.js", JAVASCRIPT, include_str!("pages/plots.js")),
    ("/assets/demo.js", JAVASCRIPT, include_str!("pages/demo.js")),
    ("/assets/feed.js", JAVASCRIPT, include_str!("pages/feed.js")),
    ("/assets/card.js", JAVASCRIPT, include_str!("pages/card.js")),
    ("/assets/interests.js", JAVASCRIPT, include_str!("pages/interests.js")),
    ("/assets/console.js", JAVASCRIPT, include_str!("pages/console.js")),
    ("/assets/policy.js", JAVASCRIPT, include_str!("pages/policy.js")),
    ("/assets/health.js", JAVASCRIPT, include_str!("pages/health.js")),
];

/// The routes of the pages.
pub fn router() -> Router<Arc<App>> {
    let first = get(|State(app): State<Arc<App>>| async move {
        Redirect::temporary(if app.demo { "/feed" } else { "/interests" })
    });
    let mut router = Router::new().route("/", first);
    for (path, kind, content) in FILES {
        let page = move |State(app): State<Arc<App>>| async move {
            // The feed is the demo's: an operator's feed is its own.
            let there = app.demo || !path.contains("feed");
            match there {
                true => ([("content-type", kind), ("cache-control", "no-cache")], content)
                    .into_response(),
                false => not_found(),
            }
        };
        router = router.route(path, get(page));
    }
    router
}

fn not_found() -> Response {
    super::Problem::new(axum::http::StatusCode::NOT_FOUND, "there is nothing here").into_response()
}

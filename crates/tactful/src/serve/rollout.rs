//! The rollout on a timeline: what a policy does with chats, region by region and day by day.

use super::App;
use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tactful_core::chat::Region;
use tactful_core::policy::{Choosing, Policy, regions};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Days before the policy takes effect that are shown, and days after.
const DAYS: (i32, i32) = (40, 200);

/// The routes with what describes them.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(rollout))
}

/// The rollout.
#[derive(Serialize, ToSchema)]
struct RolloutView {
    from: String,
    effective: String,
    until: String,
    places: Vec<PlaceView>,
}

/// A region, or a group of them, as the policy names it.
#[derive(Serialize, ToSchema)]
struct PlaceView {
    /// `EU`, `UK`, `EEA`, an ISO 3166-1 code, or `elsewhere`.
    name: String,
    spans: Vec<SpanView>,
}

/// What holds for some time.
#[derive(Serialize, ToSchema)]
struct SpanView {
    /// `before` the policy takes effect, `left_out`, `read` (and not used yet), `used`, `off`.
    state: &'static str,
    /// What is left to the person there: `none`, `opt-out`, `opt-in`.
    choice: &'static str,
    from: String,
    until: String,
}

/// What may be done with chats where and when, by the policy in force: for a plot.
#[utoipa::path(get, path = "/v1/overview/rollout", responses((status = 200, body = RolloutView)))]
async fn rollout(State(app): State<Arc<App>>) -> Json<RolloutView> {
    let policy = app.policy.load();
    let (from, until) = (days_from(policy.effective, -DAYS.0), days_from(policy.effective, DAYS.1));
    let places = places(&policy)
        .into_iter()
        .map(|(name, region)| PlaceView { name, spans: spans(&policy, region, DAYS) });
    Json(RolloutView {
        from: from.to_string(),
        effective: policy.effective.to_string(),
        until: until.to_string(),
        places: places.collect(),
    })
}

fn days_from(at: Timestamp, days: i32) -> Timestamp {
    let shift = SignedDuration::from_hours(24 * i64::from(days));
    at.checked_add(shift).unwrap_or(at)
}

/// The names that the policy uses, each with a region that stands for it; and one that it does not
/// name, for all the others.
fn places(policy: &Policy) -> Vec<(String, Region)> {
    let mut named = BTreeSet::new();
    let mut listed = BTreeSet::new();
    let mut places = Vec::new();
    for rule in &policy.regions {
        listed.extend(rule.regions.iter().copied());
        for name in &rule.named {
            let first = regions(name).and_then(|of| of.first().copied());
            if let (Some(region), true) = (first, named.insert(name)) {
                places.push((name.clone(), region));
            }
        }
    }
    let others = ["US", "CA", "BR", "IN", "ZZ"].iter().filter_map(|code| Region::new(code));
    places.extend(
        others
            .filter(|region| !listed.contains(region))
            .take(1)
            .map(|r| ("elsewhere".to_owned(), r)),
    );
    places
}

fn spans(policy: &Policy, region: Region, days: (i32, i32)) -> Vec<SpanView> {
    let mut spans: Vec<SpanView> = Vec::new();
    for day in -days.0..days.1 {
        let (at, next) = (days_from(policy.effective, day), days_from(policy.effective, day + 1));
        let (state, choice) = state(policy, region, at);
        match spans.last_mut() {
            Some(last) if (last.state, last.choice) == (state, choice.as_str()) => {
                last.until = next.to_string();
            }
            _ => spans.push(SpanView {
                state,
                choice: choice.as_str(),
                from: at.to_string(),
                until: next.to_string(),
            }),
        }
    }
    spans
}

fn state(policy: &Policy, region: Region, at: Timestamp) -> (&'static str, Choosing) {
    let allowed = policy.permission(region, at);
    let state = match (policy.kill_switch, allowed.infer, allowed.apply) {
        (true, ..) => "off",
        (_, false, _) => "left_out",
        (..) if at < policy.effective => "before",
        (_, _, false) => "read",
        _ => "used",
    };
    // Where chats are not read there is nothing to choose.
    (state, if matches!(state, "used" | "read") { allowed.choice } else { Choosing::None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(policy: &str) -> Vec<(String, Vec<&'static str>)> {
        let policy = Policy::parse(policy).unwrap();
        let of = |region| spans(&policy, region, DAYS).into_iter().map(|span| span.state).collect();
        places(&policy).into_iter().map(|(name, region)| (name, of(region))).collect()
    }

    #[test]
    fn a_group_is_shown_as_its_members_are_treated() {
        let told = told(include_str!("../../../../policies/announced-2025-12-16.toml"));
        let told: Vec<_> = told.iter().map(|(name, states)| (name.as_str(), &states[..])).collect();
        assert_eq!(
            told,
            [
                ("EU", &["left_out"][..]),
                ("UK", &["left_out"][..]),
                ("KR", &["left_out"][..]),
                ("elsewhere", &["before", "used"][..]),
            ]
        );
    }

    #[test]
    fn a_region_that_joins_by_a_rule_with_a_date_is_seen_to_join() {
        let told = told(include_str!("../../../../policies/eu-dsa.toml"));
        let eea = told.iter().find(|(name, _)| name == "EEA").unwrap();
        assert_eq!(eea.1, ["before", "read", "used"]);
    }
}

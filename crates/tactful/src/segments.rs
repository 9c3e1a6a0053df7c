//! A profile as segments of the IAB's taxonomies: OpenRTB 2.6's `user.data[].segment[]` with
//! `ext.segtax`. Only ids leave: no summary, no embedding, no source.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use tactful_core::profile::{Profile, UNIT};
use tactful_core::taxonomy::{Interest, Taxonomy};

/// AdCOM's number of the IAB's Audience Taxonomy 1.1.
const AUDIENCE: u32 = 4;
/// AdCOM's number of the IAB's Content Taxonomy 3.1.
pub const CONTENT: u32 = 9;

/// An interest weaker than this is not told: a quarter of one certain fresh turn.
const LEAST: u64 = UNIT / 4;

/// `user.data`: one object a taxonomy; nothing, where there is nothing to tell. What only adults
/// or people in difficulty are is never told.
pub fn user_data(profile: &Profile, taxonomy: &Taxonomy) -> Vec<Value> {
    let told: Vec<_> = profile
        .iter()
        .filter(|(_, weight)| *weight >= LEAST)
        .map(|(interest, _)| &taxonomy.leaves()[usize::from(interest.0)])
        .filter(|leaf| leaf.restricted.is_none())
        .collect();
    let data = |segtax: u32, ids: BTreeSet<&str>| {
        let segments: Vec<Value> = ids.into_iter().map(|id| json!({"id": id})).collect();
        (!segments.is_empty())
            .then(|| json!({"name": "tactful", "segment": segments, "ext": {"segtax": segtax}}))
    };
    let audience = told.iter().flat_map(|leaf| &leaf.iab_audience).map(String::as_str).collect();
    let content = told.iter().flat_map(|leaf| &leaf.iab_content).map(String::as_str).collect();
    data(AUDIENCE, audience).into_iter().chain(data(CONTENT, content)).collect()
}

/// Interests as topics of the content taxonomy. What only adults or people in difficulty are is
/// never told.
pub fn topics(interests: impl Iterator<Item = Interest>, taxonomy: &Taxonomy) -> BTreeSet<&str> {
    interests
        .filter_map(|interest| taxonomy.leaf(interest))
        .filter(|leaf| leaf.restricted.is_none())
        .flat_map(|leaf| &leaf.iab_content)
        .map(String::as_str)
        .collect()
}

/// Does a bid request say who the person or the device is?
pub fn names_the_person(request: &Value) -> bool {
    let (user, device) = (&request["user"], &request["device"]);
    let there = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    ["id", "buyeruid", "customdata", "eids"].iter().any(|name| there(&user[*name]))
        || there(&user["ext"]["eids"])
        || ["ifa", "didsha1", "didmd5", "dpidsha1", "dpidmd5", "macsha1", "macmd5", "ip", "ipv6"]
            .iter()
            .any(|name| there(&device[*name]))
        || there(&user["ext"]["id"])
        || there(&device["ext"]["ifa"])
        || [&user["geo"], &device["geo"]].into_iter().any(is_exact)
}

/// A place to the metre is a home; one that is worked out from an address (type 2) is a town.
fn is_exact(geo: &Value) -> bool {
    (geo["lat"].is_number() || geo["lon"].is_number()) && geo["type"] != json!(2)
}

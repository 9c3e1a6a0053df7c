//! Notices: an event can only be used when its notice stands.

use crate::run::{Place, known, turn};
use crate::server::{POLICY, Server, json_of, status, upstream};
use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

fn text() -> Value {
    json!({"title": "A change", "first_screen": "Your chats with AI will help to choose ads.", "body": "…"})
}

fn in_days(days: i64) -> String {
    (Timestamp::now() + SignedDuration::from_hours(24 * days)).to_string()
}

#[test]
fn a_notice_in_the_inbox_lets_chats_be_used_once_it_was_seen_and_its_lead_is_over() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    // Where AI chats are not named on the first screen, it is refused.
    let vague = json!({"title": "A change", "first_screen": "We use your info in new ways.", "body": "AI chats"});
    let refused = server.put("/v1/notices/chats/1/en", &vague).send().unwrap();
    assert_eq!(refused.status(), 422);
    assert!(refused.text().unwrap().contains("first_screen"));
    assert_eq!(status(server.put("/v1/notices/chats/1/en", &text())), 201);
    assert_eq!(status(server.put("/v1/notices/chats/1/en", &text())), 200);
    let other = json!({"title": "Other", "first_screen": "AI chats", "body": ""});
    assert_eq!(status(server.put("/v1/notices/chats/1/en", &other)), 409);

    json_of(
        server.post(
            "/v1/events",
            &json!([known("whatsapp:1", "US")[0], known("whatsapp:2", "DE")[0]]),
        ),
    );
    let hike = |name: &str, days: i64| {
        let turn = turn("whatsapp:1", name, &in_days(days), "What are good hikes near Boulder?");
        json_of(server.post("/v1/events", &turn))["events"][0]["outcome"].clone()
    };
    assert_eq!(hike("t1", 1), "no_notice");
    // Where chats are not read, nobody is due.
    let due = json_of(server.get("/v1/notices/due"));
    assert_eq!(due["due"].as_array().unwrap().len(), 1, "{due}");
    assert_eq!(due["due"][0]["region"], "US");

    let asked = json!({"accounts": ["whatsapp:1"], "channel": "in_app"});
    let sent = json_of(server.post("/v1/notices/chats/1/deliveries", &asked));
    assert_eq!(sent["deliveries"][0]["state"], "queued");
    let inbox = || json_of(server.get("/v1/persons/whatsapp:1/inbox"))["notices"][0].clone();
    assert_eq!(inbox()["first_screen"], text()["first_screen"]);
    // It lies there, and nobody has seen it yet.
    assert_eq!(hike("t2", 71), "no_notice");
    let seen = "/v1/persons/whatsapp:1/inbox/chats/1/seen";
    assert_eq!(status(server.post("/v1/persons/whatsapp:1/inbox/chats/9/seen", &json!(null))), 404);
    assert_eq!(status(server.post(seen, &json!(null))), 204);
    assert_eq!(status(server.post(seen, &json!(null))), 204);
    assert_eq!(inbox()["state"], "seen");
    // 70 days lie between the notice and the first chat that is used.
    assert_eq!(hike("t3", 69), "no_notice");
    assert_eq!(hike("t4", 71), "used");
    assert_eq!(json_of(server.get("/v1/notices/due"))["due"], json!([]));
    let standing = json_of(server.get("/v1/persons/whatsapp:1/notices"));
    assert_eq!(standing["told"], false);
    assert_eq!(standing["deliveries"][0]["proof"].as_str().unwrap().len(), 32);
    let progress = json_of(server.get("/v1/notices"));
    assert_eq!(progress["deliveries"][0]["state"], "seen");
    // With the account, its deliveries go.
    json_of(server.delete(&format!("/v1/persons/whatsapp:1?at={}", in_days(100))));
    assert_eq!(json_of(server.get("/v1/notices"))["deliveries"], json!([]));
}

const TAKEN: &[&str] =
    &["HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nconnection: close\r\n\r\n", "ok"];
const REFUSED: &[&str] = &["HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"];

#[test]
fn a_notice_by_webhook_is_signed_and_counts_once_it_was_taken() {
    let place = Place::new();
    let secret = BASE64_STANDARD.encode([7; 24]);
    for (answer, state) in [(REFUSED, "failed"), (TAKEN, "delivered")] {
        let (url, seen) = upstream(answer, Duration::ZERO);
        let mut command = Command::new(env!("CARGO_BIN_EXE_tactful"));
        command.env("TACTFUL_NOTICE_SECRET", format!("whsec_{secret}"));
        let arguments = ["--policy", POLICY, "--notice-webhook", &url];
        let server = Server::start_with(&place, &arguments, command);
        server.put("/v1/notices/chats/1/en", &text()).send().unwrap();
        json_of(server.post("/v1/events", &known("whatsapp:1", "US")[0]));
        let asked = json!({"accounts": ["whatsapp:1"], "channel": "email"});
        let sent = json_of(server.post("/v1/notices/chats/1/deliveries", &asked));
        assert_eq!(sent["deliveries"][0]["state"], state);
        let due = json_of(server.get("/v1/notices/due"))["due"].as_array().unwrap().len();
        assert_eq!(due, usize::from(state == "failed"));
        let request = seen.lock().unwrap()[0].clone();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            found.unwrap().to_owned()
        };
        let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[7; 24]);
        let signature = header("webhook-signature");
        let signature = BASE64_STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        ring::hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["data"]["account"], "whatsapp:1");
        assert_eq!(body["data"]["first_screen"], text()["first_screen"]);
    }
}

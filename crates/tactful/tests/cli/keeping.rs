//! Backup and restore, what another policy would change, and the audit.

use crate::run::{Place, known, turn};
use crate::server::{NOW, POLICY, Server, json_of};
use serde_json::json;

const HIKE: &str = "What are good hikes near Boulder?";

#[test]
fn a_backup_of_a_running_server_is_restored_whole() {
    let place = Place::new();
    let server = Server::start(&place, &["--policy", POLICY]);
    json_of(server.post("/v1/events", &json!(known("whatsapp:1", "US"))));
    json_of(server.post("/v1/events", &turn("whatsapp:1", "t1", NOW, HIKE)));
    let done = place.run(&["backup", "kept"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!place.run(&["backup", "kept"]).status.success(), "a backup was overwritten");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let copy = std::fs::metadata(place.path("kept/tactful.sqlite")).unwrap();
        assert_eq!(copy.permissions().mode() & 0o077, 0, "a backup may be read by others");
    }
    // What comes after the backup is not in it.
    json_of(server.delete("/v1/persons/whatsapp:1"));
    drop(server);
    assert!(!place.run(&["restore", "kept"]).status.success(), "data was overwritten");
    std::fs::rename(place.path("data"), place.path("lost")).unwrap();
    let done = place.run(&["restore", "kept"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("deleted since"));
    assert_eq!(place.interests("whatsapp:1", NOW), ["outdoors.hiking"]);
    // Where the data still is in which the person deleted it, it stays deleted.
    std::fs::rename(place.path("data"), place.path("again")).unwrap();
    let done = place.run(&["restore", "kept", "--deleted-in", "nowhere"]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("give --deleted-in the old data"));
    assert!(!place.path("data").join("tactful.sqlite").exists());
    let done = place.run(&["restore", "kept", "--deleted-in", "lost"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let held = place.run(&["profile", "whatsapp:1", "--at", NOW]);
    assert!(String::from_utf8_lossy(&held.stderr).contains("nothing is held of whatsapp:1"));
    std::fs::rename(place.path("data"), place.path("once more")).unwrap();
    // A damaged one is not taken.
    let file = place.path("kept").join("tactful.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    assert!(!place.run(&["restore", "kept"]).status.success());
    assert!(!place.path("data").join("tactful.sqlite").exists());
}

#[test]
fn another_policy_is_simulated_over_a_log_and_over_the_rows() {
    let place = Place::new();
    let mut events = [known("whatsapp:1", "US"), known("whatsapp:2", "DE")].concat();
    for account in ["whatsapp:1", "whatsapp:2"] {
        events.push(turn(account, "t1", NOW, HIKE));
    }
    let report = place.take(&events);
    let policy = std::fs::read_to_string(POLICY).unwrap();
    let joined = policy.replace("[\"EU\", \"UK\", \"KR\"]", "[\"US\", \"KR\"]");
    std::fs::write(place.path("joined.toml"), joined).unwrap();
    let with = |more: &[&str]| {
        place.json(&[&["policy", "simulate", "--with", "joined.toml", "--at", NOW], more].concat())
    };
    let over_log = with(&["log.jsonl"]);
    // What the policy in force did is what was counted.
    for (outcome, events) in report["outcomes"].as_object().unwrap() {
        assert_eq!(over_log["outcomes"][outcome]["now"], *events, "{outcome}");
    }
    assert_eq!(over_log["outcomes"]["used"], json!({"now": 1, "with": 1}));
    assert_eq!(over_log["people"], json!({"now": 1, "with": 1}));
    assert_eq!(over_log["changed"], 2);
    let over_rows = with(&[]);
    assert_eq!(over_rows["people"], json!({"now": 1, "with": 0}));
    assert_eq!(over_rows["interests"]["outdoors.hiking"], json!({"now": 1, "with": 0}));
    let audit = place.json(&["audit", "--at", NOW]);
    assert_eq!((&audit["chats"]["admitted"], &audit["held_unseen"]), (&json!(1), &json!(0)));
    let audit = place.json(&["audit", "--at", NOW, "--policy", "joined.toml"]);
    assert_eq!(audit["chats"]["excluded_region"], 1);
    // A row that somebody put into a shut conversation behind the store's back is found.
    let file = place.path("data").join("tactful.sqlite");
    let connection = rusqlite::Connection::open(file).unwrap();
    connection
        .execute("INSERT INTO seal SELECT shard, conversation, 9 FROM contribution", ())
        .unwrap();
    drop(connection);
    assert_eq!(place.run(&["audit", "--at", NOW]).status.code(), Some(2));
}

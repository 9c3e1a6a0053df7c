//! The binary, run as a user runs it, in a folder of its own.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder with a log, items and data.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The same tags in every place, so that answers can be compared byte by byte.
        std::fs::write(folder.path().join("tactful.key"), "3".repeat(64)).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, events: &[Value]) -> PathBuf {
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        std::fs::write(self.path(name), lines).unwrap();
        self.path(name)
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tactful"));
        command.current_dir(self.folder.path()).args(arguments).output().unwrap()
    }

    pub fn ingest(&self, log: &str, more: &[&str]) -> Output {
        let policy =
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/announced-2025-12-16.toml");
        self.run(&[&["ingest", log, "--policy", policy, "--format", "json"], more].concat())
    }

    /// Takes events in and expects that all fit.
    pub fn take(&self, events: &[Value]) -> Value {
        self.write("log.jsonl", events);
        let done = self.ingest("log.jsonl", &[]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// An answer in JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let done = self.run(&[arguments, &["--format", "json"]].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        serde_json::from_slice(&done.stdout).unwrap()
    }

    /// The interests of an account at an instant.
    pub fn interests(&self, account: &str, at: &str) -> Vec<String> {
        let profile = self.json(&["profile", account, "--at", at]);
        let interests = profile["interests"].as_array().unwrap();
        interests.iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// An account that is known, and told on 7 October 2025.
pub fn known(account: &str, region: &str) -> Vec<Value> {
    vec![
        json!({"type": "account", "at": "2025-10-01T00:00:00Z", "account": account,
               "region": region, "language": "en", "birth_date": "1990-05-17"}),
        json!({"type": "notice", "at": "2025-10-07T12:00:00Z", "account": account, "notice": "ai-chats",
               "version": "1", "channel": "in_app", "delivered": "2025-10-07T12:00:00Z"}),
    ]
}

/// A turn to the assistant.
pub fn turn(account: &str, turn: &str, at: &str, text: &str) -> Value {
    json!({"type": "turn", "at": at, "account": account, "conversation": "c1", "turn": turn,
           "role": "user", "audience": "assistant", "encrypted": false, "modality": "text",
           "product": "assistant", "text": text})
}

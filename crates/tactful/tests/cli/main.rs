//! The binary, run as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

mod dependencies;
mod logs;
mod run;
mod scenes;
mod serve;

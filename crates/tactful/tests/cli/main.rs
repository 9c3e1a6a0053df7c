//! The binary, run as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

mod attacks;
mod campaigns;
mod dependencies;
mod faults;
mod keeping;
mod leaks;
mod logs;
mod notices;
mod persons;
mod run;
mod scenes;
mod serve;
mod server;

//! What every engine of the store must do, and what its schema may hold.
#![expect(clippy::unwrap_used, reason = "a test's own set-up")]

mod contract;
mod engines;
mod overview;
mod migrations;
mod register;

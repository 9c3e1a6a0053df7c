//! The root of the crate that `fuzz/` builds: the parsers, compiled as they are. (The crate that
//! they belong to is a binary, which no other crate can use.)
#![allow(dead_code, missing_docs)]

mod data;
mod events;
pub mod fuzzed;
mod identity;
mod ingest;
mod items;
mod lines;

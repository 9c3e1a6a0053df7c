//! What the fuzzers of `fuzz/` call: each parser of something that others write. They must not
//! panic, and hold what is said here. The seeds and what was ever found are replayed by a test.

use crate::events::{Event, Line};
use crate::identity::Keyring;
use crate::lines::Lines;
use std::sync::{Arc, OnceLock};
use tactful_core::policy::Policy;
use tactful_core::taxonomy::Taxonomy;

fn taxonomy() -> &'static Arc<Taxonomy> {
    static TAXONOMY: OnceLock<Arc<Taxonomy>> = OnceLock::new();
    TAXONOMY.get_or_init(|| crate::data::taxonomy().expect("the shipped taxonomy"))
}

/// A log: every line has its number, and what is wrong is said without what the line holds.
pub fn log(bytes: &[u8]) {
    let keyring = Keyring::new([7; 32]);
    let mut lines = Lines::new(bytes);
    let mut expected = bytes.split(|b| *b == b'\n');
    let mut next = 1;
    while let Some(chunk) = lines.next_chunk().expect("memory can be read") {
        assert_eq!(chunk.first_line, next);
        let whole = chunk.bytes.strip_suffix(b"\n").unwrap_or(&chunk.bytes);
        for line in whole.split(|b| *b == b'\n') {
            next += 1;
            assert_eq!(Some(line), expected.next());
            let event = Line::split(line).and_then(|line| {
                line.is_said_or_done();
                line.event(&keyring, taxonomy())
            });
            match event {
                Ok(Event::Link(_, _, accounts)) => assert!(!accounts.is_empty()),
                Ok(_) => {}
                Err(what) => assert!(!what.to_string().contains("CANARY")),
            }
        }
    }
}

/// An item: what is kept of it is in its range.
pub fn item(bytes: &[u8]) {
    if let Ok(parsed) = crate::items::parse(bytes) {
        let item = parsed.item;
        assert!(item.quality <= 1000 && !item.id.is_empty());
        assert_eq!(item.campaign.is_some(), item.surface.kind() == "ad");
        let _ = tactful_core::ranking::exclude::facets(&item);
    }
}

/// A policy: what is taken can be said in words.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Policy::parse(text) {
        Ok(policy) => assert!(!policy.to_string().is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A model's file. The input is what stands between its first eight bytes and the hash at its end,
/// which are put right: a fuzzer does not guess a hash.
pub fn model(bytes: &[u8]) {
    let mut file = [b"TACTMDL4", bytes].concat();
    let hash = *blake3::hash(&file).as_bytes();
    file.extend(hash);
    let loaded = tactful_reader::Model::load(&file, &[], taxonomy());
    assert!(loaded.is_err(), "without an encoder there is no model");
}

#[cfg(test)]
mod tests {
    type Target = fn(&[u8]);

    #[test]
    fn what_fuzzers_began_with_or_found_does_no_harm() {
        let corpus =
            std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
        let targets: [(&str, Target); 4] = [
            ("log", super::log),
            ("item", super::item),
            ("policy", super::policy),
            ("model", super::model),
        ];
        for (target, run) in targets {
            let mut files = 0;
            for file in std::fs::read_dir(corpus.join(target)).unwrap() {
                run(&std::fs::read(file.unwrap().path()).unwrap());
                files += 1;
            }
            assert!(files > 0, "{target}");
        }
    }
}

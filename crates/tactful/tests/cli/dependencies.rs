//! What this is built of: licences that may be combined with ours, and the registry only.

use serde_json::Value;
use std::process::Command;

/// Permissive licences. An expression passes when one side of every `OR` and all of every `AND` do.
const ALLOWED: [&str; 13] = [
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    // The list of certificate authorities, which is data.
    "CDLA-Permissive-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "Apache-2.0 WITH LLVM-exception",
];

/// Never, whatever brings it: TLS is rustls, when there is any.
const BANNED: [&str; 2] = ["openssl-sys", "native-tls"];

fn allowed(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" AND ").all(|part| part.split(" OR ").any(|one| ALLOWED.contains(&one.trim())))
}

#[test]
fn every_dependency_is_permissive_and_from_the_registry() {
    let done = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&done.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none stated");
        assert!(allowed(licence), "{name}: {licence}");
        assert!(!BANNED.contains(&name), "{name} is banned");
        let source = package["source"].as_str().unwrap_or("registry+ours");
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
    }
}

/// Every direct dependency has its line in docs/dependencies.md.
#[test]
fn every_direct_dependency_says_why() {
    let why = include_str!("../../../../docs/dependencies.md");
    for manifest in [
        include_str!("../../../core/Cargo.toml"),
        include_str!("../../../reader/Cargo.toml"),
        include_str!("../../../store/Cargo.toml"),
        include_str!("../../Cargo.toml"),
    ] {
        let section = manifest.split("\n[").find(|part| part.starts_with("dependencies]")).unwrap();
        for line in section.lines().skip(1).filter(|line| line.contains('=')) {
            let name = line.split(['.', '=', ' ']).next().unwrap();
            assert!(name.starts_with("tactful-") || why.contains(name), "{name}");
        }
    }
}

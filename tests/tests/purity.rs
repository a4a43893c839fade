//! The pure rooms: no clock, no randomness, no environment, no I/O, no order that depends on chance.
//!
//! Held twice: by clippy where the code is compiled (each room's `clippy.toml`), and here by reading
//! the code, so that a forgotten or weakened `clippy.toml` is seen too.

use std::path::Path;

use tenure_tests::{code, tree};

/// Folders of the pure rooms.
const PURE: [&str; 3] = ["engine/adapter", "engine/definition", "engine/machine"];
/// Rooms whose clippy.toml repeats the bans.
const WITH_CLIPPY: [&str; 2] = ["engine/definition", "engine/machine"];

/// Paths that begin like this are not for a pure room.
const BANNED: [&str; 22] = [
    "async_std",
    "getrandom",
    "rand",
    "reqwest",
    "sqlx",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread::sleep",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "HashMap",
    "HashSet",
    "SystemTime",
];
/// Calls that are not for a pure room, whatever they are called on.
const BANNED_ENDINGS: [&str; 10] = [
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Utc::now",
    "Local::now",
    "Uuid::new_v4",
    "Uuid::now_v7",
    "Zoned::now",
    "TimeZone::system",
    "env::var",
];

/// Paths every `clippy.toml` of a pure room must ban.
const CLIPPY_BANS: [(&str, &[&str]); 2] = [
    (
        "disallowed-methods",
        &[
            "std::time::SystemTime::now",
            "std::time::Instant::now",
            "jiff::Timestamp::now",
            "jiff::Zoned::now",
            "uuid::Uuid::new_v4",
            "uuid::Uuid::now_v7",
            "std::env::var",
        ],
    ),
    ("disallowed-types", &["std::collections::HashMap", "std::collections::HashSet"]),
];

fn is_banned(path: &str) -> bool {
    let is_or_below = |ban: &str| {
        path == ban || path.strip_prefix(ban).is_some_and(|rest| rest.starts_with("::"))
    };
    BANNED.into_iter().any(is_or_below)
        || BANNED_ENDINGS.into_iter().any(|end| path == end || path.ends_with(&format!("::{end}")))
}

#[test]
fn pure_rooms_name_nothing_impure() {
    let mut seen = 0_usize;
    let mut broken = Vec::new();
    for path in tree::files_with_extension("rs") {
        let source = PURE.iter().any(|room| tree::is_below(&path, &format!("{room}/src")));
        let is_test = path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs");
        if !source || is_test {
            continue;
        }
        for found in code::paths(&code::parse(&path)) {
            seen += 1;
            if is_banned(&found.text) {
                broken.push(format!("{}:{}: {}", path.display(), found.line, found.text));
            }
        }
    }
    assert!(seen > 500, "only {seen} paths seen: the visitor is broken");
    assert!(
        broken.is_empty(),
        "time, keys and configuration come in as values (ARCHITECTURE.md):\n{}",
        broken.join("\n")
    );
}

#[test]
fn the_ban_knows_what_it_bans() {
    for path in
        ["std::env::var", "rand::rng", "HashMap::new", "jiff::Timestamp::now", "Uuid::new_v4"]
    {
        assert!(is_banned(path), "{path}");
    }
    for path in
        ["std::time::Duration", "random", "environment", "std::iter::Map", "jiff::Timestamp"]
    {
        assert!(!is_banned(path), "{path}");
    }
}

#[test]
fn clippy_bans_the_same_where_the_code_is_compiled() {
    let root: toml::Table = tree::read(Path::new("clippy.toml")).parse().unwrap();
    for room in WITH_CLIPPY {
        let file = format!("{room}/clippy.toml");
        let own: toml::Table = tree::read(Path::new(&file)).parse().unwrap();
        for (key, value) in &root {
            // A nested file replaces the root one.
            assert_eq!(
                own.get(key),
                Some(value),
                "{file} must repeat {key} of the root clippy.toml"
            );
        }
        for (list, paths) in CLIPPY_BANS {
            let banned = own[list].as_array().unwrap();
            for path in paths {
                let entry = banned
                    .iter()
                    .find(|ban| ban.get("path").and_then(|p| p.as_str()) == Some(path));
                let entry = entry.unwrap_or_else(|| panic!("{file} must ban {path} in {list}"));
                assert!(entry.get("reason").is_some(), "{file}: the ban of {path} needs a reason");
            }
        }
    }
}

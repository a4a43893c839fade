//! What is committed works on every machine: no path, registry or secret of one of them.

use std::path::PathBuf;

use regex::Regex;
use tenure_tests::tree;

/// Larger files are data, not text.
const TEXT_BYTES_MAX: u64 = 1_000_000;

/// What is looked for: a plain text that must be there, then the pattern around it.
struct Sought {
    what: &'static str,
    hint: String,
    pattern: Regex,
}

/// Written in pieces, so that this file does not find itself.
fn sought() -> Vec<Sought> {
    let before = r#"(?:^|[\s"'`=:(,<\[])"#;
    let machine = |folder: &str| (format!("/{folder}/"), format!("{before}/{folder}/"));
    // Examples have users of one letter.
    let home = |folder: &str| (format!("/{folder}/"), format!("{before}/{folder}/[a-z][a-z0-9]"));
    let line = |start: &str| (start.to_owned(), format!("(?m)^\\s*{}", regex::escape(start)));
    let anywhere = |text: String| (text.clone(), regex::escape(&text));
    [
        ("a path of one machine", machine("root")),
        ("a path of one machine", machine("work")),
        ("a path of one machine", machine("farm")),
        ("a home folder", home("home")),
        ("a home folder", home("Users")),
        ("a home folder", anywhere(["C:", "Users"].join("\\"))),
        ("a package registry", line(&["[source", ""].join("."))),
        ("a package registry", line(&["replace", "with"].join("-"))),
        ("a package registry", line(&["index-url", ""].join(" ="))),
        ("a package registry", anywhere(["PIP_INDEX", "URL"].join("_"))),
        ("a package registry", anywhere(["npm_config", "registry"].join("_"))),
        ("a package registry", anywhere(["GOPROXY", ""].join("="))),
        ("a private key", anywhere(["PRIVATE", "KEY-----"].join(" "))),
    ]
    .into_iter()
    .map(|(what, (hint, pattern))| Sought {
        what,
        hint,
        pattern: Regex::new(&pattern).expect("a valid pattern"),
    })
    .collect()
}

fn text_files() -> Vec<PathBuf> {
    tree::files()
        .into_iter()
        .filter(|path| {
            std::fs::metadata(tree::root().join(path)).is_ok_and(|file| file.len() < TEXT_BYTES_MAX)
        })
        .collect()
}

#[test]
fn nothing_committed_names_one_machine() {
    let mut broken = Vec::new();
    let mut read = 0_usize;
    let sought = sought();
    for path in text_files() {
        let Ok(text) = std::fs::read_to_string(tree::root().join(&path)) else { continue };
        read += 1;
        for Sought { what, pattern, .. } in sought.iter().filter(|s| text.contains(&s.hint)) {
            for found in pattern.find_iter(&text) {
                let line = text[..found.end()].lines().count();
                let found = found.as_str().trim();
                broken.push(format!("{}:{line}: {what}: {found}", path.display()));
            }
        }
    }
    assert!(read > 50, "only {read} files read: the walk is broken");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_patterns_know_what_they_look_for() {
    let sought = sought();
    let hits =
        |text: &str| sought.iter().any(|s| text.contains(&s.hint) && s.pattern.is_match(text));
    let slashed = |parts: &[&str]| parts.join("/");
    for text in [
        slashed(&["see ", "root", "x"]),
        slashed(&["", "work", "x"]),
        slashed(&["\"", "home", "me\""]),
        ["  [source", "crates-io]"].join("."),
        ["-----BEGIN PRIVATE", "KEY-----"].join(" "),
    ] {
        assert!(hits(&text), "{text}");
    }
    for text in
        ["https://example.com/work/", "engine/work/", "/var/lib/tenure", "/home/a/b", "registry: x"]
    {
        assert!(!hits(text), "{text}");
    }
}

#[test]
fn locked_crates_come_from_the_public_registry() {
    let lock: toml::Table = tree::read("Cargo.lock".as_ref()).parse().expect("Cargo.lock is TOML");
    let packages = lock["package"].as_array().expect("packages");
    for package in packages {
        let name = package["name"].as_str().unwrap_or("?");
        match package.get("source").and_then(|source| source.as_str()) {
            None => assert!(name.starts_with("tenure-"), "{name} has no source"),
            Some(source) => assert_eq!(
                source, "registry+https://github.com/rust-lang/crates.io-index",
                "{name} is not from the public registry"
            ),
        }
    }
}

//! What is committed works on every machine: no path, registry or secret of one of them.

use std::path::PathBuf;

use regex::Regex;
use tenure_tests::tree;

/// Larger files are data, not text.
const TEXT_BYTES_MAX: u64 = 1_000_000;

/// Written in pieces, so that this file does not find itself.
fn patterns() -> Vec<(&'static str, Regex)> {
    let pattern = |text: &str| Regex::new(text).expect("a valid pattern");
    let place = r#"(?:^|[\s"'`=:(,<\[])"#;
    vec![
        (
            "a path of one machine",
            pattern(&format!("{place}/(?:{}|{}|{})/", "root", "work", "farm")),
        ),
        ("a home folder", pattern(&format!("{place}/(?:{}|{})/[a-z]", "home", "Users"))),
        ("a home folder", pattern(&format!(r"C:\\{}\\", "Users"))),
        (
            "a package registry",
            pattern(&format!("(?m)^\\s*(?:{}|{})", r"\[source\.", "replace-with")),
        ),
        (
            "a package registry",
            pattern(&format!("{}|{}|{}", "PIP_INDEX_UR[L]", "npm_config_registr[y]", "GOPROX[Y]=")),
        ),
        ("a package registry", pattern(&format!("(?m)^\\s*(?:index-url|{})\\s*=", "registry"))),
        ("a private key", pattern(&format!("-----BEGIN (?:[A-Z]+ )?{} KEY-----", "PRIVATE"))),
    ]
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
    for path in text_files() {
        let Ok(text) = std::fs::read_to_string(tree::root().join(&path)) else { continue };
        read += 1;
        for (what, pattern) in patterns() {
            for found in pattern.find_iter(&text) {
                let line = text[..found.start()].lines().count().max(1);
                broken.push(format!(
                    "{}:{line}: {what}: {}",
                    path.display(),
                    found.as_str().trim()
                ));
            }
        }
    }
    assert!(read > 50, "only {read} files read: the walk is broken");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_patterns_know_what_they_look_for() {
    let hits = |text: &str| patterns().iter().any(|(_, pattern)| pattern.is_match(text));
    let machine = ["ro", "ot"].concat();
    for text in [
        format!("see /{machine}/x"),
        "[source.crates-io]".to_owned(),
        format!("\"/{}/me\"", "home"),
    ] {
        assert!(hits(&text), "{text}");
    }
    for text in ["https://example.com/work/", "engine/work/", "/var/lib/tenure", "registry: x"] {
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

//! Only the store speaks SQL, and its queries are checked: the committed metadata fits the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};
use tenure_tests::{code, tree};

/// Rooms that may hold SQL in Rust text.
const SQL_ROOMS: [&str; 2] = ["engine/store/", "tests/"];

/// Text that begins like a statement.
fn looks_like_sql(text: &str) -> bool {
    static STATEMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
        r"(?is)^\s*(select\s.+\sfrom\s|insert\s+into\s|update\s+[\w.]+\s+set\s|delete\s+from\s|truncate\s+\w|with\s+[\w]+\s*(\([^)]*\)\s*)?as\s*\(|(create|alter|drop)\s+(unique\s+)?(table|index|role|schema|database|view|user)\s)",
    )
    .expect("a valid pattern")
    });
    STATEMENT.is_match(text)
}

#[test]
fn only_the_store_contains_sql() {
    let mut seen = 0_usize;
    let mut broken = Vec::new();
    for path in tree::files_with_extension("rs") {
        if SQL_ROOMS.iter().any(|room| path.to_string_lossy().starts_with(room)) {
            continue;
        }
        for literal in code::literals(&code::parse(&path), true) {
            seen += 1;
            if looks_like_sql(&literal.text) {
                broken.push(format!("{}:{}: {}", path.display(), literal.line, literal.text));
            }
        }
    }
    assert!(seen > 100, "only {seen} literals seen: the visitor is broken");
    assert!(broken.is_empty(), "SQL belongs to engine/store:\n{}", broken.join("\n"));
    for path in tree::files_with_extension("sql") {
        assert!(
            tree::is_below(&path, "engine/store") || tree::is_below(&path, "migrations"),
            "{}: SQL files belong to engine/store and migrations",
            path.display()
        );
    }
}

#[test]
fn the_reader_knows_sql_when_it_sees_it() {
    for text in [
        "select a from b",
        "  INSERT INTO b values (1)",
        "with x as (select 1) select * from x",
        "update a set b = 1",
        "create table a (b int)",
    ] {
        assert!(looks_like_sql(text), "{text}");
    }
    for text in ["select a card", "update the card", "with care", "delete it", "create a table"] {
        assert!(!looks_like_sql(text), "{text}");
    }
}

fn query_files() -> Vec<PathBuf> {
    let files: Vec<PathBuf> = tree::files_with_extension("sql")
        .into_iter()
        .filter(|path| tree::is_below(path, "engine/store"))
        .collect();
    assert!(files.len() > 5, "only {} query files found", files.len());
    files
}

/// Files named in `query_file!` and its like, as the store writes them.
fn checked_files() -> BTreeSet<PathBuf> {
    let call = Regex::new(
        r#"(?s)query_file(?:_as|_scalar)?(?:_unchecked)?!\s*\(\s*(?:[\w:]+\s*,\s*)?"([^"]+)""#,
    )
    .expect("a valid pattern");
    tree::files_with_extension("rs")
        .into_iter()
        .filter(|path| tree::is_below(path, "engine/store"))
        .flat_map(|path| {
            call.captures_iter(&tree::read(&path))
                .map(|captures| Path::new("engine/store").join(&captures[1]))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Ways to send SQL that no compiler has checked, and the files that may use them.
const UNCHECKED: [&str; 6] =
    ["query", "query_as", "query_scalar", "query_with", "raw_sql", "QueryBuilder"];
const MAY_SEND_UNCHECKED: [(&str, &str); 2] = [
    ("engine/store/src/ladder", "makes databases, before any schema"),
    ("engine/store/src/postgres.rs", "settings of a session"),
];

#[test]
fn queries_are_checked_when_compiled() {
    let mut seen = 0_usize;
    let mut broken = Vec::new();
    for path in tree::files_with_extension("rs") {
        let may = |(file, _): &(&str, &str)| path.to_string_lossy().starts_with(file);
        if !tree::is_below(&path, "engine/store/src") || MAY_SEND_UNCHECKED.iter().any(may) {
            continue;
        }
        for found in code::paths(&code::parse(&path)) {
            let Some(name) = found.text.strip_prefix("sqlx::") else { continue };
            seen += 1;
            if UNCHECKED.contains(&name) {
                broken.push(format!("{}:{}: {}", path.display(), found.line, found.text));
            }
        }
    }
    assert!(seen > 10, "only {seen} uses of sqlx seen: the visitor is broken");
    assert!(
        broken.is_empty(),
        "put the statement into queries/ and use query_file!:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_query_file_is_used_and_says_what_it_does() {
    let code: String = tree::files_with_extension("rs")
        .into_iter()
        .filter(|path| tree::is_below(path, "engine/store"))
        .map(|path| tree::read(&path))
        .collect();
    for file in query_files() {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(code.contains(&name), "{}: no room of the store reads it", file.display());
        let text = tree::read(&file);
        assert!(
            text.starts_with("--"),
            "{} must begin with a comment: what, and under which lock",
            file.display()
        );
    }
}

#[test]
fn the_offline_metadata_fits_the_queries() {
    let committed: BTreeMap<String, PathBuf> = tree::files_with_extension("json")
        .into_iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == ".sqlx"))
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.strip_prefix("query-")?.to_owned();
            Some((name, path))
        })
        .collect();
    let mut needed = BTreeMap::new();
    for file in checked_files() {
        let digest = Sha256::digest(tree::read(&file).as_bytes());
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        needed.insert(hash, file);
    }
    assert!(!needed.is_empty(), "the store has no checked query");
    for (hash, file) in &needed {
        assert!(
            committed.contains_key(hash),
            "{}: no .sqlx metadata for its present text: run `make sqlx`",
            file.display()
        );
    }
    for (hash, path) in &committed {
        assert!(
            needed.contains_key(hash),
            "{}: no query has this text: run `make sqlx`",
            path.display()
        );
    }
}

//! The schema stays portable: to distributed PostgreSQL, to pgbouncer, to the next reader.

use std::path::PathBuf;

use regex::Regex;
use tenure_tests::{sql, tree};

/// What a migration or query must not say, and what to do instead.
const FORBIDDEN: [(&str, &str); 14] = [
    (r"\btrigger\b", "decide in Rust"),
    (r"\b(big|small)?serial\b", "ids are made in Rust"),
    (r"\bidentity\b", "ids are made in Rust"),
    (r"\bsequence\b|\bnextval\b", "ids are made in Rust"),
    (r"\bdeferrable\b|\bdeferred\b", "write in an order that is valid at every statement"),
    (r"\bclock_timestamp\b|\bnow\s*\(|\bcurrent_timestamp\b", "time is a bind parameter"),
    (r"\badvisory\b|\bpg_try_advisory\w*", "use a lease row: pgbouncer loses session locks"),
    (r"^\s*listen\b|\bnotify\b|\bpg_notify\b", "wake in-process, poll across nodes"),
    (r"\bcreate\s+(or\s+replace\s+)?(function|procedure)\b", "decide in Rust"),
    (r"\bdo\s+\$", "decide in Rust"),
    (r"\bcreate\s+extension\b", "plain PostgreSQL only"),
    (r"\brandom\s*\(|\bgen_random_uuid\b|\buuid_generate\w*", "ids are made in Rust"),
    (r"\bvarchar\b|\bchar\s*\(", "use text"),
    (r"\btimestamp\b", "use timestamptz"),
];

/// Statements that may read the database clock: the one reading per batch, and leases.
const CLOCK_READERS: [&str; 2] = ["clock", "lease"];

/// Tables that belong to no instance, and what they belong to.
const GLOBAL_TABLES: [(&str, &str); 7] = [
    ("definition", "one row a version, read by every node"),
    ("node", "one row a node: its heartbeat"),
    ("node_fence", "one row a node: its epoch"),
    ("sandbox_clock", "one row a database"),
    ("schedule_after", "a few rows a definition: whose end is followed"),
    ("schedule_event", "events of a definition that wait for others"),
    ("schedule_state", "one row a definition with a schedule"),
];

fn migrations() -> Vec<(PathBuf, String)> {
    read_all("migrations")
}

fn read_all(folder: &str) -> Vec<(PathBuf, String)> {
    let files: Vec<PathBuf> = tree::files_with_extension("sql")
        .into_iter()
        .filter(|path| tree::is_below(path, folder))
        .collect();
    assert!(!files.is_empty(), "no SQL below {folder}");
    files.into_iter().map(|path| (path.clone(), tree::read(&path))).collect()
}

#[test]
fn no_sql_says_a_forbidden_word() {
    let forbidden = FORBIDDEN.map(|(pattern, instead)| {
        (Regex::new(&format!("(?m){pattern}")).expect("a valid pattern"), instead)
    });
    let mut broken = Vec::new();
    for (path, text) in migrations().into_iter().chain(read_all("engine/store")) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bare = sql::bare(&text);
        let reads_clock = CLOCK_READERS.iter().any(|reader| name.contains(reader));
        for (pattern, instead) in &forbidden {
            if pattern.as_str().contains("clock_timestamp") && reads_clock {
                continue;
            }
            if let Some(found) = pattern.find(&bare) {
                broken.push(format!("{}: `{}`: {instead}", path.display(), found.as_str().trim()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn keys_of_instance_data_begin_with_the_bucket() {
    let mut tables = 0_usize;
    let mut broken = Vec::new();
    for (path, text) in migrations() {
        let is_global = |name: &str| GLOBAL_TABLES.iter().any(|(global, _)| *global == name);
        for table in sql::tables(&text) {
            tables += 1;
            if table.is_partition || is_global(&table.name) {
                continue;
            }
            let mut keys = table.keys.clone();
            keys.push(("primary key".to_owned(), table.primary_key.clone()));
            for (kind, columns) in keys {
                if columns.first().is_none_or(|first| first != "bucket") {
                    broken.push(format!(
                        "{}: {} of {} is ({})",
                        path.display(),
                        kind,
                        table.name,
                        columns.join(", ")
                    ));
                }
            }
        }
        for (table, columns) in sql::unique_indexes(&text) {
            if !is_global(&table) && columns.first().is_none_or(|first| first != "bucket") {
                broken.push(format!(
                    "{}: a unique index of {table} is ({})",
                    path.display(),
                    columns.join(", ")
                ));
            }
        }
    }
    assert!(tables >= 5, "only {tables} tables found: the reader is broken");
    assert!(
        broken.is_empty(),
        "begin with bucket, or list the table in GLOBAL_TABLES with its reason:\n{}",
        broken.join("\n")
    );
}

#[test]
fn every_table_listed_as_global_exists() {
    let names: Vec<String> = migrations()
        .iter()
        .flat_map(|(_, text)| sql::tables(text))
        .map(|table| table.name)
        .collect();
    for (name, reason) in GLOBAL_TABLES {
        assert!(names.iter().any(|known| known == name), "{name} ({reason}) is gone");
    }
}

#[test]
fn migrations_are_numbered_and_say_what_operators_must_know() {
    let mut numbers = Vec::new();
    for (path, text) in migrations() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number: u64 = name
            .split('_')
            .next()
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{name} must begin with its number"));
        assert!(!name.ends_with(".down.sql"), "{name}: migrations run forward only");
        assert!(text.starts_with("--"), "{name} must begin with a comment for operators");
        numbers.push(number);
    }
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(numbers, sorted, "numbers are unique and in order");
}

//! The floors of the house: dependencies run downward only, and the pure rooms stay poor.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Our crates from the bottom up, and the rooms each may stand on.
///
/// Development dependencies are free: a test may look upward.
const FLOORS: [(&str, u8, &[&str]); 10] = [
    ("tenure-adapter", 0, &[]),
    ("tenure-definition", 1, &["tenure-adapter"]),
    ("tenure-machine", 2, &["tenure-adapter", "tenure-definition"]),
    ("tenure-store", 3, &["tenure-adapter", "tenure-definition", "tenure-machine"]),
    ("tenure-adapters", 3, &["tenure-adapter"]),
    (
        "tenure-runtime",
        4,
        &["tenure-adapter", "tenure-definition", "tenure-machine", "tenure-store"],
    ),
    (
        "tenure-author",
        5,
        &["tenure-adapter", "tenure-definition", "tenure-machine", "tenure-runtime"],
    ),
    // The portal is a customer of the HTTP API: it sees no room of ours.
    ("tenure-portal", 0, &[]),
    (
        "tenure-server",
        6,
        &[
            "tenure-adapter",
            "tenure-adapters",
            "tenure-author",
            "tenure-definition",
            "tenure-machine",
            "tenure-portal",
            "tenure-runtime",
            "tenure-store",
        ],
    ),
    (
        "tenure-tests",
        7,
        &[
            "tenure-adapter",
            "tenure-adapters",
            "tenure-author",
            "tenure-definition",
            "tenure-machine",
            "tenure-portal",
            "tenure-runtime",
            "tenure-server",
            "tenure-store",
        ],
    ),
];

/// The rooms without I/O, clock and randomness, and every crate they may name.
const PURE: [(&str, &[&str]); 3] = [
    ("tenure-adapter", &["async-trait", "jiff", "serde", "serde_json", "thiserror", "uuid"]),
    (
        "tenure-definition",
        &[
            "cron",
            "granit-parser",
            "indexmap",
            "jaq-core",
            "jaq-json",
            "jaq-std",
            "jiff",
            "jsonschema",
            "miette",
            "petgraph",
            "regex",
            "regex-syntax",
            "semver",
            "serde",
            "serde_json",
            "sha2",
            "tenure-adapter",
            "thiserror",
            "uuid",
        ],
    ),
    (
        "tenure-machine",
        &[
            "jiff",
            "serde",
            "serde_json",
            "sha2",
            "tenure-adapter",
            "tenure-definition",
            "thiserror",
            "uuid",
        ],
    ),
];

/// Never below a pure room, not even through others.
const IMPURE: [&str; 8] =
    ["tokio", "sqlx", "sqlx-core", "reqwest", "hyper", "mio", "async-std", "rustls"];

/// Crates that only one room may speak, and the rooms that may.
const MONOPOLIES: [(&str, &[&str]); 3] = [
    ("sqlx", &["tenure-store", "tenure-tests"]),
    ("ed25519-dalek", &["tenure-adapters", "tenure-tests"]),
    ("jaq-core", &["tenure-definition"]),
];

/// The crates this project was asked to stand on.
const MANDATED: [&str; 7] = ["tokio", "sqlx", "serde", "cron", "petgraph", "uuid", "tracing"];

fn metadata() -> Metadata {
    // Only this platform: the crates of others were never downloaded.
    let rustc = std::process::Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let version = String::from_utf8(rustc.stdout).expect("rustc speaks UTF-8");
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc has a host");
    MetadataCommand::new()
        .current_dir(tenure_tests::tree::root())
        .other_options(["--locked".to_owned(), format!("--filter-platform={host}")])
        .exec()
        .expect("cargo metadata")
}

fn normal_dependencies(package: &Package) -> BTreeSet<&str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .collect()
}

#[test]
fn every_crate_stands_on_lower_floors_only() {
    let metadata = metadata();
    let floors: BTreeMap<&str, u8> =
        FLOORS.iter().map(|(name, floor, _)| (*name, *floor)).collect();
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some((_, floor, allowed)) = FLOORS.iter().find(|(n, _, _)| *n == name) else {
            broken.push(format!("{name} has no floor: give it one in FLOORS and ARCHITECTURE.md"));
            continue;
        };
        for below in normal_dependencies(package).into_iter().filter(|d| d.starts_with("tenure-")) {
            if !allowed.contains(&below) {
                broken.push(format!("{name} must not depend on {below}"));
            }
            if floors.get(below).is_none_or(|other| other >= floor) {
                broken.push(format!("{below} is not below {name}"));
            }
        }
    }
    assert_eq!(
        metadata.workspace_packages().len(),
        FLOORS.len(),
        "FLOORS lists crates that are gone"
    );
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn pure_rooms_name_only_the_crates_of_their_list() {
    let metadata = metadata();
    for (room, allowed) in PURE {
        let package =
            metadata.workspace_packages().into_iter().find(|p| p.name.as_str() == room).unwrap();
        for dependency in normal_dependencies(package) {
            assert!(
                allowed.contains(&dependency),
                "{room} is pure and must not depend on {dependency}; if it does no I/O, add it to PURE"
            );
        }
    }
}

#[test]
fn nothing_impure_lies_below_a_pure_room() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|p| (&p.id, p.name.as_str())).collect();
    let below: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node
                .deps
                .iter()
                .filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal))
                .map(|d| &d.pkg)
                .collect();
            (&node.id, normal)
        })
        .collect();
    for (room, _) in PURE {
        let package =
            metadata.workspace_packages().into_iter().find(|p| p.name.as_str() == room).unwrap();
        let mut open = vec![(&package.id, vec![room])];
        let mut seen = BTreeSet::new();
        while let Some((id, way)) = open.pop() {
            assert!(!IMPURE.contains(&names[id]), "impure: {}", way.join(" -> "));
            for next in &below[id] {
                if seen.insert(*next) {
                    open.push((*next, way.iter().copied().chain([names[next]]).collect()));
                }
            }
        }
        assert!(seen.len() > 3, "{room}: the walk saw almost nothing, so it proves nothing");
    }
}

#[test]
fn some_crates_belong_to_one_room() {
    let metadata = metadata();
    for (name, rooms) in MONOPOLIES {
        for package in metadata.workspace_packages() {
            if normal_dependencies(package).contains(name) {
                assert!(
                    rooms.contains(&package.name.as_str()),
                    "{} must not depend on {name}: it belongs to {}",
                    package.name,
                    rooms.join(" and ")
                );
            }
        }
    }
}

#[test]
fn the_mandated_crates_and_folders_are_in_use() {
    let metadata = metadata();
    let engine: BTreeSet<&str> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| package.name.as_str() != "tenure-tests")
        .flat_map(normal_dependencies)
        .collect();
    for name in MANDATED {
        assert!(engine.contains(name), "no room depends on {name}");
    }
    let root = tenure_tests::tree::root();
    for name in
        ["engine", "workflows", "adapters", "migrations", "tests", "examples", "server", "docs"]
    {
        assert!(root.join(name).is_dir(), "the folder {name} is part of the layout");
    }
}

#[test]
fn our_crates_have_no_features_and_take_the_workspace_lints() {
    for package in metadata().workspace_packages() {
        assert!(package.features.is_empty(), "{} declares cargo features", package.name);
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        assert_eq!(
            manifest.get("lints").and_then(|lints| lints.get("workspace")),
            Some(&toml::Value::Boolean(true)),
            "{} must say [lints] workspace = true",
            package.name
        );
    }
}

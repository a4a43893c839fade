//! The server binaries installed on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Oldest PostgreSQL whose SQL we speak.
const MAJOR_MIN: u32 = 13;

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    /// Holds `postgres`, `initdb` and `pg_ctl`.
    pub(super) dir: PathBuf,
    /// Full version, such as `15.18`.
    pub(super) version: String,
}

impl Binaries {
    /// The major version, as in the file `PG_VERSION` of a data directory.
    pub(super) fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or(&self.version)
    }
}

/// All installations, the preferred one first.
pub(super) fn find() -> Vec<Binaries> {
    // Whoever names a directory wants that one and no other.
    if let Some(named) = std::env::var_os("TENURE_PG_BIN").filter(|dir| !dir.is_empty()) {
        return usable(Path::new(&named)).into_iter().collect();
    }
    let mut found: Vec<Binaries> = Vec::new();
    for dir in candidates() {
        if found.iter().all(|known| known.dir != dir)
            && let Some(binaries) = usable(&dir)
        {
            found.push(binaries);
        }
    }
    found
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && let Ok(text) = String::from_utf8(output.stdout)
        && output.status.success()
    {
        dirs.push(PathBuf::from(text.trim()));
    }
    dirs.extend(versioned("/usr/lib/postgresql", ""));
    dirs.extend(versioned("/usr", "pgsql-"));
    dirs.extend(versioned("/opt/homebrew/opt", "postgresql@"));
    dirs.extend(versioned("/usr/local/opt", "postgresql@"));
    dirs.extend(["/opt/homebrew/bin", "/usr/local/pgsql/bin"].map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    dirs.extend(std::env::split_paths(&path));
    dirs
}

/// The `bin` directories of versions installed side by side, newest first.
fn versioned(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

/// The installation in a directory, when it is complete and young enough.
fn usable(dir: &Path) -> Option<Binaries> {
    if !["postgres", "initdb", "pg_ctl"].iter().all(|name| dir.join(name).is_file()) {
        return None;
    }
    let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
    let version = parse_version(&String::from_utf8(output.stdout).ok()?)?;
    let binaries = Binaries { dir: dir.to_owned(), version };
    let major: u32 = binaries.major().parse().ok()?;
    (major >= MAJOR_MIN).then_some(binaries)
}

/// The version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; `18beta1` counts as 18.
fn parse_version(text: &str) -> Option<String> {
    let word = text.split_whitespace().nth(2)?;
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    word.get(..end).filter(|version| !version.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn the_version_is_read_from_what_every_packager_prints() {
        for (text, expected) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some("15.18")),
            ("postgres (PostgreSQL) 18beta1\n", Some("18")),
            ("postgres (PostgreSQL) 17.0\n", Some("17.0")),
            ("something else\n", None),
            ("", None),
        ] {
            assert_eq!(parse_version(text).as_deref(), expected, "{text:?}");
        }
    }
}

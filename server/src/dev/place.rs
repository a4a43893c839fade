//! The data directory of `tenure dev`: one process at a time, and a reset that removes only what
//! is ours.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::exit::{Exit, Stop};

/// Held by the running process; its presence also says that the directory is ours.
const LOCK: &str = "tenure.lock";
/// The purchase being played: it survives a kill, so that the next start finishes the same one.
const PURCHASE: &str = "purchase.json";

/// A locked data directory.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    // Dropping it gives the lock back; the system does so after kill -9.
    _lock: File,
}

/// The purchase being played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purchase {
    /// Its Idempotency-Key.
    pub(super) key: String,
    /// Its business identity, short enough to be read out.
    pub(super) purchase_id: String,
    /// Where its portal was when it began: part of the request, which must not change with a port.
    pub(super) portal_url: String,
    /// Whether it came to its end.
    pub(super) finished: bool,
}

/// Where the license of the played purchase lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptLicense {
    /// The license.
    pub(super) license: PathBuf,
    /// The public keys.
    pub(super) jwks: PathBuf,
}

impl Place {
    /// Makes and locks the directory.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be made.
    pub(super) fn take(root: &Path) -> anyhow::Result<Self> {
        let shown = root.display();
        fs::create_dir_all(root).with_context(|| {
            format!("the data directory {shown} cannot be made; choose another with --data-dir DIR")
        })?;
        let root = root.canonicalize().with_context(|| format!("{shown} cannot be resolved"))?;
        let path = root.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(|| {
                format!("{} cannot be opened; choose another with --data-dir DIR", path.display())
            })?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            lock.read_to_string(&mut holder).unwrap_or_default();
            let holder = holder.trim();
            return Err(Stop::new(
                Exit::Failure,
                format!(
                    "another tenure (process {holder}) uses {shown}; stop it, or choose another \
                     directory with --data-dir DIR and other ports with --api, --portal, --sandbox"
                ),
            )
            .into());
        }
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self { root, _lock: lock })
    }

    /// The directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A folder in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The purchase to play: the one that was cut off, else a new one.
    pub(super) fn purchase(&self, portal_url: &str) -> anyhow::Result<Purchase> {
        let path = self.join(PURCHASE);
        if let Ok(text) = fs::read_to_string(&path)
            && let Ok(purchase) = serde_json::from_str::<Purchase>(&text)
            && !purchase.finished
        {
            return Ok(purchase);
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
        let key = Uuid::from_bytes(bytes).to_string();
        let purchase_id = key.chars().take(8).collect();
        let portal_url = portal_url.to_owned();
        let purchase = Purchase { key, purchase_id, portal_url, finished: false };
        self.keep(&purchase)?;
        Ok(purchase)
    }

    /// Remembers how far the purchase is.
    pub(super) fn keep(&self, purchase: &Purchase) -> anyhow::Result<()> {
        let path = self.join(PURCHASE);
        let part = self.join("purchase.json.part");
        let text = serde_json::to_vec(purchase).context("a purchase is always JSON")?;
        File::create(&part)
            .and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&part, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Writes the license of the played purchase and the keys to verify it with, so that it can be
    /// verified while nothing runs.
    pub(super) fn keep_license(
        &self,
        license: Option<&str>,
        jwks: &serde_json::Value,
    ) -> anyhow::Result<Option<KeptLicense>> {
        let Some(license) = license else { return Ok(None) };
        let kept = KeptLicense { license: self.join("license.jwt"), jwks: self.join("jwks.json") };
        for (path, text) in [(&kept.license, license.to_owned()), (&kept.jwks, jwks.to_string())] {
            fs::write(path, format!("{text}\n"))
                .with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(Some(kept))
    }

    /// Removes everything in the directory, the lock last.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(super) fn clear(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            let path = entry.path();
            let removed = if entry.file_type()?.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        Ok(())
    }
}

/// Whether a directory is one of ours, so that a reset of a mistyped path removes nothing.
pub(super) fn is_ours(root: &Path) -> bool {
    root.join(LOCK).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> PathBuf {
        let mut entropy = [0; 8];
        getrandom::fill(&mut entropy).unwrap();
        std::env::temp_dir().join(format!("tenure-place-{:x}", u64::from_be_bytes(entropy)))
    }

    #[test]
    fn a_second_process_is_told_who_holds_the_directory() {
        let root = scratch();
        let first = Place::take(&root).unwrap();
        let error = Place::take(&root).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        assert!(text.contains("--data-dir"), "{text}");
        drop(first);
        let again = Place::take(&root).unwrap();
        drop(again);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_purchase_cut_off_is_played_on_and_a_finished_one_is_not() {
        let root = scratch();
        let place = Place::take(&root).unwrap();
        let mut first = place.purchase("http://127.0.0.1:1").unwrap();
        // Another port must not make it another request.
        assert_eq!(place.purchase("http://127.0.0.1:2").unwrap(), first);
        first.finished = true;
        place.keep(&first).unwrap();
        assert_ne!(place.purchase("http://127.0.0.1:2").unwrap().key, first.key);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_reset_keeps_only_the_lock() {
        let root = scratch();
        assert!(!is_ours(&root));
        let place = Place::take(&root).unwrap();
        fs::create_dir(place.join("sandbox")).unwrap();
        place.purchase("http://127.0.0.1:1").unwrap();
        place.clear().unwrap();
        assert!(is_ours(&root));
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
        fs::remove_dir_all(&root).unwrap();
    }
}

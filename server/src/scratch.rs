//! A folder for the time of one command.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A folder of this process under the system's temporary one, removed at the end.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one whose name begins with `prefix`.
    ///
    /// # Errors
    /// When the system gives no random bytes or the folder cannot be made.
    pub(crate) fn new(prefix: &str) -> anyhow::Result<Self> {
        let mut entropy = [0; 8];
        getrandom::fill(&mut entropy).context("the system gives no random bytes")?;
        let name = format!("{prefix}-{:016x}", u64::from_be_bytes(entropy));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "the scratch folder stays");
        }
    }
}

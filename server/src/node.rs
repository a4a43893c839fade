//! Who this node is. The same id after a restart takes its buckets back at once.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use uuid::Uuid;

/// Name space of ids made from node names (UUID v5 of the URL name space and `tenure.node`).
fn name_space() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, b"tenure.node")
}

/// The id of a named node.
#[must_use]
pub fn of_name(name: &str) -> Uuid {
    Uuid::new_v5(&name_space(), name.as_bytes())
}

/// The name of this machine, or `localhost`.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The id kept in `directory`, made at the first start.
///
/// # Errors
/// When the file cannot be read or written, or is not an id.
pub fn of_directory(directory: &Path) -> anyhow::Result<Uuid> {
    let path = directory.join("node");
    let shown = path.display();
    match std::fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .with_context(|| format!("{shown} is not a node id; remove it to get a new one")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
            let id = Uuid::new_v5(&name_space(), &bytes);
            // Whole or not at all: a half-written id would stop every later start.
            let part = directory.join("node.part");
            std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&part)
                .and_then(|mut file| {
                    writeln!(file, "{id}")?;
                    file.sync_all()
                })
                .and_then(|()| std::fs::rename(&part, &path))
                .with_context(|| format!("{shown} cannot be written"))?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_id_for_ever() {
        assert_eq!(of_name("a"), of_name("a"));
        assert_ne!(of_name("a"), of_name("b"));
    }

    #[test]
    fn a_directory_keeps_its_id() {
        let mut entropy = [0; 8];
        getrandom::fill(&mut entropy).unwrap();
        let name = format!("tenure-node-{:x}", u64::from_be_bytes(entropy));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).unwrap();
        let first = of_directory(&directory).unwrap();
        assert_eq!(of_directory(&directory).unwrap(), first);
        std::fs::write(directory.join("node"), "nonsense").unwrap();
        assert!(of_directory(&directory).unwrap_err().to_string().contains("remove it"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

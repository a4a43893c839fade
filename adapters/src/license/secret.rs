//! Files that only this user may read, made whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Bytes of a random secret.
const SECRET_BYTES: usize = 32;
/// Largest secret file that is read: a private key in PEM is below 200 bytes.
const SECRET_MAX_BYTES: u64 = 4096;

/// A random secret.
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Reads the secret of this name in a folder, or makes it from the system's random source.
pub(crate) fn open(dir: &Path, name: &str) -> Result<Secret, Error> {
    open_or_make(dir, name, || random().map(Vec::from)).map(Secret)
}

/// Random bytes.
pub(crate) fn random() -> Result<[u8; SECRET_BYTES], Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Reads a private file, or makes it with mode 0600.
pub(crate) fn open_or_make(
    dir: &Path,
    name: &str,
    make: impl FnOnce() -> Result<Vec<u8>, Error>,
) -> Result<Vec<u8>, Error> {
    private_dir(dir)?;
    let path = dir.join(name);
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other,
    }
    match create(&path, &make()?) {
        // Somebody made it in the meantime: theirs counts.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => read(&path),
    }
}

/// Makes a folder that only this user may enter.
pub(crate) fn private_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| told(dir, &error))
}

/// Writes a new file whole or not at all: under another name first, then linked, because a link
/// fails when the name is taken and a crash leaves no half-written file under it.
pub(crate) fn create(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| Error::other(error.to_string()))?;
    let draft = path.with_extension(format!("{:016x}.draft", u64::from_ne_bytes(nonce)));
    let written = write(&draft, bytes)
        .and_then(|()| fs::hard_link(&draft, path))
        .and_then(|()| path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()));
    let removed = fs::remove_file(&draft);
    written.map_err(|error| told(path, &error))?;
    removed.map_err(|error| told(&draft, &error))
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), Error> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(|error| told(path, &error))?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        let text = format!(
            "{} may be read by others (mode {:o}): restrict it with chmod 600",
            path.display(),
            mode & 0o777
        );
        return Err(Error::new(ErrorKind::PermissionDenied, text));
    }
    let mut bytes = Vec::new();
    file.take(SECRET_MAX_BYTES).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        let text = format!("{} is empty", path.display());
        return Err(Error::new(ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

fn told(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("{}: {error}", path.display()))
}

//! Whom the private server runs as: PostgreSQL refuses root.

use std::process::Command;

use rustix::process::geteuid;

use super::Error;

/// A user and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// `None` when we are no root: the server runs as we do.
pub(super) fn unprivileged() -> Result<Option<Account>, Error> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"].into_iter().find_map(lookup).map(Some).ok_or(Error::NoAccount)
}

/// Asks `id`, which knows every source of users (passwd, LDAP, macOS directories).
fn lookup(name: &str) -> Option<Account> {
    let ask = |option: &str| -> Option<u32> {
        let output = Command::new("id").args([option, name]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.trim().parse().ok().filter(|id| output.status.success() && *id != 0)
    };
    Some(Account { uid: ask("-u")?, gid: ask("-g")? })
}

//! Secrets travel through the machine as markers: no secret value ever enters the state, the
//! journal or a log. The runtime replaces them at the moment of the call.

/// Opens a marker: a code point of the private use area, which no YAML author types by accident.
pub const OPEN: char = '\u{E000}';
/// Closes a marker.
pub const CLOSE: char = '\u{E001}';

/// The text that stands for the secret `name` (`$secrets.name`).
#[must_use]
pub fn marker(name: &str) -> String {
    format!("{OPEN}secret:{name}{CLOSE}")
}

//! How a command ends: the exit codes, stable for scripts.

use std::process::ExitCode;

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok,
    /// It failed.
    Failure,
    /// It was called wrongly (clap's own code).
    Usage,
    /// What was asked for does not exist.
    NotFound,
    /// It contradicts what is there: another text, a newer schema, a taken key.
    Conflict,
    /// A definition or an input was refused.
    Invalid,
    /// A server, a database or a port is not to be had.
    Unavailable,
    /// The workflow ended in failure.
    Faulted,
    /// The workflow still waits, and nothing more can happen.
    Waiting,
    /// Stopped by a signal.
    Interrupted,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Invalid => 5,
            Self::Unavailable => 6,
            Self::Faulted => 7,
            Self::Waiting => 8,
            Self::Interrupted => 130,
        }
    }

    /// The end that fits an HTTP status of a server we asked.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            404 => Self::NotFound,
            409 | 412 | 428 => Self::Conflict,
            400 | 413 | 415 | 422 => Self::Invalid,
            429 | 500..=599 => Self::Unavailable,
            _ => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that knows its exit code; `anyhow` carries it up to `main`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Stop {
    /// How to end.
    pub exit: Exit,
    /// What to say.
    pub message: String,
}

impl Stop {
    /// An error with its end.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_a_server_become_exit_codes() {
        for (status, code) in
            [(200, 0), (201, 0), (401, 1), (404, 3), (409, 4), (422, 5), (415, 5), (503, 6)]
        {
            assert_eq!(Exit::of_status(status).code(), code, "{status}");
        }
    }
}

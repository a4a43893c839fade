//! What an error of the database means for us: one table, one place that repeats.

use std::future::Future;
use std::time::Duration;

use sqlx::Error as Cause;
use uuid::Uuid;

use crate::port::{Error, Result};

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The transaction was rolled back for a passing reason: repeat it.
    Again,
    /// The connection is gone, and with it perhaps the answer of a commit: repeat on another one.
    Reconnect,
    /// The database will not go on until people act.
    Refuse,
    /// These values cannot be stored; others may.
    Poison,
    /// Our statement or the stored value is wrong.
    Bug,
}

/// SQLSTATEs and classes of SQLSTATEs; the longest match counts.
const TABLE: &[(&str, Class)] = &[
    ("08", Class::Reconnect),
    // "cached plan must not change result type": a migration ran under a prepared statement.
    ("0A000", Class::Again),
    ("21", Class::Poison),
    ("22", Class::Poison),
    ("23", Class::Poison),
    // The server became a replica.
    ("25006", Class::Refuse),
    ("25", Class::Reconnect),
    // An unknown prepared statement: a pooler gave us another connection.
    ("26", Class::Reconnect),
    ("28", Class::Refuse),
    ("3D", Class::Refuse),
    ("3F", Class::Refuse),
    ("40", Class::Again),
    // Whether the commit happened is unknown.
    ("40003", Class::Reconnect),
    ("42", Class::Bug),
    // Permission, or a table or column that is missing: the schema is not migrated.
    ("42501", Class::Refuse),
    ("42703", Class::Refuse),
    ("42P01", Class::Refuse),
    ("53", Class::Refuse),
    ("53200", Class::Again),
    ("53300", Class::Reconnect),
    ("54", Class::Poison),
    ("55", Class::Again),
    ("57", Class::Reconnect),
    ("57014", Class::Again),
    ("57P04", Class::Refuse),
    ("58", Class::Refuse),
    ("F0", Class::Refuse),
    ("XX", Class::Refuse),
];

/// Pauses between the tries of one verb. After them the caller hears [`Error::Retry`].
const PAUSES_MS: [u64; 3] = [2, 20, 100];

/// What a SQLSTATE means.
fn class_of_state(code: &str) -> Class {
    TABLE
        .iter()
        .filter(|(prefix, _)| code.starts_with(prefix))
        .max_by_key(|(prefix, _)| prefix.len())
        .map_or(Class::Bug, |(_, class)| *class)
}

/// What an error means.
pub(crate) fn class(cause: &Cause) -> Class {
    if let Cause::Database(error) = cause {
        return error.code().map_or(Class::Bug, |code| class_of_state(&code));
    }
    if matches!(
        cause,
        Cause::Io(_)
            | Cause::Tls(_)
            | Cause::Protocol(_)
            | Cause::PoolTimedOut
            | Cause::WorkerCrashed
            | Cause::BeginFailed
    ) {
        Class::Reconnect
    } else if matches!(cause, Cause::PoolClosed | Cause::Configuration(_)) {
        Class::Refuse
    } else if matches!(cause, Cause::Encode(_)) {
        Class::Poison
    } else {
        // Decoding, a missing column, an invalid argument: sqlx may add more of these.
        Class::Bug
    }
}

/// Whether somebody else's row was first (SQLSTATE 23505).
pub(crate) fn is_unique_violation(cause: &Cause) -> bool {
    cause.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// The error of a verb.
pub(crate) fn error(verb: &'static str, cause: Cause) -> Error {
    let source = Box::new(cause);
    match class(&source) {
        Class::Again | Class::Reconnect => Error::Retry { verb, source },
        Class::Refuse => Error::Refused { verb, source },
        Class::Poison | Class::Bug => Error::Corrupt { verb, source },
    }
}

/// Runs one idempotent transaction, again after passing errors, a few times.
pub(crate) async fn with_retry<T, R, F>(verb: &'static str, run: R) -> Result<T>
where
    R: Fn() -> F + Send,
    F: Future<Output = sqlx::Result<T>> + Send,
    T: Send,
{
    retried(verb, run).await.map_err(|cause| error(verb, cause))
}

/// As [`with_retry`], with the last cause as it came.
pub(crate) async fn retried<T, R, F>(verb: &'static str, run: R) -> sqlx::Result<T>
where
    R: Fn() -> F + Send,
    F: Future<Output = sqlx::Result<T>> + Send,
    T: Send,
{
    for pause_ms in PAUSES_MS {
        let cause = match run().await {
            Ok(value) => return Ok(value),
            Err(cause) => cause,
        };
        match class(&cause) {
            Class::Again | Class::Reconnect => {
                tracing::warn!(verb, error = %cause, "the database did not answer, trying again");
            }
            Class::Refuse | Class::Poison | Class::Bug => return Err(cause),
        }
        tokio::time::sleep(Duration::from_millis(pause_ms + jitter_ms(pause_ms))).await;
    }
    run().await
}

/// Up to `most` milliseconds, different on every node: losers of a deadlock must not meet again.
fn jitter_ms(most: u64) -> u64 {
    let (_, low) = Uuid::now_v7().as_u64_pair();
    low % (most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sqlstate_has_one_meaning() {
        for (code, expected) in [
            ("40001", Class::Again),
            ("40P01", Class::Again),
            ("55P03", Class::Again),
            ("57014", Class::Again),
            ("53200", Class::Again),
            ("40003", Class::Reconnect),
            ("57P01", Class::Reconnect),
            ("57P03", Class::Reconnect),
            ("08006", Class::Reconnect),
            ("53300", Class::Reconnect),
            ("53100", Class::Refuse),
            ("25006", Class::Refuse),
            ("28P01", Class::Refuse),
            ("3D000", Class::Refuse),
            ("42P01", Class::Refuse),
            ("22021", Class::Poison),
            ("22P05", Class::Poison),
            ("23505", Class::Poison),
            ("54000", Class::Poison),
            ("42601", Class::Bug),
            ("99999", Class::Bug),
        ] {
            assert_eq!(class_of_state(code), expected, "{code}");
        }
    }

    #[test]
    fn a_dead_connection_is_repeated_and_a_wrong_column_is_not() {
        let gone = Cause::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(error("load", gone), Error::Retry { verb: "load", .. }));
        let wrong = Cause::ColumnNotFound("x".to_owned());
        assert!(matches!(error("load", wrong), Error::Corrupt { .. }));
        assert!(matches!(error("load", Cause::PoolClosed), Error::Refused { .. }));
    }
}

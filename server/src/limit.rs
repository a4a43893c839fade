//! Every limit of the door, by name. A request beyond one gets a problem that says which.

use std::time::Duration;

/// Longest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Longest time a client may take to send its request line and headers.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time one request may take, the wait of `Prefer: wait` included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// Open connections; further ones wait in the listen queue.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Requests in work at once; further ones are answered 503 with `Retry-After`.
pub const REQUESTS_MAX: usize = 256;
/// How long a shutdown waits for requests in work.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause of the accept loop after the system refused a connection (out of file descriptors).
pub const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Items of a page when the client does not say.
pub const PAGE_DEFAULT: i64 = 50;
/// Items of the longest page.
pub const PAGE_MAX: i64 = 500;
/// Journal rows read to find what an instance waits for.
pub const JOURNAL_TAIL: i64 = 200;
/// Children shown in the projection of an instance; the count says when there are more.
pub const CHILDREN_MAX: usize = 100;
/// Findings listed in one problem.
pub const PROBLEM_ERRORS_MAX: usize = 100;

/// Longest `Prefer: wait`, in seconds; a longer wish is cut to this.
pub const PREFER_WAIT_SECONDS_MAX: u64 = 60;
/// Longest Idempotency-Key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// Longest CloudEvents attribute, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 4_096;
/// Attributes of one CloudEvent.
pub const ATTRIBUTES_MAX: usize = 64;

/// `Retry-After` of a full or restarting server, in seconds.
pub const RETRY_AFTER_BUSY: u64 = 1;
/// `Retry-After` when people must act first, in seconds.
pub const RETRY_AFTER_REFUSED: u64 = 30;

/// Longest file the CLI reads, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Total time of one request of the CLI to a server.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Stack of a thread that compiles definitions or runs jq.
pub const STACK_BYTES: usize = 64 * 1024 * 1024;

//! Every limit of the machine, by name.

use jiff::SignedDuration;

/// Longest business key, in bytes; longer ones are refused, not cut.
pub const BUSINESS_KEY_BYTES_MAX: usize = 256;

/// Tasks entered within one step; beyond, the instance faults instead of looping for ever.
pub const TASKS_PER_STEP_MAX: u32 = 10_000;

/// Longest delay before a `retry`; a larger result of the backoff is cut to this.
pub const RETRY_DELAY_MAX: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How long after its intent an attempt may still be sent, at most; never longer than its deadline.
pub const SEND_WINDOW_MAX_MS: u64 = 10_000;

/// Unknown outcomes under one key before a person is asked.
pub const UNKNOWNS_MAX: u32 = 8;

/// Longest settle time; the settle time doubles with every further unknown outcome up to this.
pub const SETTLE_MAX_MS: u64 = 3_600_000;

/// Longest delay between attempts of a rejected call; a vendor's `retry_after` may exceed it.
pub const CALL_DELAY_MAX_MS: u64 = 3_600_000;

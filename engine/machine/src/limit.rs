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

/// Longest delay between attempts of a rejected call that we choose ourselves.
pub const CALL_DELAY_MAX_MS: u64 = 3_600_000;

/// Times a look-up may say *absent* for one effect, each followed by another attempt, before a
/// person is asked: a vendor whose books lag looks like that.
pub const ABSENCES_MAX: u32 = 4;

/// Attempts in a row that were never sent before a person is asked. Load alone makes some: they do
/// not use up the vendor's retries.
pub const UNSENT_MAX: u32 = 100;

/// Attempts in a row that were never sent before a call without a connection (`call: http`, `call:
/// openapi`) fails with `communication`: nobody but the definition knows its address.
pub const UNSENT_OF_DEFINITION_MAX: u32 = 3;
/// Most events a `listen` keeps for its output or its `until`: the state is written at every step.
pub const LISTEN_CONSUMED_MAX: usize = 1_000;

/// Events that wait in the state for their turn of a `foreach`; further ones wait in the inbox.
pub const LISTEN_QUEUE_MAX: usize = 64;

/// Deepest nesting of a value that comes in from outside. What we wrap around it must still be
/// readable by every JSON parser (the usual limit is 128).
pub const JSON_DEPTH_MAX: usize = 100;

/// Longest wish of a vendor (`retry_after`) that is honored; a longer one is cut to this.
pub const RETRY_AFTER_MAX_MS: u64 = 7 * 24 * 3_600_000;

/// Longest name of a lock, in bytes.
pub const LOCK_NAME_BYTES_MAX: usize = 256;

/// Most completed tasks of an instance that wait to be undone; one more faults.
pub const COMPENSATIONS_MAX: usize = 10_000;

/// Retries of one compensation before a person is asked.
pub const COMPENSATION_RETRIES_MAX: u32 = 8;

/// Delay before the first retry of a compensation; doubles with each further one.
pub const COMPENSATION_DELAY_MS: u64 = 1_000;

/// Longest value of an attribute an instance is found by, in bytes; a longer one is left out.
pub const ATTRIBUTE_BYTES_MAX: usize = 256;

/// Most effects of an instance that were abandoned in doubt or came back late; one more faults: an
/// instance that leaves one behind at every turn must be seen before its state grows.
pub const ABANDONED_MAX: usize = 256;

/// Largest payload that is kept (an input, an answer, an event, `$context`), in bytes of JSON. A step
/// that would keep a larger one is not written: the instance is parked as an incident.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// Largest state of an instance, and largest journal of one step, in bytes of JSON: many payloads.
pub const STATE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest late answer that is kept with an effect, in bytes of JSON; of a larger one the size is:
/// evidence must never be what cannot be written.
pub const LATE_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Most keys of authors that an instance remembers as refused; beyond, the oldest is forgotten, and the
/// vendor refuses it once more.
pub const REFUSED_KEYS_MAX: usize = 256;

//! Floor 6: what the tests of the whole house share.
//!
//! The tests themselves lie in `tests/`, one file per theme.

pub mod crash;
pub mod random;
pub mod world;

//! The socket every vendor plug fits into, and the words both sides speak.
//!
//! This is the lowest room of the house: a compiled definition pins the [`Manifest`] of every
//! function it calls, the machine decides by the [`Outcome`] a call came back with, and a plug
//! implements [`Adapter`]. No I/O, no clock and no retry live here: *one attempt* goes in, one
//! outcome comes out, and everything about trying again belongs to the machine.
//!
//! Where to go next: `engine/definition` (who pins manifests), `engine/machine` (who reads
//! outcomes), `adapters` (the plugs).

mod adapter;
mod catalog;
pub mod contract;
mod manifest;
mod outcome;
mod problem;
mod registry;

pub use adapter::{Adapter, Origin, Request};
pub use catalog::{Catalog, FormatCheck, ResolveError};
pub use manifest::{EffectClass, Manifest, RaisedError, RetryDefault};
pub use outcome::{DeclineClass, Lookup, Outcome, Reason};
pub use problem::{Problem, error_type};
pub use registry::Registry;

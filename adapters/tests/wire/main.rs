//! The plugs against the sandbox: real HTTP on loopback, no mocks.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod license;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod purchase;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod web;

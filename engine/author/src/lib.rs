//! The author's desk: what helps to write, draw, explain and test a definition.
//!
//! Each tool is a library function that takes texts and plans and gives text or data; the command
//! line only reads files and prints. Nothing here is needed to run an instance.

pub mod scenario;

//! The door, knocked at.

//! Language model.

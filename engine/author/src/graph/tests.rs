//! Small definitions and their drawings.

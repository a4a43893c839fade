//! Mistakes that only show when the whole is looked at.

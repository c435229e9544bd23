//! Part of ordered.

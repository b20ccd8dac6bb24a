//! tokenbed-rng

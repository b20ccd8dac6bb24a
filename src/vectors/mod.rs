//! Nearest rows and principal components.

pub mod components;
pub mod neighbours;

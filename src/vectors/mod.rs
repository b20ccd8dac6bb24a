//! Nearest rows, principal components, what is wrong with a table, sums of rows.

pub mod components;
pub mod health;
pub mod neighbours;
pub mod row_sums;

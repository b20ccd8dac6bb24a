//! Nearest rows, principal components, a health report on a table, and sums of rows.

pub mod components;
pub mod health;
pub mod neighbours;
pub mod row_sums;

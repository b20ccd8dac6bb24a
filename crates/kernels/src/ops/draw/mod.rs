//! Random numbers: the engine and what is drawn from it.

pub mod draw_normal;
pub mod draw_uniform;
pub mod mt19937;

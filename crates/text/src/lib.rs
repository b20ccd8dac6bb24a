//! tokenbed-text

//! tokenbed-core

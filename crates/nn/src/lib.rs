//! tokenbed-nn

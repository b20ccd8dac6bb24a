//! tokenbed-io

//! tokenbed-testkit

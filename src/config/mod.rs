//! The configuration: layers merged once into one immutable value, and errors that name file, line and nearest name.
//!
//! Owns the file format (design: Configuration). It must not open connections or start tasks; reading the files of
//! its own layers is its only I/O.

mod endpoint;

pub use endpoint::{DEFAULT_SOCKET, Endpoint, EndpointError, SshEngine, TlsFiles};

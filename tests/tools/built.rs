//! Which program tests and measurements run.

/// What `QD_PROGRAM` names: the build that is installed, say, which has other hashes and another layout than what cargo builds beside the
/// tests. Else the latter.
pub fn program() -> String {
    std::env::var("QD_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_quarterdeck").to_owned())
}

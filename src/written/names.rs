//! What may be a name. Pure.

/// `[a-z0-9][a-z0-9-]*`: an app, a service, an image, a job, a volume. Services find each other by it, so it is no longer than a label of
/// DNS (RFC 1035, 2.3.4).
pub(crate) fn plain_ok(name: &str) -> bool {
    !name.starts_with('-')
        && (1..=63).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// `[a-z0-9]+`: without a dash, because dashes part the names of what is started in an environment.
pub(crate) fn environment_ok(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Letters, digits and `. _ -`, beginning with a letter or digit: a host, a balancer.
pub(crate) fn host_ok(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

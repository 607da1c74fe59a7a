//! SSH by libssh2: one session and one thread per host, a `direct-streamlocal` channel per stream.

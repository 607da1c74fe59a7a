//! A simulated fleet: engines that speak the real Docker HTTP API on real sockets, driven by scenarios.

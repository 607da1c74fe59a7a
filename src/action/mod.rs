//! The catalogue of actions: one row per action, from which palette, help, key hints and the README's table follow.

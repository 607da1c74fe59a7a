//! What may leave this process: one value, asked where bytes would leave.

//! An egress forward proxy that decides in three phases what may leave.

fn main() {}

//! Measures a proxy honestly; and a fast test origin.

fn main() {}

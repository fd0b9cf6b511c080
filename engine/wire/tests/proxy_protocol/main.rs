//! PROXY protocol headers by the cases of the specification, however they arrive, and back.
#![cfg(test)]

mod binary;
mod fixture;
mod lines;
mod round_trip;
mod tlvs;

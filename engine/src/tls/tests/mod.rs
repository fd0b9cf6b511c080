//! Tests of the certificate rooms: authorities, minting, the cache, and a matrix of bad origins.

mod fixture;
mod minting;

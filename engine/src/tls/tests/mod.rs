//! Tests of the certificate rooms: authorities, minting, the cache, and a matrix of bad origins.

mod authorities;
mod browsers;
mod cache;
mod files;
mod fixture;
mod minting;
mod mutations;
mod origin_facts;
mod origins;
mod unusable;

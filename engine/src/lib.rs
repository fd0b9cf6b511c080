//! The engine of Sallyport: an egress forward proxy that decides in three phases what may leave.

#![forbid(unsafe_code)]

pub mod access_log;
pub mod config;
pub mod limits;

//! What RFC 9113 asks of a connection, rule by rule, and what bounds one.

mod ends;
mod floods;
mod flow;
mod frames;
mod messages;
mod support;

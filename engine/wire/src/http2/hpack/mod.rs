//! Header compression (RFC 7541): the decoder writes lines of text, the encoder takes names and values.

mod decode;
mod encode;
mod fault;
mod huffman;
mod huffman_code;
mod index;
mod integer;
mod name;
mod static_table;
mod table;

pub(super) use decode::{Decoded, Decoder, Field};
pub(super) use encode::Encoder;
pub(super) use fault::CompressionFault;
pub(super) use name::{FieldName, Pseudo};

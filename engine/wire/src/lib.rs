//! Codecs without I/O: HTTP/1 heads and bodies, targets, ClientHello.

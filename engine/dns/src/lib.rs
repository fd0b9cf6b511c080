//! A stub resolver without sockets: queries, retries, CNAME chains, cache.

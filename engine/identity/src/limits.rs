//! Bounds of what clients and files may say.

/// Longest value of `Proxy-Authorization`. JWTs of large organizations reach 4 KiB.
pub const AUTHORIZATION_BYTES_MAX: usize = 8 * 1024;
/// Longest name of a user or a token.
pub const NAME_BYTES_MAX: usize = 256;
/// Most entries of a file: some 20 MiB in memory.
pub const ENTRIES_MAX: usize = 100_000;
/// Most names of a client's certificate.
pub const CERTIFICATE_NAMES_MAX: usize = 64;
/// Most memory that verifying one password may take, KiB: each thread that verifies takes as much.
pub const ARGON2_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Most passes over that memory.
pub const ARGON2_ITERATIONS_MAX: u32 = 16;
/// Most lanes of that memory.
pub const ARGON2_LANES_MAX: u32 = 16;
/// Largest cost of bcrypt: 2^16 rounds take seconds.
pub const BCRYPT_COST_MAX: u32 = 16;
/// Longest password that bcrypt sees all of. It takes a zero byte behind the password into account.
pub const BCRYPT_PASSWORD_BYTES_MAX: usize = 71;
/// Longest token that is read: no longer one arrives in `Proxy-Authorization`.
pub const JWT_BYTES_MAX: usize = AUTHORIZATION_BYTES_MAX;
/// How far the clocks of an issuer and this machine may be believed to differ, seconds (RFC 7519 section
/// 4.1.4: no more than a few minutes).
pub const LEEWAY_SECONDS_MAX: u32 = 300;
/// How long a verified token may be remembered at most, seconds: a key that was withdrawn counts no longer
/// than this.
pub const REMEMBERED_SECONDS_MAX: u32 = 300;
/// Longest JWKS document. Large issuers publish a dozen keys with certificates, some 30 KiB.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// Most keys of a JWKS document.
pub const KEYS_MAX: usize = 128;
/// Most keys that are tried for a token that does not say which it means: each takes up to 200 µs.
pub const KEYS_TRIED_MAX: usize = 4;
/// Longest `kid`.
pub const KEY_ID_BYTES_MAX: usize = 256;
/// Shortest RSA modulus (RFC 7518 section 3.3).
pub const RSA_BITS_MIN: usize = 2048;
/// Longest RSA modulus.
pub const RSA_BITS_MAX: usize = 8192;

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

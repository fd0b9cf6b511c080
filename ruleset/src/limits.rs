//! Every bound of the crate, in one place. The compiler and the engine read them too.

/// Longest domain name in its normal form, in bytes, without the trailing dot (RFC 1035 2.3.4).
pub const DOMAIN_BYTES_MAX: usize = 253;
/// Longest label of a domain name, in bytes (RFC 1035 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;
/// Longest value of a condition, in bytes.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;
/// Most rules of one ruleset, over all groups and phases.
pub const RULES_MAX: usize = 4_000_000;
/// Most states of the automaton of one regular expression.
pub const REGEX_STATES_MAX: usize = 32_000;
/// Most memory of the automaton of one regular expression, in the bundle, in bytes.
pub const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// Most memory of the automata of all regular expressions of a bundle, alone and in families, in bytes.
pub const AUTOMATA_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Most states of the automata of all regular expressions of a bundle, each alone. Building a state takes
/// microseconds.
pub const AUTOMATA_STATES_MAX: usize = 1_500_000;
/// Most globs and regular expressions of a bundle that have no literal of two bytes or more, and so
/// are tried whenever their rule is looked at.
pub const ON_DEMAND_PATTERNS_MAX: usize = 4_096;
/// Most shapes by which the globs of one form of a text are found: each is looked for at every place.
pub const WINDOWS_MAX: usize = 4;
/// Longest piece of a glob between two `*` that has a `?`: it is tried at every place of a text.
pub const GLOB_SEARCHED_BYTES_MAX: usize = 64;
/// Most memory that building the automaton of one regular expression may take, in bytes.
pub const REGEX_BUILD_BYTES_MAX: usize = 8 * 1024 * 1024;

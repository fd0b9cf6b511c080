//! Bounds of the compiler: how much it reads and how much it says.
//!
//! Bounds on what a bundle may hold live in the ruleset crate, which enforces them again at load.

/// Largest source file, in bytes. Offsets into a file are 32 bits wide.
pub const SOURCE_FILE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Rules in one group over all phases, unless the caller asks for another bound.
pub const GROUP_RULES_MAX_DEFAULT: usize = 1_000;

/// Diagnostics kept for one file; the rest is only counted. A binary file given as a list would
/// otherwise print a line for each of its own.
pub const FILE_DIAGNOSTICS_MAX: usize = 100;

/// Longest name of a group, rule or list, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// Longest description of a rule, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// Values that lists are expanded to, over all conditions that do not just share a list. Keeps
/// many conditions with a long list each from filling the memory: 50 million take some GiB.
pub const EXPANDED_VALUES_MAX: usize = 50_000_000;

/// Characters of a source line that a diagnostic shows.
pub const SHOWN_LINE_CHARS_MAX: usize = 100;

/// Earlier rules that each rule is compared with when looking for those that cover it. Keeps the
/// search linear in the number of rules.
pub const COVERING_CANDIDATES_MAX: usize = 256;

/// Earlier rules that are taken away, one after the other and again for each part that is left,
/// when looking for several that cover a rule together.
pub const COVERING_STEPS_MAX: usize = 2_000;

/// The same, over all rules of a phase: a step is about a microsecond.
pub const COVERING_PHASE_STEPS_MAX: usize = 1_000_000;

/// Pairs of ranges that are compared to find out whether two tests of a number, a time or an
/// address leave anything.
pub const COVERING_RANGES_MAX: usize = 10_000;

/// Values that are looked up when comparing rules with earlier ones, over a whole phase; patterns that
/// are compared with each other count eightfold. Long lists that differ in their last value would
/// otherwise make this the longest stage.
pub const COVERING_LOOKUPS_MAX: usize = 32_000_000;

/// Values that are examined for being covered by others, over a whole ruleset.
pub const COVERED_VALUES_MAX: usize = 4_000_000;

const _: () = assert!(SOURCE_FILE_BYTES_MAX < u32::MAX as usize);

//! The frame of a bundle: magic, version, one row per section, and the bundle's identity.
//!
//! ```text
//! 0   magic "SPBUNDLE"
//! 8   format version, section count                       u32, u32
//! 16  identity: SHA-256 of bytes 0..16 and of the rows     32 bytes
//! 48  rows: offset, length, SHA-256 of the section         u64, u64, 32 bytes
//! …   sections in the order of `Section::ALL`, each at a multiple of 8, zeros between
//! …   a signature, or nothing (`signature.rs`)
//! ```
//! The rows hold the hashes of all content, so the identity covers every byte with one pass.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::BundleError;
use super::signature::Signature;
use crate::invariant::Invariant;

const MAGIC: &[u8; 8] = b"SPBUNDLE";
/// Raised with every change of the format.
pub(super) const VERSION: u32 = 10;
const FIXED_BYTES: usize = 48;
const ROW_BYTES: usize = 48;
const ALIGNMENT: usize = 8;

macro_rules! sections {
    ($($variant:ident $name:literal,)+) => {
        /// The parts of a bundle, in the order of the file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Section { $($variant,)+ }

        impl Section {
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)+];

            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

sections! {
    Meta "head",
    Groups "groups",
    Rules "rules",
    Conditions "conditions",
    Predicates "predicates",
    Fields "fields",
    Views "views",
    Tables "tables",
    Meanings "meanings",
    Trees "trees",
    Bounds "bounds",
    Nodes "nodes",
    Needles "needles",
    Windows "windows",
    WindowKeys "window keys",
    Patterns "patterns",
    AutomataIndex "automata index",
    Families "families",
    Reports "reports",
    Residuals "residuals",
    Schedules "schedules",
    Zones "zones",
    Transitions "transitions",
    Access "access",
    Lists "lists",
    Slots "slots",
    Automata "automata",
    PhaseCosts "costs of phases",
    Costs "costs of sources",
    CostlyRules "costly rules",
    TestsWritten "conditions as written",
    Strings "strings",
}

/// Identity and places of the sections of a bundle whose hashes fit.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) id: [u8; 32],
    pub(super) signature: Option<Signature>,
    sections: Vec<Range<usize>>,
}

impl Frame {
    /// Where the content ends: before the signature.
    pub(super) fn content_end(&self) -> usize {
        self.sections.last().or_broken("the last section").end
    }

    /// Where a section lies; within the bytes that the frame was read from.
    pub(super) fn range(&self, section: Section) -> Range<usize> {
        let range = self.sections.get(section as usize);
        range.or_broken("a section").clone()
    }

    /// Checks the frame and all hashes.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        let (fixed, _) = bytes
            .split_first_chunk::<FIXED_BYTES>()
            .ok_or(BundleError::NotABundle)?;
        let (head, id) = fixed
            .split_first_chunk::<16>()
            .ok_or(BundleError::NotABundle)?;
        let [
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            m6,
            m7,
            v0,
            v1,
            v2,
            v3,
            c0,
            c1,
            c2,
            c3,
        ] = *head;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != *MAGIC {
            return Err(BundleError::NotABundle);
        }
        let found = u32::from_le_bytes([v0, v1, v2, v3]);
        let count = u32::from_le_bytes([c0, c1, c2, c3]);
        if found != VERSION {
            return Err(BundleError::Version {
                found,
                expected: VERSION,
            });
        }
        if count as usize != Section::ALL.len() {
            return Err(BundleError::Damaged { section: "head" });
        }
        let rows_bytes = Section::ALL.len() * ROW_BYTES;
        let rows = bytes
            .get(FIXED_BYTES..FIXED_BYTES + rows_bytes)
            .ok_or(BundleError::Length)?;
        let computed: [u8; 32] = Sha256::new()
            .chain_update(head)
            .chain_update(rows)
            .finalize()
            .into();
        if computed != *id {
            return Err(BundleError::Damaged { section: "head" });
        }
        let sections = read_rows(bytes, rows)?;
        let end = sections.last().or_broken("the last section").end;
        let signature = match bytes.get(end..).or_broken("the end of the sections") {
            [] => None,
            trailer => Some(Signature::read(trailer).ok_or(BundleError::Length)?),
        };
        Ok(Self {
            id: computed,
            signature,
            sections,
        })
    }
}

fn read_rows(bytes: &[u8], rows: &[u8]) -> Result<Vec<Range<usize>>, BundleError> {
    let mut ranges = Vec::with_capacity(Section::ALL.len());
    let mut end = FIXED_BYTES + rows.len();
    for (section, row) in Section::ALL.iter().zip(rows.as_chunks::<ROW_BYTES>().0) {
        let ([offset, length], hash) = split_row(row).ok_or(BundleError::Length)?;
        let start = end.next_multiple_of(ALIGNMENT);
        let gap = bytes.get(end..start).ok_or(BundleError::Length)?;
        if offset != start || gap.iter().any(|byte| *byte != 0) {
            return Err(BundleError::Damaged {
                section: section.name(),
            });
        }
        end = start.checked_add(length).ok_or(BundleError::Length)?;
        let content = bytes.get(start..end).ok_or(BundleError::Length)?;
        if Sha256::digest(content).as_slice() != hash {
            return Err(BundleError::Damaged {
                section: section.name(),
            });
        }
        ranges.push(start..end);
    }
    Ok(ranges)
}

fn split_row(row: &[u8; ROW_BYTES]) -> Option<([usize; 2], &[u8])> {
    let (offset, rest) = row.split_first_chunk::<8>()?;
    let (length, hash) = rest.split_first_chunk::<8>()?;
    let number = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).ok();
    Some(([number(offset)?, number(length)?], hash))
}

/// Joins sections, given in the order of [`Section::ALL`], into a bundle.
pub(super) fn join(sections: &[Vec<u8>]) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    let count = u32::try_from(sections.len()).ok();
    head.extend(count.or_broken("the number of sections").to_le_bytes());
    let mut rows = Vec::new();
    let mut end = FIXED_BYTES + sections.len() * ROW_BYTES;
    for section in sections {
        let start = end.next_multiple_of(ALIGNMENT);
        rows.extend((start as u64).to_le_bytes());
        rows.extend((section.len() as u64).to_le_bytes());
        rows.extend_from_slice(&Sha256::digest(section));
        end = start + section.len();
    }
    let id = Sha256::new()
        .chain_update(&head)
        .chain_update(&rows)
        .finalize();
    let mut bytes = Vec::with_capacity(end);
    bytes.extend(head);
    bytes.extend_from_slice(&id);
    bytes.extend(rows);
    for section in sections {
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes.extend_from_slice(section);
    }
    bytes
}

/// Makes all hashes of a bundle fit its content again, so that fuzz targets reach the checks behind
/// them. `None` when the sections cannot be told apart. Not a way to repair a bundle.
#[must_use]
pub fn reseal(bytes: &[u8]) -> Option<Vec<u8>> {
    let rows = bytes.get(FIXED_BYTES..FIXED_BYTES + Section::ALL.len() * ROW_BYTES)?;
    let mut sections = Vec::new();
    for row in rows.as_chunks::<ROW_BYTES>().0 {
        let ([offset, length], _) = split_row(row)?;
        sections.push(bytes.get(offset..offset.checked_add(length)?)?.to_vec());
    }
    let total: usize = sections.iter().map(Vec::len).sum();
    (total <= bytes.len()).then(|| join(&sections))
}

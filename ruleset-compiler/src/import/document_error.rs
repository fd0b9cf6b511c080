//! Why a file is no JSON, YAML or Terraform that can be read.

/// What is wrong with it, and where.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It breaks the grammar of JSON.
    #[error(transparent)]
    Json(#[from] jsonc_parser::errors::ParseError),
    /// It breaks the grammar of YAML.
    #[error(transparent)]
    Yaml(#[from] saphyr_parser::ScanError),
    /// It breaks the grammar of Terraform.
    #[error("line {line}: {message}")]
    Terraform {
        /// From 1.
        line: usize,
        /// What was expected.
        message: String,
    },
    /// There is no document in it.
    #[error("the file is empty")]
    Empty,
    /// An alias whose anchor is nowhere before it.
    #[error("line {line}: an alias of nothing")]
    UnknownAlias {
        /// From 1.
        line: usize,
    },
    /// More values than are kept, with those that aliases repeat.
    #[error("line {line}: more than {most} values")]
    TooManyValues {
        /// Of the first too many, from 1.
        line: usize,
        /// The bound.
        most: usize,
    },
    /// More values within values than are kept.
    #[error("line {line}: values are nested more than {most} deep")]
    TooDeep {
        /// Of the first too deep, from 1.
        line: usize,
        /// The bound.
        most: usize,
    },
}

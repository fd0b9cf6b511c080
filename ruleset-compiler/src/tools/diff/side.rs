//! One of the two rulesets that are compared: from rule text or from a bundle, with both
//! evaluators.

use std::path::{Path, PathBuf};

use sallyport_ruleset::bundle::write;
use sallyport_ruleset::reference::Reference;
use sallyport_ruleset::{
    BuildRecord, Bundle, BundleError, Facts, Outcome, Phase, RuleIndex, Ruleset, Verdict,
    WriteError, evaluate,
};

use crate::source::BundleFileError;
use crate::terminal::{CliError, Terminal};
use crate::tools::bundle_file::load_or_compile;

/// A ruleset and the bundle that it becomes.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) path: PathBuf,
    pub(super) bundle: Bundle,
    pub(super) ruleset: Ruleset,
}

/// Why rulesets in memory cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// One has no form as a bundle.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The bundle of one is not read back.
    #[error(transparent)]
    Load(#[from] BundleError),
    /// The evaluator that they are compared by refuses one.
    #[error(transparent)]
    Evaluator(#[from] CliError),
}

/// What a side says about facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) verdict: Verdict,
    pub(super) alerts: Vec<RuleIndex>,
}

impl Side {
    /// Reads a bundle, or compiles rule text; problems of rule text are said as `check` says them.
    /// `None`: there were some.
    pub(super) fn load(path: &Path, terminal: &mut Terminal<'_>) -> Result<Option<Self>, CliError> {
        let Some(bundle) = load_or_compile(path, terminal)? else {
            return Ok(None);
        };
        let ruleset = bundle.ruleset().map_err(|error| BundleFileError::Bad {
            path: path.to_owned(),
            error,
        })?;
        Ok(Some(Self {
            path: path.to_owned(),
            bundle,
            ruleset,
        }))
    }

    /// A ruleset in memory.
    pub(super) fn of(ruleset: &Ruleset) -> Result<Self, CompareError> {
        let bytes = write(ruleset, &BuildRecord::default())?;
        let bundle = Bundle::load(bytes)?;
        Ok(Self {
            path: PathBuf::new(),
            ruleset: bundle.ruleset()?,
            bundle,
        })
    }

    /// What both evaluators say; `None` when they do not agree, or say nothing.
    pub(super) fn ask(
        &self,
        reference: &Reference<'_>,
        phase: Phase,
        facts: &Facts<'_>,
    ) -> Option<Said> {
        let mut scratch = self.bundle.scratch();
        let outcome = evaluate(&self.bundle, phase, facts, &mut scratch);
        let expected = reference.evaluate(phase, facts);
        let agree = outcome == expected.outcome && scratch.alerts() == expected.alerts;
        match outcome {
            Outcome::Decided(verdict) if agree => Some(Said {
                verdict,
                alerts: expected.alerts,
            }),
            _ => None,
        }
    }
}

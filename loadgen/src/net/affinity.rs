//! What the kernel grants a thread or the process: CPU, exactness of timers, descriptors.

use std::num::NonZeroU64;

use crate::error::LoadError;

/// A list of CPUs as in `--pin 1` or `--pin 0,2-3`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct CpuList(Vec<usize>);

/// What a list of CPUs cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CpuListError {
    #[error("`{0}` is not a CPU number")]
    Number(String),
    #[error("`{0}` is not a range of CPUs")]
    Range(String),
}

impl std::str::FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let number = |part: &str| {
            part.trim()
                .parse::<usize>()
                .map_err(|_| CpuListError::Number(part.to_owned()))
        };
        let mut cpus = Vec::new();
        for part in text.split(',') {
            match part.split_once('-') {
                None => cpus.push(number(part)?),
                Some((first, last)) => {
                    let (first, last) = (number(first)?, number(last)?);
                    if last < first || last > 4_095 {
                        return Err(CpuListError::Range(part.to_owned()));
                    }
                    cpus.extend(first..=last);
                }
            }
        }
        Ok(Self(cpus))
    }
}

impl TryFrom<String> for CpuList {
    type Error = CpuListError;

    fn try_from(text: String) -> Result<Self, CpuListError> {
        text.parse()
    }
}

impl std::fmt::Display for CpuList {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(usize::to_string).collect();
        out.write_str(&numbers.join(","))
    }
}

impl CpuList {
    /// Pins the calling thread, the `thread_index`-th of its kind; does nothing for an empty list.
    pub(crate) fn pin(&self, thread_index: usize) -> Result<(), LoadError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let Some(&id) = self.0.get(thread_index % self.0.len()) else {
            return Ok(());
        };
        if core_affinity::set_for_current(core_affinity::CoreId { id }) {
            Ok(())
        } else {
            Err(LoadError::Usage(format!(
                "--pin: this thread may not run on CPU {id}"
            )))
        }
    }
}

/// Asks the kernel to fire this thread's timers on time rather than up to 50 µs later in company.
pub(crate) fn set_exact_timers() -> Result<(), LoadError> {
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))
        .map_err(|error| LoadError::io("timer slack")(error.into()))
}

/// Allows this process as many descriptors as the system grants it.
pub(crate) fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    // Without it the run works up to the softer limit, and says so when that is reached.
    let _ = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        assert_eq!("1".parse(), Ok(CpuList(vec![1])));
        assert_eq!("0,2-4".parse(), Ok(CpuList(vec![0, 2, 3, 4])));
        for wrong in ["", "a", "3-1", "0-999999", "1,"] {
            assert!(wrong.parse::<CpuList>().is_err(), "{wrong}");
        }
    }
}

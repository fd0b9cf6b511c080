//! CPU time and memory of the measured process and its descendants, from /proc.
//!
//! CPU time is that of whole thread groups, threads that have ended included. A child that ends
//! within the window takes its time with it, unless its parent has waited for it.

use std::fs;
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::json::ProcessFigures;
use crate::error::LoadError;

/// What a set of processes had used at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    at: Instant,
    pids: Vec<i32>,
    cpu: Duration,
    user_ticks: u64,
    system_ticks: u64,
    rss_bytes: u64,
}

impl Sample {
    /// Reads the processes and their descendants; fails if one of `roots` is not there.
    pub(crate) fn take(roots: &[i32]) -> Result<Self, LoadError> {
        let mut pids = roots.to_vec();
        let mut next = 0;
        while let Some(&pid) = pids.get(next) {
            let found = children(pid)
                .into_iter()
                .filter(|child| !pids.contains(child));
            let found: Vec<i32> = found.collect();
            pids.extend(found);
            next += 1;
        }
        let mut sample = Self {
            at: Instant::now(),
            pids: Vec::new(),
            cpu: Duration::ZERO,
            user_ticks: 0,
            system_ticks: 0,
            rss_bytes: 0,
        };
        for pid in pids {
            if !sample.add(pid) && roots.contains(&pid) {
                return Err(LoadError::Usage(format!("--pid {pid}: no such process")));
            }
        }
        Ok(sample)
    }

    /// Adds one process; `false` if it has gone.
    fn add(&mut self, pid: i32) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            return false;
        };
        let cpu = clock_getcpuclockid(Pid::from_raw(pid)).and_then(clock_gettime);
        let (Some(stat), Ok(cpu)) = (Stat::parse(&stat), cpu) else {
            return false;
        };
        self.pids.push(pid);
        self.cpu += Duration::from(cpu);
        self.user_ticks += stat.user_ticks;
        self.system_ticks += stat.system_ticks;
        self.rss_bytes += stat.rss_pages * page_bytes();
        true
    }

    /// Resident memory.
    pub(crate) fn rss_bytes(&self) -> u64 {
        self.rss_bytes
    }

    /// What was used between two samples, over a window of `window`.
    pub(super) fn until(&self, end: &Self, window: Duration) -> ProcessFigures {
        let us = |duration: Duration| duration.as_secs_f64() * 1e6;
        // The samples lie a little beside the window: what counts is the rate.
        let elapsed = end
            .at
            .saturating_duration_since(self.at)
            .as_secs_f64()
            .max(1e-9);
        let scale = window.as_secs_f64() / elapsed;
        let cpu_us = us(end.cpu.saturating_sub(self.cpu)) * scale;
        let user = end.user_ticks.saturating_sub(self.user_ticks) as f64;
        let system = end.system_ticks.saturating_sub(self.system_ticks) as f64;
        // Ticks are coarse: they only tell how to divide the exact sum.
        let user_share = if user + system > 0.0 {
            user / (user + system)
        } else {
            0.0
        };
        ProcessFigures {
            pids: end.pids.clone(),
            cpu_us,
            cpu_user_us: cpu_us * user_share,
            cpu_system_us: cpu_us * (1.0 - user_share),
            cpu_us_per_request: None,
            cpu_s_per_gib: None,
            cpu_ratio: cpu_us / us(window).max(1.0),
            rss_bytes: end.rss_bytes,
            rss_bytes_max: end.rss_bytes.max(self.rss_bytes),
        }
    }
}

/// The fields of /proc/PID/stat that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    user_ticks: u64,
    system_ticks: u64,
    rss_pages: u64,
}

impl Stat {
    /// proc_pid_stat(5): the name in parentheses may contain anything, so count from its end.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        // The first field after the name is number 3; utime is 14, stime 15, rss 24.
        let user_ticks = fields.nth(11)?.parse().ok()?;
        let system_ticks = fields.next()?.parse().ok()?;
        let rss_pages = fields.nth(8)?.parse().ok()?;
        Some(Self {
            user_ticks,
            system_ticks,
            rss_pages,
        })
    }
}

/// Children of all threads of a process.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_ascii_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn page_bytes() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok())
        .unwrap_or(4_096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_nasty_name() {
        let text = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 9 1000000 250 184";
        let expected = Stat {
            user_ticks: 7,
            system_ticks: 5,
            rss_pages: 250,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("42 (a"), None);
    }

    #[test]
    fn own_cpu_time_is_seen() {
        let me = i32::try_from(std::process::id()).unwrap();
        let before = Sample::take(&[me]).unwrap();
        let start = Instant::now();
        let mut number = 1_u64;
        while start.elapsed() < Duration::from_millis(30) {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
        let after = Sample::take(&[me]).unwrap();
        let figures = before.until(&after, after.at - before.at);
        assert!(figures.cpu_us > 1_000.0, "{figures:?}");
        assert!(figures.rss_bytes > 100_000, "{figures:?}");
        assert!(Sample::take(&[i32::MAX]).is_err());
    }
}

//! `sallyport demo`: the example ruleset compiled, an origin and a proxy on loopback, requests that
//! meet every phase and action, what was decided about each, a second of load, and then the curl
//! lines to go on by hand.
//!
//! The compiler, the origin and the meter are the real programs, started as such: the engine links
//! none of them.

mod programs;
mod report;
mod tour;
mod world;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use programs::Programs;
use world::World;

/// Why the demo could not be shown.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
    #[error("{method} {host}{path}: {source}")]
    Step {
        method: &'static str,
        host: &'static str,
        path: &'static str,
        source: io::Error,
    },
    #[error(
        "{name} is not beside {} and this is not a run of cargo that could build it",
        beside.display()
    )]
    Missing { name: &'static str, beside: PathBuf },
    #[error("{program} failed: {output}")]
    Failed {
        program: &'static str,
        output: String,
    },
    #[error("{program} did not get ready in time: {output}")]
    NotReady {
        program: &'static str,
        output: String,
    },
    #[error("{missing} of the transactions are not in the access log {}", log.display())]
    Unlogged { missing: usize, log: PathBuf },
}

/// Names what was being done when the system said no.
fn doing(what: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::System { what, source }
}

/// Runs the demo; stays up afterwards unless `once`.
pub(crate) fn run(once: bool) -> Result<(), DemoError> {
    let programs = Programs::locate()?;
    report::heading("1. The ruleset that ships with the project, compiled");
    let world = World::build(&programs)?;
    report::heading("2. An origin and the proxy, on loopback");
    report::line(&format!("origin   http://{}", world.origin));
    report::line(&format!(
        "proxy    http://{}   ({})",
        world.proxy,
        world.folder().display()
    ));
    report::heading("3. What may leave");
    let answers = tour::walk(&world, tour::STEPS)?;
    let records = report::wait_for_records(&world.access_log(), answers.len())?;
    report::table(tour::STEPS, &answers, &records);
    report::heading("4. One second of load (64 connections, keep-alive, 1 KiB, rules and log on)");
    report::line(&world.load(&programs)?);
    if once {
        return Ok(());
    }
    report::heading("5. Your turn (Ctrl-C ends)");
    report::curl_lines(&world);
    world.wait();
    Ok(())
}

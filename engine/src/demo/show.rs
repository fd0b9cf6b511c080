//! The demo from its first line to its last.

use super::programs::Programs;
use super::world::World;
use super::{DemoError, report, tour};

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

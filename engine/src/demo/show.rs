//! The demo from its first line to its last.

use nix::sys::signal::{SigSet, Signal};

use super::programs::Programs;
use super::world::World;
use super::{DemoError, console, doing, report, tour};

/// Runs the demo; stays up afterwards unless `once`.
pub(crate) fn run(once: bool) -> Result<(), DemoError> {
    let programs = Programs::locate()?;
    let signals = blocked_signals()?;
    console::heading("1. The ruleset that ships with the project, compiled");
    let world = World::build(&programs)?;
    console::heading("2. An origin and the proxy, on loopback");
    console::line(&format!("origin   http://{}", world.origin));
    console::line(&format!(
        "proxy    http://{}   ({})",
        world.proxy,
        world.folder().display()
    ));
    console::heading("3. What may leave");
    let answers = tour::walk(&world, tour::STEPS)?;
    let records = report::wait_for_records(&world.access_log(), answers.len())?;
    report::table(tour::STEPS, &answers, &records);
    console::heading("4. One second of load (64 connections, keep-alive, 1 KiB, rules and log on)");
    console::line(&world.load(&programs)?);
    if once {
        return Ok(());
    }
    console::heading("5. Your turn (Ctrl-C ends)");
    report::curl_lines(&world);
    world.wait(&signals);
    Ok(())
}

/// Taken when the demo waits, so that its folder is removed whatever ends it. Before any thread
/// starts: they inherit the block (the children do not). Until then Ctrl-C still ends the children,
/// and so the demo.
fn blocked_signals() -> Result<SigSet, DemoError> {
    let signals = [
        Signal::SIGCHLD,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
    ];
    let signals: SigSet = signals.into_iter().collect();
    signals
        .thread_block()
        .map_err(|errno| doing("blocking signals")(errno.into()))?;
    Ok(signals)
}

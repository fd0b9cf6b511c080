//! Who hears what `tracing` and panics say.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::sync::Arc;
use std::thread;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::limiter::{Limiter, Limiting};
use super::outlet::Outlet;
use crate::config::checked::{Log, LogFormat};

/// The messages of the process; when it is dropped, what was said is written, if that can be.
#[derive(Debug)]
pub(crate) struct Messages {
    limiter: Arc<Limiter>,
    outlet: Outlet,
}

impl Messages {
    /// From now on messages are heard.
    ///
    /// # Errors
    /// No thread, or no descriptor.
    pub(crate) fn start(log: &Log) -> io::Result<Self> {
        let limiter = Limiter::new();
        let outlet = Outlet::start(Arc::clone(&limiter))?;
        let builder = tracing_subscriber::fmt()
            .with_max_level(log.level.as_tracing())
            .with_target(false)
            .with_writer(outlet.clone());
        let limiting = Limiting(Arc::clone(&limiter));
        // It can be the second one only in tests, which then keep the first.
        let _ = match log.format {
            LogFormat::Text => {
                let builder = builder.with_ansi(io::stderr().is_terminal());
                builder.finish().with(limiting).try_init()
            }
            LogFormat::Json => builder.json().finish().with(limiting).try_init(),
        };
        let of_main = outlet.clone();
        panic::set_hook(Box::new(move |panic| tell_panic(panic, &of_main)));
        Ok(Self { limiter, outlet })
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.limiter.tell();
        self.outlet.finish();
    }
}

/// As a message like any other: the default would wait for standard error on the thread of a shard.
fn tell_panic(panic: &PanicHookInfo<'_>, outlet: &Outlet) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("unnamed");
    let place = panic.location().map(ToString::to_string);
    let said = panic.payload_as_str();
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(thread = name, place, said, backtrace, "panicked");
    if name == "main" {
        outlet.finish();
    }
}

//! What the admin side knows of the process.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::orders::Orders;
use crate::access_log::LogSource;
use crate::clock::since_1970;
use crate::config::Config;
use crate::observe::{
    self, BUILD, BUNDLE, IO_DRIVER, Names, ProcessMetrics, Reading, ReloadResult, Series,
    ShardMetrics, Value, nanos,
};
use crate::shard::Generation;

/// The process, as the control thread tells of it and the admin thread reads it.
#[derive(Debug)]
pub(crate) struct Instance {
    shards: Vec<Arc<ShardMetrics>>,
    process: Arc<ProcessMetrics>,
    names: Names,
    driver: &'static str,
    log: LogSource,
    is_accepting: AtomicBool,
    is_draining: AtomicBool,
    current: Mutex<Generation>,
    orders: Box<dyn Orders>,
}

/// What is known when the process starts.
#[derive(Debug)]
pub(crate) struct InstanceParts {
    pub(crate) shards: Vec<Arc<ShardMetrics>>,
    pub(crate) names: Names,
    pub(crate) driver: &'static str,
    pub(crate) log: LogSource,
    pub(crate) current: Generation,
    pub(crate) orders: Box<dyn Orders>,
}

impl Instance {
    /// A process that does not accept connections yet.
    pub(crate) fn new(parts: InstanceParts) -> Arc<Self> {
        let instance = Self {
            shards: parts.shards,
            process: Arc::new(ProcessMetrics::new(&parts.names)),
            names: parts.names,
            driver: parts.driver,
            log: parts.log,
            is_accepting: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            current: Mutex::new(parts.current),
            orders: parts.orders,
        };
        instance.tell_of_bundle(&instance.current());
        Arc::new(instance)
    }

    /// All shards accept connections.
    pub(crate) fn accepts(&self) {
        self.is_accepting.store(true, Relaxed);
    }

    /// The process is on its way out.
    pub(crate) fn drains(&self) {
        self.is_draining.store(true, Relaxed);
        self.process.draining.set((), 1);
    }

    /// `generation` is in force: after a reload, or as something else was renewed.
    pub(crate) fn adopt(&self, generation: &Generation) {
        let before = self.replace(generation.clone());
        if !Arc::ptr_eq(&before.bundle, &generation.bundle) {
            self.tell_of_bundle(generation);
        }
    }

    /// Counts what became of a reload.
    pub(crate) fn count_reload(&self, result: ReloadResult) {
        self.process.reloads.count((result,));
    }

    /// Why new connections should be sent elsewhere; `None`: they should not.
    pub(crate) fn unready(&self) -> Option<&'static str> {
        if self.is_draining.load(Relaxed) {
            return Some("draining");
        }
        (!self.is_accepting.load(Relaxed)).then_some("starting")
    }

    /// The access log.
    pub(super) fn log(&self) -> &LogSource {
        &self.log
    }

    /// Who carries out what is asked.
    pub(super) fn orders(&self) -> &dyn Orders {
        &*self.orders
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.current().config
    }

    /// What is in force.
    pub(crate) fn current(&self) -> Generation {
        let current = self.current.lock();
        // Whoever panicked with it has left it whole: it is only ever replaced.
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, generation: Generation) -> Generation {
        let current = self.current.lock();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, generation)
    }

    fn tell_of_bundle(&self, generation: &Generation) {
        self.process.bundle_loaded.set((), nanos(since_1970()));
        let rules = sallyport_ruleset::Phase::ALL.map(|phase| generation.bundle.rules_count(phase));
        self.process
            .bundle_rules
            .set((), rules.iter().sum::<usize>() as u64);
    }

    /// All metrics as they are now.
    pub(crate) fn readings(&self) -> Vec<Reading> {
        let counters = self.log.counters();
        self.process.log_lines.copy((), counters.lines_written);
        self.process.log_bytes.copy((), counters.bytes_written);
        self.process.log_errors.copy((), counters.errors);
        self.process.log_lost.copy((), counters.lines_lost);
        let current = self.current();
        let mut readings = vec![
            info(&BUILD, [env!("CARGO_PKG_VERSION")]),
            info(&IO_DRIVER, [self.driver]),
            info(&BUNDLE, [current.bundle.id(), &current.config.id]),
        ];
        let process = [Arc::clone(&self.process)];
        readings.extend(observe::read(&process, &self.names));
        readings.extend(observe::read(&self.shards, &self.names));
        readings
    }
}

fn info<const N: usize>(description: &'static observe::Description, values: [&str; N]) -> Reading {
    let values = values.map(ToOwned::to_owned);
    Reading {
        description,
        series: vec![Series {
            labels: description.labels.iter().copied().zip(values).collect(),
            value: Value::Info,
        }],
    }
}

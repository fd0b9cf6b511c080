//! The shard's end of the log: lines into chunks, full chunks to the writer, written chunks back.
//!
//! All chunks of a shard are allocated when the process starts and then go round. Only when the
//! buffer is full and nothing may be lost (`on_overflow = "stall"`) are more allocated, for the
//! transactions already under way; the shard gives them up again once they come back. Nothing here
//! blocks: the channel to the writer has a slot for every chunk that can exist.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::Thread;

use super::json::Encoder;
use super::record::Record;
use crate::config::checked::OnOverflow;
use crate::limits::{LOG_CHUNK_BYTES, LOG_OVERFLOW_BYTES, LOG_RECORD_BYTES_MAX};

/// The producer of one shard. It is made by [`Writer::start`](super::Writer::start), moves to its
/// shard's thread and stays there; when it is dropped it hands over what it holds.
#[derive(Debug)]
pub struct ShardLog {
    /// `None` if `log.access` is `"off"`.
    live: Option<Live>,
}

impl ShardLog {
    /// A log that keeps nothing.
    pub(crate) fn off() -> Self {
        Self { live: None }
    }

    /// A log whose lines stay in memory.
    #[cfg(test)]
    pub(crate) fn kept() -> (Self, KeptLines) {
        let plan = BufferPlan {
            buffer_bytes: 1 << 20,
            on_overflow: OnOverflow::Stall,
        };
        let (log, channel) = channel(0, plan, std::thread::current(), Arc::default());
        let text = std::cell::RefCell::default();
        (log, KeptLines { channel, text })
    }

    /// Whether a new request may be begun: there is room for its record, and no record of the past
    /// lies outside the buffer. Ask before reading a request; a false becomes true on its own once
    /// the writer has caught up. Under `on_overflow = "drop"` it is always true.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.live.as_ref().is_none_or(Live::has_room)
    }

    /// Writes one line into the current chunk, and hands the chunk over if that filled it. Costs no
    /// system call and no allocation while there is room.
    pub fn write(&mut self, record: &Record<'_>) {
        if let Some(live) = &mut self.live {
            live.write(record);
        }
    }

    /// The same for a line that tells of no end: if there is no room it is dropped, and counted, so that
    /// those of transactions under way are not kept out by it.
    pub fn write_if_room(&mut self, record: &Record<'_>) {
        match &mut self.live {
            Some(live) if !live.has_room() => live.dropped += 1,
            Some(live) => live.write(record),
            None => {}
        }
    }

    /// Hands over what there is. Called every `log.flush_interval` by the shard.
    pub fn flush(&mut self) {
        if let Some(live) = &mut self.live {
            live.flush();
        }
    }

    /// Records that found no room and are lost, since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.dropped)
    }
}

/// Lines on their way to the sink.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Whole lines. The capacity is a record more than [`LOG_CHUNK_BYTES`], so that a chunk below
    /// that length takes any record without being reallocated.
    pub(crate) bytes: Vec<u8>,
    /// How many lines.
    pub(crate) lines: u64,
}

impl Chunk {
    fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(LOG_CHUNK_BYTES + LOG_RECORD_BYTES_MAX),
            lines: 0,
        }
    }

    /// Ready to be filled again.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.lines = 0;
    }

    fn has_room(&self) -> bool {
        self.bytes.len() < LOG_CHUNK_BYTES
    }
}

/// The writer's end of one shard.
#[derive(Debug)]
pub(crate) struct ShardChannel {
    /// Chunks to write.
    pub(crate) full: Receiver<Chunk>,
    /// Chunks that were written, cleared.
    pub(crate) empty: SyncSender<Chunk>,
}

/// The writer of a log whose lines stay in memory.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct KeptLines {
    channel: ShardChannel,
    text: std::cell::RefCell<String>,
}

#[cfg(test)]
impl KeptLines {
    /// Takes the lines that were handed over.
    pub(crate) fn take(&self) {
        for mut chunk in self.channel.full.try_iter() {
            let lines = std::str::from_utf8(&chunk.bytes).expect("a log is text");
            self.text.borrow_mut().push_str(lines);
            chunk.clear();
            // Whoever writes no more lines needs no chunk.
            let _ = self.channel.empty.try_send(chunk);
        }
    }

    /// All lines that were handed over.
    pub(crate) fn text(&self) -> String {
        self.take();
        self.text.borrow().clone()
    }
}

/// What the producers of all shards have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BufferPlan {
    /// `log.buffer_bytes`.
    pub(crate) buffer_bytes: usize,
    /// `log.on_overflow`.
    pub(crate) on_overflow: OnOverflow,
}

struct Live {
    core: usize,
    on_overflow: OnOverflow,
    encoder: Encoder,
    /// The chunk being filled; `None` only if no other could be had.
    current: Option<Chunk>,
    /// Empty chunks; in a cell because the question about room looks for returned ones.
    free: Cell<Vec<Chunk>>,
    /// Chunks of the buffer proper.
    planned: usize,
    /// Chunks that may exist, those for overflow included; the channels have a slot for each.
    chunks_max: usize,
    /// Chunks that exist.
    allocated: Cell<usize>,
    full: SyncSender<Chunk>,
    empty: Receiver<Chunk>,
    writer: Thread,
    /// Lines that were handed over, of all shards.
    handed_over: Arc<AtomicU64>,
    dropped: u64,
    /// How many of `dropped` a line has told.
    dropped_told: u64,
    ts_us: u64,
}

/// Joins a shard to the writer thread; `handed_over` counts the lines on their way to it.
pub(crate) fn channel(
    core: usize,
    plan: BufferPlan,
    writer: Thread,
    handed_over: Arc<AtomicU64>,
) -> (ShardLog, ShardChannel) {
    let planned = (plan.buffer_bytes / LOG_CHUNK_BYTES).max(2);
    let overflow = match plan.on_overflow {
        OnOverflow::Stall => LOG_OVERFLOW_BYTES / LOG_CHUNK_BYTES,
        OnOverflow::Drop => 0,
    };
    let chunks_max = planned + overflow;
    let (full_sender, full) = sync_channel(chunks_max);
    let (empty, empty_receiver) = sync_channel(chunks_max);
    let mut free = Vec::with_capacity(planned);
    free.extend((1..planned).map(|_| Chunk::new()));
    let live = Live {
        core,
        on_overflow: plan.on_overflow,
        encoder: Encoder::new(),
        current: Some(Chunk::new()),
        free: Cell::new(free),
        planned,
        chunks_max,
        allocated: Cell::new(planned),
        full: full_sender,
        empty: empty_receiver,
        writer,
        handed_over,
        dropped: 0,
        dropped_told: 0,
        ts_us: 0,
    };
    (ShardLog { live: Some(live) }, ShardChannel { full, empty })
}

impl Live {
    fn has_room(&self) -> bool {
        if self.on_overflow == OnOverflow::Drop {
            return true;
        }
        let current_has_room = self.current.as_ref().is_some_and(Chunk::has_room);
        if current_has_room && self.allocated.get() == self.planned {
            return true;
        }
        let free_count = self.reclaim();
        self.allocated.get() == self.planned && (current_has_room || free_count > 0)
    }

    /// Takes back what was written, and gives up chunks beyond the plan. Returns how many are free.
    fn reclaim(&self) -> usize {
        let mut free = self.free.take();
        while let Ok(chunk) = self.empty.try_recv() {
            free.push(chunk);
        }
        while self.allocated.get() > self.planned && free.pop().is_some() {
            self.allocated.set(self.allocated.get() - 1);
        }
        let free_count = free.len();
        self.free.set(free);
        free_count
    }

    fn write(&mut self, record: &Record<'_>) {
        self.ts_us = record.ts_us;
        if !self.make_room() {
            self.dropped += 1;
            return;
        }
        self.tell_dropped();
        let Some(chunk) = &mut self.current else {
            return;
        };
        self.encoder.record(record, &mut chunk.bytes);
        chunk.lines += 1;
        if !chunk.has_room() {
            self.hand_over();
        }
    }

    fn flush(&mut self) {
        if self.dropped > self.dropped_told && self.make_room() {
            self.tell_dropped();
        }
        // While the writer still has chunks of ours, one that is not full stays here: a sink that
        // is stuck must not use up the buffer in scraps.
        let free_count = self.reclaim();
        let held_count = free_count + usize::from(self.current.is_some());
        if self.allocated.get() == held_count {
            self.hand_over_lines();
        }
    }

    fn hand_over_lines(&mut self) {
        if self
            .current
            .as_ref()
            .is_some_and(|chunk| !chunk.bytes.is_empty())
        {
            self.hand_over();
        }
    }

    /// Appends the line about what was dropped, if anything was. The record bound leaves room for
    /// it beside the record that follows.
    fn tell_dropped(&mut self) {
        let untold = self.dropped - self.dropped_told;
        if untold == 0 {
            return;
        }
        if let Some(chunk) = &mut self.current {
            self.encoder
                .dropped(self.ts_us, self.core, untold, &mut chunk.bytes);
            chunk.lines += 1;
            self.dropped_told = self.dropped;
        }
    }

    /// Sees to it that `current` takes one more record. False: there is no chunk for it.
    fn make_room(&mut self) -> bool {
        if self.current.is_none() {
            self.reclaim();
            self.current = self.free.get_mut().pop();
        }
        if self.current.is_none() && self.allocated.get() < self.chunks_max {
            self.allocated.set(self.allocated.get() + 1);
            self.current = Some(Chunk::new());
        }
        self.current.is_some()
    }

    /// Sends `current` to the writer and wakes it: one atomic exchange, and a system call if it
    /// slept, for a whole chunk of lines.
    fn hand_over(&mut self) {
        let Some(chunk) = self.current.take() else {
            return;
        };
        let lines = chunk.lines;
        match self.full.try_send(chunk) {
            Ok(()) => {
                self.handed_over.fetch_add(lines, Ordering::Relaxed);
                self.writer.unpark();
            }
            // There is a slot for every chunk, so the writer is gone.
            Err(refused) => {
                let mut chunk = match refused {
                    TrySendError::Full(chunk) | TrySendError::Disconnected(chunk) => chunk,
                };
                self.dropped += chunk.lines;
                chunk.clear();
                self.current = Some(chunk);
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.flush();
        self.hand_over_lines();
        let untold = self.dropped - self.dropped_told;
        if untold > 0 {
            let (core, lines) = (self.core, untold);
            tracing::error!(
                core,
                lines,
                "lines of the access log found no room and are lost"
            );
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("core", &self.core)
            .field("planned", &self.planned)
            .field("allocated", &self.allocated.get())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

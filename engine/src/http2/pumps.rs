//! Moving the bytes of an HTTP/2 connection. Reads and writes are awaited to their ends, so that no I/O
//! future is ever dropped, and the frames of many streams leave in one write.

use std::io;
use std::pin::pin;
use std::time::Duration;

use super::held::RELIEF_INTERVAL;
use super::link::Link;
use crate::io::buffers::BufferPool;
use crate::io::carrier::Carrier;
use crate::io::join::join;
use crate::io::timer;

/// What the pumps need besides the link.
#[derive(Debug)]
pub(crate) struct Pumped<'a, C> {
    pub(crate) transport: &'a C,
    pub(crate) pool: &'a BufferPool,
    /// Longest time for one write.
    pub(crate) write_timeout: Duration,
    /// Time to read and discard at the end, so that a reset does not overtake the last frames.
    pub(crate) linger: Duration,
    /// What the other side has said last is read although nothing can be written any more.
    pub(crate) hears_out: bool,
}

impl Link {
    /// Moves bytes both ways until the link is closed and all that was to be written has left.
    pub(crate) async fn pump(&self, pumped: Pumped<'_, impl Carrier>) {
        join(pin!(self.pump_in(&pumped)), pin!(self.pump_out(&pumped))).await;
    }

    async fn pump_in(&self, pumped: &Pumped<'_, impl Carrier>) {
        let Pumped {
            transport, pool, ..
        } = pumped;
        loop {
            if pool.excess() > 0 {
                // What was given up has to be let go of before more comes.
                timer::sleep(RELIEF_INTERVAL).await;
            }
            // No buffer is held while the connection is silent.
            let readable = transport.readable().await;
            let buffer = pool.rent();
            let (result, buffer) = match readable {
                Ok(()) => transport.read_after(buffer, 0).await,
                Err(error) => (Err(error), buffer),
            };
            match &result {
                // What still comes at the end is discarded.
                Ok(1..) if self.may_read() && !self.is_closing() => self.take(&buffer),
                _ => {}
            }
            pool.give_back(buffer);
            match result {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    if self.may_read() {
                        self.lose();
                    }
                    return;
                }
            }
        }
    }

    async fn pump_out(&self, pumped: &Pumped<'_, impl Carrier>) {
        let &Pumped {
            transport,
            pool,
            write_timeout,
            linger,
            hears_out,
        } = pumped;
        while let Some(data) = self.output().await {
            transport.arm(write_timeout);
            let (result, data) = transport.write_all(data).await;
            pool.give_back(data);
            self.written();
            if result.is_ok() {
                self.rearm(transport);
                continue;
            }
            if hears_out && !transport.expired() {
                // A GOAWAY may have come before the end, which says what was not processed.
                self.deafen();
                transport.arm_read(linger);
            } else {
                self.fail();
                transport.cut();
            }
            return;
        }
        transport.finish().await;
        transport.arm_read(linger);
    }
}

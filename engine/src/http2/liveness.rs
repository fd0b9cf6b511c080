//! Asking the other side of a connection whether it is still there, once it has been silent for a while
//! although streams are open (RFC 9113 section 6.7). TCP keepalive asks the kernel; this asks the program.

use super::link::Link;
use super::settings::Pings;
use crate::clock;
use crate::io::timer;

/// Ends once the other side does not answer. May be dropped.
pub(crate) async fn unanswered(link: &Link, pings: Pings, has_streams: impl Fn() -> bool) {
    loop {
        let silent = link.silence();
        if silent < pings.interval || !has_streams() {
            let rest = pings.interval.saturating_sub(silent);
            timer::sleep(if rest.is_zero() { pings.interval } else { rest }).await;
            continue;
        }
        let asked = clock::now();
        link.ping();
        timer::sleep(pings.timeout).await;
        // Whatever has come since is an answer, however soon it came and however late this looks.
        if link.silence() >= clock::since(asked) {
            return;
        }
    }
}

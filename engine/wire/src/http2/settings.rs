//! What one side of a connection is set to.

use super::fault::FrameFault;
use super::limits::{FRAME_BYTES_MAX, WINDOW_DEFAULT, WINDOW_MAX};
use super::request::TargetForm;
use crate::http1::HeadLimits;

/// How a connection is to be, on our side.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionSettings {
    /// Streams that a client may have open at once; as a client, streams that we open at once.
    pub streams_max: u32,
    /// Content of one stream that may be on its way to us. At least 65535.
    pub stream_window_bytes: u32,
    /// The same for all streams together. At least 65535.
    pub connection_window_bytes: u32,
    /// How large the head of a message may be. `head_bytes_max` is the size of its fields as RFC 9113 section
    /// 6.5.2 counts them; `uri_bytes_max` means something for a server only.
    pub head: HeadLimits,
    /// Control frames a second from the other side. Ten times as many may come at once.
    pub control_frames_per_second: u32,
    /// Resets a second of requests that nobody has answered. Ten times as many may come at once.
    pub resets_per_second: u32,
    /// Frames that wait to be sent beyond which no head and no content is taken.
    pub output_bytes_max: usize,
    /// Where the requests of a client go. Means nothing for a client.
    pub form: TargetForm,
}

pub(super) const HEADER_TABLE_SIZE: u16 = 0x1;
pub(super) const ENABLE_PUSH: u16 = 0x2;
pub(super) const MAX_CONCURRENT_STREAMS: u16 = 0x3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 0x4;
pub(super) const MAX_FRAME_SIZE: u16 = 0x5;
pub(super) const MAX_HEADER_LIST_SIZE: u16 = 0x6;
/// RFC 8441 section 3.
pub(super) const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// Which side of a connection is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We open streams.
    Client,
    /// The other side does.
    Server,
}

/// What the other side has set.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerSettings {
    pub(super) streams_max: u32,
    pub(super) initial_window: u32,
    pub(super) frame_bytes_max: usize,
    pub(super) takes_extended_connect: bool,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            streams_max: u32::MAX,
            initial_window: WINDOW_DEFAULT,
            frame_bytes_max: FRAME_BYTES_MAX,
            takes_extended_connect: false,
        }
    }
}

impl PeerSettings {
    /// Takes one setting (RFC 9113 section 6.5.2), `role` being ours. The size of the table is the encoder's
    /// business.
    pub(super) fn set(&mut self, role: Role, key: u16, value: u32) -> Result<(), FrameFault> {
        match (key, value) {
            (ENABLE_PUSH, 0) => {}
            // Only clients are pushed to.
            (ENABLE_PUSH, 1) if role == Role::Server => {}
            (ENABLE_PUSH, _) => return Err(FrameFault::Setting),
            (MAX_CONCURRENT_STREAMS, _) => self.streams_max = value,
            (INITIAL_WINDOW_SIZE, ..=WINDOW_MAX) => self.initial_window = value,
            (INITIAL_WINDOW_SIZE, _) => return Err(FrameFault::Window),
            (MAX_FRAME_SIZE, 0x4000..=0xff_ffff) => {
                // Nothing is gained by frames that are larger.
                self.frame_bytes_max = FRAME_BYTES_MAX;
            }
            (MAX_FRAME_SIZE, _) => return Err(FrameFault::Setting),
            // RFC 8441 section 3: what was offered stays.
            (ENABLE_CONNECT_PROTOCOL, 0) if !self.takes_extended_connect => {}
            (ENABLE_CONNECT_PROTOCOL, 1) => self.takes_extended_connect = true,
            (ENABLE_CONNECT_PROTOCOL, _) => return Err(FrameFault::Setting),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9113_6_5_2_values() {
        for (role, key, value, expected) in [
            (Role::Server, ENABLE_PUSH, 1, Ok(())),
            (Role::Server, ENABLE_PUSH, 2, Err(FrameFault::Setting)),
            (Role::Client, ENABLE_PUSH, 0, Ok(())),
            (Role::Client, ENABLE_PUSH, 1, Err(FrameFault::Setting)),
            (Role::Server, INITIAL_WINDOW_SIZE, WINDOW_MAX, Ok(())),
            (
                Role::Server,
                INITIAL_WINDOW_SIZE,
                WINDOW_MAX + 1,
                Err(FrameFault::Window),
            ),
            (Role::Server, MAX_FRAME_SIZE, 16_384, Ok(())),
            (
                Role::Server,
                MAX_FRAME_SIZE,
                16_383,
                Err(FrameFault::Setting),
            ),
            (Role::Server, MAX_FRAME_SIZE, (1 << 24) - 1, Ok(())),
            (
                Role::Server,
                MAX_FRAME_SIZE,
                1 << 24,
                Err(FrameFault::Setting),
            ),
            (Role::Client, ENABLE_CONNECT_PROTOCOL, 1, Ok(())),
            (
                Role::Client,
                ENABLE_CONNECT_PROTOCOL,
                2,
                Err(FrameFault::Setting),
            ),
            // RFC 9113 section 6.5.2: what is unknown is ignored.
            (Role::Client, 0xff, u32::MAX, Ok(())),
        ] {
            let found = PeerSettings::default().set(role, key, value);
            assert_eq!(found, expected, "{key} {value}");
        }
        let mut settings = PeerSettings::default();
        settings
            .set(Role::Client, ENABLE_CONNECT_PROTOCOL, 1)
            .unwrap();
        let taken_back = settings.set(Role::Client, ENABLE_CONNECT_PROTOCOL, 0);
        assert_eq!(taken_back, Err(FrameFault::Setting));
    }
}

//! A connection carries others: TLS, and HTTP/2.

use std::io;
use std::time::Duration;

use super::Transport;
use crate::io::carrier::Carrier;
use crate::io::socket::Socket;

impl Carrier for Transport {
    fn socket(&self) -> Option<&Socket> {
        self.plain()
    }

    fn is_readable_now(&self) -> bool {
        self.is_readable_now()
    }

    fn send_now(&self, data: &[u8]) -> bool {
        self.send_now(data)
    }

    fn arm(&self, after: Duration) {
        self.arm(after);
    }

    fn arm_read(&self, after: Duration) {
        self.arm_read(after);
    }

    fn disarm(&self) {
        self.disarm();
    }

    fn expired(&self) -> bool {
        self.expired()
    }

    fn cut(&self) {
        self.cut();
    }

    fn readable(&self) -> impl Future<Output = io::Result<()>> {
        self.readable()
    }

    fn read_after(
        &self,
        data: Vec<u8>,
        filled: usize,
    ) -> impl Future<Output = (io::Result<usize>, Vec<u8>)> {
        self.read_after(data, filled)
    }

    fn write_all(&self, data: Vec<u8>) -> impl Future<Output = (io::Result<()>, Vec<u8>)> {
        self.write_all(data)
    }

    fn finish(&self) -> impl Future<Output = ()> {
        self.finish()
    }
}

//! Where lines go: standard output, a file, a Unix socket, syslog. Each takes bytes and may fail.
//!
//! Only the writer thread calls this, and only it waits: connections and writes have a time limit,
//! but they block. What to do about a failure is the writer's decision, not this room's.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::AtFlags;
use nix::unistd::{AccessFlags, faccessat};

use super::syslog;
use crate::config::checked::{AccessSink, FileSink, HostPort};
use crate::limits::LOG_SINK_TIMEOUT;

/// An open sink. Sockets connect on first use and again after a failure.
#[derive(Debug)]
pub(crate) enum Sink {
    /// A duplicate of descriptor 1, without the line buffer of `std::io::stdout`.
    Stdout(File),
    /// A file that may be reopened and rotated.
    File(OpenFile),
    /// A Unix stream socket.
    UnixStream(PathBuf, Option<UnixStream>),
    /// A Unix datagram socket, a line each.
    UnixDatagram(PathBuf, Option<UnixDatagram>),
    /// Syslog, a datagram each.
    SyslogUdp(HostPort, syslog::Header, Option<UdpSocket>),
    /// Syslog, octet-counted frames.
    SyslogTcp(HostPort, syslog::Header, Option<TcpStream>),
}

/// What a failed or short write means for the line it was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// The rest of the line goes to the same place: continue with the next byte.
    Here,
    /// Whatever comes next is a new connection or file: the line is written again, whole.
    LineStart,
}

impl Sink {
    /// Opens what can be opened now. `None` if the log is off.
    ///
    /// # Errors
    /// A file that cannot be opened, a standard output that is closed.
    pub(crate) fn open(sink: &AccessSink) -> io::Result<Option<Self>> {
        Ok(Some(match sink {
            AccessSink::Off => return Ok(None),
            AccessSink::Stdout => {
                Self::Stdout(File::from(io::stdout().as_fd().try_clone_to_owned()?))
            }
            AccessSink::File(file) => Self::File(OpenFile::open(file.clone())?),
            AccessSink::UnixStream(path) => Self::UnixStream(path.clone(), None),
            AccessSink::UnixDatagram(path) => Self::UnixDatagram(path.clone(), None),
            AccessSink::SyslogUdp(at) => Self::SyslogUdp(at.clone(), syslog::Header::new(), None),
            AccessSink::SyslogTcp(at) => Self::SyslogTcp(at.clone(), syslog::Header::new(), None),
        }))
    }

    /// Writes some of `lines`, which end with a newline, and says how many bytes of them it took;
    /// sinks of messages take whole lines.
    ///
    /// # Errors
    /// Whatever the sink says; [`Sink::failed`] is to be called before the next try. An
    /// [`io::ErrorKind::InvalidInput`] concerns the first line alone: it can never be delivered.
    pub(crate) fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(file) => file.write(lines),
            Self::File(file) => file.write(lines),
            Self::UnixStream(path, socket) => connected(socket, || unix_stream(path))?.write(lines),
            Self::UnixDatagram(path, socket) => {
                let (line, taken) = first_line(lines);
                let socket = connected(socket, || unix_datagram(path))?;
                socket.send(line).map_err(undeliverable)?;
                Ok(taken)
            }
            Self::SyslogUdp(at, header, socket) => {
                let (line, taken) = first_line(lines);
                let socket = connected(socket, || udp(at))?;
                socket.send(&header.message(line)).map_err(undeliverable)?;
                Ok(taken)
            }
            Self::SyslogTcp(at, header, socket) => {
                let stream = connected(socket, || tcp(at))?;
                let taken = syslog::write_frames(stream, header, lines);
                // A frame may have been cut: the next line needs a new connection.
                if taken.as_ref().ok() != Some(&lines.len()) {
                    *socket = None;
                }
                taken
            }
        }
    }

    /// After a failed write: sockets are given up, to be connected anew.
    pub(crate) fn failed(&mut self) -> Resume {
        match self {
            Self::Stdout(_) | Self::File(_) => return Resume::Here,
            Self::UnixStream(_, socket) => *socket = None,
            Self::UnixDatagram(_, socket) => *socket = None,
            Self::SyslogUdp(_, _, socket) => *socket = None,
            Self::SyslogTcp(_, _, socket) => *socket = None,
        }
        Resume::LineStart
    }

    /// After a whole chunk: a file that has reached its size is rotated.
    ///
    /// # Errors
    /// A file that could not be renamed or created. The one at hand stays in use, and the next
    /// chunk tries again.
    pub(crate) fn chunk_written(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.rotate_if_full(),
            _ => Ok(()),
        }
    }

    /// Opens the path anew, for a file that was renamed by someone else; sockets connect anew.
    ///
    /// # Errors
    /// A file that cannot be opened; the one at hand stays in use.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(_) => Ok(()),
            Self::File(file) => file.reopen(),
            _ => {
                self.failed();
                Ok(())
            }
        }
    }

    /// Brings what was written to the disk. Nothing for sinks that are no files.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => match file.file.sync_data() {
                // A device, such as /dev/null, has nothing to bring anywhere.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
                result => result,
            },
            _ => Ok(()),
        }
    }
}

/// What a look at a sink has shown.
#[derive(Debug)]
pub(crate) enum Checked {
    Usable,
    /// Nobody is there who takes lines, as yet.
    Away(io::Error),
}

/// Looks whether a sink could be opened, and creates and writes nothing.
pub(crate) fn check(sink: &AccessSink) -> io::Result<Checked> {
    let reached = match sink {
        AccessSink::Off | AccessSink::Stdout => Ok(()),
        AccessSink::File(file) => return check_file(&file.path).map(|()| Checked::Usable),
        AccessSink::UnixStream(path) => unix_stream(path).map(drop),
        AccessSink::UnixDatagram(path) => unix_datagram(path).map(drop),
        AccessSink::SyslogUdp(at) => udp(at).map(drop),
        AccessSink::SyslogTcp(at) => tcp(at).map(drop),
    };
    Ok(reached.map_or_else(Checked::Away, |()| Checked::Usable))
}

fn check_file(path: &Path) -> io::Result<()> {
    match OpenOptions::new().read(true).append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let mode = AccessFlags::W_OK | AccessFlags::X_OK;
            let at = faccessat(
                nix::fcntl::AT_FDCWD,
                folder.unwrap_or_else(|| Path::new(".")),
                mode,
                AtFlags::AT_EACCESS,
            );
            at.map_err(io::Error::from)
        }
        opened => opened.map(drop),
    }
}

/// A log file and its length.
#[derive(Debug)]
pub(crate) struct OpenFile {
    sink: FileSink,
    file: File,
    bytes: u64,
}

impl OpenFile {
    fn open(sink: FileSink) -> io::Result<Self> {
        let (file, bytes) = open_for_append(&sink.path)?;
        Ok(Self { sink, file, bytes })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        let written = self.file.write(lines)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.bytes) = open_for_append(&self.sink.path)?;
        Ok(())
    }

    /// `log` becomes `log.1`, `log.1` becomes `log.2`, and so on; the oldest is overwritten.
    fn rotate_if_full(&mut self) -> io::Result<()> {
        if self
            .sink
            .rotate_bytes
            .is_none_or(|bytes_max| self.bytes < bytes_max)
        {
            return Ok(());
        }
        for index in (1..self.sink.rotate_keep).rev() {
            let from = numbered(&self.sink.path, index);
            if from.exists() {
                std::fs::rename(from, numbered(&self.sink.path, index + 1))?;
            }
        }
        std::fs::rename(&self.sink.path, numbered(&self.sink.path, 1))?;
        self.reopen()
    }
}

fn numbered(path: &Path, index: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{index}"));
    PathBuf::from(name)
}

/// Opens for appending, not readable by others. A last line that an earlier process could not
/// finish is ended, so that it does not swallow the first of ours.
fn open_for_append(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)?;
    let metadata = file.metadata()?;
    let mut bytes = metadata.len();
    if metadata.is_file() && bytes > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok((file, bytes))
}

/// The first line without its newline, and its length with it.
fn first_line(lines: &[u8]) -> (&[u8], usize) {
    match lines.iter().position(|&byte| byte == b'\n') {
        Some(end) => (lines.get(..end).unwrap_or_default(), end + 1),
        None => (lines, lines.len()),
    }
}

/// Tells a datagram that is too large from a sink that is away.
fn undeliverable(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) if code == nix::errno::Errno::EMSGSIZE as i32 => {
            io::Error::new(io::ErrorKind::InvalidInput, error)
        }
        _ => error,
    }
}

fn connected<S>(
    slot: &mut Option<S>,
    connect: impl FnOnce() -> io::Result<S>,
) -> io::Result<&mut S> {
    if slot.is_none() {
        *slot = Some(connect()?);
    }
    slot.as_mut()
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
}

fn unix_stream(path: &Path) -> io::Result<UnixStream> {
    let socket = UnixStream::connect(path)?;
    socket.set_write_timeout(Some(LOG_SINK_TIMEOUT))?;
    Ok(socket)
}

fn unix_datagram(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_write_timeout(Some(LOG_SINK_TIMEOUT))?;
    Ok(socket)
}

fn udp(at: &HostPort) -> io::Result<UdpSocket> {
    let socket = first_success(at, |address| {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        Ok(socket)
    })?;
    socket.set_write_timeout(Some(LOG_SINK_TIMEOUT))?;
    Ok(socket)
}

fn tcp(at: &HostPort) -> io::Result<TcpStream> {
    let stream = first_success(at, |address| {
        TcpStream::connect_timeout(&address, LOG_SINK_TIMEOUT)
    })?;
    stream.set_write_timeout(Some(LOG_SINK_TIMEOUT))?;
    Ok(stream)
}

/// Tries the addresses of a host in order. The system's resolver is good enough for the writer.
fn first_success<S>(
    at: &HostPort,
    connect: impl Fn(std::net::SocketAddr) -> io::Result<S>,
) -> io::Result<S> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (at.host.as_str(), at.port).to_socket_addrs()? {
        match connect(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

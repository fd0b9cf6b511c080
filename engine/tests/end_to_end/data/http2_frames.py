"""HTTP/2 as bytes: frames written and read by hand, right and wrong ones alike (RFC 9113)."""

import socket
import ssl
import struct

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITIZED, ACK = 0x1, 0x4, 0x8, 0x20, 0x1
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT = range(5)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR = range(5, 11)
ENHANCE_YOUR_CALM, HTTP_1_1_REQUIRED = 11, 13
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)
ENABLE_CONNECT_PROTOCOL = 8
TIMEOUT = 10


def frame(kind, flags, stream, payload=b""):
    length = struct.pack(">I", len(payload))[1:]
    return length + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def literal(name, value):
    """A field without indexing and without Huffman coding (RFC 7541 section 6.2.2)."""
    name, value = (text if isinstance(text, bytes) else text.encode() for text in (name, value))
    return b"\0" + integer(len(name)) + name + integer(len(value)) + value


def integer(number, bits=7):
    most = (1 << bits) - 1
    if number < most:
        return bytes([number])
    out, number = [most], number - most
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes(out + [number])


def block(fields):
    return b"".join(literal(name, value) for name, value in fields)


class Closed(Exception):
    """The other side has closed the connection."""


class Peer:
    """One end of an HTTP/2 connection that does exactly what it is told."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(TIMEOUT)
        # What is sent has left when the connection is reset.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.decoder = hpack.Decoder()
        self.decoder.max_allowed_table_size = 1 << 20
        self.buffer = b""

    def send(self, *parts):
        try:
            self.connection.sendall(b"".join(parts))
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as error:
            raise Closed from error

    def take(self, size):
        while len(self.buffer) < size:
            try:
                more = self.connection.recv(65536)
            except (ConnectionResetError, ssl.SSLError) as error:
                raise Closed from error
            if not more:
                raise Closed
            self.buffer += more
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return part

    def receive(self):
        """The next frame as (type, flags, stream, payload)."""
        header = self.take(9)
        length = struct.unpack(">I", b"\0" + header[:3])[0]
        stream = struct.unpack(">I", header[5:])[0]
        return header[3], header[4], stream, self.take(length)

    def wait(self, wanted):
        """Reads until a frame for which `wanted(type, flags, stream, payload)` holds."""
        while True:
            found = self.receive()
            if found[0] == HEADERS:
                found = found[:3] + (dict(self.decoder.decode(self.unpadded(found))),)
            if wanted(*found):
                return found

    @staticmethod
    def unpadded(found):
        _, flags, _, payload = found
        if flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        return payload[5:] if flags & PRIORITIZED else payload

    def close(self):
        self.connection.close()


def tunnel(proxy, target, authority=None):
    """A TCP connection through a CONNECT of the proxy; with TLS if a CA file is given."""
    host, port = proxy.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), timeout=TIMEOUT)
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = connection.recv(1)
        if not more:
            raise Closed
        answer += more
    assert b" 200 " in answer.split(b"\r\n")[0], answer
    if authority:
        context = ssl.create_default_context(cafile=authority)
        context.set_alpn_protocols(["h2"])
        connection = context.wrap_socket(connection, server_hostname=target.rsplit(":", 1)[0])
        assert connection.selected_alpn_protocol() == "h2", "no h2 was negotiated"
    return connection


def outcome(case, *arguments):
    """Runs one case; None, or what went wrong."""
    try:
        case(*arguments)
    except Exception as error:  # pylint: disable=broad-except
        return f"{type(error).__name__}: {error}"
    return None

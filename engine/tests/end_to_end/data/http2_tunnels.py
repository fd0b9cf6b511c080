"""CONNECT and WebSockets in streams (RFC 9113 section 8.5, RFC 8441).

usage: http2_tunnels.py LISTENER LISTENER_CA PROXY PROXY_CA PLAIN_TARGET     prints {case: null or what went wrong}

LISTENER is the https listener of the proxy, PROXY its http listener; PLAIN_TARGET answers HTTP/1.1.
"""

import json
import socket
import ssl
import struct
import sys
import threading

import websockets.sync.server

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

LISTENER, LISTENER_CA, PROXY, PROXY_CA, PLAIN = sys.argv[1:6]
CERTIFICATE, KEY = sys.argv[6:8]


def settled(peer):
    peer.send(PREFACE, settings())
    *_, payload = peer.wait(lambda kind, *_: kind == SETTINGS)
    offered = [struct.unpack(">HI", payload[at : at + 6]) for at in range(0, len(payload), 6)]
    assert (ENABLE_CONNECT_PROTOCOL, 1) in offered, offered
    peer.send(frame(SETTINGS, ACK, 0))
    return peer


def listener():
    host, port = LISTENER.rsplit(":", 1)
    context = ssl.create_default_context(cafile=LISTENER_CA)
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection((host, int(port)), timeout=TIMEOUT)
    connection = context.wrap_socket(plain, server_hostname="proxy.test")
    assert connection.selected_alpn_protocol() == "h2"
    return settled(Peer(connection))


def open_stream(peer, stream, flags=END_HEADERS, **pseudo):
    peer.send(frame(HEADERS, flags, stream, block([(":" + name, value) for name, value in pseudo.items()])))
    found = peer.wait(lambda kind, _f, other, _p: other == stream and kind in (HEADERS, RST_STREAM))
    assert found[0] == HEADERS, found
    return found[3][":status"]


def content(peer, stream):
    found = peer.wait(lambda kind, _f, other, _p: other == stream and kind in (DATA, RST_STREAM))
    assert found[0] == DATA, found
    return found[3]


def content_after_a_refusal_is_judged():
    peer = listener()
    for stream, parts in (
        (1, [frame(DATA, END_STREAM, 1, b"test")]),
        (3, [frame(DATA, 0, 3, b"t"), frame(HEADERS, END_STREAM | END_HEADERS, 3, block([(":method", "GET")]))]),
    ):
        head = [(":method", "POST"), (":scheme", "https"), (":path", "/#x"), (":authority", "a.test"), ("content-length", "1")]
        peer.send(frame(HEADERS, END_HEADERS, stream, block(head)))
        *_, answer = peer.wait(lambda kind, *_: kind == HEADERS)
        assert answer[":status"] == "400", answer
        peer.send(*parts)
        *_, payload = peer.wait(lambda kind, *_: kind in (RST_STREAM, GOAWAY))
        assert struct.unpack(">I", payload) == (PROTOCOL_ERROR,), (stream, payload)
    # In order: nothing is said of it.
    head = [(":method", "POST"), (":scheme", "https"), (":path", "/#x"), (":authority", "a.test")]
    peer.send(frame(HEADERS, END_HEADERS, 5, block(head)))
    peer.wait(lambda kind, flags, *_: kind == DATA and flags & END_STREAM)
    peer.send(frame(DATA, END_STREAM, 5, b"test"), frame(PING, 0, 0, b"12345678"))
    kind, *_ = peer.wait(lambda kind, *_: kind in (RST_STREAM, GOAWAY, PING))
    assert kind == PING, kind


def tunnels_and_requests_side_by_side():
    peer = listener()
    for stream in (1, 3, 5):
        assert open_stream(peer, stream, method="CONNECT", authority=PLAIN) == "200"
    for stream in (5, 3, 1):
        peer.send(frame(DATA, 0, stream, f"GET / HTTP/1.1\r\nHost: {PLAIN}\r\n\r\n".encode()))
        assert content(peer, stream).startswith(b"HTTP/1.1 200 ")
    status = open_stream(peer, 7, END_HEADERS | END_STREAM, method="GET", scheme="http", authority=PLAIN, path="/")
    assert status == "200", status
    status = open_stream(peer, 9, END_HEADERS | END_STREAM, method="GET", scheme="https", authority=PLAIN, path="/")
    # It does not speak TLS.
    assert status == "502", status


def websocket():
    """HTTP/2 on the client's side, HTTP/1.1 on the origin's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)

    def echo(connection):
        for message in connection:
            connection.send(message.upper())

    server = websockets.sync.server.serve(echo, "127.0.0.1", 0, ssl=context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    target = f"a.test:{server.socket.getsockname()[1]}"
    peer = settled(Peer(tunnel(PROXY, target, PROXY_CA)))
    fields = {"method": "CONNECT", "protocol": "websocket", "scheme": "https", "path": "/", "authority": target}
    peer.send(
        frame(HEADERS, END_HEADERS, 1, block([(":" + name, value) for name, value in fields.items()] + [("sec-websocket-version", "13")]))
    )
    found = peer.wait(lambda kind, *_: kind in (HEADERS, RST_STREAM))
    assert found[0] == HEADERS and found[3][":status"] == "200", found
    assert "sec-websocket-accept" not in found[3], found
    peer.send(frame(DATA, 0, 1, b"\x81\x85\0\0\0\0hello"))
    assert content(peer, 1) == b"\x81\x05HELLO"


def a_post_without_content_says_so():
    """HTTP/2 says it by the end of the stream; HTTP/1.1 servers want a length (RFC 9110 section 8.6)."""
    server = socket.create_server(("127.0.0.1", 0))

    def reflect():
        for _ in range(2):
            with server.accept()[0] as connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)

    threading.Thread(target=reflect, daemon=True).start()
    target = f"a.test:{server.getsockname()[1]}"
    peer = listener()
    for stream, method in ((1, "POST"), (3, "GET")):
        fields = {"method": method, "scheme": "http", "authority": target, "path": "/"}
        assert open_stream(peer, stream, END_HEADERS | END_STREAM, **fields) == "200"
        has_length = b"\r\ncontent-length: 0\r\n" in content(peer, stream).lower()
        assert has_length == (method == "POST"), method


def a_refused_connect_ends_its_stream_only():
    peer = listener()
    assert open_stream(peer, 1, method="CONNECT", authority="127.66.0.1:1") in ("403", "502")
    peer.send(frame(DATA, 0, 1, f"GET http://{PLAIN}/ HTTP/1.1\r\nHost: {PLAIN}\r\n\r\n".encode()))
    assert open_stream(peer, 3, method="CONNECT", authority=PLAIN) == "200"
    peer.send(frame(DATA, 0, 3, f"GET / HTTP/1.1\r\nHost: {PLAIN}\r\n\r\n".encode()))
    assert content(peer, 3).startswith(b"HTTP/1.1 200 ")


def another_protocol():
    peer = listener()
    fields = {"method": "CONNECT", "protocol": "connect-udp", "scheme": "https", "path": "/", "authority": PLAIN}
    assert open_stream(peer, 1, **fields) == "400"


CASES = (tunnels_and_requests_side_by_side, content_after_a_refusal_is_judged, websocket, a_refused_connect_ends_its_stream_only, a_post_without_content_says_so, another_protocol)
print(json.dumps({case.__name__: outcome(case) for case in CASES}))

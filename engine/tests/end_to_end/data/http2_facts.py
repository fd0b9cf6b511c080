"""What rules see of messages of HTTP/2: every value of a field, and interim responses.

usage: http2_facts.py PROXY HOST     prints {case: null or what went wrong} as JSON

The rules deny the user agent BadBot, WebSockets, responses with a link to something secret, and programs.
"""

import json
import socket
import sys
import threading

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

PROXY, HOST = sys.argv[1:3]
CASES = {}


def origin(answers):
    """Answers each request with these heads, the last of which ends the stream."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        peer = Peer(listener.accept()[0])
        assert peer.take(len(PREFACE)) == PREFACE
        peer.send(settings((ENABLE_CONNECT_PROTOCOL, 1)))
        peer.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
        peer.send(frame(SETTINGS, ACK, 0))
        stream = peer.wait(lambda kind, *_: kind == HEADERS)[2]
        for answer in answers[:-1]:
            peer.send(frame(HEADERS, END_HEADERS, stream, block(answer)))
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(answers[-1])))
        peer.wait(lambda *_: False)

    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


def statuses(answers, fields=(), method="GET", pseudo=()):
    """The statuses of all heads that come back, or the code of a reset."""
    port = origin(answers)
    peer = Peer(tunnel(PROXY, f"{HOST}:{port}"))
    peer.send(PREFACE, settings())
    peer.wait(lambda kind, *_: kind == SETTINGS)
    head = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", f"{HOST}:{port}")]
    flags = END_HEADERS if method == "CONNECT" else END_HEADERS | END_STREAM
    peer.send(frame(SETTINGS, ACK, 0), frame(HEADERS, flags, 1, block(head + list(pseudo) + list(fields))))
    found = []
    while True:
        kind, flags, _, payload = peer.wait(lambda kind, _f, stream, _p: stream == 1 and kind in (HEADERS, RST_STREAM))
        if kind == RST_STREAM:
            return found + [int.from_bytes(payload, "big")]
        found.append(payload[":status"])
        if not payload[":status"].startswith("1"):
            return found


def case(name, expected, *arguments, **more):
    def run():
        found = statuses(*arguments, **more)
        assert found in expected, found

    CASES[name] = run


OK = [(":status", "200")]
PROGRAM, TEXT = ("content-type", "application/x-msdownload"), ("content-type", "text/plain")
REFUSED = (["403"], ["502"])
case("nothing denied", (["200"],), [OK])
case("the second content type", REFUSED, [OK + [TEXT, PROGRAM]])
case("the first content type", REFUSED, [OK + [PROGRAM, TEXT]])
case("a list of content types", REFUSED, [OK + [("content-type", "text/plain, application/x-msdownload")]])
case("the second user agent", (["403"],), [OK], [("user-agent", "curl"), ("user-agent", "BadBot/1")])
case("the second content length", (["400"], [PROTOCOL_ERROR]), [OK], [("content-length", "0"), ("content-length", "1")])
case("blanks around a value", (["200"],), [OK + [("x", " y ")]])
case("the same length twice", (["200"],), [OK + [("content-length", "0"), ("content-length", "0")]])
case("another length behind one", (["502"],), [OK + [("content-length", "0"), ("content-length", "1")]])
case("a denied hint", (["403"],), [[(":status", "103"), ("link", "</secret>")], OK])
case("an allowed hint", (["103", "200"],), [[(":status", "103"), ("link", "</public>")], OK])
case("an interim response that nobody knows", (["200"],), [[(":status", "102")], [(":status", "104"), ("x", "y")], OK])
case("a denied WebSocket", (["403"],), [OK], method="CONNECT", pseudo=[(":protocol", "websocket")])
print(json.dumps({name: outcome(run) for name, run in CASES.items()}))

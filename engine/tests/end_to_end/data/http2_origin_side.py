"""Origins that speak HTTP/2 wrongly, or rightly and oddly, behind the proxy (RFC 9113).

usage: http2_origin_side.py PROXY HOST [late]     prints {case: null or what went wrong} as JSON

Each case is an origin of its own on a port of its own, and a well-behaved client of it. `late`: the rules of the
proxy permit no packet to an origin before they have seen a request.
"""

import concurrent.futures
import json
import socket
import struct
import sys
import threading
import time

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

PROXY, HOST = sys.argv[1:3]
LATE = sys.argv[3:] == ["late"]
CASES = {}
OK = b"\x88"


class Server:
    """Accepts connections and plays `play(peer, number of the connection)` on each."""

    def __init__(self, play):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.play, self.errors = play, []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        for number in range(100):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection, number), daemon=True).start()

    def one(self, connection, number):
        peer = Peer(connection)
        try:
            assert peer.take(len(PREFACE)) == PREFACE, "no preface"
            self.play(peer, number)
        except Closed:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(f"origin: {type(error).__name__}: {error}")


def client(port):
    peer = Peer(tunnel(PROXY, f"{HOST}:{port}"))
    peer.send(PREFACE, settings())
    peer.wait(lambda kind, *_: kind == SETTINGS)
    peer.send(frame(SETTINGS, ACK, 0))
    return peer


def ask(peer, port, stream=1, method="GET", flags=END_STREAM | END_HEADERS, last=()):
    fields = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", f"{HOST}:{port}")]
    peer.send(frame(HEADERS, flags, stream, block(fields + list(last))))


def answer(peer, stream=1):
    """Status, content and whether the stream ended in order."""
    status, content, fields, trailers = None, b"", {}, None
    while True:
        kind, flags, _, payload = peer.wait(lambda kind, _f, other, _p: kind == GOAWAY or other == stream)
        if kind == GOAWAY:
            continue
        if kind == RST_STREAM:
            return {"status": status, "content": content, "reset": struct.unpack(">I", payload)[0], "fields": fields}
        if kind == HEADERS and payload.get(":status", "").startswith("1"):
            fields.setdefault("interim", []).append(payload[":status"])
        elif kind == HEADERS and status is None:
            status = payload[":status"]
            fields.update(payload)
        elif kind == HEADERS:
            trailers = payload
        elif kind == DATA:
            content += payload
            if payload:
                window = struct.pack(">I", len(payload))
                peer.send(frame(WINDOW_UPDATE, 0, 0, window), frame(WINDOW_UPDATE, 0, stream, window))
        if flags & END_STREAM:
            return {"status": status, "content": content, "fields": fields, "trailers": trailers}


def begin(peer):
    peer.send(settings())
    peer.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
    peer.send(frame(SETTINGS, ACK, 0))


def case(check):
    """`check(result)` on what the client got from the origin that the function plays."""

    def register(play):
        def run():
            server = Server(play)
            peer = client(server.port)
            ask(peer, server.port)
            result = answer(peer)
            check(result)
            assert not server.errors, server.errors

        CASES[play.__name__] = run
        return play

    return register


def request(peer):
    return peer.wait(lambda kind, *_: kind == HEADERS)[2]


def status(*wanted):
    def check(result):
        assert result["status"] in wanted and "reset" not in result, result

    return check


def cut(result):
    """Either an error of the proxy's own, or a response whose end is missing."""
    assert result["status"] == "502" or "reset" in result, result


def cut_for_a_fault(result):
    """The same, and it is said that the origin broke the protocol."""
    cut(result)
    told = result["fields"].get("proxy-status", "")
    assert result["status"] != "502" or "http_protocol_error" in told, result


# ---- what origins may do ----


@case(status("200"))
def plain(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, END_STREAM, stream, b"hello"))


def has_trailers(result):
    assert result["content"] == b"hello" and result["trailers"] == {"x-check": "sum"}, result


@case(has_trailers)
def trailers(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, 0, stream, b"hello"))
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block([("x-check", "sum")])))


def has_interim(result):
    assert result["status"] == "200" and result["fields"]["interim"] == ["103", "103"], result


@case(has_interim)
def interim_responses(peer, _number):
    begin(peer)
    stream = request(peer)
    for _ in range(2):
        peer.send(frame(HEADERS, END_HEADERS, stream, block([(":status", "103"), ("link", "</a>")])))
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("204"))
def no_content(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block([(":status", "204")])))


@case(status("200"))
def refused_once_is_sent_again(peer, number):
    begin(peer)
    stream = request(peer)
    if number == 0:
        peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR)))
        peer.send(frame(RST_STREAM, 0, stream, struct.pack(">I", REFUSED_STREAM)))
        peer.wait(lambda *_: False)
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("200"))
def goaway_before_the_stream_is_sent_again(peer, number):
    begin(peer)
    stream = request(peer)
    if number == 0:
        peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR)))
        peer.wait(lambda *_: False)
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("200"))
def goaway_with_an_error_before_the_stream_is_sent_again(peer, number):
    begin(peer)
    stream = request(peer)
    if number == 0:
        peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, ENHANCE_YOUR_CALM)))
        peer.close()
        return
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("200"))
def goaway_before_the_stream_is_heard_behind_a_reset(peer, number):
    """The connection is closed with a reset, which the next write of the proxy meets before it reads."""
    begin(peer)
    stream = request(peer)
    if number == 0:
        peer.send(frame(PING, 0, 0, b"12345678"), frame(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR)))
        peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        return
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("200"))
def goaway_behind_the_stream_lets_it_finish(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, NO_ERROR)))
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("200"))
def response_before_the_request_ended_and_no_error(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))
    peer.send(frame(RST_STREAM, 0, stream, struct.pack(">I", NO_ERROR)))


@case(status("200"))
def pings_and_unknown_frames(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(0xEE, 0xFF, 0, b"x"), frame(PING, 0, 0, b"12345678"))
    peer.wait(lambda kind, flags, *_: kind == PING and flags & ACK)
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))


@case(status("200"))
def small_frames_and_padding(peer, _number):
    begin(peer)
    stream = request(peer)
    head = block([("x-long", "y" * 300)])
    peer.send(frame(HEADERS, 0, stream, OK + head[:10]), frame(CONTINUATION, END_HEADERS, stream, head[10:]))
    for _ in range(20):
        peer.send(frame(DATA, PADDED, stream, b"\x04xy" + b"\0" * 4))
    peer.send(frame(DATA, END_STREAM, stream))


def has_trailers_and_length(result):
    has_trailers(result)
    assert result["fields"]["content-length"] == "5", result


@case(has_trailers_and_length)
def trailers_behind_a_declared_length(peer, _number):
    begin(peer)
    stream = request(peer)
    head = OK + block([("content-length", "5")])
    peer.send(frame(HEADERS, END_HEADERS, stream, head), frame(DATA, 0, stream, b"hello"))
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, block([("x-check", "sum")])))


def has_length(result):
    assert result["content"] == b"hello" and result["trailers"] is None, result
    assert result["fields"]["content-length"] == "5", result


@case(has_length)
def declared_length_without_trailers(peer, _number):
    begin(peer)
    stream = request(peer)
    head = OK + block([("content-length", "5")])
    peer.send(frame(HEADERS, END_HEADERS, stream, head), frame(DATA, 0, stream, b"he"))
    peer.send(frame(DATA, END_STREAM, stream, b"llo"))


def is_trimmed(result):
    assert result["status"] == "200" and result["fields"]["x"] == "a", result


@case(is_trimmed)
def space_around_a_value(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK + block([("x", " a ")])))


# ---- what origins may not do ----


def is_told_by_code(result):
    """The origin broke off by an error of the protocol, and the client can read which."""
    assert result["status"] == "502" and b"INTERNAL_ERROR" in result["content"], result
    assert "http_protocol_error" in result["fields"].get("proxy-status", ""), result


@case(is_told_by_code)
def reset_before_a_response(peer, _number):
    begin(peer)
    peer.send(frame(RST_STREAM, 0, request(peer), struct.pack(">I", INTERNAL_ERROR)))


@case(cut)
def reset_within_the_content(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, 0, stream, b"half"))
    peer.send(frame(RST_STREAM, 0, stream, struct.pack(">I", INTERNAL_ERROR)))


@case(cut)
def goaway_within_the_content(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, 0, stream, b"half"))
    peer.send(frame(GOAWAY, 0, 0, struct.pack(">II", stream, ENHANCE_YOUR_CALM)))
    peer.close()


@case(cut)
def closed_within_the_content(peer, _number):
    begin(peer)
    stream = request(peer)
    peer.send(frame(HEADERS, END_HEADERS, stream, OK), frame(DATA, 0, stream, b"half"))
    peer.close()


def faulty(name, sent, *codes, before=True, check=cut_for_a_fault):
    """What follows instead of a response; with one of these codes the origin is told."""
    told = threading.Event()

    def play(peer, _number):
        if before:
            begin(peer)
        stream = request(peer)
        try:
            peer.send(sent(stream) if callable(sent) else sent)
        except Closed:
            pass  # What was said before that can still be read.
        kind, _, _, payload = peer.wait(lambda kind, *_: kind in (GOAWAY, RST_STREAM))
        code = struct.unpack(">I", payload[4:8] if kind == GOAWAY else payload[:4])[0]
        assert not codes or code in codes, f"told {code}, not {codes}"
        told.set()
        peer.wait(lambda *_: False)

    def checked(result):
        check(result)
        assert not codes or told.wait(5), "the origin was not told"

    play.__name__ = name
    case(checked)(play)


def head(*fields, flags=END_STREAM | END_HEADERS):
    return lambda stream: frame(HEADERS, flags, stream, block(fields))


faulty("no_settings_first", frame(PING, 0, 0, b"12345678"), PROTOCOL_ERROR, before=False)
faulty("http1_answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", before=False)
faulty("request_field", head((":status", "200"), (":path", "/"), flags=END_HEADERS), PROTOCOL_ERROR)
faulty("request_field_at_the_end", head((":status", "200"), (":path", "/")))
faulty("request_field_in_an_interim_response", head((":status", "103"), (":scheme", "http"), flags=END_HEADERS), PROTOCOL_ERROR)
faulty("unknown_pseudo_field", head((":status", "200"), (":test", "x")))
faulty(
    "pseudo_field_in_trailers",
    lambda stream: frame(HEADERS, END_HEADERS, stream, OK) + frame(DATA, 0, stream, b"x")
    + frame(HEADERS, END_STREAM | END_HEADERS, stream, OK),
)
faulty(
    "pseudo_field_in_trailers_behind_a_declared_length",
    lambda stream: frame(HEADERS, END_HEADERS, stream, OK + block([("content-length", "1")])) + frame(DATA, 0, stream, b"x")
    + frame(HEADERS, END_STREAM | END_HEADERS, stream, OK),
)
faulty("without_status", head(("x", "y")))
faulty("two_statuses", head((":status", "200"), (":status", "200")))
faulty("status_of_two_digits", head((":status", "20")))
faulty("status_behind_a_field", head(("x", "y"), (":status", "200")))
faulty("upper_case_name", head((":status", "200"), ("X-Y", "z")))
faulty("connection_field", head((":status", "200"), ("connection", "close")))
faulty("transfer_encoding", head((":status", "200"), ("transfer-encoding", "chunked")))
faulty("line_end_in_a_value", head((":status", "200"), ("x", "a\r\nset-cookie: b")))
faulty("two_lengths", head((":status", "200"), ("content-length", "1"), ("content-length", "2"), flags=END_HEADERS))
faulty("length_missing", lambda stream: head((":status", "200"), ("content-length", "9"))(stream))
faulty("switching_protocols", head((":status", "101")))
faulty("interim_that_ends", head((":status", "103")))
faulty(
    "more_content_than_declared",
    lambda stream: head((":status", "200"), ("content-length", "2"), flags=END_HEADERS)(stream)
    + frame(DATA, END_STREAM, stream, b"three"),
    PROTOCOL_ERROR,
)
faulty(
    "less_content_than_declared",
    lambda stream: head((":status", "200"), ("content-length", "9"), flags=END_HEADERS)(stream)
    + frame(DATA, END_STREAM, stream, b"three"),
)
faulty("data_before_the_head", lambda stream: frame(DATA, END_STREAM, stream, b"x"))
faulty("data_on_stream_0", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR)
faulty("push_promise", lambda stream: frame(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", 2) + block([(":method", "GET")])), PROTOCOL_ERROR)
faulty("bad_block", lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream, b"\xff\xff\xff"), COMPRESSION_ERROR)
faulty("frame_too_large", lambda stream: frame(HEADERS, END_HEADERS, stream, OK) + frame(DATA, 0, stream, b"x" * 16385), FRAME_SIZE_ERROR)
faulty("settings_of_a_wrong_size", frame(SETTINGS, 0, 0, b"123"), FRAME_SIZE_ERROR)
faulty("settings_that_enable_push", settings((ENABLE_PUSH, 1)), PROTOCOL_ERROR)
faulty("settings_window_too_large", settings((INITIAL_WINDOW_SIZE, 1 << 31)), FLOW_CONTROL_ERROR)
faulty("window_overflow", frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, FLOW_CONTROL_ERROR)
faulty("window_overflow_of_a_stream", lambda stream: frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff") * 2, FLOW_CONTROL_ERROR)
for late_name, late in (("data", frame(DATA, 0, 1, b"x")), ("headers", frame(HEADERS, END_STREAM | END_HEADERS, 1, OK))):
    faulty(f"{late_name}_behind_the_end", frame(HEADERS, END_STREAM | END_HEADERS, 1, OK) + late, STREAM_CLOSED, check=lambda _: None)
    reset_first = frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)) + late
    faulty(f"{late_name}_behind_a_reset", reset_first, STREAM_CLOSED)


def too_large(result):
    assert result["status"] == "502" and b"head too large" in result["content"], result


faulty("head_too_large", lambda stream: b"".join(
    [frame(HEADERS, END_STREAM, stream, OK)] + [frame(CONTINUATION, 0, stream, block([("x", "y" * 8000)])) for _ in range(20)]
), check=too_large)
faulty("head_a_little_too_large", lambda stream: b"".join(
    [frame(HEADERS, END_STREAM, stream, OK)]
    + [frame(CONTINUATION, 0, stream, block([("x", "y" * 8000)])) for _ in range(5)]
    + [frame(CONTINUATION, END_HEADERS, stream)]
), check=too_large)
faulty("more_than_the_window", lambda stream: frame(HEADERS, END_HEADERS, stream, OK) + frame(DATA, 0, stream, b"x" * 16384) * 2000)
faulty("ping_flood", frame(PING, 0, 0, b"12345678") * 20000)


def concurrent_limit():
    """No more streams than the origin allows: the others go over further connections."""
    gate, most, open_streams = threading.Lock(), [0], {}

    def play(peer, number):
        peer.send(settings((MAX_CONCURRENT_STREAMS, 3)))
        peer.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
        peer.send(frame(SETTINGS, ACK, 0))
        while True:
            stream = request(peer)
            with gate:
                open_streams.setdefault(number, []).append(stream)
                most[0] = max(most[0], len(open_streams[number]))
            threading.Timer(0.1, finish, (peer, number, stream)).start()

    def finish(peer, number, stream):
        with gate:
            open_streams[number].remove(stream)
            peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))

    server = Server(play)
    peer = client(server.port)
    ask(peer, server.port, 1)
    assert answer(peer, 1)["status"] == "200"
    for stream in range(3, 43, 2):
        ask(peer, server.port, stream)
    ended = set()
    while len(ended) < 20:
        found = peer.wait(lambda kind, *_: kind in (HEADERS, RST_STREAM))
        assert found[0] == HEADERS and found[3][":status"] == "200", found
        ended.add(found[2])
    assert most[0] <= 3, most
    assert len(open_streams) > 1, "one connection only"


def canceled():
    """A client that resets its stream cancels the one at the origin."""
    asked, seen = threading.Event(), threading.Event()

    def play(peer, _number):
        begin(peer)
        stream = request(peer)
        asked.set()
        peer.wait(lambda kind, _f, other, _p: kind == RST_STREAM and other == stream)
        seen.set()

    server = Server(play)
    peer = client(server.port)
    ask(peer, server.port)
    assert asked.wait(5)
    peer.send(frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)))
    assert seen.wait(5), "the origin was not told"


def streamed():
    """Each piece of a response arrives before the next is sent."""
    turn = threading.Semaphore(1)

    def play(peer, _number):
        begin(peer)
        stream = request(peer)
        peer.send(frame(HEADERS, END_HEADERS, stream, OK))
        for _ in range(5):
            assert turn.acquire(timeout=5), "delayed"
            peer.send(frame(DATA, 0, stream, b"data: x\n\n"))
        peer.send(frame(DATA, END_STREAM, stream))

    server = Server(play)
    peer = client(server.port)
    ask(peer, server.port)
    for _ in range(4):
        peer.wait(lambda kind, *_: kind == DATA)
        turn.release()
    assert not server.errors, server.errors


def request_trailers():
    """Trailers of a request reach the origin, whether or not a length was declared."""
    for last in ([], [("content-length", "4")]):
        seen = []

        def play(peer, _number):
            begin(peer)
            head = peer.wait(lambda kind, *_: kind == HEADERS)
            seen.append(head[3].get("content-length"))
            seen.append(peer.wait(lambda kind, *_: kind == HEADERS)[3])
            peer.send(frame(HEADERS, END_STREAM | END_HEADERS, head[2], OK))

        server = Server(play)
        peer = client(server.port)
        ask(peer, server.port, method="POST", flags=END_HEADERS, last=last)
        peer.send(frame(DATA, 0, 1, b"test"), frame(HEADERS, END_STREAM | END_HEADERS, 1, block([("x-check", "sum")])))
        assert answer(peer)["status"] == "200"
        assert seen == [dict(last).get("content-length"), {"x-check": "sum"}], seen


def first_requests_share_a_connection():
    """Thirty at once, from two clients, to an origin that takes its time to say hello."""
    connections = []

    def play(peer, number):
        connections.append(number)
        time.sleep(0.3)
        begin(peer)
        while True:
            stream = request(peer)
            peer.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, OK))

    server = Server(play)
    peers = [client(server.port) for _ in range(2)]
    for stream in range(1, 31, 2):
        for peer in peers:
            ask(peer, server.port, stream)
    for peer in peers:
        ended = set()
        while len(ended) < 15:
            found = peer.wait(lambda kind, *_: kind in (HEADERS, RST_STREAM))
            assert found[0] == HEADERS and found[3][":status"] == "200", found
            ended.add(found[2])
    # Where the rules permit it, each CONNECT dials before there is a request.
    most = 1 if LATE else len(peers)
    assert len(connections) <= most, f"{len(connections)} connections"


def http1_is_spoken_to_who_requires_it():
    """An origin without TLS that answers each stream with HTTP_1_1_REQUIRED."""
    seen = []

    class Either(Server):
        def one(self, connection, number):
            peer = Peer(connection)
            if peer.take(4) != b"PRI ":
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += peer.take(1)
                seen.append("http1")
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
                return
            seen.append("http2")
            peer.take(len(PREFACE) - 4)
            begin(peer)
            peer.send(frame(RST_STREAM, 0, request(peer), struct.pack(">I", HTTP_1_1_REQUIRED)))
            try:
                peer.wait(lambda *_: False)
            except Closed:
                pass

    server = Either(None)
    peer = client(server.port)
    for stream in (1, 3):
        ask(peer, server.port, stream)
        result = answer(peer, stream)
        assert (result["status"], result["content"]) == ("200", b"hello"), result
    assert seen == ["http2", "http1", "http1"], seen


def requests_to_a_dead_origin_fail_at_once():
    """Nobody waits for one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def refuse():
            while True:
                connection, _ = listener.accept()
                threading.Timer(0.5, connection.close).start()

        threading.Thread(target=refuse, daemon=True).start()
        peer = client(port)
        started = time.monotonic()
        for stream in range(1, 17, 2):
            ask(peer, port, stream)
        ended = {}
        while len(ended) < 8:
            found = peer.wait(lambda kind, *_: kind in (HEADERS, RST_STREAM, GOAWAY))
            assert found[0] == HEADERS, found
            ended[found[2]] = found[3][":status"]
        assert set(ended.values()) == {"502"}, ended
        assert time.monotonic() - started < 3, "one after the other"


for function in (
    concurrent_limit,
    canceled,
    streamed,
    request_trailers,
    first_requests_share_a_connection,
    http1_is_spoken_to_who_requires_it,
    requests_to_a_dead_origin_fail_at_once,
):
    CASES[function.__name__] = function

with concurrent.futures.ThreadPoolExecutor(12) as workers:
    runs = {name: workers.submit(outcome, run) for name, run in CASES.items()}
    print(json.dumps({name: run.result() for name, run in runs.items()}, indent=1))

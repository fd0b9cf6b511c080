"""Requirements of RFC 9113 (and RFC 7541) on a server, held against the proxy's side of a tunnel.

usage: http2_client_side.py PROXY TARGET [CA]     prints {case: null or what went wrong} as JSON
"""

import concurrent.futures
import json
import struct
import sys

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

PROXY, TARGET = sys.argv[1:3]
CA = sys.argv[3] if len(sys.argv) > 3 else None
SCHEME = "https" if CA else "http"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Client(Peer):
    def __init__(self, *pairs, preface=PREFACE):
        super().__init__(tunnel(PROXY, TARGET, CA))
        self.send(preface, settings(*pairs))
        if preface == PREFACE:
            self.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
            self.send(frame(SETTINGS, ACK, 0))

    def request(self, stream=1, flags=END_STREAM | END_HEADERS, **changes):
        self.send(frame(HEADERS, flags, stream, block(fields(**changes))))

    def response(self, stream=1):
        found = self.wait(lambda kind, flags, other, _: other == stream and kind in (HEADERS, RST_STREAM))
        assert found[0] == HEADERS, f"reset {found}"
        return found[3]

    def whole(self, stream=1):
        """Status and length of a response read to its end."""
        head, size = None, 0
        while True:
            kind, flags, _, payload = self.wait(lambda kind, _f, other, _p: other == stream and kind in (DATA, HEADERS, RST_STREAM))
            assert kind != RST_STREAM, f"reset {payload}"
            if kind == HEADERS and head is None:
                head = payload
            if kind == DATA:
                size += len(payload)
            if flags & END_STREAM:
                return head[":status"], size

    def connection_error(self, *codes):
        """GOAWAY with one of the codes; the end of the connection alone says nothing."""
        *_, payload = self.wait(lambda kind, *_: kind == GOAWAY)
        code = struct.unpack(">I", payload[4:8])[0]
        assert code in codes, f"GOAWAY {code}, not {codes}"

    def stream_error(self, *codes, stream=1):
        """RST_STREAM with one of the codes, or a connection error with one."""
        kind, _, _, payload = self.wait(
            lambda kind, _, other, payload: kind == GOAWAY or (kind == RST_STREAM and other == stream)
        )
        code = struct.unpack(">I", payload[4:8] if kind == GOAWAY else payload[:4])[0]
        assert code in codes, f"error {code}, not {codes}"

    def alive(self):
        """The connection still answers."""
        self.send(frame(PING, 0, 0, b"12345678"))
        found = self.wait(lambda kind, flags, _, payload: kind in (GOAWAY, PING) and payload == b"12345678" or kind == GOAWAY)
        assert found[0] == PING and found[1] & ACK, found


def fields(extra=(), drop=(), last=(), **changes):
    pseudo = {":method": "GET", ":scheme": SCHEME, ":path": "/", ":authority": TARGET}
    pseudo.update({":" + name: value for name, value in changes.items()})
    return list(extra) + [pair for pair in pseudo.items() if pair[0] not in drop] + list(last)


def post(length):
    return {"method": "POST", "path": "/post", "last": [("content-length", str(length))]}


# ---- 3.4 connection preface ----


@case
def preface_and_settings_first():
    client = Peer(tunnel(PROXY, TARGET, CA))
    client.send(PREFACE, settings())
    assert client.receive()[0] == SETTINGS, "SETTINGS is not first"


@case
def preface_invalid():
    if CA is None:
        return  # Without TLS another preface is another protocol.
    client = Peer(tunnel(PROXY, TARGET, CA))
    client.send(b"INVALID CONNECTION PREFACE\r\n\r\n")
    Client.connection_error(client, PROTOCOL_ERROR)


@case
def preface_without_settings():
    client = Peer(tunnel(PROXY, TARGET, CA))
    client.send(PREFACE, frame(PING, 0, 0, b"12345678"))
    Client.connection_error(client, PROTOCOL_ERROR)


# ---- 4 frames ----


@case
def unknown_frame_types_and_flags_and_the_reserved_bit_are_ignored():
    client = Client()
    client.send(frame(0x16, 0, 0, b"x" * 8), frame(PING, 0x16, 0, b"87654321"))
    client.send(frame(PING, 0, 0x80000000, b"abcdefgh"))
    client.wait(lambda kind, flags, _, payload: kind == PING and payload == b"abcdefgh")
    client.alive()


@case
def data_of_the_largest_size():
    client = Client()
    client.request(flags=END_HEADERS, **post(16384))
    client.send(frame(DATA, END_STREAM, 1, b"x" * 16384))
    assert client.whole()[0] == "200", "not served"


@case
def data_too_large():
    client = Client()
    client.request(flags=END_HEADERS, method="POST")
    client.send(frame(DATA, END_STREAM, 1, b"x" * 16385))
    client.stream_error(FRAME_SIZE_ERROR)


@case
def headers_too_large():
    client = Client()
    large = block(fields(last=[(f"x-{n}", "y" * 1000) for n in range(17)]))
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, large[:16385]))
    client.connection_error(FRAME_SIZE_ERROR)


@case
def header_block_invalid():
    client = Client()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x00\x00\x01"))
    client.connection_error(COMPRESSION_ERROR)


@case
def priority_within_a_header_block():
    client = Client()
    client.request(flags=END_STREAM)
    client.send(frame(PRIORITY, 0, 1, b"\0\0\0\0\x10"), frame(CONTINUATION, END_HEADERS, 1))
    client.connection_error(PROTOCOL_ERROR)


@case
def another_header_block_within_a_header_block():
    client = Client()
    client.request(flags=END_STREAM)
    client.request(stream=3)
    client.connection_error(PROTOCOL_ERROR)


@case
def unknown_frame_within_a_header_block():
    client = Client()
    client.request(flags=END_STREAM)
    client.send(frame(0x16, 0, 0, b"x"), frame(CONTINUATION, END_HEADERS, 1))
    client.connection_error(PROTOCOL_ERROR)


# ---- 5 streams ----


def on_idle(name, sent, *codes):
    def run():
        client = Client()
        client.send(sent)
        client.connection_error(*codes)

    CASES[f"idle_stream_{name}"] = run


on_idle("data", frame(DATA, END_STREAM, 1, b"x"), PROTOCOL_ERROR)
on_idle("rst_stream", frame(RST_STREAM, 0, 1, b"\0\0\0\x08"), PROTOCOL_ERROR)
on_idle("window_update", frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x64"), PROTOCOL_ERROR)
on_idle("continuation", frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")])), PROTOCOL_ERROR)


def after(name, first, sent, *codes):
    """`sent` on a stream that `first` has brought into its state."""

    def run():
        client = Client()
        first(client)
        client.send(sent)
        client.stream_error(*codes)

    CASES[f"{name}"] = run


def half_closed(client):
    client.request(path="/slow")


def reset(client):
    client.request(flags=END_HEADERS, method="POST", path="/post")
    client.send(frame(RST_STREAM, 0, 1, b"\0\0\0\x08"))


def ended(client):
    client.request()
    client.whole()


MORE_HEADERS = frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()))
MORE_DATA = frame(DATA, END_STREAM, 1, b"x")
MORE_CONTINUATION = frame(CONTINUATION, END_HEADERS, 1, block([("a", "b")]))
for state in (half_closed, reset, ended):
    after(f"{state.__name__}_stream_data", state, MORE_DATA, STREAM_CLOSED)
    after(f"{state.__name__}_stream_headers", state, MORE_HEADERS, STREAM_CLOSED)
    after(f"{state.__name__}_stream_continuation", state, MORE_CONTINUATION, STREAM_CLOSED)


@case
def even_stream_id():
    client = Client()
    client.request(stream=2)
    client.connection_error(PROTOCOL_ERROR)


@case
def smaller_stream_id():
    client = Client()
    client.request(stream=5)
    client.request(stream=3)
    client.connection_error(PROTOCOL_ERROR)


@case
def too_many_streams():
    client = Client()
    for stream in range(1, 2 * 140, 2):
        client.request(stream=stream, flags=END_HEADERS, method="POST", path="/post")
    _, _, _, payload = client.wait(lambda kind, *_: kind in (RST_STREAM, GOAWAY))
    assert struct.unpack(">I", payload[-4:])[0] in (REFUSED_STREAM, PROTOCOL_ERROR), payload


@case
def a_stream_that_depends_on_itself():
    client = Client()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, b"\0\0\0\x01\xff" + block(fields())))
    client.stream_error(PROTOCOL_ERROR)


@case
def a_priority_that_depends_on_itself():
    client = Client()
    client.request(flags=END_HEADERS, method="POST", path="/post")
    client.send(frame(PRIORITY, 0, 1, b"\0\0\0\x01\xff"))
    client.stream_error(PROTOCOL_ERROR)


# ---- 6 frame definitions ----


def malformed(name, sent, *codes, opened=False):
    def run():
        client = Client()
        if opened:
            client.request(flags=END_HEADERS, method="POST", path="/post")
        client.send(sent)
        client.stream_error(*codes)

    CASES[name] = run


malformed("data_on_stream_0", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR)
malformed("data_padding_too_long", frame(DATA, PADDED | END_STREAM, 1, b"\x06test"), PROTOCOL_ERROR, opened=True)
malformed("headers_on_stream_0", frame(HEADERS, END_STREAM | END_HEADERS, 0, block(fields())), PROTOCOL_ERROR)
malformed(
    "headers_padding_too_long",
    frame(HEADERS, PADDED | END_STREAM | END_HEADERS, 1, b"\xff" + block(fields())[:100]),
    PROTOCOL_ERROR,
)
malformed("headers_too_short_for_padding", frame(HEADERS, PADDED | END_STREAM | END_HEADERS, 1), FRAME_SIZE_ERROR)
malformed("headers_too_short_for_priority", frame(HEADERS, PRIORITIZED | END_STREAM | END_HEADERS, 1, b"1234"), FRAME_SIZE_ERROR)
malformed("priority_on_stream_0", frame(PRIORITY, 0, 0, b"\0\0\0\x03\x10"), PROTOCOL_ERROR)
malformed("priority_length", frame(PRIORITY, 0, 1, b"\0\0\0\x03"), FRAME_SIZE_ERROR, opened=True)
malformed("rst_stream_on_stream_0", frame(RST_STREAM, 0, 0, b"\0\0\0\x08"), PROTOCOL_ERROR)
malformed("rst_stream_length", frame(RST_STREAM, 0, 1, b"\0\0\0"), FRAME_SIZE_ERROR, opened=True)
malformed("settings_ack_with_payload", frame(SETTINGS, ACK, 0, b"\0" * 6), FRAME_SIZE_ERROR)
malformed("settings_on_a_stream", frame(SETTINGS, 0, 1, b"\0\x03\0\0\0\x64"), PROTOCOL_ERROR)
malformed("settings_length", frame(SETTINGS, 0, 0, b"\0\x03\0"), FRAME_SIZE_ERROR)
malformed("settings_enable_push_2", settings((ENABLE_PUSH, 2)), PROTOCOL_ERROR)
malformed("settings_window_too_large", settings((INITIAL_WINDOW_SIZE, 1 << 31)), FLOW_CONTROL_ERROR)
malformed("settings_frame_size_too_small", settings((MAX_FRAME_SIZE, 16383)), PROTOCOL_ERROR)
malformed("settings_frame_size_too_large", settings((MAX_FRAME_SIZE, 1 << 24)), PROTOCOL_ERROR)
malformed("push_promise", frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02" + block(fields())), PROTOCOL_ERROR, opened=True)
malformed("ping_on_a_stream", frame(PING, 0, 1, b"12345678"), PROTOCOL_ERROR)
malformed("ping_length", frame(PING, 0, 0, b"123456"), FRAME_SIZE_ERROR)
malformed("goaway_on_a_stream", frame(GOAWAY, 0, 1, b"\0" * 8), PROTOCOL_ERROR)
malformed("window_update_0", frame(WINDOW_UPDATE, 0, 0, b"\0" * 4), PROTOCOL_ERROR)
malformed("window_update_0_of_a_stream", frame(WINDOW_UPDATE, 0, 1, b"\0" * 4), PROTOCOL_ERROR, opened=True)
malformed("window_update_length", frame(WINDOW_UPDATE, 0, 0, b"\0" * 3), FRAME_SIZE_ERROR)
malformed("window_overflow", frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, FLOW_CONTROL_ERROR)
malformed("window_overflow_of_a_stream", frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff") * 2, FLOW_CONTROL_ERROR, opened=True)


@case
def what_comes_before_a_fault_is_answered():
    client = Client()
    client.request(flags=END_HEADERS, method="POST", path="/post")
    client.send(frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff") * 2, frame(PING, 0, 0, b"123456"))
    *_, payload = client.wait(lambda kind, *_: kind in (RST_STREAM, GOAWAY))
    assert len(payload) == 4 and payload[3] == FLOW_CONTROL_ERROR, payload
    client.connection_error(FRAME_SIZE_ERROR)


@case
def window_overflow_behind_the_end():
    """On a stream that is closed to the codec."""
    client = Client()
    client.request()
    assert client.whole()[0] == "200"
    client.send(frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff") * 2)
    client.stream_error(FLOW_CONTROL_ERROR)
    client.alive()


# ---- 8.3.1 the path ----


def path_refused(name, path, method="GET"):
    def run():
        client = Client()
        client.request(path=path, method=method)
        head = client.response()
        assert head[":status"] == "400", head
        client.alive()

    CASES[f"path_{name}"] = run


path_refused("asterisk", "*")
path_refused("asterisk_of_post", "*", "POST")
path_refused("query_only", "?x")
path_refused("fragment", "/a#b")
path_refused("fragment_behind_a_query", "/?a#")
path_refused("fragment_only", "#b")


@case
def path_fragment_out_of_the_table():
    client = Client()
    head = block(fields(drop=[":path"]))
    for stream, path in ((1, b"\x44\x04/a#b"), (3, b"\xbe"), (5, b"\x44\x02/a")):
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, head + path))
        found = client.response(stream)
        assert (found[":status"] == "400") == (stream < 5), found


@case
def path_asterisk_of_options():
    client = Client()
    client.request(path="*", method="OPTIONS")
    assert client.response()[":status"] != "400"


malformed("continuation_on_stream_0", frame(CONTINUATION, END_HEADERS, 0, b""), PROTOCOL_ERROR)
malformed("continuation_after_the_block", MORE_CONTINUATION, PROTOCOL_ERROR, opened=True)
malformed(
    "continuation_after_data",
    frame(DATA, 0, 1, b"x") + MORE_CONTINUATION,
    PROTOCOL_ERROR,
    opened=True,
)


@case
def settings_are_acknowledged_and_unknown_ones_ignored():
    client = Client()
    client.send(settings((0xFF, 1), (INITIAL_WINDOW_SIZE, 1), (INITIAL_WINDOW_SIZE, 2)))
    client.wait(lambda kind, flags, *_: kind == SETTINGS and flags & ACK)
    client.alive()


@case
def pings_are_answered_and_answers_are_not():
    client = Client()
    client.send(frame(PING, ACK, 0, b"unasked!"))
    client.send(frame(PING, 0, 0, b"asked..."))
    found = client.wait(lambda kind, *_: kind == PING)
    assert found[3] == b"asked..." and found[1] == ACK, found


@case
def padded_frames():
    client = Client()
    client.send(frame(HEADERS, PADDED | END_HEADERS, 1, b"\x05" + block(fields(**post(4))) + b"\0" * 5))
    client.send(frame(DATA, PADDED | END_STREAM, 1, b"\x03test" + b"\0" * 3))
    assert client.whole()[0] == "200"


@case
def header_block_in_pieces():
    client = Client()
    whole = block(fields(last=[(f"x-{n}", "y" * 100) for n in range(20)]))
    client.send(frame(HEADERS, END_STREAM, 1, whole[:50]))
    for start in range(50, len(whole), 1000):
        client.send(frame(CONTINUATION, 0, 1, whole[start : start + 1000]))
    client.send(frame(CONTINUATION, END_HEADERS, 1))
    assert client.whole()[0] == "200"


@case
def window_of_one_byte():
    client = Client((INITIAL_WINDOW_SIZE, 1))
    client.request(path="/large")
    client.response()
    *_, payload = client.wait(lambda kind, *_: kind == DATA)
    assert len(payload) == 1, len(payload)
    client.send(settings((INITIAL_WINDOW_SIZE, 3)))
    *_, payload = client.wait(lambda kind, *_: kind == DATA)
    assert len(payload) == 2, len(payload)
    client.send(frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x05"))
    *_, payload = client.wait(lambda kind, *_: kind == DATA)
    assert len(payload) == 5, len(payload)


@case
def window_below_zero():
    client = Client((INITIAL_WINDOW_SIZE, 3))
    client.request(path="/large")
    *_, payload = client.wait(lambda kind, *_: kind == DATA)
    assert len(payload) == 3
    client.send(settings((INITIAL_WINDOW_SIZE, 2)), frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\x02"))
    *_, payload = client.wait(lambda kind, *_: kind == DATA)
    assert len(payload) == 1, len(payload)


@case
def connection_window_is_respected():
    client = Client((INITIAL_WINDOW_SIZE, 1 << 20))
    client.request(path="/large")
    size = 0
    while size < 65535:
        size += len(client.wait(lambda kind, *_: kind == DATA)[3])
    assert size == 65535, size
    client.alive()


@case
def errors_of_unknown_codes_are_taken():
    client = Client()
    client.request(flags=END_HEADERS, method="POST", path="/post")
    client.send(frame(RST_STREAM, 0, 1, b"\0\0\0\xff"))
    client.alive()
    client.send(frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\xff"))


# ---- 8 HTTP ----


def bad_request(name, **changes):
    def run():
        client = Client()
        client.request(**changes)
        client.stream_error(PROTOCOL_ERROR)

    CASES[f"request_{name}"] = run


bad_request("with_upper_case_name", last=[("X-TEST", "ok")])
bad_request("with_unknown_pseudo_field", last=[(":test", "ok")])
bad_request("with_status", last=[(":status", "200")])
bad_request("with_pseudo_field_behind_a_field", extra=[("x-test", "ok")])
bad_request("with_connection", last=[("connection", "keep-alive")])
bad_request("with_keep_alive", last=[("keep-alive", "1")])
bad_request("with_proxy_connection", last=[("proxy-connection", "keep-alive")])
bad_request("with_transfer_encoding", last=[("transfer-encoding", "chunked")])
bad_request("with_upgrade", last=[("upgrade", "websocket")])
bad_request("with_te", last=[("te", "trailers, deflate")])
bad_request("with_empty_path", path="")
bad_request("without_method", drop=[":method"])
bad_request("without_scheme", drop=[":scheme"])
bad_request("without_path", drop=[":path"])
bad_request("with_two_methods", last=[(":method", "GET")])
bad_request("with_two_schemes", last=[(":scheme", SCHEME)])
bad_request("with_two_paths", last=[(":path", "/")])
bad_request("with_two_authorities", last=[(":authority", TARGET)])
bad_request("with_empty_name", last=[("", "x")])
bad_request("with_space_in_name", last=[("x y", "x")])
bad_request("with_colon_in_name", last=[("x:y", "x")])
bad_request("with_nul_in_value", last=[("x", "a\0b")])
bad_request("with_line_end_in_value", last=[("x", "a\r\nb: c")])
bad_request("connect_with_path", method="CONNECT")
bad_request("protocol_without_connect", last=[(":protocol", "websocket")])


def refused_request(name, *statuses, **changes):
    """Malformed for this proxy: an answer of its own is as good as a reset (RFC 9113 section 8.1.1)."""

    def run():
        client = Client()
        client.request(**changes)
        status = client.response()[":status"]
        assert status in statuses, status

    CASES[f"refused_{name}"] = run


refused_request("value_with_leading_space", "400", last=[("x", " a")])
refused_request("value_with_trailing_tab", "400", last=[("x", "a\t")])
refused_request("host_that_differs", "400", last=[("host", "evil.test")])
refused_request("two_hosts", "400", drop=[":authority"], last=[("host", TARGET), ("host", TARGET)])
refused_request("no_authority_and_no_host", "400", drop=[":authority"])
refused_request("user_information", "400", authority="user@" + TARGET)
refused_request("other_scheme", "400", scheme="ftp")
refused_request("other_authority", "421", authority="evil.test")
refused_request("connect_in_a_tunnel", "405", method="CONNECT", drop=[":scheme", ":path"])


@case
def host_instead_of_authority():
    client = Client()
    client.request(drop=[":authority"], last=[("host", TARGET)])
    assert client.whole()[0] == "200"


bad_request("without_path_and_authority", drop=[":path", ":authority"])
bad_request("without_path_and_with_host", drop=[":path", ":authority"], last=[("host", TARGET)])
bad_request("protocol_without_path", drop=[":path"], method="CONNECT", last=[(":protocol", "websocket")])


def bad_trailers(name, field, *before):
    """What follows is refused, and the connection goes on."""

    def run():
        client = Client()
        client.request(flags=END_HEADERS, **(post(4) if before else {"method": "POST", "path": "/post"}))
        client.send(*before, frame(HEADERS, END_STREAM | END_HEADERS, 1, field))
        kind, _, _, payload = client.wait(lambda kind, *_: kind in (GOAWAY, RST_STREAM))
        assert (kind, payload) == (RST_STREAM, struct.pack(">I", PROTOCOL_ERROR)), (kind, payload)
        client.request(stream=3)
        assert client.whole(3)[0] == "200"

    CASES[f"trailers_with_{name}"] = run


bad_trailers("method", block([(":method", "GET")]))
bad_trailers("status", block([("x", "y")]) + b"\x88")
bad_trailers("path_behind_content", b"\x84", frame(DATA, 0, 1, b"test"))


@case
def trailers_with_pseudo_field_out_of_the_table():
    client = Client()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + b"\x40\x06x-test\x02ok"))
    client.whole()
    head = fields(method="POST", path="/post", drop=[":authority"])
    head = block(head) + b"\x41" + integer(len(TARGET)) + TARGET.encode()
    client.send(frame(HEADERS, END_HEADERS, 3, head), frame(DATA, 0, 3, b"test"))
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\xbf\xbe"))
    client.stream_error(PROTOCOL_ERROR, stream=3)
    client.alive()


@case
def trailers_that_do_not_end_the_stream():
    client = Client()
    client.request(flags=END_HEADERS, method="POST", path="/post")
    client.send(frame(HEADERS, END_HEADERS, 1, block([("x", "y")])))
    client.stream_error(PROTOCOL_ERROR)


def wrong_length(name, declared, *parts):
    def run():
        client = Client()
        client.request(flags=END_HEADERS, **post(declared))
        for number, part in enumerate(parts, 1):
            client.send(frame(DATA, END_STREAM if number == len(parts) else 0, 1, part))
        client.stream_error(PROTOCOL_ERROR)

    CASES[f"content_length_{name}"] = run


wrong_length("too_small", 1, b"test")
wrong_length("too_large", 10, b"test")
wrong_length("of_several_frames", 1, b"te", b"st")


@case
def content_length_without_content():
    client = Client()
    client.request(method="POST", path="/post", last=[("content-length", "4")])
    client.stream_error(PROTOCOL_ERROR)


@case
def bodies_with_trailers():
    client = Client()
    client.request(flags=END_HEADERS, method="POST", path="/post")
    client.send(frame(DATA, 0, 1, b"test"), frame(HEADERS, END_STREAM | END_HEADERS, 1, block([("x", "y")])))
    assert client.whole()[0] == "200"


@case
def head_has_no_content():
    client = Client()
    client.request(method="HEAD", path="/large")
    found = client.wait(lambda kind, *_: kind == HEADERS)
    assert found[1] & END_STREAM and found[3][":status"] == "200" and "content-length" in found[3], found


@case
def fields_that_are_too_large():
    client = Client()
    bomb = b"\x40\x01x" + integer(3000) + b"y" * 3000 + b"\xbe" * 25
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + bomb))
    assert client.response()[":status"] == "431"
    client.alive()


@case
def many_streams_at_once():
    client = Client()
    for stream in range(1, 101, 2):
        client.request(stream=stream)
    ends = set()
    while len(ends) < 50:
        kind, flags, stream, _ = client.wait(lambda kind, flags, *_: kind in (DATA, HEADERS) and flags & END_STREAM)
        ends.add(stream)


# ---- HPACK (RFC 7541) ----


def bad_block(name, tail):
    def run():
        client = Client()
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + tail))
        client.connection_error(COMPRESSION_ERROR)

    CASES[f"hpack_{name}"] = run


bad_block("index_0", b"\x80")
bad_block("index_beyond_the_table", b"\xff\x07")
bad_block("name_index_beyond_the_table", b"\x7f\x07\x01x")
bad_block("size_update_at_the_end", b"\x21")
bad_block("size_update_too_large", b"\x3f\xff\xff\x07")
bad_block("huffman_padding_too_long", b"\0\x01x\x84\xff\xff\xff\xff")
bad_block("huffman_padding_of_zeros", b"\0\x01x\x81\x18")
bad_block("huffman_with_end_of_string", b"\0\x01x\x84\xff\xff\xff\xfc")


@case
def hpack_size_update_too_large_at_the_start():
    client = Client()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x3f\xe2\xff\x07" + block(fields())))
    client.connection_error(COMPRESSION_ERROR)


@case
def hpack_block_cut_short():
    client = Client()
    client.send(frame(HEADERS, END_STREAM, 1, block(fields()) + b"\x40\x03"))
    client.send(frame(CONTINUATION, END_HEADERS, 1, b"ab"))
    client.connection_error(COMPRESSION_ERROR)


@case
def hpack_entry_that_was_dropped():
    client = Client()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + b"\x40\x01x\x01y"))
    client.whole()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, b"\x20" + block(fields()) + b"\xbe"))
    client.connection_error(COMPRESSION_ERROR)


@case
def hpack_dynamic_table():
    client = Client()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, block(fields()) + b"\x40\x06x-test\x02ok"))
    client.whole()
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, block(fields()) + b"\xbe"))
    assert client.whole(3)[0] == "200"


def main():
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        runs = {name: pool.submit(outcome, run) for name, run in CASES.items()}
        print(json.dumps({name: run.result() for name, run in runs.items()}, indent=1))


main()

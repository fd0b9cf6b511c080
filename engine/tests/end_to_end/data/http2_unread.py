"""Asks for large responses in many streams, opens every window, and does not read.

usage: http2_unread.py PROXY TARGET STREAMS     prints how many bytes had come after two seconds of not reading
"""

import struct
import sys
import time

from http2_frames import *  # pylint: disable=wildcard-import,unused-wildcard-import

peer = Peer(tunnel(*sys.argv[1:3]))
peer.send(PREFACE, settings((INITIAL_WINDOW_SIZE, (1 << 31) - 1)))
peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65535)))
peer.wait(lambda kind, flags, *_: kind == SETTINGS and not flags & ACK)
peer.send(frame(SETTINGS, ACK, 0))
for number in range(int(sys.argv[3])):
    fields = [(":method", "GET"), (":scheme", "http"), (":path", "/large"), (":authority", sys.argv[2])]
    peer.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, block(fields)))
time.sleep(2)
print("unread", flush=True)
sys.stdin.read()

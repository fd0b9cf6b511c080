"""In a network namespace of its own: a proxy, a request, an address more, the same request.

    own_addresses.py ADDRESS TARGET COMMAND...

Brings loopback up, runs COMMAND (a proxy that listens on 127.0.0.1:3128), asks it for TARGET until it answers,
gives loopback the address ADDRESS, and asks until the answer is another one. Prints each answer's status line.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import time

SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x8913, 0x8914, 1


def bring_up(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14s", interface, 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14s", interface, flags | IFF_UP, b""))


def give(interface, address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFADDR, struct.pack(
            "16sHH4s8s", interface, socket.AF_INET, 0, socket.inet_aton(address), b""))


def ask(target):
    try:
        with socket.create_connection(("127.0.0.1", 3128), 5) as client:
            host = target.split("/")[2]
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            return answer.decode("latin-1")
    except OSError:
        return ""


def wait_for(target, is_it):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = ask(target)
        if answer and is_it(answer):
            print(answer.split("\r\n")[0], flush=True)
            return answer
        time.sleep(0.05)
    sys.exit(f"no such answer; the last: {answer}")


def main():
    address, target, *command = sys.argv[1:]
    bring_up(b"lo")
    proxy = subprocess.Popen(command)
    try:
        before = wait_for(target, lambda answer: True)
        # It has looked around since, and would not look again by itself.
        time.sleep(2.5)
        give(b"lo:1", address)
        wait_for(target, lambda answer: answer.split("\r\n")[0] != before.split("\r\n")[0])
    finally:
        proxy.terminate()
        proxy.wait()


main()

#!/usr/bin/env python3
"""A name server that does one thing wrong.

    hostile_dns.py PORT ADDR=MODE ...

At each address a question for TXT is answered as the mode says; the right answer
is "v" with the AA bit.  A mode that ends in "+" sends what is wrong first, and the
right answer a moment later.  Prints "ready" when it listens.
"""
import os
import random
import socket
import struct
import sys
import threading
import time


def question(q):
    at = 12
    while q[at]:
        at += 1 + q[at]
    return q[12 : at + 5]


def message(q, rcode=0, flags=0x8400, records=(), asked=None, ident=None, count=None):
    ident = q[:2] if ident is None else ident
    asked = question(q) if asked is None else asked
    count = len(records) if count is None else count
    head = ident + struct.pack("!HHHHH", flags | rcode, 1 if asked else 0, count, 0, 0)
    return head + asked + b"".join(records)


def txt(*strings, owner=b"\xc0\x0c", length=None):
    data = b"".join(bytes([len(s)]) + s for s in strings)
    length = len(data) if length is None else length
    return owner + struct.pack("!HHIH", 16, 1, 60, length) + data


def right(q):
    return message(q, records=[txt(b"v")])


def other_name(q):
    asked = question(q)
    return bytes([asked[0]]) + b"z" * asked[0] + asked[1 + asked[0] :]


def other_id(q):
    return bytes([q[0], q[1] ^ 1])


def garbage(q):
    return q[:2] + os.urandom(random.randint(0, 400))


# What is sent by UDP.
UDP = {
    "right": right,
    "id": lambda q: message(q, records=[txt(b"v")], ident=other_id(q)),
    "name": lambda q: message(q, records=[txt(b"v")], asked=other_name(q)),
    "type": lambda q: message(q, records=[txt(b"v")], asked=question(q)[:-4] + b"\0\x01\0\x01"),
    "class": lambda q: message(q, records=[txt(b"v")], asked=question(q)[:-2] + b"\0\x03"),
    "qr": lambda q: message(q, flags=0x0400, records=[txt(b"v")]),
    "opcode": lambda q: message(q, flags=0xA400, records=[txt(b"v")]),
    "noquestion": lambda q: message(q, rcode=2, asked=b""),
    "questions": lambda q: (m := message(q, asked=2 * question(q), records=[txt(b"v")]))[:5]
    + b"\2"
    + m[6:],
    "garbage": garbage,
    "empty": lambda q: b"",
    "short": lambda q: right(q)[:-3],
    "header": lambda q: right(q)[:12],
    "loop": lambda q: message(
        q, records=[txt(b"v", owner=struct.pack("!H", 0xC000 | (12 + len(question(q)))))]
    ),
    "forward": lambda q: message(q, records=[txt(b"v", owner=b"\xff\xff")]),
    "length": lambda q: message(q, records=[txt(b"v", length=60000)]),
    "count": lambda q: message(q, records=[txt(b"v")], count=65535),
    "string": lambda q: message(q, records=[b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 60, 2) + b"\xffv"]),
    "servfail": lambda q: message(q, rcode=2),
    "refused": lambda q: message(q, rcode=5),
    "formerr": lambda q: message(q, rcode=1),
    "rcode": lambda q: message(q, rcode=13),
    "nxdomain": lambda q: message(q, rcode=3),
    "lame": lambda q: message(q, flags=0x8000, records=[txt(b"v")]),
    "lacks": lambda q: message(q),
    "other": lambda q: message(q, records=[txt(b"w")]),
    "beyond": lambda q: message(q, records=[txt(b"v"), txt(b"\x1b[2Jw")]),
    "elsewhere": lambda q: message(q, records=[txt(b"v", owner=b"\1x\0")]),
}
# By UDP all of these but the first say TC.
TCP = ("tcponly", "tcpright", "tcpbig", "tcpslow", "tcpsilent", "tcpclose", "tcphalf", "tcpid", "tcpflood", "tcpcut", "tcpnone")


def read(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more:
            raise OSError
        got += more
    return got


def tcp_answer(s, mode):
    q = read(s, struct.unpack("!H", read(s, 2))[0])
    good = right(q)
    framed = struct.pack("!H", len(good)) + good
    if mode in ("tcpright", "tcponly"):
        s.sendall(framed)
    elif mode == "tcpbig":
        # 65535 octets, the right one not among them.
        records = [txt(b"%06d" % i + b"x" * 249) for i in range(239)]
        big = message(q, records=records)
        s.sendall(struct.pack("!H", len(big)) + big)
    elif mode == "tcpslow":
        for octet in framed:
            s.sendall(bytes([octet]))
            time.sleep(0.5)
    elif mode == "tcpsilent":
        time.sleep(30)
    elif mode == "tcphalf":
        s.sendall(framed[:-4])
        time.sleep(30)
    elif mode == "tcpid":
        bad = UDP["id"](q)
        s.sendall(struct.pack("!H", len(bad)) + bad)
        time.sleep(30)
    elif mode == "tcpflood":
        while True:
            s.sendall(b"\0\x01x" * 20000)
    elif mode == "tcpcut":
        bad = message(q, flags=0x8600)
        s.sendall(struct.pack("!H", len(bad)) + bad)
        time.sleep(30)


def quietly(f, *args):
    try:
        f(*args)
    except OSError:
        pass


def connection(s, mode):
    with s:
        quietly(tcp_answer, s, mode)


def listen(s, mode):
    while True:
        c, _ = s.accept()
        threading.Thread(target=connection, args=(c, mode), daemon=True).start()


def serve(s, mode, addr):
    stray = socket.socket(s.family, socket.SOCK_DGRAM)
    stray.bind((addr, 0))
    more = mode.endswith("+")
    mode = mode.rstrip("+")
    turn = 0
    while True:
        q, peer = s.recvfrom(4096)
        turn += 1
        if mode in ("silent", "tcponly") or (mode == "second" and turn == 1):
            continue
        if mode == "port":
            stray.sendto(right(q), peer)
        elif mode in TCP:
            s.sendto(message(q, flags=0x8600), peer)
        elif mode == "late":
            threading.Timer(0.6, s.sendto, (right(q), peer)).start()
        elif mode == "second":
            s.sendto(right(q), peer)
        elif mode == "many":
            for _ in range(200):
                s.sendto(garbage(q), peer)
        else:
            s.sendto(UDP[mode](q), peer)
        if more:
            time.sleep(0.05)
            s.sendto(right(q), peer)


def main():
    port = int(sys.argv[1])
    for arg in sys.argv[2:]:
        addr, mode = arg.split("=")
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.bind((addr, port))
        threading.Thread(target=serve, args=(s, mode, addr), daemon=True).start()
        if mode in TCP and mode != "tcpnone":
            t = socket.socket(family, socket.SOCK_STREAM)
            t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            t.bind((addr, port))
            t.listen(16)
            threading.Thread(target=listen, args=(t, mode), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main()

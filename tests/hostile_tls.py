#!/usr/bin/env python3
"""Servers that speak SMTP, IMAP or POP3 before TLS, well or not.

    hostile_tls.py CERT KEY PORT ADDR=MODE ...

At each address, a server of that mode; see the functions below.  What a server was
told within TLS is printed as "MODE said TEXT".  Prints "ready" when it listens.
"""
import os
import socket
import ssl
import sys
import threading
import time

CERT, KEY = sys.argv[1], sys.argv[2]
TICK = 0.05


def line(c):
    got = b""
    while not got.endswith(b"\n"):
        one = c.recv(1)
        if not one:
            raise EOFError
        got += one
    return got


def tls(c, mode):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(CERT, KEY)
    with ctx.wrap_socket(c, server_side=True) as t:
        print(mode, "said", repr(t.recv(100).decode()), flush=True)


def wait_end(c):
    while c.recv(4096):
        pass


# What stands for itself: said one after the other, whenever a line has come.
EHLO = b"250-there\r\n250-SIZE 1\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
GO = b"220 go\r\n"
LINES = {
    "smtp": [b"220-wait\r\n220 there\r\n", EHLO, GO, "tls"],
    "smtp-bare": [b"220\r\n", b"250-there\n250 starttls\n", b"220 go\n", "tls"],
    "imap-talk": [b"* OK hello\r\n", b"* 1 EXISTS\r\na OK go\r\n", "tls"],
    "smtp-421": [b"421 busy\r\n"],
    "smtp-554": [b"554 no \x1b]0;title\x07\x1b[31m service\r\n"],
    "smtp-ehlo-502": [b"220 there\r\n", b"502 what\r\n"],
    "smtp-ehlo-451": [b"220 there\r\n", b"451 later\r\n"],
    "smtp-plain": [b"220 there\r\n", b"250-STARTTLS\r\n250 8BITMIME\r\n"],
    "smtp-454": [b"220 there\r\n", EHLO, b"454 not now\r\n"],
    "smtp-no": [b"220 there\r\n", EHLO, b"502 no\r\n"],
    "smtp-codes": [b"220-one\r\n250 two\r\n"],
    "smtp-imap": [b"* OK hello\r\n"],
    "smtp-nul": [b"220 the\0re\r\n"],
    "smtp-early": [b"220 there\r\n" + EHLO],
    "smtp-early-go": [b"220 there\r\n", EHLO + GO],
    "smtp-inject": [b"220 there\r\n", EHLO, GO + b"250 injected\r\n", "tls"],
    "smtp-inject-tls": [b"220 there\r\n", EHLO, GO, (b"250 injected\r\n",), "tls"],
    "imap-preauth": [b"* PREAUTH hello\r\n"],
    "imap-bye": [b"* BYE later\r\n"],
    "imap-no": [b"* OK hello\r\n", b"a NO no TLS\r\n"],
    "imap-bad": [b"* OK hello\r\n", b"a BAD what\r\n"],
    "imap-tag": [b"* OK hello\r\n", b"b OK go\r\n", "tls"],
    "imap-inject": [b"* OK hello\r\n", b"a OK go\r\n* OK injected\r\n", "tls"],
    "pop3-err": [b"-ERR no\r\n"],
    "pop3-temp": [b"-ERR [SYS/TEMP] later\r\n"],
    "pop3-no": [b"+OK hello\r\n", b"-ERR what\r\n"],
    "pop3-smtp": [b"220 there\r\n"],
    "close-accept": [],
    "close-greeting": [b"220 there\r\n", "close"],
    "close-ehlo": [b"220 there\r\n", EHLO, "close"],
    "close-go": [b"220 there\r\n", EHLO, GO, "close"],
    "tls-close": ["hello"],
    "tls-http": ["hello", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"],
    "tls-binary": ["hello", os.urandom(300)],
    "tls-alert": ["hello", bytes.fromhex("1503030002022f")],	# illegal_parameter
    "tls-none": ["hello", bytes.fromhex("15030300020228")],	# handshake_failure
}


def scripted(c, mode):
    before = None
    for part in LINES[mode]:
        if part == "tls":
            tls(c, mode)
            return
        if part == "hello":
            c.recv(65536)
        elif isinstance(part, tuple):	# unasked, in a packet of its own
            time.sleep(TICK)
            c.sendall(part[0])
        elif part != "close":
            if isinstance(before, bytes):
                line(c)
            c.sendall(part)
        before = part
    if isinstance(before, bytes) and LINES[mode][0] != "hello":
        wait_end(c)


def imap(c, mode):
    c.sendall(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n")
    while True:
        tag, command = line(c).split()[:2]
        if command.upper() == b"CAPABILITY":
            c.sendall(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n")
        c.sendall(tag + b" OK so be it\r\n")
        if command.upper() == b"STARTTLS":
            return tls(c, mode)


def pop3(c, mode):
    c.sendall(b"+OK hello\r\n")
    while line(c).strip().upper() != b"STLS":
        c.sendall(b"-ERR what\r\n")
    c.sendall(b"+OK go\r\n")
    tls(c, mode)


# What has no end.
def silent(c, mode):
    wait_end(c)


def dribble(c, mode):
    for octet in b"220 " + b"x" * 4000:
        c.sendall(bytes([octet]))
        time.sleep(TICK)


def tls_dribble(c, mode):
    c.recv(65536)
    c.sendall(b"\x16\x03\x03\x20\x00\x02\x00\x1f\xfc")
    for _ in range(0x1ffc):
        c.sendall(b"x")
        time.sleep(TICK)


def endless(text):
    def serve(c, mode):
        while True:
            c.sendall(text)
    return serve


def binary(c, mode):
    while True:
        c.sendall(os.urandom(1000))


def endless_imap(c, mode):
    c.sendall(b"* OK hello\r\n")
    line(c)
    while True:
        c.sendall(b"* 1 EXISTS\r\n")


OTHERS = {
    "imap": imap,
    "pop3": pop3,
    "silent": silent,
    "dribble": dribble,
    "tls-dribble": tls_dribble,
    "endless-line": endless(b"220-" + b"x" * 5000),
    "endless-lines": endless(b"220-more\r\n"),
    "endless-text": endless(b"220-" + b"x" * 2000 + b"\r\n"),
    "endless-imap": endless_imap,
    "binary": binary,
}


def serve(s, mode):
    def one(c):
        try:
            with c:
                OTHERS.get(mode, scripted)(c, mode)
        except (OSError, EOFError):
            pass

    while True:
        c, _ = s.accept()
        threading.Thread(target=one, args=(c,), daemon=True).start()


def main():
    port = int(sys.argv[3])
    for word in sys.argv[4:]:
        addr, mode = word.split("=")
        s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((addr, port))
        s.listen(20)
        assert mode in LINES or mode in OTHERS
        threading.Thread(target=serve, args=(s, mode), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main()

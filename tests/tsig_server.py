"""A name server by TCP that signs its answers (RFC 8945), and lies.

    tsig_server.py ADDRESS PORT ALGORITHM KEY SECRET LOG MODE[,MODE...]

It has every zone.  An update is believed and kept, as far as it is of records that are
added and removed; a question is answered from what is kept.  Every message that comes is
a line in LOG: "query NAME TYPE" or "update ZONE +ADDED -REMOVED", and " bad" behind it if
its signature is wrong.  A MODE is a fault of all answers, or with "q:" before it of those
to questions, with "u:" of those to updates; "u1:" of the first update alone.
"""
import base64, hashlib, hmac, os, socket, struct, sys, threading, time

ADDRESS, PORT, ALGORITHM, KEY, SECRET, LOG, MODES = sys.argv[1:8]
SECRET = base64.b64decode(SECRET)
MODES = [m for m in MODES.split(",") if m]
DIGEST = {"hmac-sha256": hashlib.sha256, "hmac-sha384": hashlib.sha384, "hmac-sha512": hashlib.sha512}
store, lock, updates = set(), threading.Lock(), 0


def name(text):
    return b"".join(bytes([len(p)]) + p.encode() for p in text.rstrip(".").split(".")) + b"\0"


def read_name(m, at):
    parts = []
    while m[at]:
        parts.append(m[at + 1:at + 1 + m[at]].lower())
        at += 1 + m[at]
    return b".".join(parts) + b".", at + 1


def read_rr(m, at):
    owner, at = read_name(m, at)
    kind, cls, ttl, n = struct.unpack("!HHIH", m[at:at + 10])
    return (owner, kind, cls, ttl, m[at + 10:at + 10 + n]), at + 10 + n


def mac_of(pieces, algorithm=ALGORITHM):
    return hmac.new(SECRET, b"".join(pieces), DIGEST[algorithm]).digest()


def variables(key, algorithm, when, fudge, error, other):
    return (name(key) + struct.pack("!HI", 255, 0) + name(algorithm) + when.to_bytes(6, "big") +
            struct.pack("!HHH", fudge, error, len(other)) + other)


def tsig(key, algorithm, when, fudge, mac, ident, error, other):
    data = (name(algorithm) + when.to_bytes(6, "big") + struct.pack("!HH", fudge, len(mac)) + mac +
            struct.pack("!HHH", ident, error, len(other)) + other)
    return name(key) + struct.pack("!HHIH", 250, 255, 0, len(data)) + data


def split(m):
    """Question, records, and the signature's place, MAC and goodness, of a request."""
    counts = struct.unpack("!HHHH", m[4:12])
    owner, at = read_name(m, 12)
    question = (owner, *struct.unpack("!HH", m[at:at + 4]))
    at += 4
    rrs = []
    for _ in range(sum(counts[1:])):
        first = at
        rr, at = read_rr(m, at)
        rrs.append(rr)
    owner, kind, _, _, data = rrs.pop()
    assert kind == 250 and at == len(m)
    alg, at = read_name(data, 0)
    when, fudge, n = int.from_bytes(data[at:at + 6], "big"), *struct.unpack("!HH", data[at + 6:at + 10])
    mac = data[at + 10:at + 10 + n]
    bare = m[:10] + struct.pack("!H", counts[3] - 1) + m[12:first]
    good = (owner == KEY.encode() + b"." and alg == ALGORITHM.encode() + b"." and data[at + 10 + n:] == m[:2] + b"\0\0\0\0"
            and abs(when - time.time()) <= fudge and mac == mac_of([bare, variables(KEY, ALGORITHM, when, fudge, 0, b"")]))
    return question, rrs[:counts[1]], rrs[counts[1]:], mac, good


def apply(prerequisites, changes):
    """The RCODE of an update; value dependent prerequisites go by sets."""
    wanted = {}
    for owner, kind, cls, _, data in prerequisites:
        wanted.setdefault((owner, kind), set())
        if cls == 1:
            wanted[owner, kind].add(data)
    for (owner, kind), data in wanted.items():
        has = {d for o, k, _, d in store if (o, k) == (owner, kind)}
        if has != data:
            return 7 if not data else 8
    for owner, kind, cls, ttl, data in changes:
        for r in [r for r in store if (r[0], r[1], r[3]) == (owner, kind, data)]:
            store.discard(r)
        if cls == 1:
            store.add((owner, kind, ttl, data))
    return 0


def modes_for(update):
    found = []
    for m in MODES:
        to, _, what = m.rpartition(":")
        if not to or (to == "u" and update) or (to == "q" and not update) or (to == "u%d" % updates and update):
            found.append(what)
    return found


def answer(m):
    global updates
    question, before, changes, asked, good = split(m)
    update = m[2] >> 3 & 15 == 5
    updates += update
    modes, rcode, records = modes_for(update), 0, []
    with open(LOG, "a") as log:
        bad = "" if good else " bad"
        if update:
            log.write("update %s +%d -%d%s\n" % (question[0].decode(), sum(c[2] == 1 for c in changes), sum(c[2] == 254 for c in changes), bad))
        else:
            log.write("query %s %d%s\n" % (question[0].decode(), question[1], bad))
    for mode in modes:
        if mode.startswith("rcode="):
            rcode = int(mode[6:])
        if mode.startswith("foreign="):     # somebody else adds a TXT record just now
            value = mode[8:].encode()
            store.add((before[0][0], 16, 60, bytes([len(value)]) + value))
        if mode == "exit":
            apply(before, changes)
            os._exit(0)
        if mode == "kill":                  # the client, when the update is done
            rcode = apply(before, changes)
            os.kill(int(open(LOG + ".pid").read()), 9)
            return None, b""
    if update and rcode == 0 and "forget" not in modes:
        rcode = apply(before, changes)
    if not update:
        records = [r for r in store if r[:2] == question[:2]]
    flags = 0x8000 | (m[2] & 0x78) << 8 | 0x0400 | rcode
    ident = m[:2]
    count, text = 1, m[12:12 + len(question[0]) + 5]
    for mode in modes:
        flags ^= {"noqr": 0x8000, "opcode": 0x1000, "tc": 0x0200, "noaa": 0x0400}.get(mode, 0)
        if mode == "id":
            ident = bytes([m[0] ^ 1, m[1]])
        if mode == "noquestion":
            count, text = 0, b""
        if mode == "question":
            text = name("elsewhere.example") + text[-4:]
        if mode == "type":
            text = text[:-4] + b"\0\1" + text[-2:]
    body = ident + struct.pack("!HHHHH", flags, count, len(records), 0, 0) + text
    for owner, kind, ttl, data in records:
        body += name(owner.decode()) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data
    return modes, sign(modes, body, asked, m)


def sign(modes, body, asked, m):
    key, algorithm, when, error, other, ident = KEY, ALGORITHM, int(time.time()), 0, b"", struct.unpack("!H", m[:2])[0]
    for mode in modes:
        if mode == "otherkey":
            key = "other"
        elif mode == "otheralg":
            algorithm = [a for a in DIGEST if a != ALGORITHM][0]
        elif mode.startswith("time="):
            when += int(mode[5:])
        elif mode == "origid":
            ident ^= 1
        elif mode == "badtime":
            error, other = 18, (when + 5000).to_bytes(6, "big")
        elif mode.startswith("tsigerror="):
            error = int(mode[10:])
    if "unsigned" in modes:
        return body
    mac = mac_of([struct.pack("!H", len(asked)), asked, body, variables(key, algorithm, when, 65535 if "fudge" in modes else 300, error, other)], algorithm)
    if "noreq" in modes:
        mac = mac_of([body, variables(key, algorithm, when, 300, error, other)])
    if "badmac" in modes:
        mac = bytes([mac[0] ^ 1]) + mac[1:]
    for mode in modes:
        if mode.startswith("short="):
            mac = mac[:int(mode[6:])]
    if "nomac" in modes:
        mac = b""
    extra = tsig(key, algorithm, when, 65535 if "fudge" in modes else 300, mac, ident, error, other)
    n = 1
    if "twice" in modes:
        extra, n = extra + extra, 2
    if "notlast" in modes:
        extra, n = extra + name("x") + struct.pack("!HHIH", 16, 1, 0, 2) + b"\1x", 2
    if "trailing" in modes:
        extra += b"x"
    if "counts" in modes:
        n = 65535
    if "changed" in modes:
        body = body[:3] + bytes([body[3] ^ 5]) + body[4:]
    return body[:10] + struct.pack("!H", n) + body[12:] + extra


def send(c, modes, out):
    out = struct.pack("!H", len(out)) + out
    if "garbage" in modes:
        out = b"\0\x40" + bytes(range(64))
    if "empty" in modes:
        out = b"\0\0"
    if "silent" in modes:
        return
    if "half" in modes:
        c.sendall(out[:len(out) // 2])
        return
    if "drip" in modes:
        for b in out:
            c.sendall(bytes([b]))
            time.sleep(0.2)
        return
    c.sendall(out)


def serve(c):
    try:
        while True:
            head = b""
            while len(head) < 2:
                got = c.recv(2 - len(head))
                if not got:
                    return
                head += got
            n, m = struct.unpack("!H", head)[0], b""
            while len(m) < n:
                got = c.recv(n - len(m))
                if not got:
                    return
                m += got
            with lock:
                modes, out = answer(m)
            if modes is None or "hangup" in modes:
                return
            send(c, modes, out)
            if "once" in modes:
                return
    except OSError:
        pass
    finally:
        c.close()


s = socket.socket(socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((ADDRESS, int(PORT)))
s.listen(50)
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()

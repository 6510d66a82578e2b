"""hostile_faults.py - what goes wrong at hostile_ca.py: a short function for each
fault, by the name with which a test asks for it:

    NAME[:ARGUMENT][@WHERE,...][#TIMES]

WHERE are resources (dir, nonce, new-account, account, key-change, new-order, order,
authz, challenge, finalize, cert, ari, revoke), "post" or "all"; without it, those
that the fault is made for.  TIMES: only so many times, then all is well.  The state
of an order is seen in three answers: new-order, order, finalize.
"""
import email.utils
import gzip
import json
import re
import ssl
import time

PROBLEM = "urn:ietf:params:acme:error:"
ORDER = "new-order,order,finalize"
FAULTS = {}
CHUNK = b"x" * 16384


class Reply:
    """What is sent; faults change it.  A body that is not bytes is sent as JSON."""

    def __init__(self, status=200, body=b"", kind=None, location=None):
        self.status, self.body, self.headers = status, body, []
        if kind is None and not isinstance(body, bytes):
            kind = "application/problem+json" if status >= 400 else "application/json"
        for name, value in ("Content-Type", kind), ("Location", location):
            if value is not None:
                self.headers.append((name, value))
        self.version = "HTTP/1.1"
        self.send = None        # a function (reply, socket) that sends it in another way
        self.close = False

    def drop(self, name):
        self.headers = [h for h in self.headers if h[0].lower() != name.lower()]

    def put(self, name, value):
        self.drop(name)
        self.headers.append((name, value))

    def get(self, name):
        return next((h[1] for h in self.headers if h[0].lower() == name.lower()), None)

    def head(self):
        lines = ["%s %d Status" % (self.version, self.status)] + ["%s: %s" % h for h in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def payload(self):
        if not isinstance(self.body, bytes):
            self.body = json.dumps(self.body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return self.body


class Fault:
    def __init__(self, ca, line):
        m = re.fullmatch(r"([a-z0-9-]+)(?::(.*?))?(?:@([a-z,-]+))?(?:#(\d+))?", line, re.S)
        if m is None or m[1] not in FAULTS:
            raise SystemExit("hostile_faults: no such fault: " + line)
        self.stage, where, self.func = FAULTS[m[1]]
        self.ca, self.arg, self.where = ca, m[2] or "", (m[3] or where).split(",")
        self.times = int(m[4]) if m[4] else None

    def applies(self, stage, req):
        if stage != self.stage or not (req.what in self.where or "all" in self.where or
                                       ("post" in self.where and req.method == "POST")):
            return False
        if self.times is not None:
            self.times -= 1
            return self.times >= 0
        return True


def load(ca, path):
    with open(path) as f:
        return [Fault(ca, line) for line in f.read().splitlines() if line]


def fault(stage, where="all"):
    """before: returns an answer, and nothing is done; after: changes the answer; order:
    a new order; chain: a list of certificates (PEM, or functions that make it)."""
    def add(func):
        FAULTS[func.__name__.replace("_", "-")] = stage, where, func
        return func
    return add


def problem(kind, detail, status=400, **more):
    return Reply(status, dict(more, type=PROBLEM + kind, detail=detail, status=status))


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


# ---- answers instead of the right one ---------------------------------------

@fault("before", "post")
def bad_nonce(f, req, _):
    return problem("badNonce", "not today")


@fault("before", "new-order")
def status(f, req, _):
    """CODE[,RETRY-AFTER]: seconds, any word, or date+SECONDS."""
    code, _, after = f.arg.partition(",")
    reply = problem("rateLimited" if code == "429" else "serverInternal", "try again", int(code))
    if after.startswith("date"):
        after = email.utils.formatdate(time.time() + int(after[4:]), usegmt=True)
    if after:
        reply.put("Retry-After", after)
    return reply


@fault("before", "new-order")
def problem_of(f, req, _):
    """TYPE[,STATUS]"""
    kind, _, code = f.arg.partition(",")
    reply = problem(kind, "the detail of " + kind, int(code or 403))
    reply.body["instance"] = f.ca.url("read-this")
    if kind == "rejectedIdentifier":
        reply.body["subproblems"] = [{"type": PROBLEM + kind, "detail": "this one not",
                                      "identifier": {"type": "dns", "value": "www.example.com"}}]
    return reply


NASTY = {
    "ansi": "before\x1b[2J\x1b]0;title\x07after", "newline": "one\nsslm: two\r\nthree", "nul": "before\0after",
    "bidi": "before\u202egpj.exe\u2066after", "c1": "before\x9b31mafter", "long": "very long " * 20000,
    "format": "%s%s%s%n%n", "surrogate": "before\udc80after", "del": "before\x7f\x08after",
    "type": "urn:\x1b[1m"}


@fault("before", "new-order")
def nasty_detail(f, req, _):
    reply = problem("unauthorized", NASTY[f.arg], 403)
    if f.arg == "type":
        reply.body["type"] = NASTY[f.arg]
    return reply


@fault("before", "new-order")
def html(f, req, _):
    return Reply(int(f.arg or 200), b"<!DOCTYPE html><html><title>Sign in</title><p>Wi-Fi</html>", "text/html")


@fault("before", "new-order")
def no_content(f, req, _):
    return Reply(204)


@fault("before", "new-order")
def redirect(f, req, _):
    """CODE[,http|file|host|none]; else to itself."""
    code, _, to = f.arg.partition(",")
    here = f.ca.url(req.path.lstrip("/"))
    to = {"http": here.replace("https:", "http:"), "file": "file:///etc/passwd", "none": None,
          "host": "https://127.0.0.1:1/dir"}.get(to, here)
    return Reply(int(code), location=to)


@fault("before", "new-order")
def close_before(f, req, _):
    reply = Reply()
    reply.send = lambda reply, sock: sock.close()
    return reply


@fault("before", "new-order")
def hang(f, req, _):
    reply = Reply()
    reply.send = lambda reply, sock: (sock.settimeout(300), sock.recv(1))
    return reply


# ---- the right answer, sent in the wrong way --------------------------------

def drip(data, sock):
    for i in range(len(data)):
        sock.sendall(data[i:i + 1])
        time.sleep(1)


def sized(reply, size):
    reply.put("Content-Length", size)
    return reply.head()


@fault("after", "new-order")
def slow_body(f, req, reply):
    body = reply.payload()
    reply.send = lambda reply, sock: (sock.sendall(sized(reply, len(body))), drip(body, sock))


@fault("after", "new-order")
def slow_header(f, req, reply):
    body = reply.payload()
    reply.send = lambda reply, sock: drip(sized(reply, len(body)) + body, sock)


@fault("after", "new-order")
def endless(f, req, reply):
    """[length|chunked|header|gzip]: without an end, as far as the client takes it."""
    def send(reply, sock):
        if f.arg == "header":
            sock.sendall(reply.head()[:-2] + b"X: ")
        elif f.arg == "length":
            sock.sendall(sized(reply, 1 << 40))
        elif f.arg == "chunked":
            reply.put("Transfer-Encoding", "chunked")
            sock.sendall(reply.head())
        else:
            sock.sendall(reply.head())
        while True:
            sock.sendall(b"4000\r\n" + CHUNK + b"\r\n" if f.arg == "chunked" else CHUNK)
    reply.send = send


@fault("after", "new-order")
def bomb(f, req, reply):
    reply.body = gzip.compress(b" " * (1 << 28))
    reply.put("Content-Encoding", "gzip")


@fault("after", "new-order")
def close_mid(f, req, reply):
    body = reply.payload()
    reply.send = lambda reply, sock: (sock.sendall(sized(reply, len(body)) + body[:len(body) // 2]), sock.close())


RAW = {
    "999": b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\n{}", "word": b"HTTP/1.1 abc\r\n\r\n",
    "version": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}", "none": b"{}\r\n\r\n",
    "minus": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "two": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n{}",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "big-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n{}\r\n",
    "switch": b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "h2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 64, "nul": b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n{}",
    "fold": b"HTTP/1.1 200 OK\r\nReplay-Nonce: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "auth": b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x, Negotiate\r\nContent-Length: 0\r\n\r\n",
    "proxy": b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"}


@fault("before", "new-order")
def raw(f, req, _):
    """One of RAW; or interim, answers that are none, without an end."""
    def interim(reply, sock):
        while True:
            sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" * 100)
    reply = Reply()
    reply.send = interim if f.arg == "interim" else \
        lambda reply, sock: (sock.sendall(RAW[f.arg]), sock.close())
    return reply


@fault("after", "new-order")
def code(f, req, reply):
    """Another status; all else is right."""
    reply.status = int(f.arg)


@fault("before", "new-order")
def subproblems(f, req, _):
    """So many of them."""
    sub = {"type": PROBLEM + "caa", "detail": "no", "identifier": {"type": "dns", "value": "example.com"}}
    return problem("compound", "several", 403, subproblems=[sub] * int(f.arg))


@fault("after", "new-order")
def http10(f, req, reply):
    reply.version, reply.close = "HTTP/1.0", True


@fault("after", "new-order")
def no_nonce(f, req, reply):
    reply.drop("Replay-Nonce")


@fault("after", "new-order")
def header(f, req, reply):
    """NAME=VALUE in place of what there is; without =, none."""
    name, given, value = f.arg.partition("=")
    reply.drop(name)
    if given:
        reply.put(name, value)


@fault("after", "new-order")
def huge_header(f, req, reply):
    reply.put("X-Huge", "x" * (1 << 20))


@fault("after", "new-order")
def many_headers(f, req, reply):
    reply.headers += [("X-Many", "x")] * 100000


@fault("after", "all")
def clock(f, req, reply):
    """SECONDS that the CA's clock is off."""
    reply.put("Date", email.utils.formatdate(time.time() + int(f.arg), usegmt=True))


# ---- the wrong JSON -----------------------------------------------------------

JSON = {
    "truncated": lambda b: b[:-1], "word": lambda b: b"nonsense", "empty": lambda b: b"", "array": lambda b: b"[]",
    "string": lambda b: b'"' + b"x" * 100 + b'"', "null": lambda b: b"null", "number": lambda b: b"1e999999",
    "nul": lambda b: b.replace(b'": "', b'": "\\u0000', 1), "rawnul": lambda b: b[:1] + b"\0" + b[1:],
    "twice": lambda b: b'{"status": "valid", ' + b[1:], "tail": lambda b: b + b"{}", "bom": lambda b: b"\xef\xbb\xbf" + b,
    "nested": lambda b: b"[" * 200000, "objects": lambda b: b'{"a":' * 200000, "latin1": lambda b: b[:-1] + b', "x": "\xff"}',
    "keys": lambda b: b[:-1] + b"".join(b', "k%d": 1' % i for i in range(200000)) + b"}",
    "long": lambda b: b[:-1] + b', "x": "' + b"x" * (1 << 21) + b'"}', "surrogate": lambda b: b[:-1] + b', "x": "\\ud800"}'}


@fault("after", "new-order")
def broken(f, req, reply):
    reply.body = JSON[f.arg](reply.payload())


@fault("after", "new-order")
def put(f, req, reply):
    """KEY[.KEY...]=JSON in an answer; without =, the key is taken away."""
    path, given, value = f.arg.partition("=")
    *way, last = [int(k) if k.isdigit() else k for k in path.split(".")]
    if isinstance(reply.body, bytes):
        return
    at = reply.body
    for key in way:
        if isinstance(at, dict):
            at.setdefault(key, {})
        at = at[key]
    if given:
        at[last] = json.loads(value)
    elif last in at:
        del at[last]


def each_url(value, change):
    if isinstance(value, dict):
        return {k: each_url(v, change) for k, v in value.items()}
    if isinstance(value, list):
        return [each_url(v, change) for v in value]
    return change(value) if isinstance(value, str) and value.startswith("https:") else value


URLS = {
    "http": lambda u: u.replace("https:", "http:"), "file": lambda u: "file:///etc/passwd",
    "host": lambda u: re.sub("//[^/]*", "//127.0.0.1:1", u), "user": lambda u: u.replace("//", "//a:b@"),
    "relative": lambda u: re.sub("https://[^/]*", "", u), "empty": lambda u: "", "space": lambda u: u + " x",
    "newline": lambda u: u + "\r\nX-Evil: 1", "long": lambda u: u + "x" * 100000, "option": lambda u: "--help",
    "upper": lambda u: u.replace("https:", "HTTPS:"), "quote": lambda u: u + '"', "ftp": lambda u: "ftp://127.0.0.1/",
    "fragment": lambda u: u + "#x", "glob": lambda u: u + "[1-99999]{a,b}"}


@fault("after", "dir")
def url(f, req, reply):
    """KIND[.KEY]: what a URL of the answer is; of all of them without a KEY."""
    kind, _, key = f.arg.partition(".")
    change = URLS[kind]
    if key == "Location":
        reply.put(key, change(reply.get(key) or ""))
    elif not isinstance(reply.body, bytes):
        if key:
            if key in reply.body:
                reply.body[key] = each_url(reply.body[key], change)
        else:
            reply.body = each_url(reply.body, change)


# ---- orders, authorizations, challenges ---------------------------------------

@fault("after", "order")
def order_invalid(f, req, reply):
    sub = [{"type": PROBLEM + "caa", "detail": "CAA forbids it", "identifier": {"type": "dns", "value": n}}
           for n in ("example.com", "www.example.com")]
    reply.body.update(status="invalid", error={"type": PROBLEM + "compound", "detail": "several", "status": 403,
                                               "subproblems": sub})


@fault("order", "new-order")
def authz_invalid(f, req, order):
    """The last name is not validated; with one of NASTY, for a reason in those words."""
    order["authzs"][-1]["error"] = {"type": PROBLEM + "unauthorized", "status": 403,
                                    "detail": NASTY.get(f.arg, "the file has another content")}


@fault("after", "order,authz,challenge,finalize")
def stuck(f, req, reply):
    """STATUS for ever, whatever it is by right."""
    reply.body["status"] = f.arg
    reply.body.pop("certificate", None)


@fault("order", "new-order")
def authzs(f, req, order):
    """none, few, extra, twice, same, many"""
    if f.arg == "none":
        order["authzs"].clear()
    elif f.arg == "few":
        order["authzs"].pop()
    elif f.arg == "extra":
        f.ca.add_authz(order, "dns", "other.example")
    elif f.arg == "twice":
        order["authzs"].append(order["authzs"][0])
    elif f.arg == "same":
        order["authzs"][1] = order["authzs"][0]
    else:
        order["authzs"] += order["authzs"][:1] * 10000


@fault("order", "new-order")
def polls(f, req, order):
    """So many looks until a challenge is decided."""
    for a in order["authzs"]:
        a["polls"] = int(f.arg)


@fault("before", "challenge")
def one_answer(f, req, _):
    """A challenge that is being looked at takes no second answer."""
    authz = f.ca.find(f.ca.authzs, req)
    return problem("malformed", "only status pending") if authz["asked"] else None


@fault("order", "new-order")
def reused(f, req, order):
    """All authorizations are valid already."""
    for a in order["authzs"]:
        a.update(asked="http-01", polls=0)


@fault("order", "new-order")
def challenges(f, req, order):
    """TYPE+TYPE...: those offered."""
    for a in order["authzs"]:
        a["types"] = f.arg.split("+") if f.arg else []


TOKENS = {"dots": "../../../../tmp/evil-token-of-many-letters", "shell": "$(touch evil);`touch evil`|touch evil",
          "long": "A" * (1 << 20), "empty": "", "newline": "A" * 30 + "\n" + "B" * 10, "short": "AAAA",
          "slash": "/etc/passwd-AAAAAAAAAAAAAAAAAAAAA", "nul": "A" * 30 + "\0" + "A" * 10, "quote": "A" * 30 + '"',
          "dot": "." * 30, "dash": "-rf-AAAAAAAAAAAAAAAAAAAAAAAAA", "number": 123456789012345678, "utf8": "\u00e4" * 30,
          "percent": "%2e%2e%2fAAAAAAAAAAAAAAAAAAAAAAAA", "blank": "A" * 15 + " " + "A" * 15, "list": ["A" * 30]}


@fault("after", "authz")
def token(f, req, reply):
    for c in reply.body["challenges"]:
        if f.arg == "missing":
            c.pop("token", None)
        else:
            c["token"] = TOKENS[f.arg]


# ---- certificates -------------------------------------------------------------

def html_page(ca, order, chain):
    return ["<html><p>Sign in</html>\n"]


def with_key(ca, order, chain):
    with open(ca.issuer.at("root.key")) as key:
        return chain + [key.read()]


def old_issuer(ca, order, chain):
    ca.issuer.sign("root", "int.csr", "old.pem", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n", -90, -1)
    return chain[:1] + [ca.issuer.read("old.pem")]


def leaf(**how):
    names = how.pop("names", None)

    def make(ca, order, chain):
        wanted = order["names"] if names is None else names(order["names"])
        return [ca.issuer.leaf(order["finalized"], wanted, **how)] + chain[1:]
    return make


CHAINS = {
    "other-key": leaf(other_key=True), "other-names": leaf(names=lambda n: [("dns", "other.example")]),
    "more-names": leaf(names=lambda n: n + [("dns", "more.example")]), "fewer-names": leaf(names=lambda n: n[:1]),
    "expired": leaf(start=-90, end=-1), "future": leaf(start=1, end=90), "short": leaf(end=0.001),
    "empty": lambda ca, o, c: [], "html": html_page, "with-key": with_key,
    "order": lambda ca, o, c: c[::-1], "unrelated": lambda ca, o, c: c[:1] + [ca.issuer.root],
    "with-root": lambda ca, o, c: c + [ca.issuer.root], "many": lambda ca, o, c: c + [ca.issuer.int] * 5000,
    "eleven": lambda ca, o, c: c + [ca.issuer.int] * 9, "text": lambda ca, o, c: ["subject=x\n"] + c + ["# end\n"],
    "leaf-only": lambda ca, o, c: c[:1], "twice": lambda ca, o, c: c[:1] + c, "issuer-only": lambda ca, o, c: c[1:],
    "old-issuer": old_issuer, "loop": lambda ca, o, c: c + [ca.issuer.root] + c[1:],
    "blank": lambda ca, o, c: c + ["\n" * 900000], "open": lambda ca, o, c: c + ["-----BEGIN CERTIFICATE-----\n"],
    "one-line": lambda ca, o, c: [lambda: "-----BEGIN CERTIFICATE-----\n" + "".join(c[0]().split("\n")[1:-2]) +
                                  "\n-----END CERTIFICATE-----\n"] + c[1:],
    "zeros": lambda ca, o, c: ["-----BEGIN CERTIFICATE-----\n" + "A" * 900000 + "\n-----END CERTIFICATE-----\n"] + c[1:],
    "crlf": lambda ca, o, c: [lambda: c[0]().replace("\n", "\r\n"), lambda: ca.issuer.int.replace("\n", "\r\n")],
    "nul": lambda ca, o, c: c + ["\0"], "half": lambda ca, o, c: [lambda: c[0]()[:-60]],
    "pem-garbage": lambda ca, o, c: ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] + c[1:],
    "crl": lambda ca, o, c: c + ["-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"],
    "pkcs7": lambda ca, o, c: ["-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n"], "csr": lambda ca, o, c:
        [lambda: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"],
    "trusted": lambda ca, o, c: [lambda: c[0]().replace(" CERTIFICATE", " TRUSTED CERTIFICATE")] + c[1:]}


@fault("chain", "cert")
def cert(f, req, chain):
    return CHAINS[f.arg](f.ca, req.order, chain)


@fault("after", "cert")
def alternates(f, req, reply):
    """good, bad (not there), many, http, host, self: links to other chains."""
    here = f.ca.url(req.path.lstrip("/"))
    if "/" in req.rest:
        if f.arg == "html":
            reply.body = b"<html>"
        return
    links = {"many": ["%s/%d" % (here, i) for i in range(50)], "bad": [f.ca.url("cert/999999")], "self": [here],
             "http": [URLS["http"](here + "/1")], "host": [URLS["host"](here)]}.get(f.arg, [here + "/1"])
    reply.headers += [("Link", '<%s>;rel="alternate"' % u) for u in links]


# ---- renewal information, profiles ----------------------------------------------

WINDOWS = {"past": (-86400, -3600), "now": (-60, 3600), "future": (30 * 86400, 31 * 86400), "reversed": (3600, -3600),
           "point": (3600, 3600), "far": (3650 * 86400, 3651 * 86400)}


@fault("after", "dir")
def ari(f, req, reply):
    reply.body["renewalInfo"] = f.ca.url("ari")


@fault("after", "ari")
def window(f, req, reply):
    """past, now, future, far, reversed, point, or the JSON of a window"""
    if f.arg in WINDOWS:
        start, end = WINDOWS[f.arg]
        reply.body["suggestedWindow"] = {"start": stamp(start), "end": stamp(end)}
    else:
        reply.body["suggestedWindow"] = json.loads(f.arg)


@fault("before", "new-order")
def already_replaced(f, req, _):
    """As long as the order says `replaces'; or TYPE,STATUS instead."""
    kind, _, code = (f.arg or "alreadyReplaced,409").partition(",")
    jws = json.loads(req.raw)
    asked = json.loads(f.ca.unb64(jws["payload"]))
    return problem(kind, "the detail of " + kind, int(code)) if "replaces" in asked else None


@fault("after", "dir")
def profiles(f, req, reply):
    reply.body["meta"]["profiles"] = {p: "the profile " + p for p in f.arg.split("+")}


# ---- the connection, before there is a request ------------------------------------

def garbage(sock):
    sock.sendall(b"\x16\x03\x01\xff\xff" + b"garbage" * 100)
    return False


def silence(sock):
    sock.settimeout(300)
    while sock.recv(4096):
        pass
    return False


def plain_http(sock):
    sock.recv(4096)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    return False


CONNECTIONS = {None: lambda sock: True, "garbage": garbage, "silence": silence, "http": plain_http,
               "close": lambda sock: False, "old": lambda sock: True}


def connection(name, tls):
    if name == "old":
        tls.set_ciphers("ALL:@SECLEVEL=0")
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    return CONNECTIONS[name]

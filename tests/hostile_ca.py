#!/usr/bin/env python3
"""hostile_ca.py - an ACME CA (RFC 8555) that does it right, but for the faults
that it is told; the tests' own, with python3 and openssl(1) alone.

usage: hostile_ca.py -l ADDRESS:PORT -t TLS -d DIR [-c FAULT]

TLS.pem and TLS.key are its server certificate.  One process is many CAs: for each
directory DIR/NAME there is one at https://ADDRESS:PORT/NAME/dir, with the faults in
DIR/NAME/faults, a line each (see hostile_faults.py), and an account of what it was
asked in DIR/NAME/log, a line for each request, separated by tabs:

    seconds  connection  method  path  status  user agent

and in DIR/NAME/nonces all the nonces that it has given away.
The root of what it issues is DIR/root.pem.  Challenges are not tried: they are valid
once they were asked for, and after POLLS more looks at the order or authorization.
-c: a fault of the connection itself, for all CAs of this process.
"""
import argparse
import base64
import email.utils
import hashlib
import http.server
import json
import os
import re
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import hostile_faults
from hostile_faults import PROBLEM, Reply, stamp

POLLS = 1


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise Problem("malformed", "not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def openssl(*args, data=None):
    done = subprocess.run(("openssl",) + args, input=data, capture_output=True)
    if done.returncode != 0:
        raise Problem("serverInternal", "openssl %s: %s" % (args[0], done.stderr.decode()), 500)
    return done.stdout


class Problem(Exception):
    def __init__(self, kind, detail, status=400, **more):
        super().__init__(detail)
        self.status = status
        self.body = dict(more, type=PROBLEM + kind, detail=detail)


class Request:
    def __init__(self, method, path, agent):
        self.method, self.path, self.agent = method, path, agent
        self.what, _, self.rest = path.strip("/").partition("/")   # what it is: "new-order" ...
        self.raw = b""
        self.payload = None
        self.account = None


# ---- signatures -------------------------------------------------------------

def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def der_int(data):
    return der(2, b"\0" + data.lstrip(b"\0") if data.lstrip(b"\0")[:1] >= b"\x80" else data.lstrip(b"\0"))


CURVES = {"P-256": ("ES256", "06082a8648ce3d030107"), "P-384": ("ES384", "06052b81040022"),
          "P-521": ("ES512", "06052b81040023")}


def spki(jwk):
    """The public key as DER, and the algorithm that goes with it."""
    if jwk["kty"] == "EC":
        alg, oid = CURVES[jwk["crv"]]
        name, key = bytes.fromhex("06072a8648ce3d0201" + oid), b"\4" + unb64(jwk["x"]) + unb64(jwk["y"])
    elif jwk["kty"] == "RSA":
        alg, name = "RS256", bytes.fromhex("06092a864886f70d0101010500")
        key = der(0x30, der_int(unb64(jwk["n"])), der_int(unb64(jwk["e"])))
    else:
        alg, name, key = "EdDSA", bytes.fromhex("06032b6570"), unb64(jwk["x"])
    return der(0x30, der(0x30, name), der(3, b"\0", key)), alg


def thumbprint(jwk):
    need = {k: jwk[k] for k in ("crv", "e", "kty", "n", "x", "y") if k in jwk}
    return b64(hashlib.sha256(json.dumps(need, sort_keys=True, separators=(",", ":")).encode()).digest())


def verify(jwk, alg, data, sig):
    key, wanted = spki(jwk)
    if alg != wanted:
        raise Problem("badSignatureAlgorithm", "alg is " + alg, algorithms=[wanted])
    if alg.startswith("ES"):
        half = len(sig) // 2
        sig = der(0x30, der_int(sig[:half]), der_int(sig[half:]))
    with tempfile.TemporaryDirectory() as tmp:
        for name, what in ("key", key), ("sig", sig), ("data", data):
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(what)
        how = ["openssl", "dgst", "-sha" + alg[2:], "-keyform", "DER", "-verify", tmp + "/key",
               "-signature", tmp + "/sig", tmp + "/data"]
        if alg == "EdDSA":
            how = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", tmp + "/key",
                   "-rawin", "-in", tmp + "/data", "-sigfile", tmp + "/sig"]
        if subprocess.run(how, capture_output=True).returncode != 0:
            raise Problem("malformed", "the signature does not verify")


# ---- certificates -----------------------------------------------------------

class Issuer:
    """A root and an intermediate CA in DIR."""

    def __init__(self, path):
        self.dir = path
        self.lock = threading.Lock()
        for name, more in ("root", ["-x509", "-days", "90", "-addext", "keyUsage=keyCertSign"]), ("int", []):
            openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    self.at(name + ".key"), "-out", self.at(name + ".pem"), "-subj", "/CN=hostile " + name, *more)
        os.rename(self.at("int.pem"), self.at("int.csr"))
        self.sign("root", "int.csr", "int.pem", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n", 0, 90)
        self.root, self.int = self.read("root.pem"), self.read("int.pem")

    def at(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.at(name)) as f:
            return f.read()

    def write(self, name, data):
        with open(self.at(name), "wb" if isinstance(data, bytes) else "w") as f:
            f.write(data)

    def sign(self, ca, csr, cert, ext, start, end, cn="hostile int"):
        with self.lock:
            self.write("ca.db", "")
            self.write("ca.db.attr", "unique_subject = no\n")
            self.write("ca.conf", "[ca]\ndefault_ca = d\n[d]\ndatabase = %s\nnew_certs_dir = %s\nrand_serial = yes\n"
                       "default_md = sha256\npolicy = p\n[p]\ncommonName = optional\n" % (self.at("ca.db"), self.dir))
            self.write("ext", "[x]\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n" + ext)
            dates = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + d * 86400)) for d in (start, end)]
            openssl("ca", "-batch", "-notext", "-config", self.at("ca.conf"), "-extfile", self.at("ext"),
                    "-extensions", "x", "-keyfile", self.at(ca + ".key"), "-cert", self.at(ca + ".pem"), "-in",
                    self.at(csr), "-out", self.at(cert), "-startdate", dates[0], "-enddate", dates[1],
                    "-subj", "/CN=" + cn)

    def leaf(self, csr, names, start=-0.05, end=90, other_key=False):
        """A certificate by the intermediate for the key of a CSR (DER) and names."""
        tag = secrets.token_hex(8)
        if other_key:
            openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    self.at(tag + ".key"), "-out", self.at(tag + ".csr"), "-subj", "/")
        else:
            openssl("req", "-inform", "DER", "-out", self.at(tag + ".csr"), data=csr)
        sans = ",".join(("IP:" if n[0] == "ip" else "DNS:") + n[1] for n in names)
        self.sign("int", tag + ".csr", tag + ".pem", "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
                  "subjectAltName=" + sans, start, end, cn="leaf")
        return self.read(tag + ".pem")


def csr_names(csr):
    text = openssl("req", "-inform", "DER", "-noout", "-verify", "-text", data=csr).decode()
    found = set()
    for line in re.findall(r"Subject Alternative Name: *\n *(.*)", text):
        for name in line.split(", "):
            kind, _, value = name.partition(":")
            found.add(("dns" if kind == "DNS" else "ip", value.lower()))
    return found


# ---- the CA -----------------------------------------------------------------

class CA:
    """One CA with its state; what it answers to /WORD/... is the method WORD."""

    def __init__(self, issuer, path, base):
        self.issuer, self.dir, self.base = issuer, path, base
        self.faults = hostile_faults.load(self, os.path.join(path, "faults"))
        self.lock = threading.RLock()
        self.nonces, self.accounts, self.orders, self.authzs, self.certs = set(), {}, {}, {}, {}
        self.log_file = open(os.path.join(path, "log"), "a", buffering=1)
        self.nonce_file = open(os.path.join(path, "nonces"), "a", buffering=1)

    def url(self, *parts):
        return "/".join((self.base,) + tuple(str(p) for p in parts))

    unb64 = staticmethod(unb64)

    def nonce(self):
        nonce = secrets.token_urlsafe(16)
        with self.lock:
            self.nonces.add(nonce)
            self.nonce_file.write(nonce + "\n")
        return nonce

    def log(self, req, conn, status):
        self.log_file.write("%.3f\t%d\t%s\t%s\t%s\t%s\n" % (
            time.time(), conn, req.method, req.path, status, req.agent))

    def answer(self, req):
        reply = self.faulty("before", req, None) or self.right(req)
        if req.method != "GET" or req.what == "nonce":
            reply.headers.append(("Replay-Nonce", self.nonce()))
        reply.headers.append(("Date", email.utils.formatdate(usegmt=True)))
        reply.headers.append(("Link", '<%s>;rel="index"' % self.url("dir")))
        self.faulty("after", req, reply)
        return reply

    def faulty(self, stage, req, value):
        """What the faults of this stage make of it; the first word counts before an answer."""
        for f in self.faults:
            if f.applies(stage, req):
                made = f.func(f, req, value)
                if made is not None:
                    value = made
                    if stage == "before":
                        break
        return value

    def right(self, req):
        try:
            do = getattr(self, "do_" + req.what.replace("-", "_"), None)
            if do is None:
                raise Problem("malformed", "no such resource", 404)
            if req.method == "POST":
                self.authenticate(req)
            elif req.what not in ("dir", "nonce", "ari"):
                raise Problem("malformed", "only POST here", 405)
            with self.lock:
                return do(req)
        except Problem as p:
            return Reply(p.status, dict(p.body, status=p.status))

    def authenticate(self, req):
        try:
            jws = json.loads(req.raw)
            head = json.loads(unb64(jws["protected"]))
            sig = unb64(jws["signature"])
            text = unb64(jws["payload"])
            req.payload = json.loads(text) if text else None
            nonce, url, alg = head["nonce"], head["url"], head["alg"]
        except (ValueError, KeyError, TypeError) as e:
            raise Problem("malformed", "not a JWS: %r" % e)
        if set(jws) != {"protected", "payload", "signature"}:
            raise Problem("malformed", "more than a flattened JWS")
        if not set(head) <= {"alg", "nonce", "url", "jwk", "kid"} or ("jwk" in head) == ("kid" in head):
            raise Problem("malformed", "header members: " + " ".join(head))
        with self.lock:
            if nonce not in self.nonces:
                raise Problem("badNonce", "not a nonce of ours, or used before")
            self.nonces.remove(nonce)
        if url != self.url(req.path.lstrip("/")):
            raise Problem("unauthorized", "url is " + url, 403)
        if "jwk" in head:
            if req.what not in ("new-account", "revoke"):
                raise Problem("malformed", "jwk where kid is wanted")
            jwk = head["jwk"]
            if "d" in jwk:
                raise Problem("badPublicKey", "a private key")
        else:
            if req.what == "new-account" or head["kid"] not in self.accounts:
                raise Problem("accountDoesNotExist", "kid is " + str(head["kid"]))
            req.account = self.accounts[head["kid"]]
            jwk = req.account["key"]
            if req.account["status"] != "valid":
                raise Problem("unauthorized", "account is " + req.account["status"], 403)
        verify(jwk, alg, (jws["protected"] + "." + jws["payload"]).encode(), sig)
        req.jwk = jwk

    def do_dir(self, req):
        urls = {"newNonce": "nonce", "newAccount": "new-account", "newOrder": "new-order",
                "revokeCert": "revoke", "keyChange": "key-change"}
        return Reply(200, dict({k: self.url(v) for k, v in urls.items()},
                               meta={"termsOfService": self.url("terms"), "website": self.base}))

    def do_nonce(self, req):
        reply = Reply(200 if req.method == "HEAD" else 204)
        reply.headers.append(("Cache-Control", "no-store"))
        return reply

    def do_new_account(self, req):
        ask = req.payload or {}
        for url, account in self.accounts.items():
            if thumbprint(account["key"]) == thumbprint(req.jwk):
                return Reply(200, self.show_account(account), location=url)
        if ask.get("onlyReturnExisting"):
            raise Problem("accountDoesNotExist", "no account with this key")
        if not ask.get("termsOfServiceAgreed"):
            raise Problem("userActionRequired", "the terms have to be agreed to", 403)
        url = self.url("account", len(self.accounts) + 1)
        self.accounts[url] = {"url": url, "key": req.jwk, "status": "valid", "contact": ask.get("contact", [])}
        return Reply(201, self.show_account(self.accounts[url]), location=url)

    def show_account(self, account):
        return {"status": account["status"], "contact": account["contact"], "orders": account["url"] + "/orders"}

    def do_account(self, req):
        if req.payload and req.payload.get("status") == "deactivated":
            req.account["status"] = "deactivated"
        if req.payload and "contact" in req.payload:
            req.account["contact"] = req.payload["contact"]
        return Reply(200, self.show_account(req.account))

    def do_key_change(self, req):
        try:
            head = json.loads(unb64(req.payload["protected"]))
            said = json.loads(unb64(req.payload["payload"]))
            verify(head["jwk"], head["alg"], (req.payload["protected"] + "." + req.payload["payload"]).encode(),
                   unb64(req.payload["signature"]))
        except (ValueError, KeyError, TypeError) as e:
            raise Problem("malformed", "not a JWS: %r" % e)
        if "nonce" in head or head.get("url") != self.url("key-change") or \
                said.get("account") != req.account["url"] or said.get("oldKey") != req.account["key"]:
            raise Problem("malformed", "the inner JWS is not what it should be")
        req.account["key"] = head["jwk"]
        return Reply(200, self.show_account(req.account))

    def do_new_order(self, req):
        ask = req.payload or {}
        names = [(i["type"], i["value"]) for i in ask.get("identifiers", [])]
        if not names:
            raise Problem("malformed", "no identifiers")
        n = len(self.orders) + 1
        order = {"n": n, "names": names, "account": req.account, "finalized": None, "polls": POLLS,
                 "profile": ask.get("profile"), "replaces": ask.get("replaces"), "authzs": []}
        self.orders[n] = order
        for kind, value in names:
            self.add_authz(order, kind, value)
        self.faulty("order", req, order)
        return Reply(201, self.show_order(order), location=self.url("order", n))

    def add_authz(self, order, kind, value):
        n = len(self.authzs) + 1
        wild = value.startswith("*.")
        types = ["dns-01"] if wild else ["http-01", "tls-alpn-01"] if kind == "ip" else \
            ["http-01", "dns-01", "tls-alpn-01"]
        self.authzs[n] = {"n": n, "name": (kind, value[2:] if wild else value), "wild": wild, "asked": None,
                          "polls": POLLS, "order": order, "types": types, "token": secrets.token_urlsafe(32),
                          "error": None}
        order["authzs"].append(self.authzs[n])

    def state(self, authz):
        if authz["asked"] is None or authz["polls"] > 0:
            return "pending"
        return "valid" if authz["error"] is None else "invalid"

    def show_order(self, order):
        shown = {"expires": stamp(86400), "identifiers": [{"type": k, "value": v} for k, v in order["names"]],
                 "authorizations": [self.url("authz", a["n"]) for a in order["authzs"]],
                 "finalize": self.url("finalize", order["n"])}
        for key in "profile", "replaces":
            if order[key] is not None:
                shown[key] = order[key]
        if order["finalized"] is not None:
            shown["status"] = "valid" if order["polls"] <= 0 else "processing"
            if shown["status"] == "valid":
                shown["certificate"] = self.url("cert", order["n"])
        else:
            states = {self.state(a) for a in order["authzs"]}
            shown["status"] = "invalid" if "invalid" in states else "pending" if "pending" in states else "ready"
        return shown

    def find(self, table, req):
        n = req.rest.split("/")[0]
        if not n.isdigit() or int(n) not in table:
            raise Problem("malformed", "no such resource", 404)
        return table[int(n)]

    def do_order(self, req):
        order = self.find(self.orders, req)
        order["polls"] -= order["finalized"] is not None
        for authz in order["authzs"]:
            authz["polls"] -= authz["asked"] is not None
        return Reply(200, self.show_order(order))

    def do_authz(self, req):
        authz = self.find(self.authzs, req)
        authz["polls"] -= authz["asked"] is not None
        return Reply(200, self.show_authz(authz))

    def show_authz(self, authz):
        shown = {"identifier": {"type": authz["name"][0], "value": authz["name"][1]}, "expires": stamp(86400),
                 "status": self.state(authz),
                 "challenges": [self.show_challenge(authz, t) for t in authz["types"]]}
        if authz["wild"]:
            shown["wildcard"] = True
        return shown

    def show_challenge(self, authz, kind):
        shown = {"type": kind, "url": self.url("challenge", authz["n"], kind), "status": "pending"}
        if kind == "dns-persist-01":
            shown.update({"issuer-domain-names": ["ca.example"], "accounturi": authz["order"]["account"]["url"]})
        else:
            shown["token"] = authz["token"]
        if authz["asked"] == kind:
            shown["status"] = self.state(authz).replace("pending", "processing")
            if shown["status"] == "invalid":
                shown["error"] = authz["error"]
        return shown

    def do_challenge(self, req):
        authz = self.find(self.authzs, req)
        kind = req.rest.partition("/")[2]
        if req.payload == {} and authz["asked"] is None:
            authz["asked"] = kind
        reply = Reply(200, self.show_challenge(authz, kind))
        reply.headers.append(("Link", '<%s>;rel="up"' % self.url("authz", authz["n"])))
        return reply

    def do_finalize(self, req):
        order = self.find(self.orders, req)
        if order["finalized"] is not None:
            raise Problem("orderNotReady", "finalized before", 403)
        if any(self.state(a) != "valid" for a in order["authzs"]):
            raise Problem("orderNotReady", "authorizations are missing", 403)
        csr = unb64((req.payload or {}).get("csr", ""))
        if csr_names(csr) != {(k, v.lower()) for k, v in order["names"]}:
            raise Problem("badCSR", "names of the request and of the order differ")
        order["finalized"] = csr
        return Reply(200, self.show_order(order), location=self.url("order", order["n"]))

    def do_cert(self, req):
        order = req.order = self.find(self.orders, req)
        if order["finalized"] is None:
            raise Problem("malformed", "not issued", 404)
        if order["n"] not in self.certs:
            chain = [lambda: self.issuer.leaf(order["finalized"], order["names"]), self.issuer.int]
            chain = self.faulty("chain", req, chain)
            self.certs[order["n"]] = "".join(c() if callable(c) else c for c in chain).encode()
        return Reply(200, self.certs[order["n"]], "application/pem-certificate-chain")

    def do_revoke(self, req):
        if not (req.payload or {}).get("certificate"):
            raise Problem("malformed", "no certificate")
        return Reply(200)

    def do_ari(self, req):
        reply = Reply(200, {"suggestedWindow": {"start": stamp(60 * 86400), "end": stamp(61 * 86400)}})
        reply.put("Retry-After", "21600")
        return reply


# ---- the server -------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    """A thread for each connection, which is TLS only here, so that none waits for another."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self):
        with self.server.lock:
            self.server.connections += 1
            self.conn = self.server.connections
        if not self.server.connect(self.request):
            raise ConnectionAbortedError
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()

    def answer(self):
        _, name, path = (self.path.split("/", 2) + ["", ""])[:3]
        ca = self.server.ca(name)
        req = Request(self.command, "/" + path, self.headers.get("User-Agent", "-"))
        size = self.headers.get("Content-Length", "0")
        req.raw = self.rfile.read(min(int(size), 1 << 20)) if size.isdigit() else b""
        reply = ca.answer(req) if ca else Reply(404)
        if ca:
            ca.log(req, self.conn, "-" if reply.send else reply.status)
        body = reply.payload()
        if reply.send is not None:
            reply.send(reply, self.request)
            self.close_connection = True
            return
        if reply.status != 204:
            reply.headers.append(("Content-Length", len(body)))
        if self.command == "HEAD" or reply.status == 204:
            body = b""
        self.wfile.write(reply.head() + body)
        self.close_connection = self.close_connection or reply.close

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, form, *args):
        print(form % args, file=sys.stderr)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, where, tls, path, connect):
        self.lock = threading.Lock()
        self.connections, self.dir, self.cas = 0, path, {}
        self.issuer = Issuer(path)
        self.where = where
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(tls + ".pem", tls + ".key")
        self.connect = hostile_faults.connection(connect, self.tls)
        host, _, port = where.rpartition(":")
        super().__init__((host, int(port)), Handler)

    def ca(self, name):
        with self.lock:
            if name not in self.cas and re.fullmatch(r"[A-Za-z0-9]+", name):
                path = os.path.join(self.dir, name)
                if os.path.isdir(path):
                    self.cas[name] = CA(self.issuer, path, "https://%s/%s" % (self.where, name))
            return self.cas.get(name)

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("-l", required=True)
    args.add_argument("-t", required=True)
    args.add_argument("-d", required=True)
    args.add_argument("-c")
    args = args.parse_args()
    Server(args.l, args.t, args.d, args.c).serve_forever()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Ask mail servers all the time whether mail would be delivered to them by DANE.

    dane_probe.py RATE TARGETS LOG

TARGETS holds a destination of posttls-finger a line, with options before it; it
is read again before each round.  LOG gets a line for each probe: the time when it
began, what it took in seconds, "ok" or "failed", the destination, and what
posttls-finger said if it failed.  RATE probes a second are begun, as long as not
too many are under way.  SIGTERM ends it, after the probes under way are done; a
last line "end" says that it was not ended otherwise.

posttls-finger has the status 0 for a certificate that does not match.  So a
probe is ok if it said "Verified", and in no other case.
"""
import concurrent.futures
import signal
import subprocess
import sys
import threading
import time

AT_ONCE = 6	# probes under way
LATEST = 60	# seconds that one may take

stop = threading.Event()


def probe(words):
    """(said "Verified", what was said)"""
    try:
        done = subprocess.run(
            ["posttls-finger", "-c", "-l", "dane-only", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=LATEST, check=False, text=True, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as why:
        return False, str(why)
    said = done.stdout.strip()
    return done.returncode == 0 and ": Verified TLS connection established" in said, said


def main():
    rate, targets, log = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    slots = threading.Semaphore(AT_ONCE)
    lock = threading.Lock()
    with open(log, "w", encoding="utf-8") as out, \
            concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:

        def one(words):
            began = time.time()
            try:
                ok, said = probe(words)
                line = f"{began:.3f} {time.time() - began:.3f} {'ok' if ok else 'failed'} "
                line += " ".join(words) + ("" if ok else ": " + said.replace("\n", " | "))
                with lock:
                    print(line, file=out, flush=True)
            finally:
                slots.release()

        due = time.monotonic()
        todo = []
        while not stop.is_set():
            if not todo:
                with open(targets, encoding="utf-8") as f:
                    todo = [line.split() for line in f if line.strip()]
            slots.acquire()
            pool.submit(one, todo.pop(0))
            due = max(due + 1 / rate, time.monotonic() - 1)
            stop.wait(max(0, due - time.monotonic()))
        pool.shutdown()
        print("end", file=out)


main()

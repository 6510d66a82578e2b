"""Types at a shell, as somebody does, with sslm-mgr's completion loaded.

usage: typed.py FILE SHELL TEXT

FILE is the completion, TEXT what is typed, with \\t where the Tab key is hit; the
arguments that sslm-mgr is run with are printed, one a line.  The shells are real ones
at a terminal; nothing but the completion is loaded.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
LOAD = {
    "bash": ". '{file}'; sslm-mgr() {{ printf '%s\\n' \"$@\" >'{out}.new'; mv '{out}.new' '{out}'; }}",
    "zsh": "fpath=('{dir}' $fpath); autoload -Uz compinit; compinit -u -D;"
           " sslm-mgr() {{ print -rl -- \"$@\" >'{out}.new'; mv '{out}.new' '{out}' }}",
    "fish": "source '{file}'; function sslm-mgr; printf '%s\\n' $argv >'{out}.new'; mv '{out}.new' '{out}'; end",
}


def until(path, terminal, deadline):
    """Read what the shell shows until the file is there."""
    shown = b""
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            sys.exit("typed.py: no '%s' in time; shown: %r" % (path, shown))
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65536)


def main():
    file, shell, text = sys.argv[1:]
    with tempfile.TemporaryDirectory() as tmp:
        out, ready = tmp + "/out", tmp + "/ready"
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="dumb" if shell == "bash" else "xterm", HOME=tmp, XDG_DATA_HOME=tmp)
            os.execvp(START[shell][0], START[shell])
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        deadline = time.monotonic() + 60
        load = LOAD[shell].format(file=file, dir=os.path.dirname(file), out=out)
        os.write(terminal, ("%s; : >'%s'\n" % (load, ready)).encode())
        until(ready, terminal, deadline)
        os.write(terminal, ("sslm-mgr " + text.replace("\\t", "\t") + "\n").encode())
        until(out, terminal, deadline)
        print(open(out).read(), end="")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


main()

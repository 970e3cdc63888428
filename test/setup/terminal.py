"""Runs a command in a terminal of its own and types into it: terminal.py COMMAND…, with steps as JSON on standard input.

A step: [text to type, text to wait for, seconds at most]. Everything that the terminal shows is printed; the exit code is
the command's.
"""

import json
import os
import pty
import select
import sys
import time

steps = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])


def read(wanted, seconds):
    shown = b""
    until = time.monotonic() + seconds
    while time.monotonic() < until and (not wanted or wanted.encode() not in shown):
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    sys.stdout.buffer.write(shown)
    sys.stdout.flush()


for typed, wanted, seconds in steps:
    os.write(terminal, typed.encode())
    read(wanted, seconds)
read("", 30)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

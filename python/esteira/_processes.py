"""Starts processes for an engine that is too large to do it itself: `fork` of a large process is slow.

Lines on standard input, JSON: {"id", "command", "args", "env", "folder", "status"}. Each asks for one process in a
session of its own, whose input is empty. Its outputs are pipes, since a script cannot open /dev/stderr where that is a
socket: the engine opens them among the descriptors of this process, and says {"id", "taken": true}. With "status", its descriptor 3 is read here.

Lines on standard output, with the id first: "p PID OUTPUT ERRORS" it runs, with the numbers of the pipes here, "e NAME"
it could not be started, "s TEXT" it said of itself on descriptor 3, "x CODE" and "k SIGNAL" it ended. The first line is
"ready".

When the engine is gone, everything that still runs is killed.
"""

import errno
import json
import os
import selectors
import signal
import sys

LARGEST_READ = 1 << 16
INPUT, OUTPUT = 0, 1
RESET = [signal.SIGPIPE, signal.SIGXFSZ]


class Process:
    def __init__(self, id, status):
        self.id = id
        self.status = status
        self.said = b""


def main():
    # Descriptors up to 9 are taken, so that none of a process's own is in the way of 0 to 3.
    while os.open("/dev/null", os.O_RDONLY) < 9:
        pass
    # Refused where this system cannot start a process in a session of its own.
    try:
        os.posix_spawn("/", ["/"], {}, setsid=True)
    except (PermissionError, FileNotFoundError):
        pass
    selector = selectors.DefaultSelector()
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector.register(INPUT, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    engine = selectors.select.poll()
    engine.register(INPUT, 0)
    running = {}
    untaken = {}
    asked = b""
    try:
        tell("ready")
        while True:
            for key, _ in selector.select():
                if key.fd == INPUT:
                    piece = os.read(INPUT, LARGEST_READ)
                    if not piece:
                        return
                    *lines, asked = (asked + piece).split(b"\n")
                    for line in lines:
                        # An engine that is gone wants nothing started any more.
                        if engine.poll(0):
                            return
                        request = json.loads(line)
                        if "taken" in request:
                            close(untaken.pop(request["id"], ()))
                        else:
                            start(request, running, untaken, selector)
                elif key.fd == woken:
                    os.read(woken, LARGEST_READ)
                    collect(running, selector)
                else:
                    listen(running.get(key.data), selector)
    finally:
        for pid in running:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def start(request, running, untaken, selector):
    read, given = [], []
    try:
        given.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(2):
            for end, kept in zip(os.pipe(), (read, given)):
                kept.append(end)
        actions = [(os.POSIX_SPAWN_DUP2, source, to) for to, source in enumerate(given)]
        status = None
        if request["status"]:
            status, said = os.pipe()
            os.set_blocking(status, False)
            actions.append((os.POSIX_SPAWN_DUP2, said, 3))
        try:
            pid = spawn(request, actions)
        except BaseException:
            if status is not None:
                os.close(status)
            raise
        finally:
            if status is not None:
                os.close(said)
    except OSError as error:
        close(read)
        tell(f"{request['id']} e {errno.errorcode.get(error.errno, str(error))}")
        return
    finally:
        close(given)
    untaken[request["id"]] = read
    running[pid] = Process(request["id"], status)
    if status is not None:
        selector.register(status, selectors.EVENT_READ, pid)
    tell(f"{request['id']} p {pid} {read[0]} {read[1]}")


def close(descriptors):
    for descriptor in descriptors:
        os.close(descriptor)


def spawn(request, actions):
    os.chdir(request["folder"])
    command, args, env = request["command"], request["args"], request["env"]
    options = {"file_actions": actions, "setsid": True, "setsigmask": [], "setsigdef": RESET}
    try:
        return os.posix_spawn(command, args, env, **options)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a first line that names its interpreter is the shell's.
        return os.posix_spawn("/bin/sh", ["/bin/sh", command, *args[1:]], env, **options)
    finally:
        os.chdir("/")


def listen(process, selector):
    if process is None or process.status is None:
        return
    while True:
        try:
            piece = os.read(process.status, LARGEST_READ)
        except BlockingIOError:
            return
        if not piece:
            selector.unregister(process.status)
            os.close(process.status)
            process.status = None
            return
        *lines, process.said = (process.said + piece).split(b"\n")
        for line in lines:
            tell(f"{process.id} s {line.decode('utf-8', 'replace')}")


def collect(running, selector):
    while running:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        process = running.pop(pid, None)
        if process is None:
            continue
        listen(process, selector)
        if process.status is not None:
            selector.unregister(process.status)
            os.close(process.status)
        code = os.waitstatus_to_exitcode(status)
        tell(f"{process.id} k {-code}" if code < 0 else f"{process.id} x {code}")


def tell(line):
    rest = line.encode() + b"\n"
    while rest:
        rest = rest[os.write(OUTPUT, rest) :]


try:
    main()
except (BrokenPipeError, ConnectionError, KeyboardInterrupt):
    sys.exit(1)

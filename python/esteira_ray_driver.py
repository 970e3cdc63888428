"""The driver of an executor on Ray: a job that takes tasks of a server as a worker does, and runs each as a Ray task.

Ray places the tasks by what they ask for; each hands its task to a relay, `esteira worker --relay`, on its own machine,
which stays for the tasks after it. The driver alone prolongs leases: a task that it loses is given up, and started
again by the server.
"""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request

import ray

WAIT_MS = 10_000
PAUSE_S = 1.0
# Of a lease: what the server was not heard of for is given up before another can begin it.
FENCE = 0.8
# Ray lets tasks wait: what this driver takes is bounded by the cluster's queue alone.
ANY_AMOUNT = 1e9
MOST_AT_ONCE = 64
CONF = json.loads(os.environ.pop("ESTEIRA_RAY_DRIVER"))
_relay = None


class Refused(Exception):
    """The server does not want this driver, or not any more."""


def open_relay(conf, worker):
    """The relay of this process of Ray, started with its first task."""
    global _relay
    import fcntl
    import subprocess

    if _relay is not None and _relay[0].poll() is None:
        return _relay[0]
    base = os.path.expanduser(conf["folder"])
    os.makedirs(base, mode=0o700, exist_ok=True)
    for slot in range(100_000):
        lock = open(os.path.join(base, f"{slot}.lock"), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            lock.close()
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE") if name in os.environ}
    process = subprocess.Popen(
        [conf["command"], "worker", "--relay", "--url", conf["url"], "--folder", os.path.join(base, str(slot))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**keep, "ESTEIRA_TOKEN": conf["token"]},
        start_new_session=True,
    )
    process.stdin.write((json.dumps({"worker": worker}) + "\n").encode())
    _relay = (process, lock)
    return process


@ray.remote(max_retries=0)
def run_task(conf, worker, task):
    import select

    relay = open_relay(conf, worker)

    def send(message):
        relay.stdin.write((json.dumps(message) + "\n").encode())
        relay.stdin.flush()

    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    said = b""
    started = asked = False
    while True:
        try:
            if not started:
                started = True
                send({"start": task, **({} if devices is None else {"devices": devices})})
            # Not for long: an interrupt is heard between two looks.
            ready, _, _ = select.select([relay.stdout], [], [], 0.1)
            if not ready:
                continue
            piece = os.read(relay.stdout.fileno(), 65536)
            if piece == b"":
                raise RuntimeError(f"the relay of {socket.gethostname()} ended with {relay.wait()}")
            said += piece
            *lines, said = said.split(b"\n")
            if any(json.loads(line).get("done") == task["id"] for line in lines if line.startswith(b"{")):
                return
        except KeyboardInterrupt:
            if not asked:
                asked = True
                send({"end": task["id"]})


def call(method, path, body=None, timeout=45.0):
    request = urllib.request.Request(
        CONF["url"].rstrip("/") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {CONF['token']}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        if error.code in (408, 425, 429) or error.code >= 500:
            raise ConnectionError(f"{error.code}") from error
        raise Refused(f"{path}: {error.code} {error.read()[:500]!r}") from error
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise ConnectionError(str(error)) from error


def largest_node():
    """What one task can have at most, on the nodes that there are."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return {
        "cpus": max([1, *(int(each.get("CPU", 0)) for each in alive)]),
        "gpus": max([0, *(int(each.get("GPU", 0)) for each in alive)]),
        "memoryBytes": max([0, *(int(each.get("memory", 0)) for each in alive)]),
    }


def register():
    card = {
        "name": CONF["name"],
        "executor": CONF["executor"],
        "host": socket.gethostname()[:255],
        "version": CONF["version"],
        "offer": largest_node(),
        "labels": CONF["labels"],
    }
    while True:
        try:
            return call("POST", "/workers", card)["worker"]
        except ConnectionError as error:
            print(f"the server does not answer: {error}", flush=True)
            time.sleep(PAUSE_S)


def submit(worker, task):
    asked = task["spec"]["process"].get("resources") or {}
    options = {"num_cpus": asked.get("cpus", 1), "num_gpus": asked.get("gpus", 0)}
    if asked.get("memoryBytes"):
        options["memory"] = int(asked["memoryBytes"])
    process = task["spec"]["process"]
    environment = process.get("environment", {})
    name = f"{environment.get('ESTEIRA_PIPELINE', '')}.{environment.get('ESTEIRA_STEP', '')}"
    return run_task.options(name=name, **options).remote(CONF, worker, task)


class Driver:
    def __init__(self):
        self.worker = register()
        self.held = {}
        self.given_up = []
        self.heard_at = time.monotonic()

    def turn(self):
        self.collect()
        leases = [held["task"]["leaseMs"] for held in self.held.values()]
        given_up = list(self.given_up)
        sent_at = time.monotonic()
        try:
            answer = call(
                "POST",
                f"/workers/{self.worker}/sync",
                {
                    "tasks": [
                        {"id": key, "token": held["task"]["token"], "isEnding": held["ending"]}
                        for key, held in self.held.items()
                    ],
                    "givenUp": given_up,
                    "free": {"cpus": ANY_AMOUNT, "gpus": ANY_AMOUNT, "memoryBytes": 1e18},
                    "most": MOST_AT_ONCE,
                    "waitMs": int(min([WAIT_MS, *(lease / 4 for lease in leases)])),
                },
            )
        except ConnectionError as error:
            print(f"the server does not answer: {error}", flush=True)
            self.fence()
            time.sleep(PAUSE_S)
            return
        self.heard_at = sent_at
        self.given_up = self.given_up[len(given_up) :]
        for said in answer["tasks"]:
            if said["say"] != "go on":
                self.end(said["id"])
        for task in answer["start"]:
            if task["id"] not in self.held:
                self.held[task["id"]] = {"task": task, "ref": submit(self.worker, task), "ending": False}

    def end(self, key):
        held = self.held.get(key)
        if held is not None and not held["ending"]:
            held["ending"] = True
            ray.cancel(held["ref"], force=False)

    def collect(self):
        if not self.held:
            return
        refs = {held["ref"]: key for key, held in self.held.items()}
        done, _ = ray.wait(list(refs), num_returns=len(refs), timeout=0)
        for ref in done:
            key = refs[ref]
            held = self.held.pop(key)
            try:
                ray.get(ref)
            except BaseException as error:
                if isinstance(error, SystemExit):
                    raise
                # Also of a task whose result came through: the server then knows better.
                print(f"task {key} has no end of its own: {type(error).__name__}: {error}"[:500], flush=True)
                self.given_up.append({"id": key, "token": held["task"]["token"]})

    def fence(self):
        silent_ms = (time.monotonic() - self.heard_at) * 1000
        for key, held in self.held.items():
            if silent_ms > held["task"]["leaseMs"] * FENCE:
                self.end(key)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ray.init(address="auto", log_to_driver=False)
    driver = Driver()
    print("the driver is known to its server", flush=True)
    try:
        while True:
            driver.turn()
    finally:
        try:
            call("DELETE", f"/workers/{driver.worker}", timeout=5)
        except (ConnectionError, Refused):
            pass


main()

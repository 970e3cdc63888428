"""Runs a Singer tap for a step: asks it what it has, selects one stream, and writes that stream's records as CSV.

Started by esteira with the path of a request; not for import by steps. The tap is a process of this one. What it
writes to its standard output is read message by message, so that memory does not grow with it; its standard error
goes to the step's log. What happened goes into the file that the request names as `result`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

LONGEST_LINE = 16 * 2**20
LONGEST_CATALOG = 64 * 2**20
LONGEST_STATE = 2**20
SHOWN = 80
SHOWN_NAMES = 20
TOLD_EVERY = 100_000
#: Neither empty nor with anything that CSV gives a meaning.
PLAIN = re.compile(r"[\w .:+\-/@]+", re.ASCII)


class Unfit(Exception):
    """What the tap said or did cannot be taken; the message is for people."""


class Exact(float):
    """A number that keeps the digits with which it was written."""

    text: str

    def __new__(cls, text: str) -> Exact:
        number = super().__new__(cls, text)
        number.text = text
        return number


def parse(text: bytes) -> Any:
    # What is no number of JSON stays the text that it is, as which no column of numbers takes it.
    return json.loads(text.decode("utf-8"), parse_float=Exact, parse_constant=str)


def to_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Exact):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return to_json(value)


def to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def to_csv(values: list[str | None]) -> bytes:
    parts = []
    for value in values:
        if value is None:
            parts.append("")
        elif PLAIN.fullmatch(value):
            parts.append(value)
        else:
            parts.append('"' + value.replace('"', '""') + '"')
    return (",".join(parts) + "\n").encode("utf-8")


class TapRun:
    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.folder = Path(request["folder"])
        self.config = os.environ["ESTEIRA_TAP_CONFIG_FILE"]
        self.secrets: list[str] = json.loads(Path(os.environ["ESTEIRA_TAP_SECRETS_FILE"]).read_text("utf-8"))
        self.entry: dict[str, Any] = {}
        self.line = 0
        self.columns: list[str] | None = None
        self.schema: dict[str, Any] = {}
        self.keys: list[str] = []
        self.rows = 0
        self.state: str | None = None
        self.version: int | None = None
        self.unknown: dict[str, None] = {}
        self.others: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        try:
            self.select(self.discover())
            self.sync()
        except Unfit as unfit:
            return {"format": "singer-result/1", "problem": str(unfit)}
        return {
            "format": "singer-result/1",
            "columns": None if self.columns is None else [{"name": name, "schema": self.schema.get(name)} for name in self.columns],
            "keys": self.keys,
            "rows": self.rows,
            "state": self.state,
            "version": self.version,
            "unknown": list(self.unknown),
            "others": self.others,
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        tap = self.request["tap"]
        environment = {name: value for name, value in os.environ.items() if name not in self.request["hidden"]}
        try:
            return subprocess.Popen(
                [tap, "--config", self.config, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                cwd=self.folder,
                env=environment,
            )
        except FileNotFoundError:
            there = sorted(path.name for path in Path(tap).parent.glob("tap*"))
            known = f"; it brings {', '.join(there)}" if there else "; it brings no program called tap-…"
            raise Unfit(f"the package has no program {Path(tap).name}{known}: say executable") from None

    def discover(self) -> dict[str, Any]:
        with self.start("--discover") as tap:
            assert tap.stdout is not None
            text = tap.stdout.read(LONGEST_CATALOG + 1)
            if len(text) > LONGEST_CATALOG:
                tap.kill()
                raise Unfit("--discover writes more than 64 MiB")
        self.assert_ended_well(tap, "--discover")
        try:
            catalog = parse(text)
        except (ValueError, RecursionError) as error:
            raise Unfit(f"--discover writes no JSON: {error}: {self.excerpt(text)}") from None
        streams = catalog.get("streams") if isinstance(catalog, dict) else None
        if not isinstance(streams, list) or not all(isinstance(each, dict) for each in streams):
            raise Unfit("--discover writes no catalog: there is no list of streams")
        return catalog

    def select(self, catalog: dict[str, Any]) -> None:
        wanted = self.request["stream"]
        streams = catalog["streams"]
        names = [str(each.get("tap_stream_id", each.get("stream"))) for each in streams]
        for key in ("tap_stream_id", "stream"):
            found = [each for each in streams if each.get(key) == wanted]
            if len(found) > 1:
                raise Unfit(f"{len(found)} streams are called {wanted}; say which by its tap_stream_id: {named(names)}")
            if found:
                self.entry = found[0]
                break
        else:
            raise Unfit(f"the tap has no stream {wanted}; it has {named(names)}")
        for each in streams:
            self.mark(each, each is self.entry)
        (self.folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")

    def mark(self, entry: dict[str, Any], is_selected: bool) -> None:
        """Says in all the ways that taps know whether a stream is selected, and how it is replicated."""
        if not isinstance(entry.get("metadata"), list):
            entry["metadata"] = []
        root = None
        for each in entry["metadata"]:
            facts = each.setdefault("metadata", {})
            if not each.get("breadcrumb"):
                root = facts
            elif is_selected and len(each["breadcrumb"]) == 2:
                facts["selected"] = facts.get("inclusion") != "unsupported"
        if root is None:
            root = {}
            entry["metadata"].append({"breadcrumb": [], "metadata": root})
        root["selected"] = is_selected
        entry["selected"] = is_selected
        if isinstance(entry.get("schema"), dict):
            entry["schema"]["selected"] = is_selected
        if is_selected:
            self.replicate(entry, root)

    def replicate(self, entry: dict[str, Any], root: dict[str, Any]) -> None:
        forced = root.get("forced-replication-method")
        if self.request["replication"] == "full":
            method, key = "FULL_TABLE", None
        else:
            method = root.get("replication-method") or entry.get("replication_method")
            method = method if method == "LOG_BASED" else "INCREMENTAL"
            valid = root.get("valid-replication-keys") or []
            key = self.request["replicationKey"] or root.get("replication-key") or entry.get("replication_key")
            key = key or (valid[0] if len(valid) == 1 else None)
            if key is None and len(valid) > 1:
                raise Unfit(f"the stream can be read further by {named(valid)}: say replication_key")
        root["replication-method"] = entry["replication_method"] = forced or method
        if key is not None:
            root["replication-key"] = entry["replication_key"] = key

    def sync(self) -> None:
        arguments = ["--catalog", str(self.folder / "catalog.json")]
        if self.request["state"] is not None:
            (self.folder / "state.json").write_text(self.request["state"], encoding="utf-8")
            arguments += ["--state", str(self.folder / "state.json")]
        with self.start(*arguments) as tap, open(self.request["dump"], "wb", buffering=2**20) as dump:
            assert tap.stdout is not None
            try:
                self.read(tap, tap.stdout, dump)
            except BaseException:
                tap.kill()
                raise
        self.assert_ended_well(tap, f"the tap, after {self.rows} records,")
        if self.columns is None and any(self.others.values()):
            raise Unfit(f"it sends no record of {self.request['stream']}, but of {named(list(self.others))}")

    def read(self, tap: subprocess.Popen[bytes], messages: BinaryIO, dump: BinaryIO) -> None:
        while True:
            line = messages.readline(LONGEST_LINE + 1)
            if not line:
                return
            self.line += 1
            if len(line) > LONGEST_LINE:
                raise Unfit(f"line {self.line} of its output is longer than 16 MiB: {self.excerpt(line)}")
            # A tap that dies leaves half a line behind: how it died says more.
            if not line.endswith(b"\n") and tap.wait() != 0:
                return
            if line.strip():
                self.take(line, dump)

    def take(self, line: bytes, dump: BinaryIO) -> None:
        try:
            message = parse(line)
        except (ValueError, RecursionError) as error:
            raise self.unfit(f"is no JSON ({error})", line) from None
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "STATE":
            self.take_state(message, line)
        elif kind in ("SCHEMA", "RECORD", "ACTIVATE_VERSION"):
            stream = message.get("stream")
            if not isinstance(stream, str):
                raise self.unfit(f"is a {kind} without the name of its stream", line)
            if not self.is_wanted(stream):
                if stream in self.others or len(self.others) < SHOWN_NAMES:
                    self.others[stream] = self.others.get(stream, 0) + (kind == "RECORD")
            elif kind == "SCHEMA":
                self.take_schema(message, line)
            elif kind == "RECORD":
                self.take_record(message, line, dump)
            elif isinstance(message.get("version"), int):
                self.version = message["version"]
        elif kind == "BATCH":
            raise self.unfit("is a BATCH, which names files: turn batch_config off in the tap's config", line)
        else:
            raise self.unfit("is no message of Singer (SCHEMA, RECORD, STATE, ACTIVATE_VERSION)", line)

    def is_wanted(self, stream: str) -> bool:
        """Some taps say less of the name in their messages than in the catalog."""
        name = str(self.entry.get("tap_stream_id", ""))
        return stream in (name, self.entry.get("stream")) or name.endswith((f"-{stream}", f".{stream}"))

    def take_state(self, message: dict[str, Any], line: bytes) -> None:
        if "value" not in message:
            raise self.unfit("is a STATE without a value", line)
        state = json.dumps(message["value"], separators=(",", ":"))
        if len(state) > LONGEST_STATE:
            raise self.unfit("is a STATE of more than 1 MiB", line)
        self.state = state

    def take_schema(self, message: dict[str, Any], line: bytes) -> None:
        schema = message.get("schema")
        properties = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(properties, dict) or not properties:
            raise self.unfit("is a SCHEMA without properties", line)
        if self.columns is not None and set(properties) != set(self.columns):
            others = sorted(set(properties) ^ set(self.columns))
            raise self.unfit(f"changes the columns halfway ({named(others)})", line)
        self.columns = self.columns or list(properties)
        self.schema = properties
        keys = message.get("key_properties")
        self.keys = [str(key) for key in keys] if isinstance(keys, list) else []

    def take_record(self, message: dict[str, Any], line: bytes, dump: BinaryIO) -> None:
        record = message.get("record")
        if self.columns is None:
            raise self.unfit("is a RECORD before the SCHEMA of its stream", line)
        if not isinstance(record, dict):
            raise self.unfit("is a RECORD whose record is no object", line)
        for name in record.keys() - self.schema.keys():
            if len(self.unknown) < SHOWN_NAMES:
                self.unknown[name[:SHOWN]] = None
        try:
            values = [to_text(record.get(name)) for name in self.columns]
            dump.write(to_csv(values if len(values) > 1 else [None, *values]))
        except (ValueError, RecursionError) as error:
            raise self.unfit(f"has a value that cannot be kept ({error})", line) from None
        self.rows += 1
        if self.rows % TOLD_EVERY == 0:
            print(f"{self.rows} records", flush=True)

    def unfit(self, what: str, line: bytes) -> Unfit:
        return Unfit(f"line {self.line} of its output {what}: {self.excerpt(line)}")

    def excerpt(self, text: bytes) -> str:
        """The beginning of what it wrote, without secrets: none is cut in two."""
        start = text[: LONGEST_STATE].decode("utf-8", "replace")
        for secret in sorted(self.secrets, key=len, reverse=True):
            for form in (secret, json.dumps(secret)[1:-1]):
                start = start.replace(form, "***")
        start = " ".join(start.split())
        return start if len(start) <= SHOWN else f"{start[:SHOWN]}…"

    def assert_ended_well(self, tap: subprocess.Popen[bytes], what: str) -> None:
        code = tap.returncode
        if code != 0:
            ended = f"exit code {code}" if code > 0 else f"signal {signal.Signals(-code).name}"
            raise Unfit(f"{what} ended with {ended}; what it said is in the step's log")


def named(names: list[Any]) -> str:
    shown = ", ".join(str(name) for name in names[:SHOWN_NAMES]) or "none"
    return shown if len(names) <= SHOWN_NAMES else f"{shown}, and {len(names) - SHOWN_NAMES} more"


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    result = TapRun(request).run()
    Path(request["result"]).write_text(json.dumps(result), encoding="utf-8")
    if "problem" in result:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

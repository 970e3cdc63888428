"""Runs a dbt project for a step: dbt-core itself works in a DuckDB file that belongs to this attempt alone.

Started by esteira with the path of a request; not for import by steps. What the request names is put into the
database as views (datasets) and tables (what earlier runs made), dbt builds, and every table that it made is
written as Parquet. What happened, node by node, goes into the file that the request names as `result`.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

MADE = ("model", "seed", "snapshot")
KEEPS_ROWS = ("incremental", "snapshot")
#: Types that Parquet would not keep exactly, and what DuckDB casts them to first.
EXACT = {"HUGEINT": "BIGINT", "UHUGEINT": "DECIMAL(38,0)", "INTERVAL": "VARCHAR", "BIT": "VARCHAR", "TIME WITH TIME ZONE": "VARCHAR"}


class Failed(Exception):
    """dbt said what is wrong; it is in the result."""


class DbtRun:
    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.work = Path(request["work"])
        self.database = self.work / "esteira.duckdb"
        self.result: dict[str, Any] = {"format": "dbt-result/1", "errors": [], "nodes": [], "tests": []}
        self.manifest: Any = None

    def run(self) -> None:
        self.write_profile([])
        if self.request["packages"] is not None:
            self.install_packages(self.request["packages"])
        self.manifest = self.invoke(["parse"]).result
        others = sorted({node.database for node in self.relations() if node.database != self.database.stem})
        if others:
            self.write_profile(others)
        self.prepare(others)
        built = self.invoke(["build", *self.selection()], must_succeed=False)
        self.read_results(built)
        if self.result["errors"] or any(test["status"] in ("fail", "error") for test in self.result["tests"]):
            raise Failed()
        self.export(others)

    def write_profile(self, others: list[str]) -> None:
        output = {
            "type": "duckdb",
            "path": str(self.database),
            "schema": "main",
            "threads": self.request["threads"],
            "settings": {"TimeZone": "UTC", "temp_directory": str(self.work / "spill")},
            "attach": [{"path": str(self.work / f"attached-{name}.duckdb"), "alias": name} for name in others],
        }
        target = self.request["target"]
        profile = {"esteira": {"target": target, "outputs": {target: output}}}
        # JSON is YAML.
        (self.work / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")

    def install_packages(self, folder: str) -> None:
        installed = Path(folder)
        if installed.is_symlink():
            installed.unlink()
        elif installed.exists():
            shutil.rmtree(installed)
        self.invoke(["deps"])

    def selection(self) -> list[str]:
        chosen = [*self.flag("--select", "select"), *self.flag("--exclude", "exclude")]
        return [*chosen, *(["--full-refresh"] if self.request["fullRefresh"] else [])]

    def flag(self, name: str, key: str) -> list[str]:
        return [part for each in self.request[key] for part in (name, each)]

    def invoke(self, command: list[str], must_succeed: bool = True) -> Any:
        from dbt.cli.main import dbtRunner

        paths = ["--project-dir", self.request["project"], "--profiles-dir", str(self.work), "--profile", "esteira", "--target", self.request["target"]]
        targets = [] if command[0] == "deps" else ["--target-path", str(self.work / "target")]
        known = ["--log-path", str(self.work / "logs"), "--log-level-file", "none", "--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"]
        arguments = [command[0], *paths, *targets, *known, "--vars", json.dumps(self.request["vars"]), *command[1:]]
        outcome = dbtRunner(manifest=self.manifest if command[0] == "build" else None).invoke(arguments)
        close_connections()
        if outcome.exception is not None or (must_succeed and not outcome.success):
            self.result["errors"].append(self.explain(str(outcome.exception or f"dbt {command[0]} failed"), None))
            raise Failed()
        return outcome.result if not must_succeed else outcome

    def relations(self) -> list[Any]:
        made = [node for node in self.manifest.nodes.values() if str(node.resource_type) in MADE]
        return [*made, *self.manifest.sources.values()]

    def connect(self, others: list[str]) -> Any:
        import duckdb

        connection = duckdb.connect(str(self.database))
        connection.execute("set TimeZone = 'UTC'")
        for name in others:
            connection.execute(f"attach {text(str(self.work / f'attached-{name}.duckdb'))} as {quote(name)}")
        return connection

    def prepare(self, others: list[str]) -> None:
        """Datasets that sources and references name become views, what earlier runs made becomes tables again."""
        connection = self.connect(others)
        self.result["read"] = {}
        for source in self.manifest.sources.values():
            given = self.request["sources"].get(f"{source.source_name}.{source.name}")
            if given is not None:
                create(connection, "view", (source.database, source.schema, source.identifier), given)
        for node in self.manifest.nodes.values():
            if str(node.resource_type) not in MADE:
                continue
            relation = (node.database, node.schema, node.alias)
            reference = self.request["references"].get(node.alias)
            before = self.request["before"].get(node.alias)
            if reference is not None:
                create(connection, "view", relation, reference)
            elif before is not None and materialized(node) in KEEPS_ROWS and not self.request["fullRefresh"]:
                create(connection, "table", relation, before)
        connection.close()

    def read_results(self, built: Any) -> None:
        for one in getattr(built, "results", None) or []:
            kind = str(one.node.resource_type)
            status = str(getattr(one.status, "value", one.status))
            if kind in ("test", "unit_test"):
                self.result["tests"].append(self.test_of(one.node, kind, status, one))
            if status == "error" and not (kind == "test" and one.failures):
                self.result["errors"].append(self.explain(one.message or "it failed", one.node))
            if kind in MADE and status == "success":
                self.result["nodes"].append(self.node_of(one.node))

    def node_of(self, node: Any) -> dict[str, Any]:
        reads, tables = self.reads_of(node)
        # An incremental model looks at what it made before.
        tables[node.relation_name] = node.alias
        compiled = getattr(node, "compiled_code", None)
        query = compiled if str(node.resource_type) == "model" and str(node.language) == "sql" else None
        return {
            "id": node.unique_id,
            "name": node.alias,
            "kind": str(node.resource_type),
            "materialized": materialized(node),
            "file": node.original_file_path,
            "package": node.package_name,
            "isEphemeral": materialized(node) == "ephemeral",
            "relation": [node.database, node.schema, node.alias],
            "reads": sorted(reads),
            "query": None if query is None else renamed(query, tables),
            "columns": [],
            "storedFrom": {},
        }

    def reads_of(self, node: Any) -> tuple[set[str], dict[str, str]]:
        """Datasets that a node reads, behind ephemeral ones too, and the relations that its query names."""
        reads: set[str] = set()
        tables: dict[str, str] = {}
        waiting = list(node.depends_on.nodes) if hasattr(node.depends_on, "nodes") else []
        while waiting:
            unique_id = waiting.pop()
            source = self.manifest.sources.get(unique_id)
            other = self.manifest.nodes.get(unique_id)
            if source is not None:
                given = self.request["sources"].get(f"{source.source_name}.{source.name}")
                if given is not None:
                    reads.add(given["asset"])
                    tables[source.relation_name] = given["asset"]
            elif other is not None and materialized(other) == "ephemeral":
                waiting.extend(other.depends_on.nodes)
            elif other is not None and str(other.resource_type) in MADE:
                reads.add(other.alias)
                tables[other.relation_name] = other.alias
        return reads, tables

    def test_of(self, node: Any, kind: str, status: str, one: Any) -> dict[str, Any]:
        attached = getattr(node, "attached_node", None)
        about = [attached] if attached is not None else list(node.depends_on.nodes)
        reads, _ = self.reads_of(node)
        names = [self.manifest.nodes[each].alias for each in about if each in self.manifest.nodes]
        metadata = getattr(node, "test_metadata", None)
        column = getattr(node, "column_name", None)
        what = node.description or (" ".join(part for part in (getattr(metadata, "name", None), column) if part)) or node.name
        severity = str(getattr(node.config, "severity", "error")).lower()
        return {
            "name": node.name,
            "kind": kind,
            "what": what,
            "severity": "warning" if severity.startswith("warn") else "error",
            "status": status,
            "failures": one.failures,
            "message": one.message,
            "file": node.original_file_path,
            "about": sorted(set(names)),
            "reads": sorted(reads),
        }

    def explain(self, message: str, node: Any) -> dict[str, Any]:
        """An error with the file and the line of it in the project, as far as they can be told."""
        lines = [line.rstrip() for line in message.strip().splitlines()]
        named = re.search(r"\(([^()\s]+\.(?:sql|py|ya?ml|csv|md))\)", message) or re.search(r"([\w./-]+\.(?:ya?ml|sql|csv))\b", message)
        file = getattr(node, "original_file_path", None) or (named.group(1) if named else None)
        line = re.search(r"^\s*line (\d+)\s*$", message, re.MULTILINE) or re.search(r"\b(?:at|near|,) line (\d+)|error near line (\d+)", message)
        found = int(next(group for group in line.groups() if group)) if line else source_line(message, node)
        told = [part.strip() for part in lines if part.strip() and not re.match(r"^\s*(?:Compilation|Runtime|Database|Parsing) Error( in .*)?$", part)]
        told = [part for part in told if not re.match(r"^(?:line \d+$|compiled code at |> in macro|> called by|LINE \d+:|\^)", part)]
        package = getattr(node, "package_name", None)
        return {"node": getattr(node, "name", None), "package": package, "file": file, "line": found, "message": " ".join(told)[:1000] or message[:1000]}

    def export(self, others: list[str]) -> None:
        connection = self.connect(others)
        for node in self.result["nodes"]:
            if node["isEphemeral"]:
                continue
            relation = ".".join(quote(part) for part in node["relation"])
            described = connection.execute(f"describe select * from {relation}").fetchall()
            node["columns"] = [{"name": row[0], "type": row[1]} for row in described]
            columns = [exact(name, kind) for name, kind, *_ in described]
            folder = Path(self.request["output"]) / node["name"]
            folder.mkdir(parents=True, exist_ok=True)
            target = text(str(folder / "rows.parquet"))
            try:
                connection.execute(f"copy (select {', '.join(columns)} from {relation}) to {target} (format parquet, compression zstd)")
            except Exception as error:  # noqa: BLE001  a view is computed only now, and may fail on its rows
                self.result["errors"].append({"node": node["name"], "package": node["package"], "file": node["file"], "line": None, "message": str(error).strip()[:1000]})
        connection.close()
        if self.result["errors"]:
            raise Failed()


def materialized(node: Any) -> str:
    return "snapshot" if str(node.resource_type) == "snapshot" else str(getattr(node.config, "materialized", ""))


def create(connection: Any, kind: str, relation: tuple[str, str, str], given: dict[str, Any]) -> None:
    database, schema, name = relation
    connection.execute(f"create schema if not exists {quote(database)}.{quote(schema)}")
    columns = [as_made(column["name"], column["type"], given.get("storedFrom", {})) for column in given["columns"]]
    if given["files"]:
        files = ", ".join(text(file) for file in given["files"])
        rows = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    else:
        nothing = ", ".join(f"null::{column['type']} as {quote(column['name'])}" for column in given["columns"])
        rows = f"(select {nothing} where false)"
    connection.execute(f"create or replace {kind} {quote(database)}.{quote(schema)}.{quote(name)} as select {', '.join(columns)} from {rows}")


def as_made(name: str, stored: str, stored_from: dict[str, str]) -> str:
    """A column as its maker had it: a Delta table has fewer types than DuckDB."""
    kind = stored_from.get(name)
    if kind is None:
        return quote(name)
    if stored == "TIMESTAMP WITH TIME ZONE" and kind.startswith("TIMESTAMP"):
        return f"timezone('UTC', {quote(name)})::{kind} as {quote(name)}"
    return f"{quote(name)}::{kind} as {quote(name)}"


def exact(name: str, kind: str) -> str:
    """A type stands before one of `,)[` or the end; a field of a struct before a space."""
    names = "|".join(sorted(EXACT, key=len, reverse=True))
    wanted = re.sub(rf"\b({names})(?=[\[\],)]|$)", lambda found: EXACT[found.group(1)], kind)
    wanted = "VARCHAR" if wanted.startswith("ENUM(") else wanted
    return quote(name) if wanted == kind else f"cast({quote(name)} as {wanted}) as {quote(name)}"


def source_line(message: str, node: Any) -> int | None:
    """The line of a node's file that DuckDB speaks of: it quotes the line of what it was given."""
    quoted = re.search(r"^\s*LINE (\d+): (.*)$", message, re.MULTILINE)
    raw = getattr(node, "raw_code", None)
    if quoted is None or not raw:
        return None
    said = quoted.group(2).strip().removeprefix("...").removesuffix("...").strip()
    lines = raw.splitlines()
    found = [number for number, line in enumerate(lines, 1) if said and said in line]
    if len(found) == 1:
        return found[0]
    compiled = (getattr(node, "compiled_code", None) or "").splitlines()
    there = [number for number, line in enumerate(compiled, 1) if said and said in line]
    return there[0] if len(there) == 1 and len(compiled) == len(lines) else None


def renamed(query: str, tables: dict[str, str]) -> str:
    """The query with the names of datasets in the places of dbt's relations."""
    for relation, name in tables.items():
        query = query.replace(relation, quote(name))
    return query


def close_connections() -> None:
    try:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()
    except Exception:  # noqa: BLE001  there was none
        pass


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def main(request_file: str) -> int:
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    run = DbtRun(request)
    try:
        run.run()
    except Failed:
        pass
    Path(request["result"]).write_text(json.dumps(run.result), encoding="utf-8")
    return 0 if not run.result["errors"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

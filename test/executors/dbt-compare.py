"""Compares the datasets of a store with what dbt itself makes of the same project in a DuckDB file of its own.

Arguments: folder of the dbt project, folder of the datasets. Prints one line of JSON: table -> what differs.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb
from dbt.cli.main import dbtRunner

project, datasets = map(Path, sys.argv[1:])
work = Path(tempfile.mkdtemp())
copy = shutil.copytree(project, work / "project")
plain = work / "plain.duckdb"
profile = {"esteira": {"target": "dev", "outputs": {"dev": {"type": "duckdb", "path": str(plain), "settings": {"TimeZone": "UTC"}}}}}
(work / "profiles.yml").write_text(json.dumps(profile))
done = dbtRunner().invoke(["--quiet", "build", "--project-dir", str(copy), "--profiles-dir", str(work), "--profile", "esteira"])
assert done.success, done.exception
connection = duckdb.connect(str(plain))
# A Delta table has no such integers, and a sum that does not fit is an error.
stored = {"HUGEINT": "BIGINT"}
found = {}
for (name,) in connection.execute("select table_name from information_schema.tables order by 1").fetchall():
    files = [str(file) for file in (datasets / name).glob("**/*.parquet")]
    ours = f"read_parquet({files!r})"
    types = [[(column, stored.get(kind, kind)) for column, kind, *_ in connection.execute(f"describe select * from {rows}").fetchall()] for rows in (name, ours)]
    missing, more = (connection.execute(f"select count(*) from (select * from {one} except all select * from {other})").fetchone()[0] for one, other in ((name, ours), (ours, name)))
    rows = connection.execute(f"select count(*) from {name}").fetchone()[0]
    found[name] = {"rows": rows, "missing": missing, "more": more, "types": types[0] == types[1] or types}
print(json.dumps(found))

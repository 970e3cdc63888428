"""Does to a table what a user's Python program may do: `append`, `merge`, `compact`, `checkpoint`, `partitioned`, `delete`."""
import os
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

path, *operations = sys.argv[1:]
for operation in operations:
    if operation == "append":
        write_deltalake(path, pa.table({"id": pa.array([100], pa.int64()), "name": ["python"]}), mode="append", schema_mode="merge")
    elif operation == "merge":
        source = pa.table({"id": pa.array([1, 101], pa.int64()), "name": ["changed", "merged"]})
        DeltaTable(path).merge(source, predicate="t.id = s.id", source_alias="s", target_alias="t").when_matched_update(updates={"name": "s.name"}).when_not_matched_insert(updates={"id": "s.id", "name": "s.name"}).execute()
    elif operation == "compact":
        DeltaTable(path).optimize.compact()
    elif operation == "checkpoint":
        DeltaTable(path).create_checkpoint()
    elif operation == "delete":
        DeltaTable(path).delete("id = 100")
    elif operation == "partitioned":
        write_deltalake(path, pa.table({"id": pa.array([1, 2, 3], pa.int64()), "part": ["a b", "c/d=1", None], "day": pa.array([1, 2, None], pa.date32())}), partition_by=["part", "day"])
    elif operation == "features":
        write_deltalake(path, pa.table({"id": pa.array([1], pa.int64())}))
        DeltaTable(path).alter.add_feature(__import__("deltalake").TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)

# The native threads of deltalake may abort the interpreter while it ends, after all is done.
sys.stdout.flush()
os._exit(0)

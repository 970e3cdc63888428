# Reads one version of a table with deltalake and writes its rows as Parquet: deltalake-copy.py TABLE VERSION TARGET
import sys

import pyarrow.parquet
from deltalake import DeltaTable

table, version, target = sys.argv[1:4]
pyarrow.parquet.write_table(DeltaTable(table, version=int(version)).to_pyarrow_table(), target)

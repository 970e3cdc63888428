# Reads one version of a table with deltalake and writes its rows as Parquet: deltalake-copy.py TABLE VERSION TARGET
import os
import sys

import pyarrow.parquet
from deltalake import DeltaTable

table, version, target = sys.argv[1:4]
pyarrow.parquet.write_table(DeltaTable(table, version=int(version)).to_pyarrow_table(), target)

# The native threads of deltalake may abort the interpreter while it ends, after all is done.
sys.stdout.flush()
os._exit(0)

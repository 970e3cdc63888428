"""What a step written in Python needs of esteira: its inputs, its params, a place for what it makes.

Importing this package loads the standard library alone; pandas, pyarrow, polars and onnx are loaded
by the functions that use them, from the step's own environment.

    import esteira

    rows = esteira.input("training_set").to_pandas()
    depth = esteira.params["max_depth"]
    esteira.output("clean", rows)
"""

from ._context import Context, EsteiraError, Input, context, input, output, params, results, set_output
from ._model import save_model

__all__ = ["Context", "EsteiraError", "Input", "context", "input", "output", "params", "results", "save_model", "set_output"]
__version__ = "0.1.0"

"""Gradient dumps: files or arrays → `Dump`, which knows what is where and has read none of it.

>>> import surge_fit as sf
>>> dump = sf.open_dump("examples/digits_gradients/step00010.safetensors")
>>> for tensor in dump.tensors:
...     print(tensor.name, tensor.dtype, tensor.shape)
hidden.bias bfloat16 (24,)
hidden.weight bfloat16 (24, 64)
output.bias bfloat16 (10,)
output.weight bfloat16 (10, 24)
"""

from surge_fit.gradients.dump.inventory import FileContents, list_contents
from surge_fit.gradients.dump.opening import open_checkpoints, open_dump, read_labels
from surge_fit.gradients.dump.optimizer_states import OptimizerState, read_optimizer_state
from surge_fit.gradients.dump.plain import read_arrays
from surge_fit.gradients.dump.value import Dump, DumpTensor

__all__ = [
    "Dump",
    "DumpTensor",
    "FileContents",
    "OptimizerState",
    "list_contents",
    "open_checkpoints",
    "open_dump",
    "read_arrays",
    "read_labels",
    "read_optimizer_state",
]

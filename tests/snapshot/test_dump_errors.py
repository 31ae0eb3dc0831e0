"""What is said of files that are no gradients, word for word; run this file to write the golden file anew."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from support.dumps import write_safetensors
from support.fixtures import NOT_GRADIENTS
from surge_fit.errors import InputError
from surge_fit.gradients.dump import open_dump, read_optimizer_state
from surge_fit.gradients.noise import read_norm_log

GOLDEN = Path(__file__).with_name("dump_errors.txt")


def zeros(**shapes):
    return {name.replace("__", "."): np.zeros(shape, np.float32) for name, shape in shapes.items()}


FILES = {
    "weights": ("w.safetensors", zeros(fc__weight=(8, 8), fc__bias=(8,)), {}),
    "matrices": ("w.safetensors", zeros(up__weight=(8, 2), down__weight=(2, 8)), {}),
    "square matrices": ("w.safetensors", zeros(q__weight=(8, 8), k__weight=(8, 8)), {}),
    "weights by the name of the file": ("model.safetensors", zeros(w=(8, 4)), {}),
    "an adapter": ("a.safetensors", zeros(q__lora_A__weight=(4, 8), q__lora_B__weight=(6, 4)), {}),
    "an optimizer's state": ("a.safetensors", zeros(w__exp_avg=(8, 4), w__exp_avg_sq=(8, 4)), {}),
    "a shard of ZeRO": ("mp_rank_00_optim_states.pt", zeros(w=(8,)), {}),
    "a shard of FSDP": ("rank0.safetensors", zeros(_flat_param=(8,)), {}),
    "a shard of a distributed checkpoint": ("__0_0.distcp", zeros(w=(8, 4)), {}),
    "a Hessian": ("h.safetensors", zeros(hessian=(8, 8)), {}),
    "files of a trainer": ("scheduler.pt", zeros(w=(8, 4)), {}),
    "other lengths": ("g.safetensors", zeros(w=(8, 4), v=(7, 4)), {}),
    "no list": ("g.safetensors", zeros(w=(8, 4)), {"layout": "items"}),
    "nothing left": ("g.safetensors", zeros(w=(8, 4)), {"only": "v"}),
    "no pattern": ("g.safetensors", zeros(w=(8, 4)), {"leave_out": "("}),
}
LOGS = {
    "no norms": "Wall time,Step,Value\n1,1,2\n",
    "no batch sizes": "step,micro_grad_norm,grad_norm\n1,2,1\n",
    "names that do not tell": "grad_norm_a,grad_norm_b\n2,1\n",
    "one norm without batch sizes": "step,grad_norm\n1,2\n",
    "one batch size": "batch_size,grad_norm\n8,2\n",
    "no common step": "step,batch_size,grad_norm\n1,8,2\n2,64,1\n",
    "no number": "batch_size,grad_norm\n8,two\n",
}


def refusals():
    """Yield every case with what is said."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for case, (name, arrays, options) in FILES.items():
            file = write_safetensors(home / name, arrays)
            yield case, said(folder, open_dump, file, **options)
        yield "an object array", said(folder, open_dump, NOT_GRADIENTS / "54-object-array.npz")
        moments = zeros(state__0__exp_avg=(3, 3), state__1__exp_avg=(3, 3))
        state = write_safetensors(home / "optimizer.safetensors", moments)
        yield "a state without names", said(folder, read_optimizer_state, state, {"a": (3, 3), "b": (3, 3)})
        for case, text in LOGS.items():
            (home / "log.csv").write_text(text)
            yield f"a log: {case}", said(folder, read_norm_log, home / "log.csv")


def said(folder, function, *arguments, **options):
    with pytest.raises(InputError) as refused:
        function(*arguments, **options)
    return str(refused.value).replace(folder, "…")


def written():
    return "\n\n".join(f"# {case}\n{text}" for case, text in refusals()) + "\n"


def test_refusals_read_as_before():
    assert written() == GOLDEN.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    GOLDEN.write_text(written(), encoding="utf-8")

"""Models are built when they are first used, and so would be their faults: here each of them is built."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from pydantic import BaseModel

from tests.test_architecture import ROOMS, ROOT
from tests.unit.test_patterns import modules


def models_below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.__subclasses__():
        yield one
        yield from models_below(one)


def ours() -> set[type[BaseModel]]:
    """Every model of the product; those that are made of others with a type put in are the product's as much."""
    list(modules())
    return {model for model in models_below(BaseModel) if model.__module__.split(".")[0] in ROOMS}


def test_every_model_can_be_built() -> None:
    models = ours()
    assert len(models) > 700
    for model in models:
        assert model.model_rebuild() is not False, model
        assert model.__pydantic_complete__, model


def test_a_node_waits_for_no_model_and_no_printing() -> None:
    """To build them all takes as long as half of all else that is imported; what prints has libraries of its own."""
    program = (
        "import sys, handlers.serve, workers.beside\n"
        "from lms_rt.contracts.base import Draft, View\n"
        "built = [one for kind in (Draft, View) for one in kind.__subclasses__() if one.__pydantic_complete__]\n"
        "print(len(built), 'reportlab' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True, timeout=60
    )
    built, has_printing = done.stdout.split()
    assert has_printing == "False"
    assert int(built) < 40

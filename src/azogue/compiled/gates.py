"""A gate at which threads wait for each other within compiled code, a hundred thousand times a second.

Each thread counts its own arrivals in a cache line of its own, and looks at the other's: nobody locks, nobody sleeps.
Whoever waits for long lets others have the processor.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from azogue.compiled.numbers import compiled

#: Places of a gate: one for each of two threads, 0 and `APART`, on cache lines of their own, and one that says that
#: nobody comes any more.
APART, CLOSED, LENGTH = 16, 32, 48
#: Looks at the other's counter, some nanoseconds each, before the processor is offered to others.
LOOKS = 2_000


def gate() -> np.ndarray:
    """A gate for two threads."""
    return np.zeros(LENGTH, np.int64)


def _place(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, [values[1]], wraparound=False)


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _seen(_context: Any, array: Any, at: Any) -> Any:
    """array[at], and whatever its writer wrote before."""

    def read(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature, values), "acquire", 8)

    return types.int64(array, types.intp), read


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _show(_context: Any, array: Any, at: Any, value: Any) -> Any:
    """array[at] ← value, after whatever was written before."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store_atomic(values[2], _place(context, builder, signature, values), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), write


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _offer(_context: Any) -> Any:
    """Let another thread have the processor, where the system has a call for that."""

    def call(context: Any, builder: Any, _signature: Any, _values: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), call


@compiled
def meet(gate: Any, rank: int) -> bool:
    """Wait until the other thread is here too; False where it is not going to be."""
    other = APART - rank * APART
    mine = gate[rank * APART] + 1
    _show(gate, rank * APART, mine)
    looks = 0
    while _seen(gate, other) < mine:
        looks += 1
        if looks % LOOKS == 0:
            if _seen(gate, CLOSED):
                return False
            _offer()
    return True

"""Sequences of events: records of visits, each a set of events, ↔ rows of symbols."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Categorical, Head
from azogue.modalities.base import Demand
from azogue.modalities.characters import Ids
from azogue.modalities.histories import CONTAINERS, History, Records, read, write
from azogue.modalities.textual import check_slots, packed_rows
from azogue.recipe import Batch, Lazy, Spec

if TYPE_CHECKING:
    from torch import Tensor

#: Places that records may ask for where nobody says how many, and slots of a packed row.
LONGEST, SLOTS = 512, 2**22
#: Unknown events that a warning shows.
_SHOWN = 3
_NO_DEMAND = Demand()
_ANY = (float("-inf"), float("inf"))


@dataclass(frozen=True, repr=False)
class Events(Spec):
    """Sequences of events, such as patients' visits with a set of codes each.

    Data come in one of two forms.

    - A list of records. A record is a list of visits in their order; a visit is the name of an event, or a list or set
      of names.
    - A long table (pandas, polars, pyarrow), a line for each event: whose it is (`id`), when (`order`: numbers, dates
      or texts that sort) and which (`event`). Lines with the same id and order are one visit. Other columns are left
      alone.

    What comes back has the same form: a visit's events in the order of the vocabulary, each once; of a table three
    columns, with visits numbered 1, 2, … as their order, and for new records ids numbered likewise. Times between
    visits, and values of events, are not kept.

    A record becomes a row of symbols: the events of a visit from the most frequent to the rarest, then a symbol that
    closes it, and so on; last a symbol that ends the record. Where every visit has exactly one event, visits are not
    closed.

    Parameters
    ----------
    id, order, event : str
        Columns of a table.
    length : int, optional
        Places of a row; None: what the longest training record needs, 512 at most. Longer records are cut, with one
        warning that counts them.

    Examples
    --------
    >>> schema = Events().fit([[{"cough"}, {"cough", "fever"}], [["cough"]], []])
    >>> schema.events, schema.shape
    (('cough', 'fever'), (6, 4))
    >>> schema.unpack(schema.pack([[["fever", "cough"], []]]))
    [[['cough', 'fever'], []]]
    >>> Events().fit([["login", "search", "buy"], ["login"]]).unpack(np.eye(4)[[[0, 2, 3, 3]]].reshape(1, -1))
    [['login', 'search']]
    """

    id: str = "id"
    order: str = "order"
    event: str = "event"
    length: int | None = None

    rows_are: ClassVar[str] = "events"

    def __post_init__(self) -> None:
        if len({self.id, self.order, self.event}) < 3:
            raise ValueError(f"Events: id, order and event are three columns, got {self.columns!r}")
        whole = isinstance(self.length, int | np.integer) and not isinstance(self.length, bool)
        if self.length is not None and not (whole and self.length >= 1):
            raise ValueError(f"Events: length must be a whole number of at least 1, got {self.length!r}")

    @property
    def columns(self) -> tuple[str, str, str]:
        """The columns of a table."""
        return self.id, self.order, self.event

    def fit(self, X: Any, demand: Demand = _NO_DEMAND) -> EventsSchema:
        """Learn the events of records like `X`.

        Raises
        ------
        TypeError
            For what are no records of events; the message says where.
        ValueError
            For no records or events at all, columns that are not there, and objectives for numbers.
        """
        if demand.head not in (None, "gaussian") or demand.reach != _ANY:
            raise ValueError("Events: symbols have a softmax; leave objective and output activation out")
        records = read(X, self.columns)
        found = Counter(event for record in records.visits for visit in record for event in visit)
        if not found:
            raise ValueError("Events: no record of X has an event; there is nothing to learn from")
        events = tuple(sorted(found, key=lambda event: (-found[event], event)))
        single = all(len(visit) == 1 for record in records.visits for visit in record)
        if self.length is None:
            closing = int(not single)
            longest = max(1 + sum(len(visit) + closing for visit in record) for record in records.visits)
            length = min(longest, LONGEST)
        else:
            length = int(self.length)
        rows = records.rows
        schema = EventsSchema(rows.container, self.columns, rows.nested, single, length, events)
        schema.check_size()
        return schema


@dataclass(frozen=True)
class EventsSchema:
    """Sequences of events that have been seen: `length` places with a slot for each symbol, (length, symbols).

    Symbols are the events, then what closes a visit (not where visits have one event each), then the end.

    Parameters
    ----------
    container : {"list", "pandas", "polars", "pyarrow"}
    columns : tuple of str
        Names of a table's columns: id, order, event.
    nested : bool
        Whether visits are lists of events, in a list of records.
    single : bool
        Whether every visit has exactly one event.
    length : int
    events : tuple of str
        From the most frequent one on.

    Examples
    --------
    >>> schema = Events().fit([["a", "b", "a"], ["a"]])
    >>> schema.pack([["b"]]).x.view(schema.shape)
    tensor([[0., 1., 0.],
            [0., 0., 1.],
            [0., 0., 1.],
            [0., 0., 1.]])
    """

    container: str
    columns: tuple[str, ...]
    nested: bool
    single: bool
    length: int
    events: tuple[str, ...]

    names: ClassVar[None] = None
    rows_are: ClassVar[str] = "events"

    def check_size(self) -> None:
        """Refuse rows that are too wide."""
        check_slots("Events", self, SLOTS, "use a smaller length, or group events")

    @property
    def shape(self) -> tuple[int, int]:
        """Places and symbols."""
        return self.length, len(self.events) + (1 if self.single else 2)

    @property
    def width(self) -> int:
        """Slots of a packed row."""
        return math.prod(self.shape)

    @property
    def n_columns(self) -> int:
        """Places of a row, whose errors are told."""
        return self.length

    @property
    def rising(self) -> int:
        """Symbols of which a larger one follows a smaller one in a visit; see `layers.Autoregressive`."""
        return 0 if self.single else len(self.events)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One head over all places, a column each."""
        return (Categorical(0, self.width, tuple(range(self.length)), (1.0,) * self.length, "auto"),)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the slots: `name`, `kind`, `scaling`, `head` and `slots`."""
        return [{"name": "record", "kind": "events", "scaling": None, "head": "categorical", "slots": self.width}]

    def count(self, X: Any) -> int:
        """How many rows X gives."""
        return len(read(X, self.columns).visits)

    def pack(self, X: Any) -> Batch:
        """The user's records → tensors, x of shape (n, width): 1 at the symbol of each place. All places count.

        Warns
        -----
        UserWarning
            Once for events that were not there when fitted, which are left out, and once for records that were cut.
        """
        lazy = self.store(X)
        return Batch(lazy.take(slice(None)).x, None, lazy.rows)

    def store(self, X: Any) -> Lazy:
        """The same, held as small numbers until rows are taken."""
        records = read(X, self.columns)
        ids = self.symbols(records.visits)
        held = Ids(ids, np.full(len(ids), self.length), self.shape)
        return Lazy(len(ids), self.width, held.take, records.rows)

    def symbols(self, visits: Iterable[History]) -> NDArray[np.int64]:
        """The symbol at each place of each record, (n, length)."""
        places = {event: at for at, event in enumerate(self.events)}
        end = self.shape[1] - 1
        unknown: Counter[str] = Counter()
        rows, cut = [], 0
        for record in visits:
            row: list[int] = []
            for visit in record:
                known = sorted({places[event] for event in visit if event in places})
                unknown.update(event for event in visit if event not in places)
                row += known if self.single else [*known, end - 1]
            cut += len(row) > self.length
            rows.append([*row, *([end] * (self.length - len(row)))][: self.length])
        if unknown:
            shown = f"{', '.join(map(repr, list(unknown)[:_SHOWN]))}{', …' * (len(unknown) > _SHOWN)}"
            said = f"events that were not there when fitted are left out: {shown}"
            warnings.warn(said, UserWarning, stacklevel=4)
        if cut:
            said = f"{cut:,} record{'s are' if cut > 1 else ' is'} longer than {self.length:,} places and cut there"
            warnings.warn(f"{said}; fit with a larger length", UserWarning, stacklevel=4)
        return np.array(rows, np.int64).reshape(-1, self.length)

    def histories(self, symbols: NDArray[Any]) -> list[History]:
        """Symbols (n, length) → the visits of each record."""
        end = self.shape[1] - 1
        found = []
        for row in symbols.tolist():
            own = row[: row.index(end)] if end in row else row
            if self.single:
                found.append([[self.events[at]] for at in own])
                continue
            visits: list[list[int]] = [[]]
            for at in own:
                if at == end - 1:
                    visits.append([])
                else:
                    visits[-1].append(at)
            visits = visits if visits[-1] else visits[:-1]
            found.append([[self.events[at] for at in sorted(set(visit))] for visit in visits])
        return found

    def write(self, symbols: NDArray[Any], rows: Any = None) -> Any:
        """Symbols (n, length) → records in the user's form."""
        home = Records(self.container, None, self.nested)
        return write(self.histories(symbols), rows if isinstance(rows, Records) else home, self.columns)

    def unpack(self, out: Batch | Tensor | NDArray[Any]) -> Any:
        """Tensors of shape (n, width) → records: the likeliest symbol at each place, up to the first end.

        Raises
        ------
        ValueError
            For another width.
        """
        batch, x = packed_rows(out, self)
        return self.write(x.reshape(-1, *self.shape).argmax(-1), batch.rows)

    def arrange(self, cells: Any, rows: Any = None) -> Any:
        """Numbers about places, (n, length), as they are."""
        numbers = np.asarray(cells, np.float64)
        if numbers.ndim != 2 or numbers.shape[1] != self.length:
            raise ValueError(f"arrange: expected numbers of shape (n, {self.length}), got {numbers.shape}")
        return numbers

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"modality": "events"} | content | {"columns": list(self.columns), "events": list(self.events)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EventsSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For keys, types and values that do not exist, and absurd sizes.
        """
        if not isinstance(data, dict) or set(data) != {"modality", *(item.name for item in fields(cls))}:
            raise ValueError(f"not the schema of events: got {data!r:.200}")
        content = {key: value for key, value in data.items() if key != "modality"}
        columns, events, length = content["columns"], content["events"], content["length"]
        sound = {
            "modality": data["modality"] == "events",
            "container": content["container"] in CONTAINERS,
            "columns": _names(columns) and len(columns) == 3,
            "nested": type(content["nested"]) is bool,
            "single": type(content["single"]) is bool,
            "length": type(length) is int and length >= 1,
            "events": _names(events) and len(events) > 0,
        }
        if wrong := [name for name, good in sound.items() if not good]:
            raise ValueError(f"not the schema of events: {wrong[0]} is {data[wrong[0]]!r:.200}")
        schema = cls(**content | {"columns": tuple(columns), "events": tuple(events)})
        schema.check_size()
        return schema


def _names(values: Any) -> bool:
    """Whether these are different texts."""
    return isinstance(values, list) and all(type(one) is str for one in values) and len(set(values)) == len(values)

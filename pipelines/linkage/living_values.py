"""Distinct values and the model in a living index: known values are found by their hash, new ones go to the
end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from kernels import comparisons
from kernels.comparisons import Values
from kernels.keys import run_keys
from pipelines.errors import SettingsError
from pipelines.files import people
from pipelines.files.digests import file_digest
from pipelines.linkage.dependence import Dependence
from pipelines.linkage.encode import Encoded, Given, text_groups
from pipelines.linkage.fields import Field
from pipelines.linkage.keys import Deriver
from pipelines.linkage.living_state import Run, Store, ranges
from pipelines.linkage.names import record_hashes, record_keys
from pipelines.linkage.training import Model

_KINDS: Final = {
    comparisons.TEXT: "texts",
    comparisons.DATE: "dates",
    comparisons.NUMBER: "numbers",
    comparisons.SET: "sets",
    comparisons.BLOOM: "filters",
}
# Of `Values`: those that stand in a column of their own.
_COLUMNS: Final = tuple(
    "symbols starts signatures days digits numbers members set_starts words bits_set".split()
)


@dataclass(frozen=True)
class Adopted:
    """Records in the words of an index. `codes`: int32 (n, fields); `values`: of the index, the new ones at
    the end. `encoded`, `local`: the records on their own; `numbers`: {field: int64}, by which the index knows
    their values."""

    codes: np.ndarray
    values: Values
    encoded: Encoded
    local: Values
    numbers: dict[str, np.ndarray]

    def deriver(self, rows: np.ndarray) -> Deriver:
        """Keys of some of the records, as the index derives them. `rows`: int64 (k,), which."""
        codes = {name: each[rows] for name, each in self.encoded.codes.items()}
        return Deriver(self.local, self.encoded.given.alphabet, codes, self.numbers)


def save_values(store: Store, fields: Mapping[str, Field], encoded: Encoded, model: Model) -> None:
    """The values of a full run, and what the model says of them."""
    values = encoded.values
    for name in _COLUMNS:
        store.append(name, getattr(values, name))
    for place, row in enumerate(values.derived):
        store.append(f"derived.{place}", row)
    members = member_keys(encoded.given.members)
    store.facts["members"] = len(members)
    store.add("members", Run(members, (np.arange(len(members), dtype=np.int32),)))
    keys = value_keys(fields, encoded, values.symbols)
    for kind, each in keys.items():
        known = np.flatnonzero(each)
        store.add(kind, Run(each[known], (known.astype(np.int32),)))
    most = {}
    for place, name in enumerate(fields):
        if name in model.rarity and len(model.rarity[name]):
            most[name] = int(model.rarity[name].max())
            table = np.full(len(keys[_KINDS[fields[name].value_kind()]]), most[name], np.int32)
            table[: len(model.rarity[name])] = model.rarity[name][: len(table)]
            store.append(f"rarity.{place}", table)
    store.facts["given"] = _given(encoded.given)
    store.facts["model"] = {
        # In the order of the fields, which JSON loses.
        "levels": [[name, list(levels)] for name, levels in model.levels.items()],
        "m": [each.tolist() for each in model.m],
        "u": [each.tolist() for each in model.u],
        "prior": float(model.prior),
        "dependence": [[int(each.first), int(each.second), each.table.tolist()] for each in model.dependence],
        "notes": list(model.notes),
        "trained_by": dict(model.trained_by),
        "rarest": most,
    }
    store.facts["groups"] = {
        name: file_digest(_path(field)) for name, field in fields.items() if field.groups
    }


def given_by(store: Store, fields: Mapping[str, Field]) -> Given:
    """How the index writes values down.

    Raises SettingsError where a file of groups is not the one the index was made with.
    """
    for name, digest in store.facts["groups"].items():
        if not _path(fields[name]).is_file() or file_digest(_path(fields[name])) != digest:
            raise SettingsError(
                f"field {name}",
                "the file of groups has changed since the full run",
                "restore it, or run in full",
            )
    facts = store.facts["given"]
    return Given(facts["alphabet"], np.array(facts["classes"], np.uint8), facts["month_first"])


def model_of(store: Store) -> Model:
    """The model of the full run, what it says of values as the index numbers them."""
    facts = store.facts["model"]
    names = [name for name, _ in facts["levels"]]
    return Model(
        levels={name: tuple(levels) for name, levels in facts["levels"]},
        m=[np.array(each) for each in facts["m"]],
        u=[np.array(each) for each in facts["u"]],
        prior=facts["prior"],
        rarity={name: store.column(f"rarity.{names.index(name)}") for name in facts["rarest"]},
        dependence=[
            Dependence(first, second, np.array(table)) for first, second, table in facts["dependence"]
        ],
        notes=facts["notes"],
        trained_by=facts["trained_by"],
    )


def given_model(store: Store, fields: Mapping[str, Field], encoded: Encoded) -> Model:
    """The model of the index for records that are encoded on their own; a value that it does not know is as
    rare as the rarest one."""
    model, rarest = model_of(store), store.facts["model"]["rarest"]
    letters = store.facts["given"]["alphabet"]
    letters += "".join(letter for letter in encoded.given.alphabet if letter not in letters)
    number = np.array([letters.index(letter) for letter in encoded.given.alphabet] or [0], np.uint16)
    symbols = number[encoded.values.symbols]
    numbers = {
        kind: _known(store, kind, each, symbols, encoded.values)
        for kind, each in value_keys(fields, encoded, symbols).items()
    }
    rarity = {}
    for name, most in rarest.items():
        known = numbers[_KINDS[fields[name].value_kind()]]
        rarity[name] = np.append(model.rarity[name], np.int32(most))[known].astype(np.int32)
    return Model(
        levels=model.levels,
        m=model.m,
        u=model.u,
        prior=model.prior,
        rarity=rarity,
        dependence=model.dependence,
        notes=model.notes,
        trained_by=model.trained_by,
    )


def adopt(store: Store, fields: Mapping[str, Field], encoded: Encoded) -> Adopted:
    """Records in the words of the index; its new values are appended. `encoded`: written down as the index
    does."""
    local = encoded.values
    members = _adopt_members(store, encoded.given.members)
    local = local._replace(members=_sorted_within(members[local.members].astype(np.int32), local.set_starts))
    numbers: dict[str, np.ndarray] = {}
    keys = value_keys(fields, encoded, local.symbols)
    sizes = {
        "texts": store.rows("starts") - 1,
        "dates": store.rows("days"),
        "numbers": store.rows("numbers"),
        "sets": store.rows("set_starts") - 1,
        "filters": store.rows("bits_set"),
    }
    for kind, each in keys.items():
        known = _known(store, kind, each, local.symbols, local)
        new = np.flatnonzero(known < 0)
        known[new] = sizes[kind] + np.arange(len(new))
        numbers[kind] = known
        _append(store, kind, local, new)
        store.add(kind, Run(each[new], (known[new].astype(np.int32),)))
        for place, (name, field) in enumerate(fields.items()):
            if _KINDS[field.value_kind()] == kind and name in store.facts["model"]["rarest"]:
                store.append(
                    f"rarity.{place}", np.full(len(new), store.facts["model"]["rarest"][name], np.int32)
                )
    store.facts["given"] = _given(encoded.given)
    of_field = {name: numbers[_KINDS[field.value_kind()]] for name, field in fields.items()}
    codes = np.stack([np.append(of_field[name], -1)[encoded.codes[name]] for name in fields], 1).astype(
        np.int32
    )
    derived = [store.column(f"derived.{place}") for place in range(len(local.derived))]
    columns = {name: store.column(name) for name in _COLUMNS}
    stacked = np.stack(derived) if derived else np.zeros((0, sizes["texts"]), np.int64)
    values = Values(**columns, derived=stacked, breaks=local.breaks, alphabet=local.alphabet)
    return Adopted(codes, values, encoded, local, of_field)


def value_keys(fields: Mapping[str, Field], encoded: Encoded, symbols: np.ndarray) -> dict[str, np.ndarray]:
    """For each kind of values that fields have, uint64 (values,): what each is known by; 0 for one that no
    record holds.

    `symbols`: uint16 (symbols,), the texts' letters as the index numbers them.
    """
    values = encoded.values
    found: dict[str, np.ndarray] = {}
    groups = text_groups(fields)
    place_of = np.full(len(values.starts), -1, np.int64)  # one place more, for the unknown
    for place, (name, field) in enumerate(fields.items()):
        kind = _KINDS[field.value_kind()]
        if kind == "texts":
            # A text stands once in each group of fields.
            place_of[encoded.codes[name]] = list(groups).index(groups[name])
        elif kind == "dates":
            found[kind] = values.digits.astype(np.uint64)
        elif kind == "numbers":
            found[kind] = (values.numbers + 0.0).view(np.uint64)
        elif kind in ("sets", "filters"):
            size = len(values.set_starts) - 1 if kind == "sets" else len(values.bits_set)
            shown, codes = encoded.shown[name], encoded.codes[name]
            held = np.flatnonzero(codes >= 0)
            hashed = record_keys(shown.values, np.full(len(shown.values), place))
            found.setdefault(kind, np.zeros(size, np.uint64))[codes[held]] = hashed[shown.codes[held]]
    if groups:
        hashed = record_hashes(run_keys(symbols, values.starts, 0, 1 << 30, 0).view(np.uint64), place_of[:-1])
        found["texts"] = np.where(place_of[:-1] >= 0, hashed, np.uint64(0))
    return found


def member_keys(members: tuple[str, ...]) -> np.ndarray:
    """uint64 (members,): what each member of sets is known by."""
    return record_keys(people.texts(members), np.zeros(len(members), np.int64))


def _known(store: Store, kind: str, keys: np.ndarray, symbols: np.ndarray, local: Values) -> np.ndarray:
    """int64 (values,): by which number the index knows each value, -1 if it does not."""
    out = np.full(len(keys), -1, np.int64)
    order = np.argsort(keys, kind="stable")
    which, _, number = store.postings(kind).all(keys[order])
    which, number = order[which], number.astype(np.int64)
    if kind == "texts":
        starts, pool = store.column("starts"), store.column("symbols")
        same = same_texts(symbols, local.starts, which, pool, starts, number)
        which, number = which[same], number[same]
    out[which] = number
    return out


def same_texts(
    a: np.ndarray, a_starts: np.ndarray, i: np.ndarray, b: np.ndarray, b_starts: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """bool (m,): are the texts i of one pool those j of another?

    `a`, `b`: uint16 (symbols,), the pools; `a_starts`, `b_starts`: int64 (texts + 1,), where each text
    begins; `i`, `j`: int64 (m,).
    """
    lengths = a_starts[i + 1] - a_starts[i]
    same = np.asarray(lengths == b_starts[j + 1] - b_starts[j])
    alike = np.flatnonzero(same)
    symbols = a[ranges(a_starts[i[alike]], lengths[alike])] == b[ranges(b_starts[j[alike]], lengths[alike])]
    wrong = np.repeat(alike, lengths[alike])[~symbols]
    same[wrong] = False
    return same


def _append(store: Store, kind: str, local: Values, new: np.ndarray) -> None:
    if kind == "texts":
        lengths = local.starts[new + 1] - local.starts[new]
        store.append("symbols", local.symbols[ranges(local.starts[new], lengths)])
        end = store.column("starts")[-1]
        store.append("starts", end + np.cumsum(lengths))
        store.append("signatures", local.signatures[new])
        for place, row in enumerate(local.derived):
            store.append(f"derived.{place}", row[new])
    elif kind == "dates":
        store.append("days", local.days[new])
        store.append("digits", local.digits[new])
    elif kind == "numbers":
        store.append("numbers", local.numbers[new])
    elif kind == "sets":
        lengths = local.set_starts[new + 1] - local.set_starts[new]
        store.append("members", local.members[ranges(local.set_starts[new], lengths)])
        end = store.column("set_starts")[-1]
        store.append("set_starts", end + np.cumsum(lengths))
    else:
        if len(new) and store.rows("bits_set") and local.words.shape[1] != store.column("words").shape[1]:
            raise SettingsError(
                "encodings",
                "are not as long as those of the index",
                "encode all tables with the same settings",
            )
        store.append("words", local.words[new])
        store.append("bits_set", local.bits_set[new])


def _adopt_members(store: Store, members: tuple[str, ...]) -> np.ndarray:
    """int64 (members,): the number of each in the index; new ones are added."""
    keys = member_keys(members)
    order = np.argsort(keys, kind="stable")
    out = np.full(len(keys), -1, np.int64)
    which, _, number = store.postings("members").all(keys[order])
    out[order[which]] = number
    new = np.flatnonzero(out < 0)
    out[new] = store.facts["members"] + np.arange(len(new))
    store.facts["members"] = store.facts["members"] + len(new)
    store.add("members", Run(keys[new], (out[new].astype(np.int32),)))
    return out


def _sorted_within(members: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The members of each set, ascending."""
    which = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return members[np.lexsort((members, which))] if len(members) else members


def _given(given: Given) -> dict[str, Any]:
    classes = given.classes if given.classes is not None else np.zeros(0, np.uint8)
    return {"alphabet": given.alphabet, "classes": classes.tolist(), "month_first": dict(given.month_first)}


def _path(field: Field) -> Path:
    return Path(str(field.groups))

"""Ways to damage a text, a file or a value, each drawn by a seeded generator."""

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

Path = tuple[int | str, ...]

NOT_NUMBERS: tuple[Any, ...] = (True, "3", "x", [], {}, [1], float("nan"), float("inf"))
ODD: tuple[Any, ...] = (
    *(None, True, False, "", "x", "-1", "\x00", "a\nb", "../../..", "/", "~", "é" * 300, "%s"),
    *(-1, 0, 1, 10**9, 10**39, -(10**18), 1e308, -1.5, 1e-320),
    *([], {}, [[]], [None], [1, "a"], {"a": 1}, {"": None}, [0] * 1000, [[1, 2], [3]]),
)


def json_texts(rng: Random, good: str) -> bytes:
    """Return bytes instead of a good JSON file, which no reader may take."""
    key = next(iter(json.loads(good)), "a") if good.startswith("{") else "a"
    open_end = good.rstrip()[:-1].encode()
    return rng.choice(
        (
            b"",
            b" \n",
            b"\xff\xfe" + good.encode("utf-16-le"),
            good.encode()[: rng.randrange(1, max(2, len(good.encode()) - 2))],
            b"[" * rng.choice((101, 5000, 200_000)),
            b'{"a":' * rng.choice((101, 5000)) + b"1",
            (open_end + b', "zz": ' + b"9" * rng.choice((41, 400, 9999)) + b"}"),
            open_end + b', "zz": NaN}',
            open_end + b', "zz": 1e999}',
            open_end + b', "zz": "\\ud800"}',
            open_end + b', "zz": "\xc3"}',
            open_end + b', "zz": "\x01"}',
            open_end + f", {json.dumps(key)}: 1}}".encode(),
            b"null",
            b"[]",
            b'"text"',
            b"17",
            rng.randbytes(rng.randrange(1, 200)) + b"\xff",
            good.encode() + b"}",
        )
    )


def yaml_texts(rng: Random, good: str) -> bytes:
    """Return bytes instead of a good YAML file, which no reader may take."""
    first = good.splitlines()[0]
    tags = ("!!python/object:os.system x", "!a b", "!!set {a}")
    bomb = "".join(f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]\n" for i in range(1, 12))
    merges = "".join(
        f"m{i}: &m{i} {{<<: [{f'*m{i - 1}, ' * 9}*m{i - 1}]}}\n" for i in range(1, 12)
    )
    return rng.choice(
        (
            b"",
            b"# nothing\n",
            good.encode("utf-16"),
            good.encode() + b"zz: \xff\n",
            good.encode() + b"zz: \x07\n",
            good.encode() + b'zz: "\\0"\n',
            good.encode() + b'zz: "\\uD800"\n',
            f"{good}{first}\n".encode(),
            f"{good}zz: {'[' * rng.choice((31, 400, 20_000))}\n".encode(),
            f"{good}zz: {'9' * rng.choice((41, 400, 9999))}\n".encode(),
            f"{good}zz: {rng.choice(('010', '1:30', '-017', '190:20:30'))}\n".encode(),
            f"{good}zz: {rng.choice(tags)}\n".encode(),
            f"{good}k0: &k0 [1]\n{bomb}".encode(),
            f"{good}m0: &m0 {{a: 1}}\n{merges}zz: 1\n".encode(),
            f"{good}zz: &zz [*zz]\n".encode(),
            f"{good}zz: &zz {{<<: *zz}}\n".encode(),
            f"{good}zz: *nowhere\n".encode(),
            f"{good}\tzz: 1\n".encode(),
            f"{good}zz: 'open\n".encode(),
            f"{good}? [a]\n: b\n".encode(),
            f"{good}zz: {{a: 1, a: 2}}\n".encode(),
            f"{good}zz: [{'0.5, ' * 200_000}]\n".encode(),
            b"- a\n- b\n",
            b"just text",
            rng.randbytes(100) + b"\xff",
        )
    )


def flipped(rng: Random, data: bytes) -> bytes:
    """Return bytes of which some were changed, removed, doubled or swapped; they may be good."""
    damaged = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(damaged))
        match rng.randrange(4):
            case 0:
                damaged[at] = rng.randrange(256)
            case 1:
                del damaged[at : at + rng.randrange(1, 30)]
            case 2:
                damaged[at:at] = damaged[at : at + rng.randrange(1, 30)]
            case 3:
                damaged[at:at] = rng.choice(
                    (b"\0", b"\xff", b'"', b"{", b"]", b"-", b"1e9", b"NaN")
                )
        if not damaged:
            return b""
    return bytes(damaged)


def places(data: Any, path: Path = ()) -> Iterator[Path]:
    """Give the place of each value in plain data."""
    if path:
        yield path
    items = (
        data.items()
        if isinstance(data, dict)
        else enumerate(data)
        if isinstance(data, list)
        else ()
    )
    for key, value in items:
        yield from places(value, (*path, key))


def replaced(data: Any, path: Path, value: Any) -> Any:
    """Return plain data with another value at a place."""
    damaged = deepcopy(data)
    inner = damaged
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return damaged


def anywhere(rng: Random, data: Any, values: tuple[Any, ...] = ODD) -> Any:
    """Return plain data with an odd value at some place, or without what was there."""
    path = rng.choice([*places(data)])
    if rng.random() < 0.15:
        return (
            replaced(data, path[:-1], _without(data, path)) if path[:-1] else _without(data, path)
        )
    return replaced(data, path, rng.choice(values))


def _without(data: Any, path: Path) -> Any:
    inner = deepcopy(data)
    for part in path[:-1]:
        inner = inner[part]
    del inner[path[-1]]
    return inner

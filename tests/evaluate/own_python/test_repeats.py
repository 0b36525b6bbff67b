"""A task does the same thing each time it is asked, or is refused with what it remembers."""

from pathlib import Path
from typing import Any

import pytest

from stages.errors import EvaluationError, ParamsError
from tests.evaluate.own_python.conftest import MakeSuite, write_task

SCORE = "def score(doc, results):\n    return {'ok': float(doc['a'] in results[0])}\n"
CHOICE: dict[str, Any] = {
    "output_type": "multiple_choice",
    "generation_kwargs": None,
    "process_results": None,
    "doc_to_choice": "options",
    "doc_to_target": "gold",
    "metric_list": [{"metric": "acc"}],
}

REMEMBERING = {
    "default": (
        "def score(doc, results, seen=[]):\n    seen.append(1)\n    return {'ok': 1.0}\n",
        "code.score",
    ),
    "global": (
        "SEEN = set()\ndef score(doc, results):\n    new = results[0] not in SEEN\n"
        "    SEEN.add(results[0])\n    return {'ok': float(new)}\n",
        "gives another score: code.score",
    ),
    "counter": (
        "N = 0\ndef score(doc, results):\n    global N\n    N += 1\n    return {'ok': 1.0}\n",
        r"has changed: code\.N remembers",
    ),
    "attribute": (
        "def score(doc, results):\n    score.n += 1\n    return {'ok': 1.0}\nscore.n = 0\n",
        r"has changed: code\.score remembers",
    ),
    "object": (
        "class Judge:\n    def __init__(self):\n        self.texts = []\n"
        "    def say(self, text):\n        self.texts.append(text)\n        return 1.0\n"
        "JUDGE = Judge()\ndef score(doc, results):\n    return {'ok': JUDGE.say(results[0])}\n",
        r"has changed: code\.JUDGE remembers",
    ),
    "iterator": (
        "import itertools\nN = itertools.cycle([0.0, 1.0])\n"
        "def score(doc, results):\n    return {'ok': next(N)}\n",
        "gives another score: .*code",
    ),
    "closure": (
        "def make():\n    n = 0\n"
        "    def inner(doc, results):\n        nonlocal n\n        n += 1\n"
        "        return {'ok': 1.0}\n    return inner\nscore = make()\n",
        r"has changed: code\.score remembers",
    ),
}


@pytest.mark.parametrize("kind", REMEMBERING)
def test_scoring_that_remembers_is_refused(own: Path, load: MakeSuite, kind: str) -> None:
    """Whatever it keeps it in, the message names the task and what remembers."""
    python, message = REMEMBERING[kind]
    (own / "tasks" / "code.py").write_text(python)
    write_task(own)
    with pytest.raises(EvaluationError, match=f"^task own, item .*{message}"):
        load()


@pytest.mark.parametrize(
    "changes",
    [
        {
            "filter_list": [
                {
                    "name": "f",
                    "filter": [{"function": "custom", "filter_fn": "!function code.kept"}],
                }
            ]
        },
        {"metric_list": [{"metric": "ok", "aggregation": "!function code.total"}]},
        {
            "process_results": None,
            "metric_list": [
                {
                    "metric": "!function code.measure",
                    "aggregation": "mean",
                    "higher_is_better": True,
                }
            ],
        },
    ],
)
def test_filters_metrics_and_aggregations_that_remember_are_refused(
    own: Path, load: MakeSuite, changes: dict[str, Any]
) -> None:
    """Not only process_results scores."""
    python = (
        "SEEN = []\ndef kept(resps, docs):\n    SEEN.append(1)\n    return [r[0] for r in resps]\n"
        "def total(values):\n    SEEN.append(1)\n    return sum(values)\n"
        "def measure(references, predictions):\n    SEEN.append(1)\n    return 1.0\n"
    )
    for metric in changes.get("metric_list", ()):
        metric["higher_is_better"] = True
    (own / "tasks" / "code.py").write_text(SCORE + python)
    write_task(own, **changes)
    with pytest.raises(
        EvaluationError, match=r"task own, item .* has changed: code\.SEEN remembers"
    ):
        load()


def test_caches_are_not_memory(own: Path, load: MakeSuite) -> None:
    """What settles changes no score: a cache, and a tool that is made at the first call."""
    python = (
        "import functools\nTOOL = None\nKNOWN = {}\n"
        "@functools.cache\ndef half(text):\n    return len(text) / 2\n"
        "def score(doc, results):\n    global TOOL\n    TOOL = TOOL or object()\n"
        "    KNOWN[results[0]] = 1\n    return {'ok': half(results[0]) % 1}\n"
    )
    (own / "tasks" / "code.py").write_text(python)
    write_task(own)
    assert load().num_items("search") == 6


PROMPTS = {
    "numbered": "N = 0\ndef more():\n    global N\n    N += 1\n    return N\n",
    "system": "import random\nmore = random.SystemRandom().random\n",
    "unseeded": "import random\nR = random.Random()\ndef more():\n    return R.random()\n",
    "uuid": "import uuid\nmore = uuid.uuid4\n",
}


@pytest.mark.parametrize("kind", PROMPTS)
def test_prompts_that_come_out_differently_are_refused(
    own: Path, load: MakeSuite, kind: str
) -> None:
    """What nobody seeds, and what counts its calls, would be other prompts in each process."""
    text = "def text(doc):\n    return doc['q'] + str(more())\n"
    (own / "tasks" / "code.py").write_text(SCORE + PROMPTS[kind] + text)
    write_task(own, doc_to_text="!function code.text")
    message = r"task own, item .*: its prompt, choices or target come out differently .*code\.text"
    with pytest.raises(EvaluationError, match=message):
        load()


def test_documents_that_come_out_differently_are_refused(own: Path, load: MakeSuite) -> None:
    """Documents are drawn by the seeded generators or not at all."""
    python = (
        "import uuid\ndef docs(data):\n"
        "    return data.add_column('id', [str(uuid.uuid4()) for _ in data])\n"
    )
    (own / "tasks" / "code.py").write_text(SCORE + python)
    write_task(own, process_docs="!function code.docs")
    with pytest.raises(EvaluationError, match=r"task own: its documents .* \(code\.docs\)"):
        load()


@pytest.mark.parametrize(
    "python",
    [
        "def docs(data):\n    return data.select(random.sample(range(len(data)), len(data)))\n",
        "def docs(data):\n    rows = list(data)\n    random.shuffle(rows)\n    return Rows(rows)\n"
        "class Rows(list):\n    features = {'q': 0, 'a': 0}\n",
        "X = random.random()\ndef docs(data):\n    return data.add_column('x', [X] * len(data))\n",
    ],
)
def test_drawn_documents_are_the_same_in_every_suite(
    own: Path, load: MakeSuite, python: str
) -> None:
    """Documents that are shuffled as they are read, as a data set or a list, or at import."""
    (own / "tasks" / "code.py").write_text("import random\n" + SCORE + python)
    write_task(own, process_docs="!function code.docs")
    one, two = load(), load()
    assert [one.key(s) for s in one.parts] == [two.key(s) for s in two.parts]
    assert one.items("search") == two.items("search")


def test_choices_shuffled_in_place_are_those_of_the_prompt(own: Path, load: MakeSuite) -> None:
    """A function that shuffles its document's list gets a fresh document at each call."""
    python = (
        "import random\ndef options(doc):\n"
        "    random.shuffle(doc['options'])\n    return doc['options']\n"
    )
    (own / "tasks" / "code.py").write_text(python)
    write_task(own, **CHOICE | {"doc_to_choice": "!function code.options"})
    one, two = load(), load()
    assert one.key("search") == two.key("search")


def test_items_without_a_value_end_the_run(own: Path, load: MakeSuite) -> None:
    """No candidate is blamed for a metric that the task gives for some items only."""
    code = "def score(doc, results):\n    return {'ok': 1.0} if doc['q'] == 'is it 0?' else {}\n"
    (own / "tasks" / "code.py").write_text(code)
    write_task(own)
    with pytest.raises(ParamsError, match=r"gives no ok for this item. It gives: nothing") as said:
        load()
    assert 1 == str(said.value).count("task ")


def test_metric_that_gives_others_is_said(own: Path, load: MakeSuite) -> None:
    """A metric's function may give several values; without one of its own name none is taken."""
    code = "def both(predictions, references, **_):\n    return {'longer': 1.0, 'same': 0.0}\n"
    (own / "tasks" / "code.py").write_text(code)
    listed = [{"metric": "!function code.both", "aggregation": "mean", "higher_is_better": True}]
    write_task(own, process_results=None, metric_list=listed)
    with pytest.raises(ParamsError, match=r"metric both gives longer, same, of which") as said:
        load()
    assert 1 == str(said.value).count("task ")

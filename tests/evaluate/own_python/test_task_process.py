"""What a task's Python does to its process, and what becomes of what it raises."""

import decimal
import gc
import importlib
import locale
import logging
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.errors import EvaluationError
from stages.evaluate.own_python.task_process import TaskProcess
from tests.evaluate.own_python.conftest import MakeSuite, write_task

HARM = """
import decimal, gc, io, locale, logging, multiprocessing, os, resource, signal, socket, sys
import threading, time, warnings
import numpy as np
import torch

def harm():
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("elsewhere")
    os.environ["OWN"] = "1"
    os.environ.pop("HOME", None)
    sys.path.insert(0, "/nowhere")
    sys.stdout = sys.stderr = io.StringIO()
    sys.setrecursionlimit(5000)
    logging.disable(logging.CRITICAL)
    logging.root.addHandler(logging.StreamHandler())
    logging.root.setLevel(logging.DEBUG)
    warnings.simplefilter("error")
    np.seterr(all="raise")
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.alarm(600)
    signal.setitimer(signal.ITIMER_PROF, 600)
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
        resource.setrlimit(limit, (900, resource.getrlimit(limit)[1]))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 46, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.setswitchinterval(1.0)
    gc.disable()
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")
    decimal.getcontext().prec = 3
    socket.setdefaulttimeout(0.01)
    multiprocessing.set_start_method("fork", force=True)
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    np.set_printoptions(precision=1)
    torch.set_default_device("meta")
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("medium")
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.deterministic = True
    threading.Thread(target=time.sleep, args=(3600,)).start()
"""
LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


def settings() -> list[object]:
    """Return what code in a process can change for all others."""
    root = logging.root
    return [
        *(str(Path.cwd()), dict(os.environ), list(sys.path), sys.stdout, sys.stderr),
        *(sys.getrecursionlimit(), root.level, list(root.handlers), root.manager.disable),
        *(list(warnings.filters), np.geterr(), torch.get_default_dtype()),
        *(torch.get_num_threads(), torch.is_grad_enabled(), threading.current_thread().daemon),
        *(signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)),
        *(signal.getitimer(timer)[0] for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF)),
        signal.getsignal(signal.SIGCHLD),
        *(resource.getrlimit(limit) for limit in LIMITS),
        *(sys.getswitchinterval(), gc.isenabled(), locale.setlocale(locale.LC_ALL)),
        *(decimal.getcontext().prec, socket.getdefaulttimeout(), time.timezone),
        *(multiprocessing.get_start_method(allow_none=True), np.get_printoptions()),
        *(torch.get_default_device(), torch.are_deterministic_algorithms_enabled()),
        *(torch.get_float32_matmul_precision(), torch.backends.mkldnn.deterministic),
        torch.tensor(1e-40).mul(1.0) > 0,
        # A default device of torch, the processor also, is asked by each call: a fifth more time.
        torch._C._len_torch_function_stack(),
    ]


@pytest.mark.parametrize("function", ["module", "score", "text", "docs"])
def test_process_is_as_before(own: Path, load: MakeSuite, function: str) -> None:
    """Wherever a task's Python changes its process, others in it see nothing of it."""
    write_task(own, process_results=None, metric_list=[{"metric": "exact_match"}])
    load()  # the first imports lm-eval, which changes the environment
    python = HARM + "def score(doc, results):\n    return {'ok': 1.0}\n"
    python += "def text(doc):\n    return doc['q']\ndef docs(data):\n    return data\n"
    if function == "module":
        python += "harm()\nos.chdir('..')\n"  # its data are read after it
    else:
        python = python.replace(
            f"def {function}(doc, results):", f"def {function}(doc, results):\n    harm()"
        )
        python = python.replace(f"def {function}(doc):", f"def {function}(doc):\n    harm()")
        python = python.replace(f"def {function}(data):", f"def {function}(data):\n    harm()")
    (own / "tasks" / "code.py").write_text(python)
    write_task(own, doc_to_text="!function code.text", process_docs="!function code.docs")
    before = settings()
    load()
    assert before == settings()


FORKS_AND_LEAVES_A_THREAD = """
import os, threading, time
from stages.evaluate.own_python.task_process import TaskProcess
try:
    with TaskProcess().entered():
        child = os.fork()
        if child == 0:
            raise ValueError("the task's own")
finally:
    print("goes on", flush=True)
print("child:", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with TaskProcess().entered():
    threading.Thread(target=time.sleep, args=(60,)).start()
"""


def test_what_a_task_starts_neither_runs_on_nor_keeps_the_process_from_ending() -> None:
    """What it forks ends where its Python returns or raises; a thread of it ends with the run."""
    command = [sys.executable, "-W", "ignore", "-c", FORKS_AND_LEAVES_A_THREAD]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=50, env=env
    )
    assert ["goes on", "child: 1"] == result.stdout.splitlines()


ENDS = [
    *("raise SystemExit(3)", "raise KeyboardInterrupt", "import sys\n    sys.exit()", "1 / 0"),
    *("import os\n    os._exit(3)", "import os\n    os.abort()"),
]


@pytest.mark.parametrize(
    "end", [*ENDS, "class Stop(BaseException): pass\n    raise Stop('no more')"]
)
@pytest.mark.parametrize("function", ["module", "score", "text", "docs"])
def test_wish_to_end_the_process_is_the_tasks_error(
    own: Path, load: MakeSuite, function: str, end: str
) -> None:
    """It is told with the task's name; scoring may fail on texts that no model wrote."""
    python = "def score(doc, results):\n    return {'ok': 1.0}\n"
    python += "def text(doc):\n    return doc['q']\ndef docs(data):\n    return data\n"
    if function == "module":
        python += f"def end():\n    {end}\nend()\n"
    for head in ("score(doc, results)", "text(doc)", "docs(data)"):
        if head.startswith(function):
            python = python.replace(f"def {head}:", f"def {head}:\n    {end}")
    (own / "tasks" / "code.py").write_text(python)
    write_task(own, doc_to_text="!function code.text", process_docs="!function code.docs")
    if function == "score" and end == "1 / 0":
        assert load().num_items("search") == 6
        return
    with pytest.raises(EvaluationError, match=r"^task own.*: \w+.*\. Fix"):
        load()


def test_nobody_is_asked_on_standard_input(own: Path, load: MakeSuite) -> None:
    """A task that reads from the terminal does not wait for it."""
    (own / "tasks" / "code.py").write_text("ANSWER = input('Which? ')\n")
    write_task(own)
    with pytest.raises(EvaluationError, match=r"^task own: .*EOFError: EOF when reading a line"):
        load()


def test_child_of_a_task_may_end_by_force(own: Path) -> None:
    """What its Python forks ends as it asks to."""
    with TaskProcess([own]).entered():
        child = os.fork()
        if child == 0:
            os._exit(3)
    assert 3 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_real_interrupt_passes() -> None:
    """Ctrl-C while a task's Python runs ends what it always ends."""
    process = TaskProcess()
    with pytest.raises(KeyboardInterrupt), process.entered(), process.blamed("task t", "Fix it."):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(EvaluationError), process.entered(), process.blamed("task t", "Fix it."):
        raise KeyboardInterrupt


def test_modules_may_be_loaded_while_the_process_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other threads import, and so may what the garbage collector runs at any moment."""

    class Importer:
        """It loads a module, and leaves another importer, when it is collected."""

        is_active = True

        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            if self.is_active:
                name = f"loaded_by_the_collector_{len(sys.modules)}"
                sys.modules[name] = types.ModuleType(name)
                type(self)()

    thresholds = gc.get_threshold()
    Importer()
    gc.set_threshold(50)
    try:
        TaskProcess()
    finally:
        monkeypatch.setattr(Importer, "is_active", False)
        gc.set_threshold(*thresholds)
        loaded = [name for name in sys.modules if name.startswith("loaded_by_the_collector")]
        for name in loaded:
            del sys.modules[name]
    assert loaded


def test_what_germline_loads_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may load parts of it, which lie in the project where that is a checkout."""
    monkeypatch.chdir(Path(__file__).parents[3])
    monkeypatch.delitem(sys.modules, "flows.cli.serve", raising=False)
    process = TaskProcess()
    with process.entered():
        importlib.import_module("flows.cli.serve")
    assert {} == process.modules
    assert "flows.cli.serve" in sys.modules


def test_task_finds_the_process_as_loading_left_it(own: Path) -> None:
    """Its folder, path, environment and modules are there again, for it alone."""
    (own / "tasks" / "helper_of_own.py").write_text("VALUE = 1\n")
    process = TaskProcess([own / "tasks"])
    with process.entered():
        sys.path.insert(0, str(own / "tasks"))
        os.chdir(own / "tasks")
        import helper_of_own  # type: ignore[import-not-found]
    assert "helper_of_own" not in sys.modules
    for _ in range(2):
        with process.entered():
            assert Path.cwd() == own / "tasks"
            assert sys.modules["helper_of_own"] is helper_of_own
        assert Path.cwd() == own


def test_helpers_of_one_name_are_told_apart(own: Path, load: MakeSuite) -> None:
    """Two tasks import different modules of the same name, one of them as it scores."""
    for name, number in (("one", 0.25), ("two", 0.75)):
        (own / "tasks" / name).mkdir()
        (own / "tasks" / name / "common.py").write_text(f"VALUE = {number}\n")
        (own / "tasks" / name / "code.py").write_text(
            "import pathlib, sys\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
            "def score(doc, results):\n    import common\n    return {'ok': common.VALUE}\n"
        )
        write_task(own, name)
        (own / "tasks" / f"{name}.yaml").rename(own / "tasks" / name / f"{name}.yaml")
    suite = load("one", "two")
    for part, number in zip(suite.parts["search"], (0.25, 0.75), strict=True):
        with part.loaded.entered():
            assert part.loaded.task.process_results({}, [""]) == {"ok": number}


def test_metric_that_a_task_registers_is_its_own(own: Path, load: MakeSuite) -> None:
    """A task can be loaded again in one process, and two tasks may register one name."""
    for name in ("one", "two"):
        (own / "tasks" / f"code_{name}.py").write_text(
            "from lm_eval.api.registry import register_metric\n"
            "@register_metric(metric='mine', higher_is_better=True, output_type='generate_until',"
            " aggregation='mean')\ndef mine(references, predictions):\n    return 1.0\n"
            "def text(doc):\n    return doc['q']\n"
        )
        write_task(
            own,
            name,
            process_results=None,
            doc_to_text=f"!function code_{name}.text",
            metric_list=[{"metric": "mine", "aggregation": "mean", "higher_is_better": True}],
        )
    load("one", "two")
    assert load("two", "one").weights == {"one": 1.0, "two": 1.0}

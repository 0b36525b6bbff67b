"""Methods that MergeKit has not, by its files: germline's own, and the user's."""

import hashlib
import json
import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stages.checkpoint.reader import Checkpoint
from stages.merge import plugins
from stages.merge.engine.tensor_ranges import merge
from stages.recipe.recipe import Value
from tests.flows.typed import merged
from tests.merge.recipes import planned, recipe_of

DOCS = Path(__file__).parents[2] / "docs" / "merge-methods.md"
FADE = re.findall(
    r"(?s)```python\n(.*?)```", DOCS.read_text(encoding="utf-8").partition("# A method of your")[2]
)[0]
CURVED = (
    FADE.replace("import added, normalize", "import added, choice, normalize")
    .replace(
        "        SCALE,\n",
        '        choice("curve", "soft", ("soft", "hard", "off"), "How."),\n        SCALE,\n',
    )
    .replace(
        "size / (size + half)", '(size > half) if settings.choice["curve"] == "hard" else vector'
    )
)
OWN: dict[str, tuple[str, dict[str, Value]]] = {
    "tsv_merge": ("{scale: 1.5}", {"scale": 1.5}),
    "wudi": ("{num_steps: 5}", {"num_steps": 5.0}),
    "consensus_ta": ("{agreement: 0.3}", {"agreement": 0.3}),
    "iso_c": ("{}", {}),
}
TEXT = (
    "merge_method: {}\nbase_model: base\ndtype: float32\nparameters: {}\n"
    "models: [{{model: one, parameters: {{weight: 0.7}}}}, "
    "{{model: two, parameters: {{weight: 0.4}}}}]"
)


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has loaded none yet."""
    monkeypatch.setattr(plugins, "_LOADED", {})


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("method", OWN)
def test_our_own_methods_are_given_by_our_names(method: str) -> None:
    """The child is that of the recipe with the same values."""
    given, values = OWN[method]
    merged(TEXT.format(method, given))
    base, *parents = (Checkpoint(Path(name)) for name in ("base", "one", "two"))
    recipe = recipe_of(method, base, parents, {"weight": (0.7, 0.4), **values}, dtype="float32")
    child = Checkpoint(Path("out"))
    for name, tensor in merge(planned(recipe, base, parents)):
        assert torch.equal(tensor, child.read(name))


@pytest.mark.usefixtures("here")
def test_a_method_of_a_file_is_named_by_its_content(tmp_path: Path) -> None:
    """The file may lie anywhere; the card holds its hash, by which it is read again."""
    path = tmp_path / "elsewhere" / "fade.py"
    path.parent.mkdir()
    path.write_text(FADE, encoding="utf-8")
    text = TEXT.format("fade", "{half: 0.5}")
    said = merged(text, code=1).stderr
    assert "merge_method: got 'fade'. Legal are" in said
    said = merged(text.replace("fade", "fad"), "--plugin", str(path), code=1).stderr
    assert "Did you mean 'fade'?" in said
    merged(text, "--plugin", str(path))
    card = Path("out/README.md").read_text(encoding="utf-8")
    recipe = card.split("```json")[1].split("```")[0]
    assert f"fade@{hashlib.sha256(FADE.encode()).hexdigest()[:12]}" == json.loads(recipe)["method"]
    merged(recipe, "--plugin", str(path), out="again")
    assert Checkpoint(Path("out")).hash() == Checkpoint(Path("again")).hash()
    path.write_text(FADE.replace("size + half", "size + half + half"), encoding="utf-8")
    plugins._LOADED.clear()  # as in a process of its own
    said = merged(recipe, "--plugin", str(path), out="new", code=1).stderr
    assert "the plug-in method 'fade@" in said
    merged(text, "--plugin", str(path), out="other")
    assert Checkpoint(Path("out")).hash() != Checkpoint(Path("other")).hash()


@pytest.mark.usefixtures("here")
def test_a_name_is_given_as_a_number_is() -> None:
    """A choice of names has a default and filters; the card holds it, and is read again."""
    Path("fade.py").write_text(CURVED, encoding="utf-8")

    def weights_of(given: str, out: str) -> str:
        merged(TEXT.format("fade", given), "--plugin", "fade.py", out=out)
        return Checkpoint(Path(out)).hash()

    soft, hard = weights_of("{}", "soft"), weights_of("{curve: hard}", "hard")
    assert soft == weights_of("{curve: soft}", "same")
    assert soft != hard
    child = Checkpoint(Path("hard"))
    base, *parents = (Checkpoint(Path(name)) for name in ("base", "one", "two"))
    recipe = recipe_of(
        f"fade@{hashlib.sha256(CURVED.encode()).hexdigest()[:12]}",
        base,
        parents,
        {"weight": (0.7, 0.4), "curve": "hard"},
        dtype="float32",
    )
    for name, tensor in merge(planned(recipe, base, parents)):
        assert torch.equal(tensor, child.read(name))
    weights_of("{curve: [{filter: mlp, value: hard}, {value: soft}]}", "both")
    for name in child.tensors:
        whose = Checkpoint(Path("hard" if "mlp" in name else "soft"))
        assert torch.equal(whose.read(name), Checkpoint(Path("both")).read(name))
    card = Path("both/README.md").read_text(encoding="utf-8")
    merged(card.split("```json")[1].split("```")[0], "--plugin", "fade.py", out="again")
    assert Checkpoint(Path("both")).hash() == Checkpoint(Path("again")).hash()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{curve: sotf}", "curve: got 'sotf'. Legal are soft, hard, off. Did you mean 'soft'?"),
        ("{curve: off}", "curve: got False. Legal are soft, hard, off. In quotes it is text."),
        ("{curve: [soft, hard]}", "curve: got a list. Legal are soft, hard, off."),
        ("{curve:}", "curve: got None. Legal are soft, hard, off."),
        ("{curve: [{value: hrad}]}", "curve[0].value: got 'hrad'. Legal are soft, hard, off."),
        (
            "{cruve: soft}",
            "cruve: unknown parameter. Legal here are weight, half, curve, scale, norm",
        ),
    ],
)
def test_a_name_that_is_not_legal_is_refused(given: str, message: str) -> None:
    """The message lists the names; a word that YAML takes for a switch is named for that."""
    Path("fade.py").write_text(CURVED, encoding="utf-8")
    said = merged(TEXT.format("fade", given), "--plugin", "fade.py", code=1).stderr
    assert f"error: merge.yml, line 4: parameters.{message}" in said


@pytest.mark.usefixtures("here")
def test_a_name_in_quotes_and_one_for_a_slice() -> None:
    """A quoted word is text, and the narrower level wins, as it does with numbers."""
    Path("fade.py").write_text(CURVED, encoding="utf-8")
    sources = ", ".join(f"{{model: {m}, layer_range: [0, 4]}}" for m in ("base", "one", "two"))
    text = (
        "merge_method: fade\nbase_model: base\nparameters: {curve: hard, weight: 1}\n"
        f'slices: [{{sources: [{sources}], parameters: {{curve: "off"}}}}]'
    )
    said = merged(text, "--plugin", "fade.py", "--dry-run").stdout
    layers = [line for line in said.splitlines() if "model.layers." in line]
    assert len(layers) > 1
    assert all("curve=off" in line for line in layers)


@pytest.mark.usefixtures("here")
def test_a_switch_called_rescale_is_what_its_spec_says() -> None:
    """MergeKit's switch of that name means a name here; one of the user's own is a number."""
    own = 'SCALE,\n        Parameter("rescale", "tensor", 0.0, 0.0, 1.0, "", is_whole=True),\n'
    text = FADE.replace("        SCALE,\n", f"        {own}")
    Path("fade.py").write_text(text, encoding="utf-8")
    given = TEXT.format("fade", "{rescale: true}")
    assert "rescale=1" in merged(given, "--plugin", "fade.py", "--dry-run").stdout


@pytest.mark.usefixtures("here")
def test_a_method_of_an_installed_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point needs no option."""
    Path("germline_fade.py").write_text(FADE, encoding="utf-8")
    monkeypatch.syspath_prepend(".")
    entry = EntryPoint("fade", "germline_fade:METHOD", plugins.GROUP)
    monkeypatch.setattr(plugins, "_entry_points", lambda: [entry])
    assert "weight=0.7,0.4" in merged(TEXT.format("fade", "{half: 0.5}"), "--dry-run").stdout


@pytest.mark.usefixtures("here")
def test_a_plugin_that_is_not_there_is_one_line() -> None:
    """A wrong path, and a file that defines no method."""
    said = merged(TEXT.format("fade", "{}"), "--plugin", "fad.py", code=1).stderr
    assert (
        "error: --plugin fad.py: not a Python file that is there. Give the path of one.\n" == said
    )
    Path("fade.py").write_text("x = 1\n", encoding="utf-8")
    said = merged(TEXT.format("fade", "{}"), "--plugin", "fade.py", code=1).stderr
    assert said.startswith("error: --plugin fade.py: defines no METHOD")


@pytest.mark.usefixtures("here")
def test_pickled_weights_are_converted() -> None:
    """A folder of pytorch_model.bin gives the weights that its safetensors give."""
    text = "merge_method: passthrough\nmodels: [{model: one}]"
    merged(text)
    weights = load_file("one/model.safetensors")
    torch.save(weights, "one/pytorch_model.bin")
    Path("one/model.safetensors").unlink()
    merged(text, out="again")
    assert Checkpoint(Path("out")).hash() == Checkpoint(Path("again")).hash()
    assert ["config.json", "generation_config.json", "pytorch_model.bin"] == sorted(
        path.name for path in Path("one").iterdir()
    )

"""Methods of the user's own: a file in the project, or an installed package."""

import hashlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml

from stages.checkpoint.reader import Checkpoint
from stages.errors import ParamsError, RecipeError
from stages.merge import plugins
from stages.merge.engine.tensor_ranges import merge
from stages.params.merge_params import MergeParams
from stages.params.space.space_params import SpaceParams
from stages.select.space.space import Space
from tests.merge.recipes import model_of, planned, recipe_of
from tests.merge.strategies import merged

DOCS = Path(__file__).parents[2] / "docs" / "merge-methods.md"
GUIDE = DOCS.read_text(encoding="utf-8").partition("# A method of your own")[2]
FADE, CONFIG, ENTRY = re.findall(r"(?s)```\w+\n(.*?)```", GUIDE)
DIGEST = hashlib.sha256(FADE.encode()).hexdigest()[:12]
Write = Callable[[str, str], str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project, and a process that has loaded no plug-in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plugins, "_LOADED", {})
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("germline_"):
            del sys.modules[name]


@pytest.fixture
def write(project: Path) -> Write:
    """Return the function that writes a file of the project and returns its path."""

    def text(path: str, content: str) -> str:
        file = project / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        return path

    return text


@pytest.fixture
def path(write: Write) -> str:
    """The path of the documented example, as params.yaml has it."""
    (only,) = yaml.safe_load(CONFIG)["merge"]["plugins"]
    return write(only, FADE)


def test_the_documented_method_merges(path: str) -> None:
    """Of entries 1, -3 and 0 at half 1 the first is halved, the second three quarters."""
    methods = plugins.load([path])
    assert ["fade"] == list(methods)
    task = torch.tensor([1.0, -3.0, 0.0])
    child = merged(methods["fade"], torch.ones(3), [task + 1], weight=2.0, half=1.0)
    assert [2.0, -3.5, 1.0] == child.tolist()


def test_recipes_hold_the_name_and_the_content(path: str, opened: list[Checkpoint]) -> None:
    """A search over fade makes recipes of fade@hash, which the engine carries out from JSON."""
    specs = {name: method.spec for name, method in plugins.load([path]).items()}
    methods = yaml.safe_load(CONFIG)["select"]["space"]["methods"]
    space = Space(SpaceParams(methods=methods), specs=specs, num_parents=2, num_layers=2)
    base, *parents = (model_of(checkpoint) for checkpoint in opened[:3])
    genome = space.from_unit([0.5] * len(space.genes))
    recipe = space.make_recipe(
        genome, base=base, parents=tuple(parents), merge=MergeParams(dtype="float32")
    )
    assert f"fade@{DIGEST}" == recipe.method
    again = type(recipe).from_dict(recipe.to_dict())
    child = dict(merge(planned(again, opened[0], opened[1:3])))
    assert sorted(opened[0].tensors) == sorted(child)


def test_an_edited_file_is_another_method(
    path: str, write: Write, opened: list[Checkpoint]
) -> None:
    """One byte more and the recipe has another id, also where the clock saw no change."""
    first = plugins.load([path])["fade"].spec.name
    assert first == plugins.load([path])["fade"].spec.name
    write(path, FADE.replace("half))", "half + half))"))
    second = plugins.load([path])["fade"]
    assert first != second.spec.name
    recipes = [recipe_of(name, opened[0], opened[1:2], {}) for name in (first, second.spec.name)]
    assert recipes[0].id != recipes[1].id
    child = merged(second, torch.zeros(1), [torch.ones(1)], weight=1.0, half=0.5)
    assert [0.5] == child.tolist()


def test_the_place_of_a_file_is_not_part_of_its_name(path: str, write: Write) -> None:
    """The same content elsewhere is the same method: the id depends on what is merged alone."""
    elsewhere = write("other/place.py", FADE)
    assert plugins.load([path])["fade"].spec.name == plugins.load([elsewhere])["fade"].spec.name


def test_a_recipe_without_its_plugin_is_refused(opened: list[Checkpoint]) -> None:
    """The error says what is missing and where it belongs, or which name was near."""
    for name, said in (
        (f"fade@{DIGEST}", "is not loaded. Loaded are: none. List its file under merge.plugins"),
        ("fade", "unknown method 'fade'. Legal are"),
    ):
        recipe = recipe_of(name, opened[0], opened[1:2], {"weight": 1.0})
        with pytest.raises(RecipeError) as caught:
            planned(recipe, opened[0], opened[1:2])
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("METHOD = 1\n", "defines no METHOD that is a Method"),
        ("", "defines no METHOD that is a Method"),
        ("import no_such_package\n", "cannot be imported: ModuleNotFoundError"),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        ("1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero. Fix it."),
        (FADE.replace('"fade"', '"ties"'), "'ties', which is the name of a method of germline"),
        (FADE.replace('"fade"', '"fa@de"'), "'fa@de'. Legal are small letters"),
        ("from my_methods.tools import x\n" + FADE, "imports my_methods, which its hash"),
        ("import tools\n" + FADE, "imports tools, which its hash does not cover"),
        ("from .tools import x\n" + FADE, "imports tools, which its hash does not cover"),
    ],
)
def test_files_that_define_no_method_are_refused(write: Write, content: str, said: str) -> None:
    """Each fault of a file names the file and what is wrong with it."""
    write("my_methods/tools.py", "x = 1\n")
    write("math/readme.md", "a folder that only looks like a module\n")
    with pytest.raises(ParamsError) as caught:
        plugins.load([write("my_methods/own.py", "import math\n" + content)])
    assert "merge.plugins: 'my_methods/own.py'" in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("my_methods/fdae.py", "is not a Python file that is there"),
        ("my_methods", "is not a Python file that is there"),
        ("../fade.py", "leads out of the project folder"),
        ("/fade.py", "leads out of the project folder"),
    ],
)
def test_paths_that_name_no_file_of_the_project_are_refused(
    path: str, given: str, said: str
) -> None:
    """A plug-in lies in the project, so that it goes where the project goes."""
    with pytest.raises(ParamsError, match=said):
        plugins.load([path, given])


def test_two_plugins_of_one_name_are_refused(path: str, write: Write) -> None:
    """A name means one method: the second file of that name is an error."""
    with pytest.raises(ParamsError, match="'fade', which is the name of a method of another"):
        plugins.load([path, write("twin.py", FADE)])


@pytest.fixture
def install(write: Write, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return the function that installs a package germline-fade with the documented entry."""

    def package(content: str) -> None:
        write("site/germline_fade.py", content)
        metadata = "Metadata-Version: 2.1\nName: germline-fade\nVersion: 1\n"
        write("site/germline_fade-1.dist-info/METADATA", metadata)
        header, entry = ENTRY.strip().splitlines()
        group = re.findall(r'"(.*)"', header)[0]
        text = f"[{group}]\n{entry.replace(chr(34), '')}\n"
        write("site/germline_fade-1.dist-info/entry_points.txt", text)
        monkeypatch.syspath_prepend(str(project / "site"))

    return package


def test_an_installed_package_offers_a_method(install: Callable[[str], None]) -> None:
    """An entry point needs no path; its file is hashed as any other."""
    install(FADE)
    methods = plugins.load([])
    assert f"fade@{DIGEST}" == methods["fade"].spec.name


def test_a_package_that_comes_or_goes_is_noticed(
    install: Callable[[str], None], project: Path
) -> None:
    """What a process has looked up once holds as long as nothing is installed or removed."""
    assert {} == plugins.load([])
    install(FADE)
    assert {"fade"} == set(plugins.load([]))
    shutil.rmtree(project / "site/germline_fade-1.dist-info")
    assert {} == plugins.load([])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 / 0\n", "cannot be imported: ZeroDivisionError"),
        ("import germline_fade\n" + FADE, "imports germline_fade, which its hash"),
        ("SPEC = 1\n", "defines no METHOD"),
    ],
)
def test_an_installed_package_that_is_broken_is_named(
    install: Callable[[str], None], content: str, said: str
) -> None:
    """The error names the package and its entry point."""
    install(content)
    with pytest.raises(ParamsError) as caught:
        plugins.load([])
    assert "installed package germline-fade, entry point fade: " in str(caught.value)
    assert said in str(caught.value)

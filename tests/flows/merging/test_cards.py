"""The cards of children: which models, where anybody finds them, and under which licences."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import ModelCardData

from tests.flows.typed import merged
from tests.hub_server import HubServer

TEXT = "merge_method: linear\nmodels: [{model: %s, parameters: {weight: 1}}, %s]"
# As text, the last of these lists would have thirty thousand million words.
BOMB = "k0: &k0 [a]\n" + "".join(
    f"k{i}: &k{i} [{', '.join([f'*k{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
OTHER = "{model: %s, parameters: {weight: 1}}"


def card(folder: Path, text: str) -> Path:
    """Write the front matter of a model's card."""
    (folder / "README.md").write_text(f"---\n{text}\n---\n# A model\n", encoding="utf-8")
    return folder


def front_matter(folder: str) -> dict[str, Any]:
    """Return the front matter of a child's card, which the hub's own reader takes."""
    loaded = ModelCard.load(Path(folder) / "README.md", ignore_metadata_errors=False)
    assert isinstance(loaded.data, ModelCardData)
    return dict(metadata_load(Path(folder) / "README.md") or {})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a running hub with an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def test_a_child_of_the_hub_names_its_parents(
    here: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ORG/NAME, commit and licence of each; equal licences become the child's; also offline."""
    one = hub.push("org/one", card(here / "one", "license: apache-2.0"))
    two = hub.push("org/two", card(here / "two", "license: apache-2.0"))
    text = TEXT % ("org/one", OTHER % "org/two@main")

    result = merged(text)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    merged(text, out="offline")

    data = front_matter("out")
    assert ["org/one", "org/two"] == data["base_model"]
    assert "merge" == data["base_model_relation"]
    assert "apache-2.0" == data["license"]
    said = Path("out/README.md").read_text(encoding="utf-8")
    for repo, commit in (("org/one", one), ("org/two", two)):
        assert f"), {repo}@{commit}, apache-2.0" in said
    assert said == Path("offline/README.md").read_text(encoding="utf-8")
    assert "icence" not in result.output


@pytest.mark.parametrize(
    ("one", "two", "expected", "said"),
    [
        (
            "license: mit",
            "license: cc-by-nc-4.0",
            {
                "license": "other",
                "license_name": "cc-by-nc-4.0-and-mit",
                "license_link": "README.md",
            },
            "Licences differ, and each binds the child (one: mit; two: cc-by-nc-4.0).",
        ),
        (
            "license: other\nlicense_name: Llama 3!\nlicense_link: https://example.org/l",
            "license: other\nlicense_name: Llama 3!\nlicense_link: https://example.org/l",
            {
                "license": "other",
                "license_name": "llama-3",
                "license_link": "https://example.org/l",
            },
            None,
        ),
        ("license: mit", "tags: [x]", {}, "No licence is known of two: no card names one."),
        ("license: mit", "license: [", {}, "No licence is known of two"),
        ("license: MIT", "license: [mit]", {"license": "mit"}, None),
        ("license:\n- mit", "tags: [*none]\nlicense: mit # free", {"license": "mit"}, None),
        ("license: mit", "license: " + "[" * 9000, {}, "No licence is known of two"),
        ("license: mit", f"{BOMB}license: *k11", {}, "No licence is known of two"),
        ("license: mit", "license: mit\nlicense: gpl", {}, "No licence is known of two"),
        ("license: Do as you like", "license: Do as you like", {"license": "other"}, None),
    ],
)
def test_licences_are_joined_or_said_to_differ(
    one: str, two: str, expected: dict[str, str], said: str | None, here: Path
) -> None:
    """A licence that is not known, or that differs, is in the card and on the terminal."""
    card(here / "one", one)
    card(here / "two", two)

    result = merged(TEXT % ("./one", OTHER % "./two"))

    data = front_matter("out")
    assert expected.items() <= data.items()
    assert bool(expected) == ("license" in data)
    text = Path("out/README.md").read_text(encoding="utf-8")
    for shown in (text, result.stdout):
        line = " ".join(shown.split())
        assert (said in line) if said else ("icences differ" not in line and "No lic" not in line)


def test_a_document_of_documents_has_the_licences_of_all(here: Path) -> None:
    """A merge of a merge that has several licences has them too."""
    card(here / "one", "license: mit")
    card(here / "two", "license: apache-2.0")
    shutil.copytree(here / "one", here / "third")
    inner = TEXT % ("./one", OTHER % "./two")
    outer = TEXT % ("inner", OTHER % "./third")

    merged(f"name: inner\n{inner}\n---\n{outer}")

    names = str(front_matter("out")["license_name"])
    assert all(name in names for name in ("mit", "apache-2.0"))

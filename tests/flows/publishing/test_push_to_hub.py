"""Models pushed to a hub on this machine: said before, sent once, and no token printed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from transformers import AutoModelForCausalLM

from flows.cli.main import main
from stages.checkpoint.reader import Checkpoint
from tests.flows.conftest import Maker
from tests.hub_uploads import UploadHub

REPO = "me/model"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadHub]:
    """A hub that huggingface_hub talks to, with the token of one who may write."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("HF_TOKEN", UploadHub.writer)
    with UploadHub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def model(llamas: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model, in the working directory."""
    folder = tmp_path / "work" / "model"
    shutil.copytree(llamas / "one", folder)
    (folder / "README.md").write_text("---\ntags: [merge]\n---\n# A model\n", encoding="utf-8")
    (folder / ".hidden").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(folder.parent)
    return folder


def push(*arguments: str, code: int = 0, typed: str | None = None) -> Result:
    """Return what ``germline push-to-hub`` says; it must end with ``code``, token unsaid."""
    result = CliRunner().invoke(main, ["push-to-hub", *arguments], input=typed)
    assert code == result.exit_code, result.output
    assert not any(token in result.output for token in (UploadHub.writer, "hf_wrong"))
    return result


@pytest.mark.usefixtures("model")
def test_a_folder_is_said_asked_for_and_sent_privately(hub: UploadHub) -> None:
    """All but hidden files, in one commit; a second push sends nothing, another card only that."""
    refused = push("model", REPO, typed="n\n", code=1)
    assert f"to the new private repository {hub.url}/{REPO}" in refused.output
    assert "model.safetensors" in refused.output
    assert hub.repos == {}
    assert "Give --yes" in push("model", REPO, code=1, typed="").output

    assert "commit " in push("model", REPO, typed="y\n").output
    repo = hub.repos[REPO]
    files = repo.commits[repo.names["main"]]
    assert repo.is_private
    assert ".hidden" not in files
    assert files["model.safetensors"] == Path("model/model.safetensors").read_bytes()

    posts = len(hub.asked("POST"))
    assert "already; nothing is sent" in push("model", REPO).output
    assert posts == len(hub.asked("POST"))
    Path("model/README.md").write_text("---\ntags: [other]\n---\n# Another\n", encoding="utf-8")
    said = json.loads(push("model", REPO, "--yes", "--json").stdout)
    assert ["README.md"] == list(said["sent"])
    assert 1 == len(hub.asked("PUT"))
    assert repo.names["main"] == said["commit"]


@pytest.mark.usefixtures("model")
def test_weights_that_the_folder_does_not_have_are_removed_there(hub: UploadHub) -> None:
    """A library would load them instead; other files of the repository stay."""
    push("model", REPO, "--yes")
    repo = hub.repos[REPO]
    files = repo.commits[repo.names["main"]]
    files |= {"model-00001-of-00002.safetensors": b"old", "notes.txt": b"mine"}
    said = push("model", REPO, "--yes")
    assert "removes        model-00001-of-00002.safetensors" in said.output
    now = repo.commits[repo.names["main"]]
    assert "model-00001-of-00002.safetensors" not in now
    assert b"mine" == now["notes.txt"]


@pytest.mark.usefixtures("model")
def test_a_public_repository_is_asked_for(hub: UploadHub) -> None:
    """Nothing is published by a push that was to be private."""
    assert "new public repository" in push("model", REPO, "--public", "--yes").output
    assert not hub.repos[REPO].is_private
    (Path("model") / "README.md").write_text("# Other\n", encoding="utf-8")
    assert "is there and public. Give --public" in push("model", REPO, "--yes", code=1).output


@pytest.mark.usefixtures("model")
def test_what_the_hub_refuses_is_one_line(hub: UploadHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong token, one that may not write, none, no network, offline."""

    def line(*arguments: str) -> str:
        errors = [t for t in push(*arguments, code=1).stderr.splitlines() if "error: " in t]
        assert 1 == len(errors)
        return errors[0]

    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "the token is wrong or has expired. Set HF_TOKEN" in line("model", REPO, "--yes")
    monkeypatch.setenv("HF_TOKEN", UploadHub.reader)
    assert "the token may not write there" in line("model", REPO, "--yes")
    monkeypatch.delenv("HF_TOKEN")
    assert "there is no token" in line("model", REPO, "--yes")
    monkeypatch.setenv("HF_TOKEN", UploadHub.writer)
    assert "holds no config.json" in line(".", REPO, "--yes")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "does not answer" in line("model", REPO, "--yes")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in line("model", REPO, "--yes")
    assert hub.repos == {}


@pytest.mark.usefixtures("model")
def test_a_hub_that_answers_without_its_large_storage_is_said_so(
    hub: UploadHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a firewall: what does without that storage is named, and it does."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    said = push("model", REPO, "--yes", code=1).stderr
    assert "does not answer" not in said
    assert f"{REPO}: Xet's storage did not take the large files: " in said
    assert "HF_HUB_DISABLE_XET=1" in said
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    push("model", REPO, "--yes")
    assert "model.safetensors" in hub.repos[REPO].commits[hub.repos[REPO].names["main"]]


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("name", ["model", "org/team/model", "org/my model", "org/model-"])
@pytest.mark.parametrize("model", ["model", "champion"])
def test_a_name_that_no_repository_has_is_wrong_usage(
    hub: UploadHub, model: str, name: str
) -> None:
    """It is refused before anything is merged, and before the hub is asked."""
    assert (
        f"{name}: not a name of a repository. Write ORG/NAME" in push(model, name, code=2).stderr
    )
    assert hub.requests == []


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("---\ntags: [merge\n---\n# A model\n", "README.md: while parsing a flow sequence"),
        ("---\n- merge\n---\n# A model\n", "README.md: repo card metadata block should be a dict"),
        ("---\nmodel-index: merge\n---\n# A model\n", "README.md: "),
        (f"---\ntags: {'[' * 9000}\n---\n# A model\n", "README.md: maximum recursion depth"),
    ],
)
def test_a_card_that_is_not_one_is_refused_before_the_hub_is_asked(
    hub: UploadHub, model: Path, card: str, words: str
) -> None:
    """What huggingface_hub can check of a card's metadata by itself is checked first."""
    (model / "README.md").write_text(card, encoding="utf-8")
    said = push("model", REPO, "--yes", code=1).stderr
    assert words in said
    assert "Fix its metadata" in said
    assert [] == hub.requests


@pytest.mark.usefixtures("model")
def test_a_card_that_the_hub_refuses_is_one_line(hub: UploadHub) -> None:
    """Its validator's words are passed on; when the card is right the same command goes on."""
    hub.card_faults = ['"license" must be one of [apache-2.0, mit]', '"tags" must be an array']
    said = push("model", REPO, "--yes", code=1).stderr
    assert 1 == sum("error: " in line for line in said.splitlines())
    assert 'Invalid metadata in README.md. - "license" must be one of' in said
    assert "nothing was committed" in said
    hub.card_faults = []
    push("model", REPO, "--yes")
    assert "README.md" in hub.repos[REPO].commits[hub.repos[REPO].names["main"]]


@pytest.mark.usefixtures("model")
def test_a_link_out_of_the_folder_is_refused(hub: UploadHub, tmp_path: Path) -> None:
    """A file from elsewhere on this machine is not published by accident."""
    (tmp_path / "secret").write_text("mine", encoding="utf-8")
    Path("model/notes.txt").symlink_to(tmp_path / "secret")
    assert "a link that leads out" in push("model", REPO, "--yes", code=1).output
    assert hub.repos == {}


def test_a_model_of_the_run_is_pushed_with_its_card(
    hub: UploadHub, copy_repeated: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The champion, whose card says the repository that loads it; nothing is left behind."""
    monkeypatch.setenv("GERMLINE_CACHE", str(tmp_path / "cache"))
    project = copy_repeated("project").folder
    monkeypatch.chdir(project)
    assert "Did you mean 'champion'?" in push("chmpion", REPO, "--yes", code=1).stderr
    said = push("./modle", REPO, "--yes", code=1).stderr
    assert "model ./modle: no such folder" in said
    assert "Give a folder that is there" in said
    push("champion", REPO, "--yes")
    repo = hub.repos[REPO]
    out = tmp_path / "fetched"
    for name, data in repo.commits[repo.names["main"]].items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    assert Checkpoint(out).hash() == Checkpoint(Path("data/champion")).hash()
    assert AutoModelForCausalLM.from_pretrained(out)
    assert f'from_pretrained("{REPO}")' in (out / "README.md").read_text(encoding="utf-8")
    assert not list(Path(".scratch").rglob("*.safetensors"))

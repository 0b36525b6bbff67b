"""The child's config and head, where models differ in depth, kinds of layers, or tying."""

import json
import shutil
from pathlib import Path

from tests.merge.mergekit.llamas import lowered, save_llama
from tests.merge.mergekit.test_to_recipe import STACK, faults_of, tensors_of


def test_numbers_of_layers_that_differ_need_slices(root: Path, tmp_path: Path) -> None:
    """Whole models have as many layers as each other."""
    save_llama(tmp_path / "short", seed=5, layers=3)
    text = f"merge_method: linear\nmodels: [{{model: $one}}, {{model: {tmp_path}/short}}]"
    faults = faults_of(f"{text}\nparameters: {{weight: 1}}", root)
    assert any("numbers of layers differ" in f and "Use slices" in f for f in faults)


def test_a_tied_head_is_the_embedding(root: Path, tmp_path: Path) -> None:
    """Merged into a model with a head, a tied one gives its embedding; not the other way."""
    save_llama(tmp_path / "tied", seed=5, ties=True)
    text = (
        "merge_method: linear\nmodels: [{{model: {}}}, {{model: {}}}]\nparameters: {{weight: 1}}"
    )
    plan = lowered(text.format("$one", tmp_path / "tied"), root).plan
    names = [source.name for source in tensors_of(plan)["lm_head.weight"].sources]
    assert ["lm_head.weight", "model.embed_tokens.weight"] == names
    faults = faults_of(text.format(tmp_path / "tied", "$one"), root)
    assert any("head is tied to its embedding" in fault for fault in faults)


def test_lists_with_an_entry_for_each_layer_follow_it(root: Path, tmp_path: Path) -> None:
    """layer_types and its like are put together again, lists of layers' numbers too."""
    kinds = {"one": "abcd", "two": "efgh"}
    for name, kind in kinds.items():
        shutil.copytree(root / name, tmp_path / name)
        path = tmp_path / name / "config.json"
        config = json.loads(path.read_text())
        config |= {"layer_types": list(kind), "mlp_only_layers": [1], "window_list": [1, 2, 3, 4]}
        path.write_text(json.dumps(config))
    config = lowered(STACK, tmp_path).plan.config
    assert list("abcfgh") == config["layer_types"]
    assert [1, 3] == config["mlp_only_layers"]
    assert [1, 2, 3, 4] == config["window_list"]
    other = json.loads((tmp_path / "two" / "config.json").read_text())
    del other["layer_types"]
    (tmp_path / "two" / "config.json").write_text(json.dumps(other))
    assert any("layer_types has an entry for each" in f for f in faults_of(STACK, tmp_path))


def test_kinds_of_layers_told_by_number_are_not_moved(root: Path, tmp_path: Path) -> None:
    """Of a type that transformers does not know, a layer's number may be all that tells it."""
    for name in ("one", "two"):
        shutil.copytree(root / name, tmp_path / name)
        path = tmp_path / name / "config.json"
        said = {"sliding_window_pattern": 2, "model_type": "of_no_library"}
        path.write_text(json.dumps({**json.loads(path.read_text()), **said}))
    assert any("Add layer_types" in fault for fault in faults_of(STACK, tmp_path))

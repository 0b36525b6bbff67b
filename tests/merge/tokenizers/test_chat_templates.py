"""Chat templates: which one a child gets, and what the named ones write."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from stages.errors import CheckpointError, RecipeError
from stages.merge.tokenizers import TokenizerRule, prepare
from stages.merge.tokenizers.chat_templates import TEMPLATES, template_of
from tests.merge.tokenizers.conftest import speaker

TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
]
WRITTEN = {
    "alpaca": "Be kind.\n\n### Instruction:\nHi\n\n### Response:\nHello</s>\n\n"
    "### Instruction:\nBye\n\n### Response:\n",
    "chatml": "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
    "<|im_start|>assistant\n",
    "exaone": "[|system|]Be kind.[|endofturn|]\n[|user|]Hi\n[|assistant|]Hello[|endofturn|]\n"
    "[|user|]Bye\n[|assistant|]",
    "llama3": "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "mistral": "<s>[INST] Be kind.\n\nHi [/INST] Hello</s>[INST] Bye [/INST]",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_named_templates_write_what_their_models_read(name: str, tmp_path: Path) -> None:
    """A conversation in each named template is written as its models expect it."""
    model = speaker(tmp_path / "a", [], added=["<s>", "</s>"])
    path = tmp_path / "a" / "tokenizer_config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), "chat_template": "old"}
    config |= {"bos_token": "<s>", "eos_token": "</s>"}
    path.write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "child").mkdir()
    rule = TokenizerRule(chat_template=name)
    prepare(rule, [model], ["a"]).write(tmp_path / "child")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "child")
    prompt = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert WRITTEN[name] == prompt


def test_auto_is_the_commonest_template(tmp_path: Path) -> None:
    """Most models decide, the first among equals; models without one have no say."""
    models = [speaker(tmp_path / name, ["x"]) for name in "abcde"]
    assert template_of("auto", models) is None
    (tmp_path / "b" / "chat_template.jinja").write_text("two", encoding="utf-8")
    several = {"chat_template": [{"name": "default", "template": "one"}]}
    (tmp_path / "c" / "tokenizer_config.json").write_text(json.dumps(several), encoding="utf-8")
    assert "two" == template_of("auto", models)
    one = json.dumps({"chat_template": "one"})
    (tmp_path / "d" / "chat_template.json").write_text(one, encoding="utf-8")
    assert "one" == template_of("auto", models)


def test_given_template_is_checked() -> None:
    """Jinja text is taken as it is; a mistake in it, or an unknown name, is said."""
    text = "{% for m in messages %}{% if m.content %}{% break %}{% endif %}{% endfor %}"
    assert text == template_of(text, [])
    with pytest.raises(RecipeError, match="chat_template, line 2: "):
        template_of("\n{% for %}", [])
    with pytest.raises(RecipeError, match="Did you mean 'chatml'"):
        template_of("chatlm", [])


def test_damaged_template_file_is_told(tmp_path: Path) -> None:
    """A file that should hold a template and is not JSON is named."""
    model = speaker(tmp_path / "a", ["x"])
    (tmp_path / "a" / "chat_template.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"chat_template\.json: not JSON"):
        template_of("auto", [model])

"""Chat templates: the commonest among models, one of the usual forms by name, or a given text."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jinja2 import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from stages.checkpoint.reader import Checkpoint
from stages.checkpoint.safetensors_header import read_json
from stages.errors import CheckpointError, RecipeError, words_of
from stages.files import text_of
from stages.hashing import nearest

TEMPLATE_FILE = "chat_template.jinja"

# The spellings that the models of these names were trained on.
TEMPLATES = {
    "alpaca": """\
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{{ message.content }}{{ '\\n\\n' }}
{%- elif message.role == 'user' -%}
{{ '### Instruction:\\n' }}{{ message.content }}{{ '\\n\\n' }}
{%- else -%}
{{ '### Response:\\n' }}{{ message.content }}{{ eos_token }}{{ '\\n\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '### Response:\\n' }}{%- endif -%}
""",
    "chatml": """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' }}{{ message.content }}{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
""",
    "exaone": """\
{%- if messages and messages[0].role != 'system' -%}{{ '[|system|][|endofturn|]\\n' }}{%- endif -%}
{%- for message in messages -%}
{{ '[|' + message.role + '|]' }}{{ message.content }}
{%- if message.role != 'user' -%}{{ '[|endofturn|]' }}{%- endif -%}
{{ '\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '[|assistant|]' }}{%- endif -%}
""",
    "llama3": """\
{{- bos_token -}}
{%- for message in messages -%}
{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}
{{- message.content | trim }}{{ '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif -%}
""",
    "mistral": """\
{{- bos_token -}}
{%- set said = namespace(system='') -%}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{%- set said.system = message.content + '\\n\\n' -%}
{%- elif message.role == 'user' -%}
{{ '[INST] ' + said.system + message.content + ' [/INST]' }}{%- set said.system = '' -%}
{%- else -%}
{{ ' ' + message.content + eos_token }}
{%- endif -%}
{%- endfor -%}
""",
}


def template_of(choice: str | None, models: Sequence[Checkpoint]) -> str | None:
    """Return the Jinja text of a child's chat template, or None to keep that of its tokenizer.

    ``auto`` is the template that most models have, of equally common ones the first model's; and
    None where no model has one. Other choices are a name in ``TEMPLATES`` or Jinja text.

    Raises:
        RecipeError: the choice is neither, or its Jinja has a mistake.
    """
    if choice is None or choice in TEMPLATES:
        return None if choice is None else TEMPLATES[choice]
    if choice == "auto":
        templates = [text for model in models if (text := template_in(model.folder)) is not None]
        return Counter(templates).most_common(1)[0][0] if templates else None
    if "{" not in choice:
        legal = ["auto", *TEMPLATES]
        raise RecipeError(
            f"chat_template is {choice!r}. Legal are {', '.join(legal)} or the text of a "
            f"Jinja template.{nearest(choice, legal)}"
        )
    try:
        ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(choice)
    except TemplateSyntaxError as error:
        raise RecipeError(
            f"chat_template, line {error.lineno}: {error.message}. Correct the Jinja text."
        ) from error
    return choice


def template_in(folder: Path) -> str | None:
    """Return the default chat template of a model folder, as transformers would find it.

    Raises:
        CheckpointError: the file that holds it is damaged.
    """
    if (folder / TEMPLATE_FILE).is_file():
        try:
            return text_of(folder / TEMPLATE_FILE)
        except ValueError as error:
            where = folder / TEMPLATE_FILE
            raise CheckpointError(f"{where}: {error}. Fetch the model again.") from error
    for name in ("chat_template.json", "tokenizer_config.json"):
        path = folder / name
        if not path.is_file():
            continue
        try:
            template = read_json(path).get("chat_template")
            if isinstance(template, list):  # several, by name
                named = {entry["name"]: entry["template"] for entry in template}
                template = named.get("default")
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: damaged: {words_of(error)}. Fetch the model again."
            ) from error
        if isinstance(template, str):
            return template
    return None

"""Build lm-eval's requests for the items of a split, as its command line builds them."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stages.evaluate.arguments.prompt_arguments import PromptArguments
from stages.evaluate.own_python.random_state import RandomState, kept
from stages.evaluate.tasks.lm_eval_task import FEWSHOT_SEED, LoadedTask
from stages.evaluate.tasks.rendered_documents import remember

Template = Callable[..., str]
HALF = re.compile("[\ud800-\udfff]")  # of a pair in UTF-16; no tokenizer reads it alone


@dataclass(frozen=True, slots=True)
class Prompts:
    """The requests of some items of a task.

    ``documents`` are the items' documents as lm-eval reads them to score: again, after all
    prompts. ``state`` is that of the generators at that moment. Both are None where the task has
    no Python, as only Python can change a document or draw.
    """

    instances: Mapping[str, list[Any]]  # item id -> lm-eval's instances in the order of their idx
    documents: Mapping[str, Any] | None = None
    state: RandomState | None = None

    def document(self, item: str) -> Any:
        """Return the item's document, a copy where Python of the task could change it."""
        if self.documents is None:
            return self.instances[item][0].doc
        return copy.deepcopy(self.documents[item])

    def renew(self) -> None:
        """Remove from the instances the answers and all that scoring may have changed."""
        for item, asked in self.instances.items():
            document = self.document(item)
            for instance in asked:
                instance.doc, instance.resps, instance.filtered_resps = document, [], {}


def build(
    name: str,
    loaded: LoadedTask,
    places: Mapping[str, int],
    arguments: PromptArguments,
    template: Template | None = None,
) -> Prompts:
    """Return the prompts of the items at ``places`` among the task's documents.

    Few-shot examples are drawn as with lm-eval's ``--samples`` that names the items. Where the
    task's Python draws from a generator, the prompts of all documents are built, as lm-eval does
    without ``--samples``, and those of the items taken: an item's prompt is then the same in any
    split.

    Raises:
        EvaluationError: the prompts cannot be built.
    """
    where, remedy = (
        f"task {name}: its prompts cannot be built",
        "Fix the task's file or its Python.",
    )
    process = loaded.process
    with kept(), loaded.entered(), process.blamed(where, remedy):
        instances = _instances(loaded, places, arguments, template)
        if not loaded.has_code:
            remember(loaded.task, [asked[0].doc for asked in instances.values()])
            return Prompts(instances)
        docs = loaded.task.eval_docs
        documents = {item: copy.deepcopy(docs[i]) for item, i in places.items()}
        return Prompts(instances, documents, RandomState.now(process.modules.values()))


def _instances(
    loaded: LoadedTask,
    places: Mapping[str, int],
    arguments: PromptArguments,
    template: Template | None,
) -> dict[str, list[Any]]:
    ordered = sorted(places, key=lambda item: places[item])
    names = dict(enumerate(ordered))
    _request(loaded, arguments, template, samples=[places[item] for item in ordered])
    if loaded.state is not None and not loaded.state.is_now():
        names = {doc_id: item for item, doc_id in places.items()}
        _request(loaded, arguments, template, limit=arguments.limit)
    by_item: dict[str, list[Any]] = {item: [] for item in ordered}
    for instance in loaded.task.instances:
        if instance.doc_id in names:
            _check_texts(instance)
            by_item[names[instance.doc_id]].append(instance)
    return {item: sorted(asked, key=lambda i: i.idx) for item, asked in by_item.items()}


def _check_texts(instance: Any) -> None:
    """Check that what is asked is text; models take nothing else."""
    for asked in instance.args:
        text = getattr(asked, "prompt", asked)  # lm_eval's JsonChatStr, for servers of chats
        if not isinstance(text, str | dict):  # a dict holds generation arguments
            raise TypeError(f"{asked!r:.80} is not text, which doc_to_target must give here")
        if isinstance(text, str) and HALF.search(text):
            raise ValueError(f"{text!r:.80} holds half a character, which is not text")


def _request(
    loaded: LoadedTask, arguments: PromptArguments, template: Template | None, **wanted: Any
) -> None:
    if loaded.state is not None:
        loaded.state.restore()
    loaded.task.set_fewshot_seed(seed=FEWSHOT_SEED)
    loaded.task.build_all_requests(
        **wanted,
        system_instruction=arguments.system_instruction,
        apply_chat_template=arguments.apply_chat_template,
        fewshot_as_multiturn=arguments.fewshot_as_multiturn,
        chat_template=template if arguments.apply_chat_template else None,
    )

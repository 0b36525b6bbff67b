"""Multiple-choice items about a paragraph, and a tokenizer of whole words to read them with."""

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from stages.seeds import random_state

NAMES = ["Anna", "Bruno", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Irene", "Jonas"]
PLACES = [
    "the harbour in the south",
    "the old market",
    "the railway station",
    "a small village",
    "the city library",
    "the botanical garden on the hill",
    "the north bridge",
    "a mountain hut",
]
THINGS = ["a red bicycle", "three green apples", "an old clock", "a bag of flour", "two coins"]
DAYS = ("Monday", "Tuesday", "Friday")
WEATHER = ("fine", "wet", "cold", "windy")
VISIT = (
    "On {day} {name} went to {destination} and carried {thing} . The weather was {weather} "
    "and the walk took {minutes} minutes ."
)
ASKED = "Question : where did {name} go ? Answer :"
TASK = """\
task: places
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
num_fewshot: 0
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
"""


def write_items(folder: Path, num: int) -> Path:
    """Write a task of ``num`` items, some 80 words and four choices each; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "places.jsonl"
    data.write_text("".join(json.dumps(_item(i)) + "\n" for i in range(num)), encoding="utf-8")
    (folder / "places.yaml").write_text(TASK.format(data=data), encoding="utf-8")
    return folder


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer into a model's folder: one token for each word of the items."""
    texts = [*NAMES, *PLACES, *THINGS, *DAYS, *WEATHER, VISIT, ASKED, *map(str, range(100))]
    words = sorted({word for text in texts for word in text.split()})
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    vocabulary = {word: i for i, word in enumerate([*special.values(), *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)


def _item(number: int) -> dict[str, object]:
    rng = random_state("bench items", number)
    names = [NAMES[i] for i in rng.permutation(len(NAMES))[: len(DAYS)]]
    places = [PLACES[i] for i in rng.permutation(len(PLACES))[:4]]
    visits = [
        VISIT.format(
            day=day,
            name=name,
            destination=destination,
            thing=THINGS[rng.randint(len(THINGS))],
            weather=WEATHER[rng.randint(len(WEATHER))],
            minutes=rng.randint(5, 95),
        )
        for day, name, destination in zip(DAYS, names, places, strict=False)
    ]
    asked = int(rng.randint(len(DAYS)))
    choices = [places[i] for i in rng.permutation(len(places))]
    text = " ".join([*visits, ASKED.format(name=names[asked])])
    return {"answer": choices.index(places[asked]), "choices": choices, "question": text}

"""Tasks of lm-eval's own catalogue, by their own files and Python, on small data of the same form.

Only the data, how many examples are shown and how long texts may be are of here.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lm_eval.tasks

from tests.parity.kinds_of_task import _text_of

Row = dict[str, Any]
CATALOGUE = Path(lm_eval.tasks.__file__).parent
NUM_ROWS = 6
_WORDS = [
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "hazel",
    "inlet",
    "juniper",
]
# Every name that a task has for its data; those for examples hold other rows.
_SHOWN, _ASKED = (
    ("train", "dev", "train_r1"),
    (
        *("test", "validation", "dev_r1", "test_r1"),
        "murder_mysteries",
    ),
)


def _word(i: int) -> str:
    return _WORDS[i % len(_WORDS)]


def _said(i: int, count: int) -> str:
    return " ".join(_word(i + 3 * n) for n in range(count))


def _four(i: int) -> list[str]:
    return [f"{_said(i + n, 1 + n)} {i}" for n in range(4)]


def _letters(i: int, letters: str = "ABCD") -> Row:
    choices = {"text": [_said(i + n, 2) for n in range(len(letters))], "label": list(letters)}
    key = letters[i % len(letters)]
    return {
        "question": f" Which is {_word(i)} {i}? ",
        "question_stem": f"The {_word(i)} of {i} is",
        "choices": choices,
        "answerKey": key,
    }


def _sentence(i: int) -> Row:
    return {
        "sentence": f"The {_word(i)} saw the {_word(i + 1)} because _ was number {i}.",
        "option1": _word(i),
        "option2": _word(i + 1),
        "answer": str(1 + i % 2),
    }


def _pair(i: int) -> Row:
    return {
        "premise": f"The {_word(i)} fell on {i}.",
        "hypothesis": f"The {_word(i + 1)} fell",
        "sentence1": f"{_said(i, 4)} {i}",
        "sentence2": _said(i + 1, 4),
        "sentence": f"{_said(i, 5)} {i}.",
        "question": ["cause", "effect"][i % 2],
        "choice1": f"It was {_word(i + 2)}.",
        "choice2": f"He was {_word(i + 3)}.",
        "label": i % 2,
    }


def _passage(i: int) -> Row:
    return {
        "passage": f"{_said(i, 9)} {i}.",
        "paragraph": f"{_said(i, 9)} {i}.",
        "question": f"is {_word(i)} {i}",
        "answer": _said(i, 2),
        "label": i % 2,
        "text": f"{_said(i, 6)} {_word(i + 1)}",
        "input": f"{_said(i, 5)} {i}",
    }


def _sum(i: int) -> Row:
    return {
        "question": f"There are {i} {_word(i)} and {i + 2} more. How many?",
        "answer": f"{i} + {i + 2} = {2 * i + 2}\n#### {2 * i + 2}",
        "body": f"There are {i} {_word(i)} and {i + 2} more.",
        "input": f"{i} or {i + 1} is",
        "target": _word(i),
        "context": f"Question: what is {i} plus {i}?\nAnswer:",
        "completion": f" {2 * i}",
        "answer_number": 2 * i + 2,
    }


def _problem(i: int) -> Row:
    return {
        "problem": f"Find ${i}+x$ for $x={i}$.",
        "solution": f"It is $\\boxed{{{2 * i}}}$.",
        "level": "Level 1",
        "type": "Algebra",
        "Problem": f"what is {i} and {_word(i)}",
        "options": f"a ) {i} , b ) {i + 1} , c ) {i + 2} , d ) {i + 3} , e ) none",
        "correct": "abcde"[i % 5],
    }


def _options(i: int) -> Row:
    return {
        "question": f"Which {_word(i)} is {i}?",
        "options": _four(i),
        "choices": _four(i),
        "answer": i % 4,
        "context": f"{_said(i, 7)} {i}.",
        "label": "abcd"[i % 4],
        "gold": [i % 4],
        "query": f"Q: which {_word(i)} is {i}?\nAnswer: among (A)(B)(C)(D)",
    }


def _reading(i: int) -> Row:
    problems = [
        {"question": f"What of {_word(i + n)}  _  .", "answer": "ABCD"[n], "options": _four(i + n)}
        for n in range(2)
    ]
    return {"article": f"{_said(i, 9)} {i}.", "problems": repr(problems)}


def _spans(i: int) -> Row:
    one = {"number": str(i), "date": {"day": "", "month": "", "year": ""}, "spans": []}
    other = {"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": [_word(i)]}
    several = {key: [one[key], other[key]] for key in one}
    return {
        "query_id": str(i),
        "passage": f"{_said(i, 8)} {i}.",
        "question": f"How many {_word(i)}?",
        "answer": one if i % 2 else other,
        "validated_answers": several,
    }


def _truth(i: int) -> Row:
    targets = {"choices": _four(i), "labels": [1, 0, i % 2, 0]}
    return {
        "question": f"What is {_word(i)} {i}?",
        "mc1_targets": {"choices": _four(i), "labels": [1, 0, 0, 0]},
        "mc2_targets": targets,
        "best_answer": _said(i, 3),
        "correct_answers": [_said(i, 3), f"{_said(i, 2)}."],
        "incorrect_answers": [_said(i + 1, 3), ""],
    }


def _science(i: int) -> Row:
    return {
        "Question": f"Which {_word(i)} holds {i}?",
        "Correct Answer": f"{_word(i)} [title]  {i}",
        **{f"Incorrect Answer {n}": f"{_word(i + n)} {i}" for n in (1, 2, 3)},
        "support": f"  {_said(i, 5)} {i}",
        "question": f"what is {_word(i)}",
        **{f"distractor{n}": _word(i + n) for n in (1, 2, 3)},
        "correct_answer": _word(i),
    }


def _endings(i: int) -> Row:
    return {
        "ctx_a": f"A {_word(i)} is {i}.",
        "ctx_b": f"the {_word(i + 1)}",
        "activity_label": "Doing [header] things",
        "endings": [f"{choice} [title] and.  so" for choice in _four(i)],
        "startphrase": f"A {_word(i)} {i}",
        "label": i % 2,
        **{f"ending{n}": choice for n, choice in enumerate(_four(i))},
        "goal": f"Make {_word(i)} {i}",
        "sol1": _said(i, 3),
        "sol2": _said(i + 1, 4),
    }


def _answers(i: int) -> Row:
    return {
        "question": f"who is {_word(i)} {i}",
        "answer": {"aliases": [_word(i), _said(i, 2)], "value": _word(i)},
        "answers": [_word(i), _said(i, 2)],
    }


def _open(i: int) -> Row:
    return {"question": f"who is {_word(i)} {i}", "answer": [_word(i), _said(i, 2)]}


def _phrases(i: int) -> Row:
    return {
        "sentence_good": f"The {_word(i)} is {i}.",
        "sentence_bad": f"The {_word(i)} are {i}.",
        "sent_more": f"The {_word(i)} is {i}.",
        "sent_less": f"The {_word(i + 1)} is {i}.",
        "stereo_antistereo": ["stereo", "antistereo"][i % 2],
        "page": f" = {_word(i)} = \n {_said(i, 12)} @-@ {i} @,@ 5 . \n",
    }


def _dialogue(i: int) -> Row:
    return {
        "article": f"m : {_said(i, 5)} ? f : it is {i} .",
        "options": [f"f : {choice} ." for choice in _four(i)],
        "answers": "ABCD"[i % 4],
    }


def _narrative(i: int) -> Row:
    return {
        "narrative": f"{_said(i, 8)} {i}.",
        "question": f"Who of {i}?",
        "choices": repr(_four(i)[:3]),
        "answer_choice": _four(i)[i % 3],
        "answer_index": i % 3,
    }


def _exam(i: int) -> Row:
    return {
        "question": f"Which {_word(i)} is {i}?",
        "options": _four(i),
        "answer": "ABCD"[i % 4],
        "answer_index": i % 4,
        "cot_content": f"A: Let's think step by step. It is {_word(i)}. The answer is (A).",
        "category": "biology",
        "question_id": i,
    }


# By name: the file in lm-eval's folder, the rows, and what is changed besides the data.
PUBLISHED: dict[str, tuple[str, Callable[[int], Row], Row]] = {
    "pub_arc": ("arc/arc_challenge.yaml", _letters, {"num_fewshot": 2}),
    "pub_openbook": ("openbookqa/openbookqa.yaml", _letters, {}),
    "pub_commonsense": ("commonsense_qa/default.yaml", lambda i: _letters(i, "ABCDE"), {}),
    "pub_hellaswag": ("hellaswag/hellaswag.yaml", _endings, {"num_fewshot": 1}),
    "pub_swag": ("swag/swag.yaml", _endings, {}),
    "pub_piqa": ("piqa/piqa.yaml", _endings, {}),
    "pub_gsm8k": ("gsm8k/gsm8k.yaml", _sum, {"num_fewshot": 3}),
    "pub_gsm8k_cot": ("gsm8k/gsm8k-cot.yaml", _sum, {"num_fewshot": 2}),
    "pub_arithmetic": ("arithmetic/arithmetic_1dc.yaml", _sum, {"num_fewshot": 1}),
    "pub_unscramble": ("unscramble/anagrams1.yaml", _sum, {"num_fewshot": 1}),
    "pub_truthful_1": ("truthfulqa/truthfulqa_mc1.yaml", _truth, {}),
    "pub_truthful_2": ("truthfulqa/truthfulqa_mc2.yaml", _truth, {}),
    "pub_winogrande": ("winogrande/default.yaml", _sentence, {"num_fewshot": 2}),
    "pub_lambada": ("lambada/lambada_openai.yaml", _passage, {}),
    "pub_cloze": ("lambada_cloze/lambada_openai_cloze.yaml", _passage, {}),
    "pub_mmlu": ("mmlu/default/mmlu_anatomy.yaml", _options, {"num_fewshot": 2}),
    "pub_mmlu_pro": ("mmlu_pro/mmlu_pro_biology.yaml", _exam, {"num_fewshot": 2}),
    "pub_bbh_cot": ("bbh/cot_fewshot/boolean_expressions.yaml", _sum, {"num_fewshot": 1}),
    "pub_bbh_few": ("bbh/fewshot/boolean_expressions.yaml", _sum, {}),
    "pub_bbh_zero": ("bbh/zeroshot/boolean_expressions.yaml", _sum, {}),
    "pub_gpqa": ("gpqa/zeroshot/gpqa_main_zeroshot.yaml", _science, {}),
    "pub_sciq": ("sciq/sciq.yaml", _science, {}),
    "pub_boolq": ("super_glue/boolq/default.yaml", _passage, {}),
    "pub_multirc": ("super_glue/multirc/default.yaml", _passage, {}),
    "pub_cb": ("super_glue/cb/default.yaml", _pair, {}),
    "pub_copa": ("super_glue/copa/default.yaml", _pair, {"num_fewshot": 1}),
    "pub_cola": ("glue/cola/default.yaml", _pair, {}),
    "pub_mrpc": ("glue/mrpc/default.yaml", _pair, {}),
    "pub_anli": ("anli/anli_r1.yaml", _pair, {}),
    "pub_drop": ("drop/default.yaml", _spans, {"num_fewshot": 1}),
    "pub_trivia": ("triviaqa/default.yaml", _answers, {"num_fewshot": 2}),
    "pub_nq": ("nq_open/nq_open.yaml", _open, {"num_fewshot": 2}),
    "pub_webqs": ("webqs/webqs.yaml", _answers, {}),
    "pub_race": ("race/race.yaml", _reading, {}),
    "pub_logiqa": ("logiqa/logiqa.yaml", _options, {}),
    "pub_agieval": ("agieval/aqua-rat.yaml", _options, {}),
    "pub_mathqa": ("mathqa/mathqa.yaml", _problem, {}),
    "pub_ethics": ("hendrycks_ethics/commonsense.yaml", _passage, {}),
    "pub_mutual": ("mutual/mutual.yaml", _dialogue, {}),
    "pub_musr": ("leaderboard/musr/musr_murder_mysteries.yaml", _narrative, {}),
    "pub_blimp": ("blimp/adjunct_island.yaml", _phrases, {}),
    "pub_crows": ("crows_pairs/crows_pairs_english.yaml", _phrases, {}),
    "pub_wikitext": ("wikitext/wikitext.yaml", _phrases, {}),
    "pub_truthful_gen": ("truthfulqa/truthfulqa_gen.yaml", _truth, {}),
    "pub_asdiv": ("asdiv/default.yaml", _sum, {}),
}
_MOST_TOKENS = 24  # of a text
CONTEXT = 2048  # in tokens: three worked examples are long


def write_published(folder: Path) -> list[str]:
    """Write the tasks and their data below ``folder``; return the texts of the data."""
    from lm_eval.tasks._yaml_loader import load_yaml

    tasks, data = folder / "tasks", folder / "data"
    tasks.mkdir()
    data.mkdir()
    texts: list[str] = []
    for name, (file, row, changes) in PUBLISHED.items():
        asked, shown = (
            [json.dumps(row(i)) for i in range(first, first + NUM_ROWS)] for first in (1, 11)
        )
        files = {}
        for kind, lines in (("asked", asked), ("shown", shown)):
            path = data / f"{name}_{kind}.jsonl"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            for split in _ASKED if kind == "asked" else _SHOWN:
                files[split] = f"data/{path.name}"
        texts += asked + shown
        whole = load_yaml(CATALOGUE / file, resolve_func=False)
        config: Row = {
            "include": str(CATALOGUE / file),
            "task": name,
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": files},
            **changes,
        }
        if "generation_kwargs" in whole:
            config["generation_kwargs"] = {
                **whole["generation_kwargs"],
                "max_gen_toks": _MOST_TOKENS,
            }
        (tasks / f"{name}.yaml").write_text(_text_of(config), encoding="utf-8")
    return texts

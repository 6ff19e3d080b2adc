# `make demo` and `make test` need git, make and Python 3.11 or later with its venv module; README.md has the apt-get line.
.DEFAULT_GOAL := help
.PHONY: public-files serve help install compiled demo test test-slow test-oldest coverage check format bench bench-serving bench-large bench-decisions server soak

# Debian's own interpreter where there is one: a shim in front of it may lack venv or change its version from folder to folder.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
PROJECT ?= .
PORT ?= 5000
WORKERS ?= 2
SEED ?= 1
ROWS ?= 20000000
MINUTES ?= 50
OLDEST_SLICE ?= tests/test_cycle.py tests/test_registering.py tests/test_recipe.py tests/datasets tests/model_registry/test_contract.py
venv := .venv/bin/python
pip := $(venv) -m pip install --quiet --disable-pip-version-check --no-input -c constraints.txt
sources := retraining bench examples mlflow_server pipeline_orchestrator.py prediction_service.py register_first_model.py train_classification_model.py
tested := $(sources) tests

# One thread each: OpenMP crawls on small tables when processes share the cores.
test test-slow test-oldest coverage soak public-files bench bench-serving bench-decisions: export OMP_NUM_THREADS = 1

help:
	@echo "make demo             the job on real data, in a project of its own under build/"
	@echo "make install          what the job needs, into .venv"
	@echo "make test             the tests"
	@echo "make test-slow        the tests that take over 10 seconds each: kills, upgrades, whole first hours"
	@echo "make test-oldest      a slice of them on the oldest versions that are supported"
	@echo "make coverage         which lines and branches the tests reach; TESTS=tests/cycle asks a part of them"
	@echo "make check            ruff and mypy --strict"
	@echo "make format           let ruff format the code"
	@echo "make server           MLflow's UI; PROJECT=build/demo shows the demo, PORT=5001 another port"
	@echo "make serve            the prediction service; PROJECT=build/demo, PORT=8003 another port"
	@echo "make bench            how long a cycle takes, against a plain script"
	@echo "make bench-serving    how quickly the service answers, against MLflow's own server"
	@echo "make bench-large      what many rows take; ROWS=2000000 for fewer than 20 million"
	@echo "make bench-decisions  how well the policies decide; STREAMS=DIR plays streams of your own"
	@echo "make soak             hundreds of cycles with kills and faults, up to an hour; goes on where it was; SEED=2 tries others"
	@echo "make public-files     five tables of public repositories, fetched by pip, each taken to a promotion"

install: compiled

# A start that ends at the gate mostly loads code, and cron's user may have no right to keep what it compiled.
compiled: .venv/installed
	@$(venv) -m compileall -q retraining

demo: compiled
	$(venv) examples/electricity/demo.py
	$(venv) -m examples.electricity.loop

test: .venv/installed-for-development compiled
	$(venv) -m pytest -m "not soak and not slow" -n $(WORKERS) --dist worksteal -rs --junitxml=build/tests.xml $(TESTS)

test-slow: .venv/installed-for-development compiled
	$(venv) -m pytest -m slow -n $(WORKERS) --dist worksteal -rs $(TESTS)

# A quick slice on the oldest versions that pyproject.toml allows, in an environment of its own.
test-oldest: .venv-oldest/installed
	.venv-oldest/bin/python -m pytest -m "not soak and not browser and not mongodb and not server" -n $(WORKERS) -rs $(OLDEST_SLICE)

.venv-oldest/installed: pyproject.toml constraints-oldest.txt
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --no-input -c constraints-oldest.txt . pytest pytest-timeout pytest-xdist hypothesis
	.venv-oldest/bin/python -m pip uninstall --quiet --yes retraining
	@touch $@

coverage: .venv/installed-for-development compiled
	$(venv) -m pytest -m "not soak" -n $(WORKERS) --cov --cov-report=term --cov-report=html:build/coverage $(TESTS)

soak: .venv/installed-for-development
	$(venv) -m pytest -m soak -rs $(TESTS)
	$(venv) -m bench.soak --seed $(SEED) --minutes $(MINUTES)

public-files: .venv/installed-for-development compiled
	$(venv) -m pytest -m soak -q -s -rs tests/examples/test_public_files.py

check: .venv/installed-for-development
	.venv/bin/ruff check $(tested)
	.venv/bin/ruff format --check $(tested)
	.venv/bin/mypy

format: .venv/installed-for-development
	.venv/bin/ruff check --fix $(tested)
	.venv/bin/ruff format $(tested)

bench: .venv/installed-for-development compiled
	$(venv) -m bench.speed

bench-serving: .venv/installed-for-development compiled
	$(venv) -m bench.serving

bench-large: .venv/installed-for-development compiled
	$(venv) -m bench.scale places
	$(venv) -m bench.scale rows --rows $(ROWS)

bench-decisions: .venv/installed-for-development
	$(venv) -m bench.decisions $(STREAMS)

serve: PORT = 8002
serve: compiled
	$(venv) prediction_service.py --project $(PROJECT) --port $(PORT)

server: .venv/installed
	$(venv) mlflow_server/start_server.py --project $(PROJECT) --port $(PORT)

.venv/installed: requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "Python's venv module is needed: apt-get install python3-venv"; exit 1; }
	test -x $(venv) || $(PYTHON) -m venv .venv
	$(pip) -r requirements.txt
	@touch $@

.venv/installed-for-development: .venv/installed requirements-dev.txt requirements-postgres.txt requirements-scale.txt
	$(pip) -r requirements-dev.txt
	@touch $@

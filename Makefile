# Both commands of the README set up whatever they need; a second run finds it done.
PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv
RUN := $(VENV)/bin/python
# One more than there are cores, as some of the unit tests wait. Each worker collects all tests for itself.
WORKERS = $(shell $(RUN) -c "import os; print(1 + (os.cpu_count() or 1))")

.PHONY: help demo test unit generate check docs dist bench faults soak compat coverage mutants clean

help:  ## Say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check "uv>=0.8"

# The stamp is newer than what it was made from exactly when there is nothing to install. `--inexact` keeps uv itself.
$(VENV)/.synced: $(UV) pyproject.toml uv.lock
	$(UV) sync --quiet --locked --inexact --all-extras
	@touch $@

demo: $(VENV)/.synced  ## Run a web UI workflow on a real InvokeAI server, and leave pictures in ./out
	$(RUN) -m invokeai_py_client.cli.demo

# Without compiled modules, each of the programs that the tests start would compile all that it imports.
test unit: export PYTHONDONTWRITEBYTECODE =

test: check  ## Pass the tests, on a real InvokeAI server, in a Chromium and in shells, which are installed if that is possible
	@$(RUN) -m tests.programs
	$(RUN) -m pytest -n 6 --dist loadfile --no-loadscope-reorder --durations 20 --hypothesis-profile repeat

unit: $(VENV)/.synced  ## Pass the tests that need no InvokeAI server
	$(RUN) -m pytest -q -n $(WORKERS) --dist worksteal tests/unit tests/properties tests/test_architecture.py benchmarks/smoke.py

generate: $(VENV)/.synced  ## Write the blocking classes anew, after a change of an awaited one
	$(RUN) scripts/generate_blocking.py

check: $(VENV)/.synced  ## Lint and check types
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/basedpyright & second=$$!; $(VENV)/bin/mypy; first=$$?; wait $$second && exit $$first

docs: $(VENV)/.synced  ## Build the documentation site into out/site; a warning is an error
	$(RUN) -m scripts.build_docs

dist: $(VENV)/.synced  ## Build sdist and wheel into dist, and check the wheel in a clean environment
	$(RUN) -m scripts.dist

faults: $(VENV)/.synced  ## Print what faults of the network and the server are survived
	$(RUN) -m pytest -q tests/faults

soak: export CHAOS_SEEDS ?= 30
soak: $(VENV)/.synced  ## Run the chaos test with thirty seeds (takes ten minutes)
	$(RUN) -m pytest -q tests/faults/test_chaos.py

compat: $(VENV)/.synced  ## Pass the live tests on older servers too, and print a table
	$(RUN) scripts/compat.py

coverage: $(VENV)/.synced  ## Print what the tests on the real server cover of the calls and repositories; 95 % are wanted
	$(RUN) -m coverage run -m pytest -q tests/real
	$(RUN) -m coverage report

mutants: $(VENV)/.synced  ## Print how many sampled mutants the unit and property tests kill, by module (takes half an hour)
	$(UV) sync --quiet --locked --inexact --all-extras --group mutants
	$(RUN) scripts/mutants.py

bench: $(VENV)/.synced  ## Measure, and write the figures and plots of README and docs (takes an hour; PARTS="startup events": only these)
	$(UV) sync --quiet --locked --inexact --all-extras --group bench
	$(RUN) -m benchmarks $(PARTS)

clean:  ## Forget what the other commands made here (the servers in the cache stay)
	rm -rf $(VENV) out dist mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis

# On a new machine: python3 >= 3.11 and make. PYTHON=python3.12 chooses another interpreter, which
# install.sh reads from the environment.
BIN := .venv/bin
export LOCOMO_HOME ?= $(CURDIR)/.locomo

# Many images set it: hundreds of processes would then each compile what they import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test test-kills chaos bench simulate lint check azurite docs deploy-check image test-images test-kubernetes dev lock screenshot FORCE
help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: .venv/run  ## Measure the packaged sample with the stand-in; no key, no cost
	$(BIN)/locomo-assets run

test: .venv/test lint  ## The suite, and types beside it (PYTEST="-k name" for a part)
	@$(BIN)/mypy & types=$$!; \
	$(BIN)/python -m pytest -n 3 --dist worksteal --durations 20 --durations-min 5 $(PYTEST); \
	suite=$$?; wait $$types || { echo "error: types, as mypy says above" >&2; exit 1; }; exit $$suite

test-kills: .venv/test  ## A hundred killed writers of the history
	$(BIN)/python -m pytest locomo_assets_tests/history/test_processes.py --kills 100

LOCOMO10 ?= ../shared/data/locomo10.json
chaos: .venv/test  ## Killed runs over the whole of LOCOMO10, then each kind of fault (CHAOS="--part kills")
	$(BIN)/python -m locomo_assets_tests.chaos $(LOCOMO10) $(CHAOS)

BENCH_SHARE ?= 0.1
bench: .venv/test  ## Speed, memory, scale, as ratios (BENCH_SHARE=1: whole conversations; BENCH="--only whole")
	$(BIN)/python -m bench $(LOCOMO10) --share $(BENCH_SHARE) $(BENCH)

simulate: .venv/test  ## The simulations behind docs/statistics.md and docs/diagnosis.md (SIMULATE="--only NAME --write")
	$(BIN)/python -m bench.simulations $(SIMULATE)

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

check: lint  ## Lint, format, types, borders between rooms
	$(BIN)/mypy

azurite:  ## Azure Blob Storage for the history's tests, which are skipped without (needs npm)
	npm install --no-save --prefix .azurite azurite

docs: .venv/run  ## docs/settings.md, from the settings' own descriptions
	$(BIN)/locomo-assets settings > docs/settings.md

deploy-check: .venv/test  ## Render and validate what is in deploy/ (rendering needs kubectl)
	$(BIN)/python -m pytest -n 2 locomo_assets_tests/deploy

PYTHON_IMAGE ?= $(shell sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE ?= locomo-assets:$(VERSION)
image:  ## The image of a deployment: locomo-assets:VERSION (IMAGE, PYTHON_IMAGE)
	docker build --build-arg PYTHON_IMAGE=$(PYTHON_IMAGE) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse --short HEAD 2>/dev/null || echo unknown) -t $(IMAGE) .

SERVICES := locomo_assets_tests/kubernetes/services
test-images:  ## What `make test-kubernetes` deploys
	$(MAKE) image IMAGE=locomo-assets:test
	docker build --build-arg PYTHON_IMAGE=$(PYTHON_IMAGE) -t locomo-assets-test-services:test \
	  -f $(SERVICES)/Dockerfile .

test-kubernetes: .venv/test  ## Deploys to the cluster of KUBECONFIG, in the namespace locomo-test
	$(BIN)/python -m pytest --cluster locomo_assets_tests/kubernetes $(PYTEST)

dev: .venv/run  ## The Dagster UI over the runs of `make run`: http://127.0.0.1:3000 (PORT=3001)
	@$(BIN)/python -m locomo_assets.pipeline.dev $(if $(PORT),--port $(PORT))

screenshot: .venv/test  ## The docs' pictures, of the UI and the report (needs chromium)
	$(BIN)/python -m locomo_assets_tests.browser.pictures

COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-header --generate-hashes
lock: .venv/test  ## Pin again what pyproject.toml asks for, by version and hash
	$(COMPILE) --upgrade pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	$(COMPILE) --group object-store -c requirements-dev.lock -o $(SERVICES)/requirements.lock

.venv/run .venv/test: FORCE
	@RETRY="make $(MAKECMDGOALS)" sh install.sh $(@F)
FORCE:

# make demo   the whole product against local stand-ins of Discord and Spotify: no accounts, no tokens
# make test   format, lint, types and every test
# make run    the bot with the settings in .env
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# On Linux a plain torch brings gigabytes of CUDA libraries. Hand over the address of PyTorch's CPU index to avoid that:
#   make demo TORCH_INDEX_URL=…
TORCH_INDEX_URL ?=
TORCH_VERSION := 2.13.0
# How many processes share the tests; each takes whole files and may need a gigabyte.
TEST_PROCESSES ?= 2

.PHONY: venv demo test lint run clean
venv: $(VENV)/.installed

# torch first and alone: another index may serve it, and nothing else may pull a different build in.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL)) torch==$(TORCH_VERSION)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: venv
	$(BIN)/python -m sandbox

lint: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

run: venv
	$(BIN)/specrec-bot

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# `make run` starts livefake, `make test` checks everything. Both set up what they need the first time.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# OpenCV is linked against the system's OpenGL and GLib, which a server often lacks.
OPENCV_LIBRARIES := $(BIN)/python -c 'import cv2' 2>/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -q && apt-get install -q -y --no-install-recommends libgl1 libglib2.0-0; } \
	|| { echo "OpenCV needs two libraries of the system; on Debian: apt install libgl1 libglib2.0-0"; exit 1; }

.PHONY: run test check unit bench lock clean
.DELETE_ON_ERROR:

run: $(VENV)/.ready
	@exec $(BIN)/livefake serve

# Everything that CI checks: style, types, who imports whom, and all tests, a real browser included.
test: check unit

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/.ready-dev $(VENV)/.browser
	$(BIN)/pytest

bench: $(VENV)/.ready
	$(BIN)/livefake bench stages

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "livefake needs Python 3.11 or newer; set PYTHON=/path/to/it."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "Python cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }

$(VENV)/.ready: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the packages (about 850 MB on disk, once) ..."
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --editable .
	@$(OPENCV_LIBRARIES)
	$(BIN)/livefake weights fetch
	$(BIN)/livefake warm
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

# The browser tests use the system's Chromium, and its driver needs libatomic; without them those tests are skipped and
# say so.
$(VENV)/.browser: $(VENV)/.ready-dev
	@$(BIN)/python -c 'import sys; from benchmarks.browser import missing; sys.exit(bool(missing()))' \
	|| [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
	|| { apt-get update -q && apt-get install -q -y --no-install-recommends chromium libatomic1; }
	@touch $@

# Resolve the dependencies of pyproject.toml anew.
LOCK := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-find-links --no-emit-index-url --no-emit-trusted-host
lock: $(VENV)/.ready-dev
	$(PIP) install pip-tools
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist

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

# Programs of the system that tests run: Chromium, whose driver needs libatomic, OBS under a screen of its own, a relay,
# and PipeWire's camera. Tests whose program is not there are skipped and say so.
PROGRAMS := chromium libatomic1 obs-studio obs-plugins xvfb coturn \
	pipewire wireplumber libpipewire-0.3-dev xdg-desktop-portal dbus-x11
$(VENV)/.browser: $(VENV)/.ready-dev
	@$(BIN)/python -c 'import shutil, sys; from benchmarks import browser, obs; there = map(shutil.which, sys.argv[1:]); \
		sys.exit(bool(browser.missing() or obs.missing() or not all(there)))' \
		turnserver pipewire wireplumber pw-cli dbus-launch \
	|| [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
	|| { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $(PROGRAMS); }
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

# Jano for ComfyUI. Everything runs on a fresh machine: what is missing is installed below .venv/ and .comfyui/ first.
#
#   make PYTHON=python3.12 ...               the Python that creates .venv
#   make COMFYUI_VERSION=0.24.0 ...          another ComfyUI than the reference one (host/archive.py lists them)
#   COMFYUI_PATH=... COMFYUI_PYTHON=... make ...   your own ComfyUI and its Python; nothing is installed into it

MAKEFLAGS += --no-print-directory
PYTHON ?= python3
PROVISION = $(PYTHON) -m host.provision
HOST_PYTHON = "$$($(PYTHON) -m host.location)"

.PHONY: host demo test pythons bench lint clean

host:
	@$(PROVISION)

demo:
	@$(PROVISION)
	@$(HOST_PYTHON) demo/run.py

test:
	@$(PROVISION) --needs pytest xdist playwright vermin --browser
	@$(HOST_PYTHON) -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

# The unit tests and the pack's import on each Python from 3.10 to 3.13 that is found: 3 minutes and 6 GB for each.
pythons:
	@$(PROVISION)
	@$(PYTHON) -m host.pythons

bench:
	@$(PROVISION)
	@$(HOST_PYTHON) bench/run.py

lint:
	@$(PROVISION) --needs ruff
	@$(HOST_PYTHON) -m ruff check .
	@$(HOST_PYTHON) -m ruff format --check .

# Not .venv/ and .comfyui/: they take minutes and gigabytes to come back.
clean:
	rm -rf build .pytest_cache .ruff_cache
	find . \( -path ./.venv -o -path ./.comfyui -o -path ./.git \) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

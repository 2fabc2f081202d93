# `make demo` and `make test` are all a new checkout needs; each installs first.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python
# PyMC writes its ZarrTrace with zarr 2, and the xarray of the main environment needs zarr 3.
ZARR2 := .venv-zarr2
WORKERS ?= 2

.PHONY: install demo test test-zarr2 soak bench lint notebooks

install: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { \
	  echo; \
	  echo "pymc-safetrunc needs Python 3.12 or newer (PyMC 6 does), and '$(PYTHON)' is:"; \
	  $(PYTHON) --version || true; \
	  echo "Install one ('uv python install 3.13', 'pyenv install 3.13', or your system's package),"; \
	  echo "then name it:  make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3.13"; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet --editable '.[test]'
	@touch $(STAMP)

demo: install
	$(RUN) -m pymc_safetrunc demo

# The notebooks run too, each with the few draws that the metadata of its first cell ask for.
test: install
	$(RUN) -m pytest --nbmake -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m 'not soak'

# Execute the notebooks in full and write their outputs, to be committed.
notebooks: install
	$(VENV)/bin/jupyter execute --inplace notebooks/*.ipynb

# numcodecs 0.15 decodes the pickled sampling state only where it is told to.
test-zarr2: $(ZARR2)/.installed
	NUMCODECS_ALLOW_UNSAFE_PICKLE_DECODE=1 $(ZARR2)/bin/python -m pytest tests/watchdog/zarr_trace.py

$(ZARR2)/.installed: $(STAMP)
	$(RUN) -m venv --clear $(ZARR2)
	$(ZARR2)/bin/python -m pip install --quiet --editable . pytest 'zarr<3' 'numcodecs<0.16'
	@touch $@

soak: install
	$(RUN) -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder -m soak

bench: install
	$(RUN) -m benchmarks

lint: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

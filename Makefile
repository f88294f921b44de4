# The commands of this project: `make help` lists them. Needs Python 3.11 or newer, make and a package registry.

# Empty: the first of the candidates that is new enough. Or name one: make test PYTHON=/path/to/python3.12
PYTHON ?=
CANDIDATES = $(or $(PYTHON),python3 python3.13 python3.12 python3.11)

# As many test files run at once: most tests keep one core busy, and a third of the time they wait for a browser or a server.
WORKERS ?= 3

VENV = .venv
CLIENTS = .venv-clients
MUTANTS = .venv-mutants
IN_VENV = $(VENV)/bin/python -m
SOURCES = src tests benchmarks examples
PROTOCOLS = src/tellapart/serving/protocols
# What the site shows, as it lies in the repository, so that links between files hold on both.
SITE = README.md README.zh-CN.md CHANGELOG.md CONTRIBUTING.md docs recipes deploy benchmarks
TEXTS = $(SOURCES) docs deploy .ci Makefile mkdocs.yml pyproject.toml README.md CHANGELOG.md CONTRIBUTING.md

# uv leaves bytecode to the first import, and where this variable is set every process would compile torch anew
# (12 s each). Compiling all of the packages at set-up instead takes 34 s; most of them are never imported.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PRECIOUS: $(VENV)/.installed-%
.PHONY: help demo test check format types collected imports spelling deployment docs mutants constraints protocols graphs gpu clean

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed-demo ## Set up, then train and test on real solar cells and predict a few.
	@$(VENV)/bin/tellapart demo

test: $(VENV)/.installed-dev $(CLIENTS)/.installed ## Set up, then run the whole test suite (all but the long ones and those for a GPU, Triton, heavy converters, Ray or a store's server).
	@OMP_WAIT_POLICY=passive $(IN_VENV) pytest -m "not export and not gpu and not long and not ray and not remote and not triton" --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.installed-dev ## What CI runs: format, lint, types, imports, spelling, deployment, docs, then `make test`.
	$(IN_VENV) ruff format --check $(SOURCES)
	$(IN_VENV) ruff check $(SOURCES)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target collected types docs imports spelling deployment
	@$(MAKE) --no-print-directory test

format: $(VENV)/.installed-dev ## Format the code and repair what the linter can.
	$(IN_VENV) ruff check --fix-only --quiet $(SOURCES)
	$(IN_VENV) ruff format $(SOURCES)

# The processes of the tests would otherwise each compile all of them, and PyTorch, at the same time.
collected: $(VENV)/.installed-dev
	@$(IN_VENV) pytest --collect-only --quiet > $(VENV)/collected.txt || { cat $(VENV)/collected.txt; exit 1; }

types: $(VENV)/.installed-dev ## Check the types of src.
	$(IN_VENV) mypy

imports: $(VENV)/.installed-dev ## Check who may import whom (the contracts are in .importlinter).
	$(VENV)/bin/lint-imports

spelling: $(VENV)/.installed-dev ## Check the spelling of code and documents.
	$(IN_VENV) codespell_lib $(wildcard $(TEXTS))

deployment: $(VENV)/.installed-dev ## Check the Dockerfile and the files for Compose and Kubernetes.
	$(VENV)/bin/hadolint deploy/Dockerfile deploy/ray/Dockerfile examples/web/Dockerfile
	$(VENV)/bin/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml)) deploy/ray/data.yaml deploy/ray/network.yaml
	$(VENV)/bin/check-jsonschema --quiet --schemafile deploy/ray/rayjob.schema.json deploy/ray/predict.yaml deploy/ray/train.yaml
	$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec $(wildcard deploy/compose*.yaml) examples/web/compose.yaml

# Not --quiet, with which --strict sees no warning.
docs: $(VENV)/.installed-dev ## Build the documents as a site, in English and Chinese, into build/site; a dead link fails.
	@rm -rf build/pages build/site && mkdir -p build/pages
	@ln -s $(addprefix ../../,$(SITE)) build/pages/
	@NO_MKDOCS_2_WARNING=1 $(IN_VENV) mkdocs build --strict
	@echo "The site is in build/site: open build/site/index.html."

mutants: $(MUTANTS)/.installed ## Break lines on purpose and count what the tests notice (hours; the next call goes on).
	@$(MUTANTS)/bin/python benchmarks/mutants.py --processes $(WORKERS) $(ARGS)

constraints: $(VENV)/.installed-dev ## Pin the newest versions that pyproject.toml allows in constraints.txt.
	@printf 'hatchling>=1.25\neditables>=0.5\n' > $(VENV)/build.in
	$(VENV)/bin/uv pip compile --upgrade --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --extra dev --extra remote --extra ray pyproject.toml $(VENV)/build.in --output-file constraints.txt
	$(VENV)/bin/uv pip compile --upgrade --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url tests/serving/clients.in --output-file tests/serving/clients.txt
	@printf 'mutmut>=3.8\n' > $(VENV)/mutants.in
	$(VENV)/bin/uv pip compile --upgrade --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --constraint constraints.txt $(VENV)/mutants.in --output-file benchmarks/mutants_requirements.txt

protocols: $(CLIENTS)/.installed ## Describe the .proto files again for the server; after a change of one of them.
	$(CLIENTS)/bin/python -m grpc_tools.protoc -I$(PROTOCOLS) --descriptor_set_out=$(PROTOCOLS)/protocols.binpb \
		health.proto open_inference.proto tensorflow_serving.proto

graphs: $(VENV)/.installed-dev ## Keep the embedded networks' graphs anew; after a change of what an export writes.
	$(IN_VENV) tellapart.models.keeping

gpu: $(VENV)/.installed-dev ## On a machine with a GPU: its tests, the same answers as on the CPU, memory, speed; under eight minutes.
	@$(IN_VENV) benchmarks.gpu $(ARGS)

figures: $(VENV)/.installed-dev ## Work out anew what the listed networks cost; after a change of which are listed.
	$(IN_VENV) tellapart.models.measuring

clean: ## Remove the environment and everything that the tools keep; runs/ stays.
	rm -rf $(VENV) $(CLIENTS) $(MUTANTS) .npm mutants build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps go before an installation and come after it. With none left, an installation was cut short, and the
# environment is made anew rather than trusted. [dev] holds all of [demo], hence both stamps.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	@set -e; python=; \
	if ! ls $(VENV)/.installed-* >/dev/null 2>&1 || ! $(VENV)/bin/uv --version >/dev/null 2>&1; then \
		for candidate in $(CANDIDATES); do \
			if "$$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
			then python="$$candidate"; break; fi; \
		done; \
		if test -z "$$python"; then \
			echo "None of these is Python 3.11 or newer with the venv module: $(CANDIDATES)." >&2; \
			echo "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version) ..."; \
		"$$python" -m venv --clear $(VENV); \
		$(IN_VENV) pip install --quiet --constraint constraints.txt uv; \
	fi; \
	rm -f $(VENV)/.installed-*; \
	echo "Installing tellapart[$*] into $(VENV) ..."; \
	$(VENV)/bin/uv pip install --python $(VENV)/bin/python --quiet \
		--constraint constraints.txt --build-constraint constraints.txt --editable '.[$*]' \
	|| { echo "uv could not; trying pip, which may know another package registry ..." >&2; \
		$(IN_VENV) pip install --quiet --constraint constraints.txt --editable '.[$*]'; }; \
	touch $(VENV)/.installed-demo $@

# Clients that others wrote want older versions of packages that we use (kserve: protobuf 6), so they live apart.
$(CLIENTS)/.installed: tests/serving/clients.txt | $(VENV)/.installed-dev
	@echo "Installing clients that others wrote into $(CLIENTS) ..."
	@$(VENV)/bin/uv venv --quiet --clear --python $(VENV)/bin/python $(CLIENTS)
	@$(VENV)/bin/uv pip install --quiet --python $(CLIENTS)/bin/python --requirement tests/serving/clients.txt \
	|| $(IN_VENV) pip --python $(CLIENTS)/bin/python install --quiet --requirement tests/serving/clients.txt
	@touch $@

# The tool that breaks lines, beside all of $(VENV), which it finds through a .pth file: torch is not installed twice.
$(MUTANTS)/.installed: benchmarks/mutants_requirements.txt | $(VENV)/.installed-dev
	@echo "Installing mutmut into $(MUTANTS) ..."
	@$(VENV)/bin/uv venv --quiet --clear --python $(VENV)/bin/python $(MUTANTS)
	@$(VENV)/bin/uv pip install --quiet --python $(MUTANTS)/bin/python --requirement $< \
	|| $(IN_VENV) pip --python $(MUTANTS)/bin/python install --quiet --requirement $<
	@$(VENV)/bin/python -c 'import site; print(f"import site; site.addsitedir({site.getsitepackages()[0]!r})")' \
		> "$$($(MUTANTS)/bin/python -c 'import site; print(site.getsitepackages()[0])')/beside.pth"
	@touch $@

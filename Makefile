# Everything a contributor or an operator types. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-spark debian debian-java debian-image debian-bench checkov run test test-slow check lint types
.PHONY: update verify wheel glue bench image sbom clean

PORT ?= 8000
VENV := .venv
SBOM ?= dist
# where this is set, each process compiles every library anew: 2 s before a server, a fetch or a training does anything
unexport PYTHONDONTWRITEBYTECODE
PYTHON := $(VENV)/bin/python

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## create .venv with everything the lock names

$(VENV)/.ready: pyproject.toml uv.lock tools/setup.sh
	@tools/setup.sh $(VENV)
	@touch $@

setup-spark: $(VENV)/.spark ## Spark into .venv, for cripto train --engine spark and its tests; it needs Java 17

$(VENV)/.spark: $(VENV)/.ready
	@tools/setup.sh $(VENV) spark
	@touch $@

debian: ## Debian packages that a few tests use and otherwise skip on, loudly (as root)
	apt-get update -q
	apt-get install -y -q --no-install-recommends prometheus ceph-mon ceph-osd radosgw ceph-common

debian-java: ## the Debian package of Java 17, which Spark runs on (as root)
	apt-get update -q
	apt-get install -y -q --no-install-recommends openjdk-17-jre-headless

debian-bench: ## Debian packages that the serving benchmark uses: wrk and, as a yardstick, nginx (as root)
	apt-get update -q
# only nginx's program is used: in this run level Debian starts no service when it installs one
	RUNLEVEL=1 apt-get install -y -q --no-install-recommends wrk nginx-light

debian-image: ## Debian packages that build and run the images without a Docker engine (as root)
	apt-get update -q
# podman would have systemd watch a socket: in this run level Debian starts no service when it installs one
	RUNLEVEL=1 apt-get install -y -q --no-install-recommends buildah podman runc debootstrap catatonit

checkov: .tools/checkov/.ready ## the checker of manifests that a slow test uses, in an environment of its own (300 MB)

.tools/checkov/.ready: tools/checkov.txt | $(VENV)/.ready
	rm -rf .tools/checkov
	.uv/bin/uv venv --quiet --seed --python $(PYTHON) .tools/checkov
	.tools/checkov/bin/python -m pip install --quiet --require-hashes --no-deps --requirement tools/checkov.txt
	@touch $@

run: setup ## candles, training if there is no release, and the API on PORT (8000)
	@PORT=$(PORT) $(VENV)/bin/cripto up

test: setup ## the default test suite, with the coverage gate
	$(VENV)/bin/pytest -n auto --dist loadgroup --cov --cov-report=term

test-slow: setup ## the suites that take minutes
	$(VENV)/bin/pytest -m slow --no-cov -n auto --dist loadfile

lint: setup ## style, import layers and fences
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

types: setup ## mypy --strict on everything
	$(VENV)/bin/mypy

check: lint types verify test ## what CI runs, before the slow suites

update: setup ## regenerate what is generated: requirements.txt, openapi.json, the CLI reference
	$(PYTHON) tools/generate.py

verify: setup ## fail when a generated file is out of date
	$(PYTHON) tools/generate.py --check

wheel: setup ## a wheel of this project into dist
	.uv/bin/uv build --quiet --wheel --out-dir dist

glue: wheel ## what an AWS Glue job takes, into dist/glue: script, wheel, requirements, arguments
	$(PYTHON) tools/glue.py

bench: setup ## the benchmarks; nothing here is a test
	$(PYTHON) -m benchmarks

image: setup ## both images, without a Docker engine, in the folder var/image (as root; make debian-image)
	$(PYTHON) tools/image.py var/image

sbom: setup ## CycloneDX lists of what each image installs, from the lock, in dist
	@mkdir -p $(SBOM)
	.uv/bin/uv export --quiet --frozen --format cyclonedx1.5 --extra serve --no-dev --output-file $(SBOM)/cripto-prediction-api.cdx.json
	.uv/bin/uv export --quiet --frozen --format cyclonedx1.5 --extra collect --extra train --no-dev --output-file $(SBOM)/cripto-prediction-jobs.cdx.json

clean: ## remove the environment, caches and the local store
	rm -rf $(VENV) .uv .tools var dist .coverage* htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

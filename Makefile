# Everything a developer runs. `make help` lists it. Nothing here needs more than python3, pip and (for some targets) apt.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
DEMO_STAMP = $(VENV)/.installed-demo

# Images of Python often say 1: then every process compiles all that it imports, which takes as long as to run it. Empty
# is no.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help install lock lint types imports check test tests unit envoy golden crds picture demo bench bench-operator bench-budgets bench-start bench-streams bench-check bench-cache bench-rules clean clients fuzz soak cluster cluster-down images release e2e e2e-regions system

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## Create the environment (.venv) with everything that tests and demo need

$(STAMP): pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --no-compile --constraint requirements.txt --editable '.[demo,operator,budget,init]' --group dev
	$(BIN)/pip install --quiet --no-compile --constraint requirements.txt --no-deps --group apart
	@# On all cores, which pip does not. Of the Kubernetes client, two thirds of all that there is, a tenth is ever imported.
	@$(BIN)/python -m compileall -q -j 0 -x '/(kubernetes|pip|setuptools|pkg_resources)/' $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@ $(DEMO_STAMP)

# The demo needs no test tools and no operator: a third of the time.
$(DEMO_STAMP): pyproject.toml requirements.txt
	@echo "Installing into $(VENV)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[demo]'
	@touch $@

lock: install ## Write requirements.txt anew: what is installed now, exactly
	@{ head -n 1 requirements.txt; $(BIN)/pip freeze --exclude-editable --exclude setuptools; } >.requirements.new
	@mv .requirements.new requirements.txt

lint: install ## Style: ruff with all rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## Types: mypy, strict
	$(BIN)/mypy

imports: install ## Layers: import-linter. Dependencies: deptry
	$(BIN)/lint-imports
	$(BIN)/deptry .

demo: $(DEMO_STAMP) ## See it work: three regions on this machine, until Ctrl-C (ONCE=1: ends by itself)
	@$(BIN)/fairlead demo $(if $(ONCE),--once)

picture: install system ## Make README's picture of the console anew, from the demo
	FAIRLEAD_PICTURE=1 $(BIN)/pytest -q tests/demo/test_demo.py -k whole_story

crds: install ## Generate crds/ and the reference from the models
	$(BIN)/python docs/generate.py

golden: install ## Refresh the golden files, and Grafana's boards in the chart
	$(BIN)/pytest tests/golden --update-golden -q
	$(BIN)/python -m dashboards

unit: install ## Tests that need no Envoy
	$(BIN)/pytest -q -m 'not envoy'

envoy: install ## Tests on real Envoys
	$(BIN)/pytest -q -m envoy

fuzz: install system ## A million bodies against parsers in five languages, 10,000 answers, as many damaged states, more worlds (some minutes)
	FAIRLEAD_FUZZ_COUNT=$(FUZZ_COUNT) FAIRLEAD_FUZZ_SEED=$(FUZZ_SEED) $(BIN)/pytest -q \
		tests/attacks/test_parsers_agree.py tests/envoy/test_request_filter_fuzz.py tests/envoy/test_rules_fuzz.py \
		tests/attacks/test_answers_fuzz.py tests/attacks/test_state_fuzz.py
	$(BIN)/pytest -q --hypothesis-profile fuzz --hypothesis-seed $(FUZZ_SEED) tests/properties tests/crd tests/unit/envoy/test_judge.py

soak: install system ## Twenty minutes of load and edits take no more memory than five; a thousand reloads; the operator (root), on a cluster
	FAIRLEAD_SOAK_S=$(SOAK_S) $(BIN)/pytest -q -s tests/standalone/test_soak.py
	FAIRLEAD_RELOADS=$(RELOADS) $(BIN)/pytest -q tests/standalone/test_changes.py -k reloads_under_load
	FAIRLEAD_SOAK_S=$(SOAK_S) $(MAKE) e2e E2E_OPTIONS='-s -k soak'

SOAK_S ?= 1200
RELOADS ?= 1000

# Another seed makes other bodies: `make fuzz FUZZ_SEED=$$(date +%s)`.
FUZZ_COUNT ?= 1000000
FUZZ_SEED ?= 20260601

check: lint types imports unit ## What every commit must pass

system: ## Install the Debian packages that tests run, if they are missing (a store, Prometheus, a browser, other languages' JSON parsers)
	@tests/system.sh

CHECKS = build/checks.log

test: install system ## Everything, some ten minutes on two cores
	@mkdir -p $(dir $(CHECKS))
	@nice -n 5 $(MAKE) --no-print-directory lint types imports >$(CHECKS) 2>&1 & checks=$$!; status=0; \
		$(MAKE) --no-print-directory tests || status=1; \
		wait $$checks || status=1; cat $(CHECKS); exit $$status

# Workers take whole files: tests of a file share servers, and tests claim the ports that they listen on. Five for
# two cores: more than half of the time they wait for processes, timers and probes (tests/conftest.py gives the order).
WORKERS ?= 5

tests: ## Tests alone (AFRESH='tests/a.py tests/b.py': these files, one after the other)
	$(BIN)/pytest --durations 10 $(TEST_OPTIONS) \
		$(if $(AFRESH),$(AFRESH),--numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder)

CLUSTER ?= fairlead

cluster: ## Boot a real one-node Kubernetes (root; the first time builds it, 8 minutes), print its KUBECONFIG
	@e2e/cluster/up.sh $(CLUSTER)

cluster-down: ## End that cluster (CLUSTER=name for another one)
	@e2e/cluster/down.sh $(CLUSTER)

images: install ## All images as OCI archives in build/images, without Docker or a registry
	@images/build.sh build/images

release: install ## Wheel, chart, images, bills of materials, signed sums: KEY=... is a GPG key (docs/release.md)
	@release/build.sh $(KEY)

PEERS = build/peers

EXTPROC = benchmarks/gateways/extproc

$(PEERS)/.installed: benchmarks/gateways/peers.txt benchmarks/gateways/package.json $(EXTPROC)/go.mod
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --requirement benchmarks/gateways/peers.txt
	cp benchmarks/gateways/package.json $(PEERS)/
	npm install --silent --prefix $(PEERS)
	command -v wrk >/dev/null || apt-get install -y -qq wrk
	cd $(EXTPROC) && go build -o $(abspath $(PEERS))/extproc github.com/envoyproxy/ai-gateway/cmd/extproc
	@touch $@

bench-operator: images ## How the operator scales: the compiler alone, then on a cluster that is booted for it (root)
	$(BIN)/python -m benchmarks.operator_scale
	PYTHONPATH=tests $(BIN)/python -m benchmarks.operator_changes --changes 10
	PYTHONPATH=e2e $(BIN)/python -m benchmarks.operator_cluster

bench-budgets: install ## What the budget server and its check cost (a minute or two)
	$(BIN)/python -m benchmarks.budgets.cost
	$(BIN)/python -m benchmarks.budgets.latency

bench-start: install ## How long `fairlead up` takes to the first answer, without budgets and with (some minutes)
	$(BIN)/python -m benchmarks.start

bench-streams: install ## What an answer costs, in one piece, as a burst and event by event; writes docs/benchmarks.md (some minutes)
	$(BIN)/python -m benchmarks.streams

.PHONY: bench-floods
bench-floods: install ## What gateways of 256 MiB, 512 MiB and 1 GiB stand, each flood for ten seconds (root; ten minutes)
	$(BIN)/python -m benchmarks.floods $(if $(MEMORY),--memory $(MEMORY)) $(if $(FLOOD),--only '$(FLOOD)')

bench-check: install ## Fail where an answer costs a third more than docs/benchmarks.md says, or the filter that reads it by half (a minute)
	$(BIN)/python -m benchmarks.streams --check

bench-cache: install ## What kept answers cost, hits and misses (a minute or two)
	PYTHONPATH=tests:tests/envoy $(BIN)/python -m benchmarks.cache $(if $(ROUNDS),--rounds $(ROUNDS))

bench-rules: install ## What rules cost, on size and on text, and a classifier (some minutes)
	PYTHONPATH=tests:tests/envoy $(BIN)/python -m benchmarks.rules $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: bench-cascade
bench-cascade: install ## What a cascade costs, with a good first answer and with a rejected one (a minute or two)
	PYTHONPATH=tests:tests/envoy $(BIN)/python -m benchmarks.cascade $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: bench-translation
bench-translation: install ## What requests and answers in another API's words cost, whole and streamed (a minute or two)
	PYTHONPATH=tests:tests/envoy $(BIN)/python -m benchmarks.translation $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: bench-day
bench-day: install ## A day of twelve million requests as this machine carries it, a region lost in its spike (WRITE=1: docs/scale.md; 6 minutes; needs go)
	$(BIN)/python -m benchmarks.day $(if $(WRITE),--write)

.PHONY: bench-content
bench-content: bench-rules bench-cascade bench-cache bench-translation ## What content costs: rules, classifier, cascade, kept answers, other words

bench: install $(PEERS)/.installed ## Compare with other gateways, write docs/benchmarks.md (minutes; needs node and go)
	PEERS=$(abspath $(PEERS)) $(BIN)/python -m benchmarks.gateways
	$(MAKE) bench-content

CLIENTS = build/clients

# Nothing but what the two lists name, in exact versions; npm's scripts of packages do not run.
$(CLIENTS)/.installed: e2e/clients/requirements.txt e2e/clients/package.json e2e/clients/package-lock.json
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet --no-compile --no-deps --disable-pip-version-check \
		--requirement e2e/clients/requirements.txt
	cp e2e/clients/package.json e2e/clients/package-lock.json $(CLIENTS)/
	npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(CLIENTS)
	@touch $@

clients: install $(CLIENTS)/.installed ## Run what docs/clients shows, with other people's packages, and say what it printed
	$(BIN)/pytest -q -s $(CLIENTS_OPTIONS) e2e/clients

# KUBECONFIG counts only as `make e2e KUBECONFIG=...`: whoever has one in the environment did not ask for tests there.
E2E_KUBECONFIG = $(if $(filter command line,$(origin KUBECONFIG)),$(KUBECONFIG))

e2e: install system ## End-to-end tests on a real Kubernetes: one booted for them, or KUBECONFIG=... for one that is there
	@test -n "$(E2E_KUBECONFIG)" || e2e/cluster/preflight.sh
	$(MAKE) images
	@test -n "$(E2E_KUBECONFIG)" || e2e/cluster/build.sh >/dev/null
	E2E_KUBECONFIG="$(E2E_KUBECONFIG)" $(BIN)/pytest --verbose --durations=15 --ignore=e2e/regions --ignore=e2e/clients $(E2E_OPTIONS) e2e

e2e-regions: install ## Three regions as network namespaces, a fault in one: what clients notice; writes docs/failover.md (root)
	e2e/regions/preflight.sh
	FAIRLEAD_OWN_MOUNTS=1 nice -n -19 unshare --net --mount $(BIN)/pytest --verbose --durations=5 $(E2E_REGIONS_OPTIONS) e2e/regions

clean: ## Remove the environment and what was built
	rm -rf $(VENV) build .demo

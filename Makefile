# Every command of the repository. `make` alone lists them.
#
# What is built is kept outside the clone, so that another clone finds it again.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/broadside
export CARGO_TARGET_DIR ?= $(CACHE)/target
# Where cargo puts our programs: .cargo/config.toml names the host as the target.
PROGRAMS = $(CARGO_TARGET_DIR)/$(shell rustc --version --verbose | sed -n 's/^host: //p')/debug

# Flags of the environment would take the place of ours, and with them static linking, without which no image starts.
unexport RUSTFLAGS
unexport CARGO_ENCODED_RUSTFLAGS

# Lets `BROADSIDE_DEMO_SEED=3 make demo` and the like through to the programs; see `make demo ARGS=--help`.
ARGS ?=

.DEFAULT_GOAL := help
# What generation is compared with.
PEERS := worker/benches/peers

.PHONY: help demo programs where demo-down test test-endpoint test-api test-versions test-kueue test-flux test-argo-cd test-alerts fuzz-gateway applications nats-server test-faults bench bench-gateway bench-soak bench-stream bench-many bench-stores bench-experiment bench-peers bench-generation figures oracles lint audit generate model ready

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(if $(filter current,$(CLUSTER)),,ready) ## From one manifest to a decided winner on a real Kubernetes (Linux, root; CLUSTER=current REGISTRY=.. LOAD=..)
	@echo "building Broadside; the first time this takes some six minutes on two cores"
	cargo build --locked --workspace --bins
	@"$(PROGRAMS)/demo" $(if $(CLUSTER),--cluster '$(CLUSTER)') $(if $(REGISTRY),--registry '$(REGISTRY)') $(if $(LOAD),--load '$(LOAD)') $(ARGS)

programs: ## Build broadside, worker, gateway and operator
	cargo build --locked --workspace --bins

where: ## Say in which folder they are
	@echo "$(PROGRAMS)"

demo-down: ## Remove the demonstration's cluster and everything of it (root, as the demonstration)
	@[ "$$(id -u)" = 0 ] || { echo "the demonstration's cluster is root's: run the same command as root" >&2; exit 1; }
	@[ -x "$(PROGRAMS)/broadside-cluster" ] || cargo build --locked --package broadside-cluster
	@"$(PROGRAMS)/broadside-cluster" down --name demo

test: ready applications nats-server ## Run every test, those on a real cluster too (Linux, root)
	cargo test --locked --workspace --no-fail-fast

# pip compiles the server from source, eleven minutes of CPU: too long for `make test` on every new machine.
test-endpoint: ## Install llama-cpp-python's server and test generation against it (Python 3.11, internet)
	@python3 -m venv "$(CACHE)/endpoint/venv"
	"$(CACHE)/endpoint/venv/bin/pip" install --quiet --requirement worker/tests/endpoint/requirements.txt
	BROADSIDE_TEST_ENDPOINT=demanded cargo test --locked --workspace --test endpoint

test-api: ## Install schemathesis and hold the gateway to docs/schemas/openapi.json (Python 3.11, internet)
	@python3 -m venv "$(CACHE)/api/venv"
	"$(CACHE)/api/venv/bin/pip" install --quiet --disable-pip-version-check \
	  --requirement gateway/tests/it/schemathesis/requirements.txt
	cargo test --locked --package broadside-gateway --test it schemathesis

fuzz-gateway: ## Try ten million inputs that are nearly right on the gateway (FUZZ_INPUTS=.. FUZZ_SEED=..)
	FUZZ_INPUTS=$(or $(FUZZ_INPUTS),10000000) cargo test --locked --release --package broadside-gateway --test it fuzz

# `make test` has the chart and a campaign on each, and all else on the newest.
VERSIONS := 1.34 1.35 1.36
test-versions: ready ## Run the suites plane and faults on older versions of Kubernetes too (Linux, root; half an hour)
	cargo build --locked --workspace --bins
	@set -e; for version in $(VERSIONS); do echo "Kubernetes $$version"; \
	  BROADSIDE_TEST_KUBERNETES=$$version cargo test --locked --workspace --test plane --test faults; done

# Kueue is compiled from source, ten minutes of two cores: too long for `make test` on every new machine.
KUEUE := v0.17.0
test-kueue: ready ## Build Kueue with Go and test Jobs that wait for their turn in it (Linux, root)
	@sh tests/tests/kueue/build.sh "$(CACHE)/kueue/$(KUEUE)" $(KUEUE)
	cargo build --locked --workspace --bins
	BROADSIDE_TEST_KUEUE="$(CACHE)/kueue/$(KUEUE)" cargo test --locked --workspace --test kueue

# So are the controllers of Flux that the example of examples/gitops needs, twenty minutes of two cores.
FLUX := source-controller@v1.8.0 kustomize-controller@v1.7.3 helm-controller@v1.4.0
FLUX_FOLDER = $(CACHE)/flux/$(subst $() ,_,$(FLUX))
test-flux: ready ## Build Flux' controllers with Go and have them apply examples/gitops (Linux, root)
	@sh tests/tests/gitops/flux/build.sh "$(FLUX_FOLDER)" $(FLUX)
	cargo build --locked --workspace --bins
	BROADSIDE_TEST_FLUX="$(FLUX_FOLDER)" cargo test --locked --workspace --test gitops flux_installs

# And so is Argo CD, ten minutes of two cores.
ARGO_CD := v3.2.11
MINIREDIS := v2.35.0
test-argo-cd: ready ## Build Argo CD with Go and have it apply examples/gitops (Linux, root)
	@sh tests/tests/gitops/argo-cd/build.sh "$(CACHE)/argo-cd/$(ARGO_CD)" $(ARGO_CD) $(MINIREDIS)
	cargo build --locked --workspace --bins
	BROADSIDE_TEST_ARGO_CD="$(CACHE)/argo-cd/$(ARGO_CD)" cargo test --locked --workspace --test gitops argo_cd_installs

# Prometheus' tool is compiled from source with all that it can discover, ten minutes of two cores.
PROMETHEUS := v0.316.0
test-alerts: ready ## Build Prometheus' promtool with Go and try each alert on data (Go, internet)
	@[ -x "$(CACHE)/promtool/$(PROMETHEUS)/promtool" ] || { mkdir -p "$(CACHE)/promtool/$(PROMETHEUS)" && \
	  PATH="$$PATH:/usr/local/go/bin" CGO_ENABLED=0 GOBIN="$(CACHE)/promtool/$(PROMETHEUS)" \
	  go install github.com/prometheus/prometheus/cmd/promtool@$(PROMETHEUS); }
	BROADSIDE_TEST_PROMTOOL="$(CACHE)/promtool/$(PROMETHEUS)/promtool" cargo test --locked --workspace --test chart each_alert_fires

# The SDKs of applications and a browser are seconds to install, so they are a part of `make test` wherever they can be had.
# Each fails alone, says so, and leaves nothing half done; the tests that need it then say that they did not run.
APPLICATIONS := gateway/tests/it
applications:
	@{ python3 -m venv "$(CACHE)/applications/venv" && "$(CACHE)/applications/venv/bin/pip" install --quiet --retries 1 \
	  --disable-pip-version-check --requirement $(APPLICATIONS)/applications/requirements.txt; } || \
	  { rm -rf "$(CACHE)/applications/venv"; \
	  echo "the SDKs of applications can't be installed (Python 3.10 with venv, internet): their tests will not run" >&2; }
	@{ mkdir -p "$(CACHE)/applications/npm" && cp $(APPLICATIONS)/clients/package.json "$(CACHE)/applications/npm" && \
	  npm install --prefix "$(CACHE)/applications/npm" --silent --no-package-lock --no-audit --no-fund --prefer-offline \
	  --fetch-retries 1 --fetch-retry-mintimeout 1000 --fetch-retry-maxtimeout 2000; } || \
	  { rm -rf "$(CACHE)/applications/npm"; \
	  echo "OpenFeature's SDKs for JavaScript can't be installed (Node 20 with npm, internet): their tests will not run" >&2; }
	@for name in chromium google-chrome chromium-browser chrome; do ! command -v $$name >/dev/null || exit 0; done; \
	  { [ "$$(id -u)" = 0 ] && apt-get update --quiet=2 --option Acquire::Retries=1 && \
	  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium >/dev/null; } || \
	  echo "Chromium is missing and can't be installed (root, apt-get, internet): its tests will not run" >&2

test-faults: applications nats-server ## Kill the ledger 200 times under load, one nats-server of three 20 times, and the operator after each of its writes (fifteen minutes)
	BROADSIDE_TEST_KILLS=200 cargo test --locked --package broadside-gateway --test it what_was_acknowledged
	BROADSIDE_TEST_KILLS=20 cargo test --locked --package broadside-gateway --test it of_three_servers
	BROADSIDE_TEST_FAULTS=all cargo test --locked --workspace --test faults

# A Go module: twenty seconds to build, and then it is there; static, so that an image can hold it.
NATS := v2.15.3
NATS_CLI := v0.5.1
nats-server: ## Build the nats-server that tests and benchmarks start (Go, internet)
	@[ -x "$(CACHE)/nats/static/nats-server" ] || { mkdir -p "$(CACHE)/nats/static" && \
	  PATH="$$PATH:/usr/local/go/bin" CGO_ENABLED=0 GOBIN="$(CACHE)/nats/static" go install github.com/nats-io/nats-server/v2@$(NATS); } || \
	  echo "nats-server can't be built (Go 1.25, internet): its tests will not run" >&2

bench: ## Print the figures beside what they are compared with
	cargo bench --locked --package broadside-experiment --bench allocation
	cargo bench --locked --package broadside-gateway --bench decide --bench ledger

bench-gateway: ## Print the gateway, built as images have it, beside GO Feature Flag's relay proxy, which RELAY_PROXY names, and bare axum (wrk)
	@command -v wrk >/dev/null || { echo "wrk is missing: apt-get install wrk" >&2; exit 1; }
	cargo bench --locked --profile image --package broadside-gateway --bench gateway --bench swap

bench-soak: ## Print memory, handles and totals of a gateway at half of what it can do (MINUTES=30)
	cargo bench --locked --profile image --package broadside-gateway --bench soak -- $(MINUTES)

bench-stream: nats-server ## Print events through NATS JetStream beside nats bench, and how a ledger catches up (Go, internet)
	@[ -x "$(CACHE)/nats/nats" ] || PATH="$$PATH:/usr/local/go/bin" GOBIN="$(CACHE)/nats" \
	  go install github.com/nats-io/natscli/nats@$(NATS_CLI)
	NATS_SERVER="$(CACHE)/nats/static/nats-server" NATS_CLI="$(CACHE)/nats/nats" \
	  cargo bench --locked --package broadside-gateway --bench stream

bench-many: ## Print what a thousand campaigns cost the operator and its API server (ten minutes; CAMPAIGNS=200)
	cargo build --locked --workspace --bins
	cargo build --locked --release --package broadside-operator --bin operator
	CAMPAIGNS=$(or $(CAMPAIGNS),1000) OPERATOR="$(PROGRAMS:debug=release)/operator" \
	  cargo bench --locked --profile dev --workspace --bench many

bench-stores: ## Print which embedded store suits the ledger (four minutes; docs/design/ledger-store.md)
	cargo run --locked --release --manifest-path gateway/benches/stores/Cargo.toml --bin stores -- $(or $(ARGS),/var/tmp)
	cargo run --locked --release --manifest-path gateway/benches/stores/Cargo.toml --bin counted -- $(or $(ARGS),/var/tmp)

bench-experiment: ## Print what the statistics promise beside what simulated worlds show
	cargo bench --locked --package broadside-experiment --bench acceptance -- $(ARGS)

bench-peers: ## Install what generation is compared with, and write its model (ten minutes, 7 GB; Python 3.11, internet)
	@python3 -m venv "$(CACHE)/peers/venv"
	"$(CACHE)/peers/venv/bin/pip" install --quiet --requirement $(PEERS)/requirements.txt
	PYTHONDONTWRITEBYTECODE=1 "$(CACHE)/peers/venv/bin/python" $(PEERS)/make_model.py "$(CACHE)/peers/model"

bench-generation: ## Print how fast copy is written and Handbill trained, beside their peers (make bench-peers first)
	@[ -e "$(CACHE)/peers/model/q8_0.gguf" ] || { echo "the peers are missing: make bench-peers" >&2; exit 1; }
	cargo bench --locked --package broadside-worker --bench generation -- \
	  --model "$(CACHE)/peers/model" --python "$(CACHE)/peers/venv/bin/python" $(ARGS)

figures: ## Draw the figures of docs/statistics.md from simulated worlds
	cargo bench --locked --package broadside-experiment --bench figures

# What the tests of experiment/ are held against, each by a script beside it. Not part of `make test`.
ORACLES := experiment/tests/oracles
WRITTEN := assignment sample_ratio rate_ratio power intervals holm policies linear common posterior values special_functions

oracles: ## Compute anew what the statistics are held against (six minutes; Python 3.11, internet)
	@for name in ours obp peers; do python3 -m venv "$(CACHE)/oracles/$$name" || exit 1; done
	"$(CACHE)/oracles/ours/bin/pip" install --quiet --requirement $(ORACLES)/requirements.txt
	@set -e; export PYTHONDONTWRITEBYTECODE=1; for name in $(WRITTEN); do \
	  case $$name in holm|policies|linear|common|posterior|values|special_functions) takes=", which takes a minute or two";; *) takes=;; esac; \
	  echo "writing $(ORACLES)/$$name.csv$$takes"; \
	  "$(CACHE)/oracles/ours/bin/python" $(ORACLES)/$$name.py > "$(CACHE)/oracles/$$name.csv"; \
	  mv "$(CACHE)/oracles/$$name.csv" $(ORACLES)/$$name.csv; done
	"$(CACHE)/oracles/obp/bin/pip" install --quiet --no-deps --ignore-requires-python --requirement $(ORACLES)/requirements-replay.txt
	@echo "writing $(ORACLES)/replay.csv"
	@PYTHONDONTWRITEBYTECODE=1 "$(CACHE)/oracles/obp/bin/python" $(ORACLES)/replay.py > "$(CACHE)/oracles/replay.csv"
	@mv "$(CACHE)/oracles/replay.csv" $(ORACLES)/replay.csv
	"$(CACHE)/oracles/peers/bin/pip" install --quiet --requirement $(ORACLES)/requirements-peers.txt
	@PYTHONDONTWRITEBYTECODE=1 "$(CACHE)/oracles/peers/bin/python" $(ORACLES)/peers.py

lint: ## Check form, lints, and what may be depended on
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	@cargo deny --version >/dev/null 2>&1 || { echo "cargo-deny is missing: cargo install --locked cargo-deny" >&2; exit 1; }
	cargo deny --log-level error check bans licenses sources

audit: ## Check dependencies for known vulnerabilities (internet, cargo-deny)
	cargo deny check advisories

generate: applications ## Write every generated file anew: definitions, formats, help, OpenAPI, scenarios, values, the script of pages
	UPDATE=1 cargo test --locked --package broadside-rules --test page
	UPDATE=1 cargo test --locked --package broadside-api --test definitions
	UPDATE=1 cargo test --locked --package broadside --test help --test render --test offline
	UPDATE=1 cargo test --locked --package broadside-gateway --test it the_script
	UPDATE=1 cargo test --locked --package broadside-gateway --test it openapi
	UPDATE=1 cargo test --locked --package broadside-operator --test scenarios
	UPDATE=1 cargo test --locked --package broadside-worker --test help --test plan
	UPDATE=1 cargo test --locked --package broadside-tests --test values

model: ## Train Handbill anew (forty minutes on two cores)
	cargo run --locked --release --package broadside-worker --bin worker -- \
	  train --recipe models/handbill/recipe.yaml --output models/handbill

ready:
	@sh cluster/ready.sh

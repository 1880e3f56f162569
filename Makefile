# Every command of the repository. `make` alone lists them.
#
# What is built is kept outside the clone, so that another clone finds it again.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/broadside
export CARGO_TARGET_DIR ?= $(CACHE)/target
# Where cargo puts our programs: .cargo/config.toml names the host as the target.
PROGRAMS = $(CARGO_TARGET_DIR)/$(shell rustc --version --verbose | sed -n 's/^host: //p')/debug

# Lets `BROADSIDE_DEMO_SEED=3 make demo` and the like through to the programs; see `make demo ARGS=--help`.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test bench lint generate model ready

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ready ## From one manifest to a decided winner on a real Kubernetes (Linux, root)
	@echo "building Broadside; the first time this takes ten minutes or so"
	cargo build --locked --workspace --bins
	@$(PROGRAMS)/demo $(ARGS)

demo-down: ## Remove the demonstration's cluster and everything of it
	@test -x $(PROGRAMS)/broadside-cluster || cargo build --locked --package broadside-cluster
	@$(PROGRAMS)/broadside-cluster down --name demo

test: ready ## Run every test, those on a real cluster too (Linux, root)
	cargo test --locked --workspace --no-fail-fast

bench: ## Print the figures beside what they are compared with
	cargo bench --locked --package broadside-experiment --package broadside-gateway

lint: ## Check form, lints, and what may be depended on
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; \
	else echo "cargo-deny is not installed, so dependencies are not checked: cargo install --locked cargo-deny"; fi

generate: ## Write every generated file anew: definitions, help, scenarios
	UPDATE=1 cargo test --locked --package broadside-api --test definitions
	UPDATE=1 cargo test --locked --package broadside --test help --test render
	UPDATE=1 cargo test --locked --package broadside-operator --test scenarios

model: ## Train Handbill anew (ten minutes on two cores)
	cargo run --locked --release --package broadside-worker --bin worker -- \
	  train --recipe models/handbill/recipe.yaml --output models/handbill

ready:
	@sh cluster/ready.sh

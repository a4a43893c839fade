# A newcomer needs two commands: `make dev` and `make test`. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help dev test setup rust cc postgres fmt fuzz check sqlx clean-testdb

CARGO ?= cargo
# Oldest compiler that builds this (Cargo.toml: rust-version).
RUST_MIN := 1.95
# Options of `tenure dev`, for example ARGS=--once.
ARGS ?=
# Continuous integration runs all tests even when one fails.
NEXTEST_PROFILE ?= $(if $(CI),ci,default)
# How long `make fuzz` runs each target.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= definition expression duration cron uri_template
# How to become root for the system's package manager.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: setup ## Set up what is missing, then run everything on this machine (ARGS=--once, ARGS="--api 127.0.0.1:9090")
	@$(CARGO) build --locked --package tenure-server
	@$(CARGO) run --locked --quiet --package tenure-server -- dev $(ARGS)

test: setup ## Set up what is missing, then run all tests
	@# The tests that start, kill and restart `tenure` need its binary.
	@$(CARGO) build --locked --package tenure-server
	@status=0; \
	if $(CARGO) nextest --version >/dev/null 2>&1; then \
	    $(CARGO) nextest run --locked --workspace --profile $(NEXTEST_PROFILE) || status=$$?; \
	else \
	    $(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast || status=$$?; \
	fi; \
	if [ $$status = 0 ]; then $(CARGO) test --locked --quiet --workspace --doc || status=$$?; fi; \
	$(MAKE) --no-print-directory clean-testdb || status=$$?; \
	exit $$status

check: rust cc ## Check form: fmt, clippy and doc with warnings as errors, cargo-deny where installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --no-deps
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	    $(CARGO) deny --locked check; \
	else \
	    echo "make check: cargo-deny is not installed, so licenses and advisories were not checked"; \
	fi

fmt: ## Format the code
	$(CARGO) fmt --all

fuzz: ## Run the fuzz targets (FUZZ_SECONDS=600 each; needs nightly and cargo-fuzz, see fuzz/README.md)
	@for target in $(FUZZ_TARGETS); do \
	    $(CARGO) +nightly fuzz run --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 || exit 1; \
	done

setup: rust cc postgres ## Check the toolchain and install PostgreSQL's server programs if missing

rust:
	@if ! command -v $(CARGO) >/dev/null 2>&1; then \
	    echo "make: no Rust toolchain: install Rust $(RUST_MIN) or newer, see https://www.rust-lang.org/tools/install" >&2; \
	    exit 1; \
	fi
	@version=$$(rustc --version | awk '{ print $$2 }'); \
	if [ "$$(printf '%s\n%s\n' "$(RUST_MIN)" "$$version" | sort -V | head -n 1)" != "$(RUST_MIN)" ]; then \
	    echo "make: rustc $$version is too old: Tenure needs $(RUST_MIN) or newer; try: rustup update stable" >&2; \
	    exit 1; \
	fi

# The TLS library has a little C and assembler in it.
cc:
	@if ! command -v cc >/dev/null 2>&1; then \
	    echo "make: no C compiler; installing one"; \
	    if command -v apt-get >/dev/null 2>&1; then \
	        $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends gcc libc6-dev; \
	    elif command -v dnf >/dev/null 2>&1; then \
	        $(SUDO) dnf install -q -y gcc; \
	    else \
	        echo "make: install a C compiler (gcc or clang) by hand, then try again" >&2; exit 1; \
	    fi; \
	fi

# The same places where `tenure` looks. Only the programs are needed: `tenure` and the tests make
# private databases of their own and never touch one that runs already.
POSTGRES_PLACES := $$TENURE_PG_BIN/initdb $$(pg_config --bindir 2>/dev/null)/initdb $$(command -v initdb) \
    /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /usr/local/pgsql/bin/initdb \
    /opt/homebrew/opt/postgresql@*/bin/initdb /usr/local/opt/postgresql@*/bin/initdb

postgres:
	@[ -z "$$DATABASE_URL" ] || exit 0; \
	for initdb in $(POSTGRES_PLACES); do \
	    if [ -x "$$initdb" ]; then exit 0; fi; \
	done; \
	echo "make: no PostgreSQL server programs; installing them from the system's packages"; \
	if command -v apt-get >/dev/null 2>&1; then \
	    $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql; \
	elif command -v dnf >/dev/null 2>&1; then \
	    $(SUDO) dnf install -q -y postgresql-server; \
	elif command -v brew >/dev/null 2>&1; then \
	    brew install --quiet postgresql@17; \
	else \
	    echo "make: install PostgreSQL 13 or newer by hand, or set DATABASE_URL, then try again" >&2; exit 1; \
	fi

sqlx: setup ## Write the offline metadata of the checked queries (.sqlx) again, from a private database
	@$(CARGO) sqlx --version >/dev/null 2>&1 || { \
	    echo "make: install the tool first: cargo install sqlx-cli --no-default-features --features rustls,postgres" >&2; exit 1; }
	@CARGO="$(CARGO)" sh engine/store/prepare.sh

clean-testdb: ## Stop the database that the tests share, and remove its data
	@$(CARGO) run --locked --quiet --package tenure-store --example testdb -- stop

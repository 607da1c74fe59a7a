# quarterdeck: `make run` and `make test` need nothing but Debian and cargo; they install the rest.
SHELL := /bin/bash
# Pictures of screens in the tests tell local times.
test: export TZ := UTC
BIN   := target/release/quarterdeck
MEASURED := target/measured/quarterdeck
SUDO  := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
STATIC := x86_64-unknown-linux-musl
BUILD_PACKAGES := gcc make pkg-config libssl-dev

.PHONY: peers static run test prove bench screenshots layout setup-build setup-test lint

## Build in release mode and open the console: on the engines that answer, else on the simulated fleet.
run: $(BIN)
	@if $(BIN) hosts >/dev/null 2>&1; then exec $(BIN); \
	else echo "No Docker engine answers here: opening the simulated fleet (try: $(BIN) doctor)"; exec $(BIN) --sim; fi

# With the distribution's static libcrypto, where there is one that links: of a shared one an idle console keeps 1.5 MB more in memory.
STATIC_CRYPTO = crypto=$$(cc -print-file-name=libcrypto.a); \
	if echo 'int OPENSSL_init_crypto(); int main() { return OPENSSL_init_crypto(0, 0); }' | cc -w -x c - -x none $$crypto -ldl -lpthread -o /dev/null 2>/dev/null; \
	then export OPENSSL_STATIC=1 OPENSSL_LIB_DIR=$$(dirname $$(realpath $$crypto)) OPENSSL_INCLUDE_DIR=/usr/include; fi;

$(BIN): setup-build FORCE
	@$(STATIC_CRYPTO) cargo build --release --locked

FORCE:

# What `cargo test --release` builds beside the tests has other hashes, and with them another layout than what is installed.
$(MEASURED): $(BIN)
	@mkdir -p $(@D) && cp $< $@

## One file without a shared library under it: target/x86_64-unknown-linux-musl/release/quarterdeck.
static: setup-build
	@if command -v apt-get >/dev/null && ! dpkg -s musl-tools perl >/dev/null 2>&1; then \
	  $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends musl-tools perl >/dev/null; fi
	@rustup target list --installed | grep -qx $(STATIC) || rustup target add $(STATIC)
	cargo build --release --locked --target $(STATIC) --features vendored

## What building needs: a C compiler and OpenSSL's headers for libssh2.
setup-build:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust first"; exit 2; }
	@if [ "$$(uname)" = Linux ] && command -v apt-get >/dev/null && ! dpkg -s $(BUILD_PACKAGES) >/dev/null 2>&1; then \
	  echo "installing $(BUILD_PACKAGES)"; $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $(BUILD_PACKAGES) >/dev/null; fi

## What the tests on real engines need. Without root or Linux those tests are skipped, loudly.
setup-test: setup-build
	@tests/lab/install.sh --podman || echo "the real lab is not available here: its tests will say SKIPPED"

## Unit, snapshot, simulator, and one pass of every scenario on the real lab.
test: setup-test
	cargo test --locked

## Every point of the promises at full length, with its figures.
prove: setup-test
	@tests/lab/install.sh --modern || echo "no newer engine can be had here: its part is skipped"
	@$(MAKE) --no-print-directory $(MEASURED)
	QD_PROGRAM=$(CURDIR)/$(MEASURED) cargo test --release --locked --test prove
	cargo test --locked --lib run::tests::matrix -- --ignored
	QD_FULL=1 QD_PROGRAM=$(CURDIR)/$(MEASURED) cargo test --locked --test it lab_ -- --nocapture --test-threads 1

## The figures, beside the peers that are installed (make bench PEERS=1 installs them below target/), of both forms of the program.
bench: setup-test peers
	@$(MAKE) --no-print-directory static || echo "no static build can be had here: its figures are left out"
	@$(MAKE) --no-print-directory $(MEASURED)
	QD_PROGRAM=$(CURDIR)/$(MEASURED) cargo test --release --locked --test bench --test bench_logs --test bench_stats

peers:
ifdef PEERS
	@for p in oxker@0.13.4 dtop@0.10.2; do [ -x target/peers/bin/$${p%@*} ] || cargo install --quiet --locked --root target/peers $$p || echo "$$p could not be built"; done
endif

## screenshots/*.svg (and .png where rsvg-convert is there) from the real renderer: of the simulated fleet, and of deliveries on the real lab.
screenshots: setup-test
	cargo build --release --locked
	cargo run --locked --example screenshots -- $(BIN)
	QD_PICTURES=$(CURDIR)/screenshots QD_PROGRAM=$(CURDIR)/$(BIN) cargo test --locked --test it lab_screen
	@if command -v rsvg-convert >/dev/null; then for f in screenshots/*.svg; do rsvg-convert -o "$${f%.svg}.png" "$$f"; done; \
	else echo "no rsvg-convert (package librsvg2-bin): no .png"; fi

## layout.ld: which functions the console needs from its start to its idle screen, to be laid side by side (see build.rs). Worth it after
## large changes or with a new compiler: make layout && git commit layout.ld
layout: setup-build
	@command -v valgrind >/dev/null || { $(SUDO) apt-get update -qq && DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends valgrind >/dev/null; }
	@$(STATIC_CRYPTO) cargo rustc --release --locked --bin quarterdeck -- -C strip=none -C link-arg=-Wl,-Map=target/layout.map
	cargo run --locked --example layout -- $(BIN) target/layout.map layout.ld

lint:
	cargo clippy --locked --all-targets -- -D warnings
	cargo fmt --check

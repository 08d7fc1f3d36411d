# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# The one Makefile of ksqlfs. `make help` lists the targets; docs/building.md tells more.
#
# Everything made or fetched lands in build/ and .venv/:
#
#   build/sqlite build/musl      third-party source, fetched and pinned by hash
#   build/core build/core-asan   the engine as a user-space library, plain and sanitized
#   build/module-RELEASE         where the kernel's own build system builds the module
#   build/RELEASE/ksqlfs.ko      the module for that kernel
#   build/kernel/RELEASE         that kernel's image and modules, unpacked, for the VM
#   build/vm                     what VMs leave: kernel.log, out/
#   build/tools                  programs that tests/tools run, unpacked
#   build/fuse                   the tree that `make test-fuse` mounts, its tests' results
#
# Only `setup` installs anything on the machine. Targets that run something call it themselves.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
# `make -C` and recursion must not mix lines into the output of `make vm RUN=...`.
MAKEFLAGS += --no-print-directory --no-builtin-rules

ifneq ($(words $(CURDIR)),1)
$(error The kernel's build system cannot build below a path with spaces: $(CURDIR))
endif

# What may be given on the command line ------------------------------------------------------------

# The kernel to build for and to boot: the running one if its headers are here, else the newest
# that has any. Evaluated when used, since `setup` may only just have installed the headers.
KERNELRELEASE ?= $(shell cd /lib/modules 2>/dev/null && \
	{ ls -d "$$(uname -r)/build/.config" 2>/dev/null || \
	  ls -d *-amd64/build/.config 2>/dev/null | sort -V | tail -n 1; } | cut -d/ -f1)
# Folders with one's own sqlite3.c and sqlite3.h, with one's own unpacked musl.
SQLITE_DIR ?=
MUSL_DIR ?=
# 1: build the engine with AddressSanitizer and UBSan, into build/core-asan.
SANITIZE ?=
# The VM: seconds until it is taken down, processors, memory, more kernel options, and 1 for KVM
# instead of emulation.
TIMEOUT ?=
CPUS ?= 2
MEMORY ?= 2G
KOPT ?=
KVM ?=
# What `make vm` runs instead of a shell. Taken as it is: quotes and dollars are the command's own.
RUN ?=
# A database file to be put into the module.
ROM ?=
# Which tests run in the VM, on the FUSE mount, in user space; and further options of pytest. Not in
# the VM, where a process takes long to start: what no host has a part in (how the client finds a
# tree and turns values and errors, how ksqlctl and the shell functions take options, read files and
# fill terminals), and programs that take half a minute there.
VM_TESTS ?= $(wildcard tests/interface tests/kernel tests/consistency) \
	$(wildcard $(addprefix tests/client/test_,again.py dbapi.py sharing.py sqlalchemy.py \
		streaming.py transactions.py tree.py)) \
	$(wildcard $(addprefix tests/cli/test_,module.py status.py)) \
	$(wildcard $(addprefix tests/recipes/test_,query.py readme.py wait.py)) \
	$(wildcard $(addprefix tests/tools/test_,files.py flights.py monitoring.py \
		readers.py))
FUSE_TESTS ?= $(wildcard tests/interface tests/client tests/cli tests/recipes tests/fuse tests/tools \
	tests/consistency)
CORE_TESTS ?= tests/core
PYTEST_OPTIONS ?=

PYTHON ?= python3
JOBS ?= $(shell nproc)

# Common pieces ------------------------------------------------------------------------------------

PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
FETCH := $(PYTHON) sqlite_core/sqlite/fetch.py
KDIR = /lib/modules/$(KERNELRELEASE)/build
STAGE = build/module-$(KERNELRELEASE)
VM = $(PY) -m tests.vm --kernel $(KERNELRELEASE) --cpus $(CPUS) --memory $(MEMORY) \
	$(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(KVM),--kvm) $(addprefix --kopt ,$(KOPT))

C_FILES = $(shell find kfs_module sqlite_core pyclient/fuse tests -name '*.[ch]' -not -path '*/build/*')
SH_FILES = .ci/run $(shell find tests docs -name '*.sh')

# Give it as a command to fail with a sentence.
fail = { echo 'make: $(1)' >&2; exit 1; }

.PHONY: help setup setup-user fetch core core-asan fuse module stage run test vm bench clean distclean
.PHONY: check check-format check-checkpatch check-sparse check-python check-shell format
.PHONY: test-core test-fuse test-vm FORCE

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo
	@echo 'Variables: KERNELRELEASE=$(KERNELRELEASE) SANITIZE= SQLITE_DIR= MUSL_DIR='
	@echo '           RUN= TIMEOUT= KVM= CPUS=$(CPUS) MEMORY=$(MEMORY) KOPT= VM_TESTS= FUSE_TESTS= CORE_TESTS= PYTEST_OPTIONS='

# Setting up ---------------------------------------------------------------------------------------

setup: ## install what is missing (named first), make .venv, fetch the sources
	@tests/setup.sh build vm test check
	@mkdir -p build
	@# One at a time, should two of them be called at once.
	@flock build/.setup.lock $(MAKE) -s .venv/.ready-dev build/tools/.ready fetch

# What is needed without any VM.
setup-user:
	@tests/setup.sh build
	@mkdir -p build
	@flock build/.setup.lock $(MAKE) -s .venv/.ready fetch

# What the packages are is in pyproject.toml. A .venv that no longer runs is made anew.
.venv/.ready: pyproject.toml $(if $(wildcard .venv/bin/python),,FORCE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		$(call fail,Python 3.11 or later is needed: name one by PYTHON=.)
	@echo 'make setup: the Python environment, .venv' >&2
	@$(PY) -c '' 2>/dev/null || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	@$(PIP) --editable .
	@touch $@

.venv/.ready-dev: .venv/.ready
	@echo 'make setup: what the tests and checks need of Python' >&2
	@$(PIP) --editable '.[test,dev]'
	@touch $@

# Programs that are run, but not to be installed.
build/tools/.ready: tests/tools/unpack.sh
	@tests/tools/unpack.sh $(@D)

.venv/.ready-bench: .venv/.ready-dev
	@$(PIP) --editable '.[bench]'
	@touch $@

fetch: build/sqlite/sqlite3.c build/musl/.complete

# fetch.py looks each time, and writes only what differs.
build/sqlite/sqlite3.c build/sqlite/sqlite3.h &: FORCE
	@$(FETCH) sqlite $(if $(SQLITE_DIR),--from $(SQLITE_DIR))

build/musl/.complete: FORCE
	@$(FETCH) musl $(if $(MUSL_DIR),--from $(MUSL_DIR))

FORCE: ;

# The engine in user space -------------------------------------------------------------------------

# Defines which files there are: KSQL_CORE_SRCS, KSQL_GATE_SRCS, KSQL_SQLITE_SRC, KSQL_PORT_POSIX,
# relative to sqlite_core/, and KSQL_MUSL_SRCS, names in musl's src/math. Kbuild reads it as well.
-include sqlite_core/sources.mk

CORE := build/core$(if $(SANITIZE),-asan)

CORE_CFLAGS := -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -pthread -Wall -Wextra \
	-ffp-contract=off -msse2 -mno-fma
ifneq ($(SANITIZE),)
# Without the core's own pool, so that each block is one of the sanitizer's; with the hooks
# by which tests/core makes allocations fail.
CORE_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer -DKSQL_POOL=0 -DKSQL_FAULTS
endif
CORE_CPPFLAGS := -Isqlite_core -Isqlite_core/port -Isqlite_core/sqlite -Ibuild/sqlite
# SQLite's own style is its own.
SQLITE_CFLAGS ?= -w

# musl's libm as it is: its own headers alone, never sanitized.
MUSL_CFLAGS := -O2 -fPIC -fvisibility=hidden -ffreestanding -nostdinc -w -ffp-contract=off \
	-isystem build/musl/include -Ibuild/musl/src/internal -Ibuild/musl/src/include \
	-Ibuild/musl/arch/x86_64 -Ibuild/musl/arch/generic -Ibuild/musl/gen $(KSQL_MUSL_CFLAGS)

CORE_SRCS := $(KSQL_CORE_SRCS) $(KSQL_GATE_SRCS) $(KSQL_PORT_POSIX) $(KSQL_SQLITE_SRC)
CORE_OBJS := $(CORE_SRCS:%.c=$(CORE)/obj/%.o)
MUSL_OBJS := $(KSQL_MUSL_SRCS:%=$(CORE)/obj/musl/%.o)

core: $(CORE)/libksqlcore.a $(CORE)/libksqlcore.so ## build the engine as a user-space library

core-asan: ## the same under AddressSanitizer and UBSan, like `make core SANITIZE=1`
	@$(MAKE) core SANITIZE=1

# Changes when the flags do, and only then.
$(CORE)/flags: FORCE
	@$(if $(KSQL_CORE_SRCS),,$(call fail,sqlite_core/sources.mk names no sources.))
	@mkdir -p $(@D)
	@echo '$(CC) $(CORE_CFLAGS) $(CORE_CPPFLAGS) $(SQLITE_CFLAGS) $(MUSL_CFLAGS)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(CORE)/libksqlcore.a: $(CORE_OBJS) $(MUSL_OBJS)
	@echo '  AR   $@'
	@rm -f $@
	@$(AR) rcs $@ $^

$(CORE)/libksqlcore.so: $(CORE_OBJS) $(MUSL_OBJS)
	@echo '  LD   $@'
	@$(CC) -shared $(CORE_CFLAGS) -Wl,-soname,libksqlcore.so -Wl,-z,defs -Wl,-z,now -o $@ $^

$(KSQL_SQLITE_SRC:%.c=$(CORE)/obj/%.o): CORE_CFLAGS += $(SQLITE_CFLAGS)

$(CORE_OBJS): $(CORE)/obj/%.o: sqlite_core/%.c $(CORE)/flags | build/sqlite/sqlite3.h
	@echo '  CC   $<'
	@mkdir -p $(@D)
	@$(CC) $(CORE_CFLAGS) $(CORE_CPPFLAGS) -MMD -MP -c -o $@ $<

$(MUSL_OBJS): $(CORE)/obj/musl/%.o: build/musl/.complete $(CORE)/flags
	@echo '  CC   build/musl/src/math/$*.c'
	@mkdir -p $(@D)
	@$(CC) $(MUSL_CFLAGS) -MMD -MP -c -o $@ build/musl/src/math/$*.c

-include $(CORE_OBJS:.o=.d) $(MUSL_OBJS:.o=.d)

# The FUSE host ------------------------------------------------------------------------------------

fuse: .venv/.fuse ## build the FUSE host's compiled module into .venv

# pip says nothing of the compiler's warnings unless it fails.
.venv/.fuse: $(CORE)/libksqlcore.a sqlite_core/ksql_core.h $(wildcard pyclient/fuse/*.*) .venv/.ready
	@echo '  PIP  pyclient/fuse'
	@$(PIP) ./pyclient/fuse
	@touch $@

# The module ---------------------------------------------------------------------------------------

module: stage ## build the module, for KERNELRELEASE=, into build/KERNELRELEASE/ksqlfs.ko
	@flock $(STAGE)/.lock $(MAKE) -C $(KDIR) M=$(CURDIR)/$(STAGE) modules
	@mkdir -p build/$(KERNELRELEASE)
	@for ko in $(STAGE)/*.ko; do \
		cmp -s $$ko build/$(KERNELRELEASE)/$${ko##*/} || cp $$ko build/$(KERNELRELEASE)/; \
	done
	@$(if $(ROM),$(PYTHON) kfs_module/rom.py '$(ROM)' $(STAGE)/rom.section && \
		objcopy --update-section ksqlfs_rom=$(STAGE)/rom.section build/$(KERNELRELEASE)/ksqlfs.ko)

# The kernel's build system writes beside the sources; so it gets real folders of symbolic links.
# Its results stay from one time to the next, and links to what is gone are dropped.
stage: fetch
	@[ "$$(uname -m)" = x86_64 ] || $(call fail,ksqlfs builds on x86-64 only: it runs SQLite on the \
		SSE registers of that processor.)
	@[ -n '$(KERNELRELEASE)' ] || $(call fail,There are no kernel headers here: run `make setup`.)
	@[ -e $(KDIR)/.config ] || $(call fail,The headers of $(KERNELRELEASE) are missing: install \
		linux-headers-$(KERNELRELEASE).)
	@grep -qs '^CONFIG_X86_64=y' $(KDIR)/.config || \
		$(call fail,$(KERNELRELEASE) is not a kernel for x86-64.)
	@mkdir -p $(STAGE)/sqlite
	@flock $(STAGE)/.lock tests/vm/stage.sh $(STAGE)

# Running ------------------------------------------------------------------------------------------

# `make vm` may be part of a pipe: what is built on the way goes to stderr.
vm: export KSQL_RUN = $(value RUN)
unexport RUN
vm: ## a shell in a VM with the module mounted; RUN='command' runs that there instead
	@$(MAKE) -s setup module >&2
	@exec $(VM) $(if $(value RUN),-- "$$KSQL_RUN")

run: ## set up, mount a tree at ./mnt by FUSE, and show the machine's packages and processes
	@$(MAKE) -s setup-user >&2
	@$(MAKE) -s fuse >&2
	@PATH=$(CURDIR)/.venv/bin:$$PATH tests/run_demo.sh mnt

test: ## set up, build, and run every test
	@$(MAKE) setup
	@$(MAKE) -j$(JOBS) core core-asan module
	@$(MAKE) test-core
	@$(MAKE) test-fuse
	@$(MAKE) test-vm

# CPython leaves memory behind at its end, which the leak check would hold against us: it is off;
# the tests count the core's own blocks instead.
test-core: core core-asan ## the engine's tests, in user space under the sanitizers
	@# A sanitizer's report would be lost with the output that pytest captures.
	@rm -f build/core-asan/report.*
	@LD_PRELOAD=$$($(CC) -print-file-name=libasan.so) \
	ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:log_path=$(CURDIR)/build/core-asan/report \
	UBSAN_OPTIONS=print_stacktrace=1:log_path=$(CURDIR)/build/core-asan/report \
	KSQL_CORE_LIB=$(CURDIR)/build/core-asan/libksqlcore.so PYTHONMALLOC=malloc \
	$(PY) -m pytest -p no:cacheprovider $(or $(CORE_TESTS),$(error There are no tests in \
		tests/core)) $(PYTEST_OPTIONS) || \
		{ head -n 40 build/core-asan/report.* 2>/dev/null >&2; exit 1; }
	@# The stack is not itself under the sanitizers: measured without them.
	@KSQL_CORE_LIB=$(CURDIR)/build/core/libksqlcore.so \
		$(PY) -m pytest -p no:cacheprovider tests/core/test_stack.py $(PYTEST_OPTIONS)

# A server that hangs must not hang this: --force lets go whoever waits for it.
test-fuse: fuse ## the tests of the tree, the client and the command, on a FUSE mount of this machine
	@mkdir -p build/fuse/mnt
	@PATH=$(CURDIR)/.venv/bin:$$PATH && \
	{ ! mountpoint -q build/fuse/mnt || ksqlctl umount --force build/fuse/mnt; } && \
	ksqlctl mount --source ksqlfs-tests build/fuse/mnt && { \
		KSQL_ROOT=$(CURDIR)/build/fuse/mnt timeout -k 10 1200 \
			python -m pytest -p no:cacheprovider --durations=10 \
			--junitxml=build/fuse/junit.xml $(FUSE_TESTS) $(PYTEST_OPTIONS); \
		status=$$?; ksqlctl umount --force build/fuse/mnt; exit $$status; }

test-vm: module ## the tests that need a kernel, in one VM
	@$(VM) -- 'exec python -m pytest -p no:cacheprovider -v --durations=10 \
		--junitxml=build/vm/out/junit.xml $(VM_TESTS) $(PYTEST_OPTIONS)'

bench: ## measure each figure beside its reference, on a FUSE mount here and in a VM
	@tests/setup.sh build vm bench
	@$(MAKE) -s setup >&2
	@$(MAKE) -s .venv/.ready-bench fuse core module build/bench/bench build/bench/together \
		build/bench/null_fuse >&2
	@PATH=$(CURDIR)/.venv/bin:$$PATH python -m tests.bench.fuse
	@echo
	@exec $(VM) -- 'exec python -m tests.bench'

# The references: SQLite as its documentation says to build it, and our engine in user space.
build/bench/bench: tests/bench/bench.c build/bench/sqlite3.o build/core/libksqlcore.so
	@$(CC) -O2 -g -Wall -Wextra -Isqlite_core -Ibuild/sqlite -o $@ $< build/bench/sqlite3.o \
		-Lbuild/core -lksqlcore -Wl,-rpath,'$$ORIGIN/../core' -lm

build/bench/together: tests/bench/together.c build/bench/sqlite3.o build/core/libksqlcore.so
	@$(CC) -O2 -g -Wall -Wextra -pthread -Isqlite_core -Ibuild/sqlite -o $@ $< \
		build/bench/sqlite3.o -Lbuild/core -lksqlcore -Wl,-rpath,'$$ORIGIN/../core' -lm

build/bench/null_fuse: tests/bench/null_fuse.c
	@mkdir -p $(@D)
	@$(CC) -O2 -g -Wall -Wextra -o $@ $< $$(pkg-config --cflags --libs fuse3)

# Without the repairs that the engine's own copy has (fetch.py).
build/bench/sqlite3.o: build/sqlite/sqlite3.c
	@mkdir -p $(@D)
	@$(CC) -O2 -DSQLITE_THREADSAFE=0 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_OMIT_LOAD_EXTENSION \
		-DSQLITE_DQS=0 -DSQLITE_LIKE_DOESNT_MATCH_BLOBS -w -c -o $@ build/sqlite/pristine/sqlite3.c

# Checking -----------------------------------------------------------------------------------------

check: ## format, checkpatch, sparse; ruff and mypy; shellcheck
	@$(MAKE) setup
	@$(MAKE) -k check-format check-checkpatch check-sparse check-python check-shell

check-format:
	@echo '  CHECK clang-format'
	@clang-format --dry-run -Werror $(C_FILES)

check-checkpatch:
	@echo '  CHECK checkpatch'
	@# Not SQLite's configuration and unit, nor the stand-ins for libc's headers: what they must
	@# look like is decided elsewhere.
	@tests/vm/checkpatch.sh $(filter-out sqlite_core/sqlite/% sqlite_core/port/libc/%,$(C_FILES))

check-sparse: stage
	@echo '  CHECK sparse'
	@flock $(STAGE)/.lock tests/vm/sparse.sh $(MAKE) $(KDIR) $(CURDIR)/$(STAGE)

check-python:
	@echo '  CHECK ruff'
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@echo '  CHECK mypy'
	@.venv/bin/mypy

check-shell:
	@echo '  CHECK shellcheck'
	@shellcheck -x $(SH_FILES)

format: ## put C and Python into the project's format
	@clang-format -i $(C_FILES)
	@.venv/bin/ruff check --fix --select I --quiet
	@.venv/bin/ruff format

clean: ## remove what was built, keep what was fetched
	@rm -rf build/core build/core-asan build/module-* build/vm build/*/*.ko

distclean: clean ## remove .venv and what was fetched as well
	@rm -rf build .venv pyclient/*.egg-info

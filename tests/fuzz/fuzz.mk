# One libFuzzer binary per tests/fuzz/fuzz_<x>.c, each with a corpus in tests/fuzz/corpus/<x>/.
#   make fuzz FUZZ_SECONDS=60          all of them in turn
#   make fuzz FUZZERS=json             one
#   make fuzz-replay VARIANT=asan      the committed corpora, in any variant, without a fuzzer
# A new target is a new fuzz_<x>.c and its corpus; nothing here names them.
FUZZ_SECONDS ?= 20
FUZZ_CC      ?= clang
FUZZ_OUT     := build/fuzz
FUZZ_OBJ     := $(LIB_SRC:%.c=$(FUZZ_OUT)/%.o)
FUZZ_FLAGS   := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all

# The inner loops take clang many minutes with sanitizers; the sanitized builds of the tests look at them.
$(FUZZ_OUT)/src/kernels/kern_%.o: FUZZ_FLAGS := -O1 -g

$(FUZZ_OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $@"
	$(Q)$(FUZZ_CC) $(BASE) $(FUZZ_FLAGS) $(ISA) -c $< -o $@

$(FUZZ_OUT)/fuzz_%: $(FUZZ_OUT)/tests/fuzz/fuzz_%.o $(FUZZ_OBJ)
	@echo "  LD $@"
	$(Q)$(FUZZ_CC) -fsanitize=address,undefined,fuzzer -o $@ $^ $(LIBS)

fuzz-ready: $(FUZZERS:%=$(FUZZ_OUT)/fuzz_%)

fuzz: fuzz-ready ## fuzz every parser, FUZZ_SECONDS=20 each
	@sh tests/fuzz/run.sh $(FUZZ_OUT) $(FUZZ_SECONDS) $(FUZZERS)

REPLAYS  := $(FUZZERS:%=$(OUT)/replay_%)

$(OUT)/replay_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/tests/fuzz/replay.o $(LIB_OBJ)
	@echo "  LD $@"
	$(Q)$(CC) $(CFLAGS) $(SAN) -o $@ $^ $(LIBS)

fuzz-replay: $(REPLAYS) ## every committed fuzz input through its parser
	@OUT=$(OUT) RUN="$(RUN)" sh tests/fuzz/replay.sh $(FUZZERS)

test-ready: $(REPLAYS)

.PRECIOUS: $(FUZZ_OUT)/%.o $(OUT)/tests/fuzz/%.o
-include $(FUZZ_OBJ:.o=.d) $(FUZZERS:%=$(FUZZ_OUT)/tests/fuzz/fuzz_%.d)
-include $(FUZZERS:%=$(OUT)/tests/fuzz/fuzz_%.d) $(OUT)/tests/fuzz/replay.d

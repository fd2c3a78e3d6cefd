/* re_jit_arm64.c - the instructions of re_jit.h for aarch64, AAPCS64 calling convention.
 *
 * x19 p, x20 end, x21 last, x22 start of the try, x23 the jit_run, x24 the tables; all kept across
 * calls. x0 is the byte or symbol, x1 the length of a wide character. Conditional ways are a short
 * jump over a long one, which reaches 128 MiB. */
#include "regex/re_jit.h"

#ifdef __aarch64__

#include <string.h>

enum {
    SKIP_EQ = 0x54000040,
    SKIP_NE = 0x54000041,
    SKIP_PL = 0x54000045
}; /* over one instruction */

#define FIELD(name) ((uint32_t)offsetof(jit_run, name))

static void put(jit_asm *a, uint32_t instruction) {
    jit_bytes(a, &instruction, sizeof instruction);
}

static void get_field(jit_asm *a, uint32_t reg, uint32_t field) {
    put(a, 0xF9400000 | field / 8 << 10 | 23u << 5 | reg); /* ldr reg, [x23, #field] */
}

static void set_field(jit_asm *a, uint32_t reg, uint32_t field) {
    put(a, 0xF9000000 | field / 8 << 10 | 23u << 5 | reg); /* str reg, [x23, #field] */
}

void jit_jump(jit_asm *a, uint32_t label) {
    jit_fix_here(a, label);
    put(a, 0x14000000); /* b */
}

bool jit_patch(jit_asm *a, uint32_t at, uint32_t target) {
    uint32_t instruction;
    const uint32_t distance = (target - at) / 4 & 0x03FFFFFF;
    memcpy(&instruction, a->code + at, sizeof instruction);
    instruction |= distance;
    memcpy(a->code + at, &instruction, sizeof instruction);
    return a->n < (size_t)1 << 26;
}

void jit_enter(jit_asm *a) {
    put(a, 0xA9BC7BFD); /* stp x29, x30, [sp, #-64]! */
    put(a, 0xA90153F3); /* stp x19, x20, [sp, #16] */
    put(a, 0xA9025BF5); /* stp x21, x22, [sp, #32] */
    put(a, 0xA90363F7); /* stp x23, x24, [sp, #48] */
    put(a, 0xAA0003F7); /* mov x23, x0 */
    get_field(a, 19, FIELD(p));
    get_field(a, 20, FIELD(end));
    get_field(a, 24, FIELD(base));
    get_field(a, 9, FIELD(entry));
    put(a, 0xD61F0120); /* br x9 */
}

void jit_leave(jit_asm *a) {
    set_field(a, 22, FIELD(p));
    set_field(a, 21, FIELD(last));
    set_field(a, 19, FIELD(read));
    put(a, 0xA94153F3); /* ldp x19, x20, [sp, #16] */
    put(a, 0xA9425BF5); /* ldp x21, x22, [sp, #32] */
    put(a, 0xA94363F7); /* ldp x23, x24, [sp, #48] */
    put(a, 0xA8C47BFD); /* ldp x29, x30, [sp], #64 */
    put(a, 0xD65F03C0); /* ret */
}

void jit_mark(jit_asm *a) { put(a, 0xAA1303F5); }      /* mov x21, x19 */
void jit_next(jit_asm *a) { put(a, 0x91000673); }      /* add x19, x19, #1 */
void jit_next_wide(jit_asm *a) { put(a, 0x8B010273); } /* add x19, x19, x1 */

void jit_save(jit_asm *a, uint64_t slots) {
    get_field(a, 9, FIELD(slot));
    for (; slots; slots &= slots - 1) /* str x19, [x9, #slot] */
        put(a, 0xF9000133 | (uint32_t)__builtin_ctzll(slots) << 10);
    set_field(a, 19, FIELD(saved));
}

void jit_at_end(jit_asm *a, uint32_t label) {
    put(a, 0xEB14027F); /* cmp x19, x20 */
    put(a, SKIP_NE);
    jit_jump(a, label);
}

void jit_load(jit_asm *a) { put(a, 0x39400260); } /* ldrb w0, [x19] */

static void put_table(jit_asm *a, uint32_t table) {
    put(a, 0xD2800009 | (table & 0xFFFF) << 5); /* movz x9, low */
    put(a, 0xF2A00009 | table >> 16 << 5);      /* movk x9, high, lsl 16 */
    put(a, 0x8B180129);                         /* add x9, x9, x24 */
}

void jit_if_in(jit_asm *a, uint32_t table, unsigned bit, uint32_t label) {
    put_table(a, table);
    put(a, 0x38606929);             /* ldrb w9, [x9, x0] */
    put(a, 0x36000049 | bit << 19); /* tbz w9, bit, over */
    jit_jump(a, label);
}

void jit_if_wide(jit_asm *a, uint32_t label) {
    put(a, 0x36380040); /* tbz w0, 7, over */
    jit_jump(a, label);
}

void jit_dispatch(jit_asm *a, uint32_t table) {
    put_table(a, table);
    put(a, 0xB8607929); /* ldr w9, [x9, x0, lsl 2] */
    put(a, 0x8B180129); /* add x9, x9, x24 */
    put(a, 0xD61F0120); /* br x9 */
}

bool jit_can_skip(void) { return false; }

void jit_skip(jit_asm *a, uint32_t table, uint32_t label) { (void)a, (void)table, (void)label; }

void jit_wide(jit_asm *a) {
    jit_fix_here(a, JIT_DECODE);
    put(a, 0x94000000); /* bl */
}

void jit_decoder(jit_asm *a, jit_decode *decode, bool tables) {
    uint64_t address;
    (void)tables;
    memcpy(&address, &decode, sizeof address);
    jit_label(a, JIT_DECODE);
    put(a, 0xA9BF7BFD); /* stp x29, x30, [sp, #-16]! */
    get_field(a, 0, FIELD(y));
    put(a, 0xAA1303E1);                         /* mov x1, x19 */
    put(a, 0xAA1403E2);                         /* mov x2, x20 */
    for (uint32_t part = 0; part < 4; part++) { /* movz, movk x16 */
        const uint32_t op = part ? 0xF2800010 : 0xD2800010;
        put(a, op | part << 21 | (uint32_t)(address >> 16 * part & 0xFFFF) << 5);
    }
    put(a, 0xD63F0200); /* blr x16 */
    put(a, 0x53107C01); /* lsr w1, w0, #16 */
    put(a, 0x12003C00); /* and w0, w0, #0xffff */
    put(a, 0xA8C17BFD); /* ldp x29, x30, [sp], #16 */
    put(a, 0xD65F03C0); /* ret */
}

void jit_begin(jit_asm *a, uint32_t behind) {
    put(a, 0xAA1303F6); /* mov x22, x19 */
    put(a, 0xAA1F03F5); /* mov x21, xzr */
    if (behind) {
        get_field(a, 9, FIELD(p));
        put(a, 0xEB09027F); /* cmp x19, x9 */
        put(a, 0x54000140); /* b.eq first */
        put(a, 0x385FF260); /* ldurb w0, [x19, #-1] */
        jit_if_wide(a, JIT_EXIT);
        jit_dispatch(a, behind);
    }
    get_field(a, 9, FIELD(start)); /* first: */
    put(a, 0xD61F0120);            /* br x9 */
}

/* To label when one try only was asked for: the list of matches has no room. x9 = its end. */
static void put_if_one(jit_asm *a, uint32_t label) {
    get_field(a, 9, FIELD(out));
    get_field(a, 10, FIELD(out_end));
    put(a, 0xEB0A013F); /* cmp x9, x10 */
    put(a, SKIP_NE);
    jit_jump(a, label);
}

void jit_miss(jit_asm *a, bool wide) {
    put(a, 0xEB16027F); /* cmp x19, x22 */
    put(a, SKIP_EQ);
    jit_jump(a, JIT_DONE);
    put_if_one(a, JIT_DONE);
    if (wide) jit_next_wide(a);
    else jit_next(a);
    jit_jump(a, JIT_AGAIN);
}

void jit_store(jit_asm *a) {
    put(a, 0xB5000055); /* cbnz x21, over */
    jit_jump(a, JIT_FAILED);
    put_if_one(a, JIT_EXIT);
    put(a, 0xEB1602BF); /* cmp x21, x22 */
    put(a, SKIP_NE);
    jit_jump(a, JIT_EXIT);
    get_field(a, 11, FIELD(text));
    put(a, 0xCB0B02CC); /* sub x12, x22, x11 */
    put(a, 0xF900012C); /* str x12, [x9] */
    put(a, 0xCB0B02AC); /* sub x12, x21, x11 */
    put(a, 0xF900052C); /* str x12, [x9, #8] */
    put(a, 0x91004129); /* add x9, x9, #16 */
    set_field(a, 9, FIELD(out));
    put(a, 0xAA1503F3); /* mov x19, x21 */
    jit_jump(a, JIT_AGAIN);
    jit_label(a, JIT_FAILED);
    put_if_one(a, JIT_EXIT);
    put(a, 0xEB1402DF); /* cmp x22, x20 */
    put(a, SKIP_NE);
    jit_jump(a, JIT_EXIT);
    put(a, 0xCB160269); /* sub x9, x19, x22 */
    get_field(a, 10, FIELD(patience));
    put(a, 0xEB09014A); /* subs x10, x10, x9 */
    set_field(a, 10, FIELD(patience));
    put(a, SKIP_PL);
    jit_jump(a, JIT_EXIT);
    put(a, 0x394002C9); /* ldrb w9, [x22] */
    put(a, 0x36380049); /* tbz w9, 7, over */
    jit_jump(a, JIT_EXIT);
    put(a, 0x910006D3); /* add x19, x22, #1 */
    jit_jump(a, JIT_AGAIN);
}

#endif

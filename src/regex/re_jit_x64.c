/* re_jit_x64.c - the instructions of re_jit.h for x86-64, System V calling convention.
 *
 * rbx p, r12 end, r13 last, r14 start of the try, r15 the jit_run, rbp the tables; all kept across
 * calls. eax is the byte or symbol, ecx the length of a wide character. All jumps are 32 bits. */
#include "base/cpu.h"
#include "regex/re_jit.h"

#ifdef __x86_64__

#include <string.h>

#define PUT(...)                              \
    do {                                      \
        const uint8_t put_[] = {__VA_ARGS__}; \
        jit_bytes(a, put_, sizeof put_);      \
    } while (0)

enum {
    P = offsetof(jit_run, p),
    END = offsetof(jit_run, end),
    OUT = offsetof(jit_run, out),
    OUT_END = offsetof(jit_run, out_end),
    TEXT = offsetof(jit_run, text),
    SYMS = offsetof(jit_run, y),
    ENTRY = offsetof(jit_run, entry),
    START = offsetof(jit_run, start),
    PATIENCE = offsetof(jit_run, patience),
    LAST = offsetof(jit_run, last),
    READ = offsetof(jit_run, read),
    STAGE1 = offsetof(jit_run, stage1),
    STAGE2 = offsetof(jit_run, stage2),
    TABLES = offsetof(jit_run, base),
    SLOT = offsetof(jit_run, slot),
    SAVED = offsetof(jit_run, saved) /* at most 127: one byte */
};

static void put32(jit_asm *a, uint32_t v) { jit_bytes(a, &v, sizeof v); }

static void aim(jit_asm *a, uint32_t label) {
    jit_fix_here(a, label);
    put32(a, 0);
}

bool jit_patch(jit_asm *a, uint32_t at, uint32_t target) {
    const uint32_t distance = target - (at + 4);
    memcpy(a->code + at, &distance, sizeof distance);
    return true;
}

void jit_enter(jit_asm *a) {
    PUT(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); /* push rbx rbp r12-r15 */
    PUT(0x48, 0x83, 0xEC, 8);                                        /* sub rsp, 8 */
    PUT(0x49, 0x89, 0xFF);                                           /* mov r15, rdi */
    PUT(0x49, 0x8B, 0x5F, P);                                        /* mov rbx, [r15+P] */
    PUT(0x4D, 0x8B, 0x67, END);                                      /* mov r12, [r15+END] */
    PUT(0x49, 0x8B, 0x6F, TABLES);                                   /* mov rbp, [r15+TABLES] */
    PUT(0x41, 0xFF, 0x67, ENTRY);                                    /* jmp [r15+ENTRY] */
}

void jit_leave(jit_asm *a) {
    PUT(0x4D, 0x89, 0x77, P);                                              /* mov [r15+P], r14 */
    PUT(0x4D, 0x89, 0x6F, LAST);                                           /* mov [r15+LAST], r13 */
    PUT(0x49, 0x89, 0x5F, READ);                                           /* mov [r15+READ], rbx */
    PUT(0x48, 0x83, 0xC4, 8);                                              /* add rsp, 8 */
    PUT(0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3); /* pop ..., ret */
}

void jit_mark(jit_asm *a) { PUT(0x49, 0x89, 0xDD); }      /* mov r13, rbx */
void jit_next(jit_asm *a) { PUT(0x48, 0xFF, 0xC3); }      /* inc rbx */
void jit_next_wide(jit_asm *a) { PUT(0x48, 0x01, 0xCB); } /* add rbx, rcx */

void jit_save(jit_asm *a, uint64_t slots) {
    PUT(0x49, 0x8B, 0x47, SLOT); /* mov rax, [r15+SLOT] */
    for (; slots; slots &= slots - 1) {
        PUT(0x48, 0x89, 0x98); /* mov [rax+slot], rbx */
        put32(a, (uint32_t)__builtin_ctzll(slots) * 8);
    }
    PUT(0x49, 0x89, 0x5F, SAVED); /* mov [r15+SAVED], rbx */
}

void jit_jump(jit_asm *a, uint32_t label) {
    PUT(0xE9);
    aim(a, label);
}

void jit_at_end(jit_asm *a, uint32_t label) {
    PUT(0x4C, 0x39, 0xE3, 0x0F, 0x84); /* cmp rbx, r12; je */
    aim(a, label);
}

void jit_load(jit_asm *a) { PUT(0x0F, 0xB6, 0x03); } /* movzx eax, byte [rbx] */

void jit_if_in(jit_asm *a, uint32_t table, unsigned bit, uint32_t label) {
    PUT(0xF6, 0x84, 0x05); /* test byte [rbp+rax+table], 1 << bit */
    put32(a, table);
    PUT((uint8_t)(1u << bit), 0x0F, 0x85); /* jne */
    aim(a, label);
}

void jit_if_wide(jit_asm *a, uint32_t label) {
    PUT(0x84, 0xC0, 0x0F, 0x88); /* test al, al; js */
    aim(a, label);
}

void jit_dispatch(jit_asm *a, uint32_t table) {
    PUT(0x8B, 0x84, 0x85); /* mov eax, [rbp+rax*4+table] */
    put32(a, table);
    PUT(0x48, 0x01, 0xE8, 0xFF, 0xE0); /* add rax, rbp; jmp rax */
}

void jit_wide(jit_asm *a) {
    PUT(0xE8); /* call */
    aim(a, JIT_DECODE);
}

/* edx = continuation byte at p+1 without its mark; to the slow way when it is none. */
static void put_second(jit_asm *a, uint8_t need) {
    PUT(0x48, 0x8D, 0x53, need, 0x4C, 0x39, 0xE2, 0x0F, 0x87); /* lea rdx, [rbx+need]; cmp; ja */
    aim(a, JIT_DECODE_SLOW);
    PUT(0x0F, 0xB6, 0x53, 1, 0x81, 0xF2, 0x80, 0, 0, 0, 0x83, 0xFA, 0x40, 0x0F, 0x83);
    aim(a, JIT_DECODE_SLOW);
}

/* eax = symbol from stage1[rax] and the low six bits in `low` (0xD0: edx, 0xF0: esi). */
static void put_lookup(jit_asm *a, uint8_t low, uint8_t len) {
    PUT(0x4D, 0x8B, 0x47, STAGE1, 0x4D, 0x8B, 0x4F, STAGE2); /* mov r8, ..; mov r9, .. */
    PUT(0x41, 0x0F, 0xB7, 0x04, 0x40, 0xC1, 0xE0, 6);        /* movzx eax, [r8+rax*2]; shl eax, 6 */
    PUT(0x01, low, 0x41, 0x0F, 0xB7, 0x04, 0x41);            /* add eax, low; movzx [r9+rax*2] */
    PUT(0xB9, len, 0, 0, 0, 0xC3);                           /* mov ecx, len; ret */
}

void jit_decoder(jit_asm *a, jit_decode *decode, bool tables) {
    jit_label(a, JIT_DECODE);
    if (tables) {
        PUT(0x8D, 0x88, 0x3E, 0xFF, 0xFF, 0xFF, 0x83, 0xF9, 0x1E, 0x0F, 0x83); /* C2..DF */
        aim(a, JIT_DECODE_THREE);
        put_second(a, 2);
        PUT(0x83, 0xE0, 0x1F); /* and eax, 0x1F */
        put_lookup(a, 0xD0, 2);
        jit_label(a, JIT_DECODE_THREE);
        PUT(0x8D, 0x88, 0x1F, 0xFF, 0xFF, 0xFF, 0x83, 0xF9, 15, 0x0F, 0x83); /* E1..EF */
        aim(a, JIT_DECODE_SLOW);
        PUT(0x3C, 0xED, 0x0F, 0x84); /* surrogates are there */
        aim(a, JIT_DECODE_SLOW);
        put_second(a, 3);
        PUT(0x0F, 0xB6, 0x73, 2, 0x81, 0xF6, 0x80, 0, 0, 0, 0x83, 0xFE, 0x40, 0x0F, 0x83);
        aim(a, JIT_DECODE_SLOW);
        PUT(0x83, 0xE0, 0x0F, 0xC1, 0xE0, 6, 0x01,
            0xD0); /* and eax, 15; shl eax, 6; add eax, edx */
        put_lookup(a, 0xF0, 3);
    }
    jit_label(a, JIT_DECODE_SLOW);
    PUT(0x48, 0x83, 0xEC, 8);    /* sub rsp, 8 */
    PUT(0x49, 0x8B, 0x7F, SYMS); /* mov rdi, [r15+SYMS] */
    PUT(0x48, 0x89, 0xDE);       /* mov rsi, rbx */
    PUT(0x4C, 0x89, 0xE2);       /* mov rdx, r12 */
    PUT(0x48, 0xB8);             /* mov rax, decode */
    jit_bytes(a, &decode, sizeof decode);
    PUT(0xFF, 0xD0);                 /* call rax */
    PUT(0x48, 0x83, 0xC4, 8);        /* add rsp, 8 */
    PUT(0x89, 0xC1, 0xC1, 0xE9, 16); /* mov ecx, eax; shr ecx, 16 */
    PUT(0x0F, 0xB7, 0xC0, 0xC3);     /* movzx eax, ax; ret */
}

bool jit_can_skip(void) { return cpu_get()->avx2; } /* SSSE3 is meant */

/* Bytes of 0x80 and more select 0 from the first table, so they are never in. Near the end 16 bytes
 * are read as well, when they are of one page: what lies behind the end is not looked at. */
void jit_skip(jit_asm *a, uint32_t table, uint32_t label) {
    const uint32_t nibble = 0;
    PUT(0x48, 0x8D, 0x43, 16);       /* lea rax, [rbx+16] */
    PUT(0x4C, 0x39, 0xE0, 0x76, 14); /* cmp rax, r12; jbe load */
    PUT(0x89, 0xD8);                 /* mov eax, ebx */
    PUT(0x25, 0xFF, 0x0F, 0, 0);     /* and eax, 4095 */
    PUT(0x3D, 0xF0, 0x0F, 0, 0);     /* cmp eax, 4080 */
    PUT(0x77, 98);                   /* ja behind */
    PUT(0xF3, 0x0F, 0x6F, 0x03);     /* load: movdqu xmm0, [rbx] */
    PUT(0x66, 0x0F, 0x6F, 0xC8);     /* movdqa xmm1, xmm0 */
    PUT(0x66, 0x0F, 0x71, 0xD1, 4);  /* psrlw xmm1, 4 */
    PUT(0x66, 0x0F, 0xDB, 0x8D);     /* pand xmm1, [rbp+nibble] */
    put32(a, nibble);
    PUT(0x66, 0x0F, 0x6F, 0x95); /* movdqa xmm2, [rbp+table] */
    put32(a, table);
    PUT(0x66, 0x0F, 0x38, 0x00, 0xD0); /* pshufb xmm2, xmm0 */
    PUT(0x66, 0x0F, 0x6F, 0x9D);       /* movdqa xmm3, [rbp+table+16] */
    put32(a, table + 16);
    PUT(0x66, 0x0F, 0x38, 0x00, 0xD9); /* pshufb xmm3, xmm1 */
    PUT(0x66, 0x0F, 0xDB, 0xD3);       /* pand xmm2, xmm3 */
    PUT(0x66, 0x0F, 0xEF, 0xDB);       /* pxor xmm3, xmm3 */
    PUT(0x66, 0x0F, 0x74, 0xD3);       /* pcmpeqb xmm2, xmm3 */
    PUT(0x66, 0x0F, 0xD7, 0xC2);       /* pmovmskb eax, xmm2 */
    PUT(0x85, 0xC0, 0x75, 18);         /* test eax, eax; jne found */
    PUT(0x48, 0x83, 0xC3, 16);         /* add rbx, 16 */
    PUT(0x4C, 0x39, 0xE3, 0x0F, 0x82); /* cmp rbx, r12; jb label */
    aim(a, label);
    PUT(0x4C, 0x89, 0xE3, 0xEB, 13); /* mov rbx, r12; jmp behind */
    PUT(0x0F, 0xBC, 0xC0);           /* found: bsf eax, eax */
    PUT(0x48, 0x01, 0xC3);           /* add rbx, rax */
    PUT(0x4C, 0x39, 0xE3);           /* cmp rbx, r12 */
    PUT(0x49, 0x0F, 0x47, 0xDC);     /* cmova rbx, r12 */
}

void jit_begin(jit_asm *a, uint32_t behind) {
    PUT(0x49, 0x89, 0xDE); /* mov r14, rbx */
    PUT(0x45, 0x31, 0xED); /* xor r13d, r13d */
    if (behind) {
        PUT(0x49, 0x3B, 0x5F, P, 0x74, 24);                  /* cmp rbx, [r15+P]; je first */
        PUT(0x0F, 0xB6, 0x43, 0xFF, 0x84, 0xC0, 0x0F, 0x88); /* movzx eax, [rbx-1]; js exit */
        aim(a, JIT_EXIT);
        jit_dispatch(a, behind); /* 12 bytes */
    }
    PUT(0x41, 0xFF, 0x67, START); /* first: jmp [r15+START] */
}

/* To label when one try only was asked for: the list of matches has no room. */
static void put_if_one(jit_asm *a, uint32_t label) {
    PUT(0x49, 0x8B, 0x47, OUT, 0x49, 0x3B, 0x47, OUT_END, 0x0F, 0x84); /* mov rax; cmp rax; je */
    aim(a, label);
}

void jit_miss(jit_asm *a, bool wide) {
    PUT(0x4C, 0x39, 0xF3, 0x0F, 0x85); /* cmp rbx, r14; jne done */
    aim(a, JIT_DONE);
    put_if_one(a, JIT_DONE);
    if (wide) jit_next_wide(a);
    else jit_next(a);
    jit_jump(a, JIT_AGAIN);
}

void jit_store(jit_asm *a) {
    PUT(0x4D, 0x85, 0xED, 0x0F, 0x84); /* test r13, r13; je failed */
    aim(a, JIT_FAILED);
    put_if_one(a, JIT_EXIT);
    PUT(0x4D, 0x39, 0xF5, 0x0F, 0x84); /* cmp r13, r14; je exit */
    aim(a, JIT_EXIT);
    PUT(0x49, 0x8B, 0x4F, TEXT); /* mov rcx, [r15+TEXT] */
    PUT(0x4C, 0x89, 0xF2);       /* mov rdx, r14 */
    PUT(0x48, 0x29, 0xCA);       /* sub rdx, rcx */
    PUT(0x48, 0x89, 0x10);       /* mov [rax], rdx */
    PUT(0x4C, 0x89, 0xEA);       /* mov rdx, r13 */
    PUT(0x48, 0x29, 0xCA);       /* sub rdx, rcx */
    PUT(0x48, 0x89, 0x50, 8);    /* mov [rax+8], rdx */
    PUT(0x48, 0x83, 0xC0, 16);   /* add rax, 16 */
    PUT(0x49, 0x89, 0x47, OUT);  /* mov [r15+OUT], rax */
    PUT(0x4C, 0x89, 0xEB);       /* mov rbx, r13 */
    jit_jump(a, JIT_AGAIN);
    jit_label(a, JIT_FAILED);
    put_if_one(a, JIT_EXIT);
    PUT(0x4D, 0x39, 0xE6, 0x0F, 0x84); /* cmp r14, r12; je exit */
    aim(a, JIT_EXIT);
    PUT(0x48, 0x89, 0xD8, 0x4C, 0x29, 0xF0);     /* mov rax, rbx; sub rax, r14 */
    PUT(0x49, 0x29, 0x47, PATIENCE, 0x0F, 0x88); /* sub [r15+PATIENCE], rax; js exit */
    aim(a, JIT_EXIT);
    PUT(0x41, 0x80, 0x3E, 0, 0x0F, 0x88); /* cmp byte [r14], 0; js exit */
    aim(a, JIT_EXIT);
    PUT(0x49, 0x8D, 0x5E, 1); /* lea rbx, [r14+1] */
    jit_jump(a, JIT_AGAIN);
}

#endif

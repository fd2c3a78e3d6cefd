/* re.h - regular expressions over UTF-8, leftmost-first (Perl's choice among matches).
 *
 * Linear time in the text for every pattern but those with backreferences, or with an atomic group
 * that cannot be rewritten: these run in a backtracker with a step budget and end in RZ_EFULL when
 * it is spent. Text is bytes: each byte that is no part of a valid UTF-8 character counts as one
 * character that no class, not even a negated one, contains; a negative look-around may look at it.
 *
 * Syntax: literals; \n \r \t \f \v \a \e \0 \xHH \x{H} \uHHHH \u{H} \cX \Q..\E; . \d \D \w \W \s \S
 * \h \H \R \N \X; classes with ranges, [:posix:], nested classes and && -- ~~; \p{..} \P{..} \pL;
 * * + ? {n} {n,} {n,m}, each also lazy (?) or possessive (+); ^ $ \A \z \Z \b \B; (..) (?<n>..)
 * (?P<n>..) (?'n'..) (?:..) (?>..); \1 \k<n> \g{n} (?P=n); (?=..) (?!..) (?<=..) (?<!..);
 * (?imsux-imsux) and (?i:..); (?#..). `$` is the end of the text, or of a line under (?m); \Z also
 * stands before a final newline. \d \w \s \b are Unicode unless (?-u). */
#ifndef REGEX_RE_H
#define REGEX_RE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

typedef struct re re;           /* compiled, read-only, any number of threads */
typedef struct re_work re_work; /* what one thread needs to match one text    */

#define RE_NONE RZ_NO_MATCH

typedef enum re_flag {
    RE_ICASE = 1,     /* as (?i) at the start */
    RE_MULTILINE = 2, /* (?m) */
    RE_DOTALL = 4,    /* (?s) */
    RE_EXTENDED = 8,  /* (?x) */
    RE_ASCII = 16,    /* (?-u) */
} re_flag;

typedef enum re_engine {
    RE_AUTO,
    RE_PIKE, /* thread lists; everything but backreferences and atomic groups */
    RE_DFA,  /* table of states, built ahead or on the way */
    RE_BACK, /* backtracking, remembering where it has been */
    RE_JIT,  /* machine code made from the table of states */
} re_engine;

typedef struct re_options {
    unsigned flags;
    re_engine engine;     /* RE_AUTO chooses; another one fails where it cannot run the pattern */
    uint64_t step_budget; /* of the backtracker, for one search; 0 = 20 million               */
    bool no_jit, no_prefilter;
} re_options;

typedef rz_span re_span; /* both RE_NONE when there is none */

/* RZ_EFORMAT with the offset for what is no pattern; RZ_EFULL for one that is too large. */
status re_compile(re **out, str pattern, const re_options *opt, err *e);
void re_free(re *r);
/* Number of groups, the whole match (group 0) included. */
size_t re_groups(const re *r);
/* -1: no group of that name. */
int re_group_index(const re *r, str name);
/* Empty for a group without name. */
str re_group_name(const re *r, size_t group);
/* How it runs: "jit", "dfa", "lazy dfa", "pike" or "backtracker"; with a search for the strings all
 * matches begin with before it "memmem+jit" (one string), "teddy+jit" (several); "memmem" or
 * "teddy" alone where the strings are the matches. */
const char *re_engine_name(const re *r);

/* `r` must outlive it. */
status re_work_new(re_work **out, const re *r, err *e);
void re_work_free(re_work *w);
/* The text to search from now on; iteration starts anew. Borrowed, and must not change while it is
 * bound. */
void re_text(re_work *w, str text);
/* The leftmost match that starts at `from` or later (inside a character: at its end); what lies
 * before `from` is seen by look-behind, \b and ^. */
status re_find(re_work *w, size_t from, re_span *out, err *e);
/* The same with all groups: span[re_groups]. */
status re_captures(re_work *w, size_t from, re_span *span, err *e);
/* Next match after the one before, RE_NONE at the end. An empty match is not reported where the
 * last match ended. */
status re_next(re_work *w, re_span *out, err *e);
/* Up to `cap` next matches at once; *n == 0 at the end. */
status re_next_many(re_work *w, re_span *out, size_t cap, size_t *n, err *e);
/* re_next with all groups: span[re_groups]. */
status re_next_captures(re_work *w, re_span *span, err *e);
/* Where re_next goes on. */
void re_seek(re_work *w, size_t at);

#endif

/* test_gram_schema.c - JSON schemas: what comes through is valid, what is not known is refused, and
 * what a model says under one is read back and validated by other means. */
#include <stdio.h>
#include <string.h>

#include "json/json.h"
#include "realizar.h"
#include "test.h"

static rz_model *model;
static const rz_tokenizer *words;

static const char *compile(const char *schema, rz_grammar **out) {
    static rz_error e;
    e.text[0] = 0;
    *out = NULL;
    const rz_status s = rz_grammar_new(out, words, RZ_GRAMMAR_SCHEMA, schema, strlen(schema), &e);
    return s == RZ_OK ? "" : e.text;
}

/* texts: separated by spaces; one that begins with '!' must not fit as a whole. In both ' stands
 * for ". */
static void allows(const char *schema, const char *texts) {
    char s[2000], t[2000];
    rz_grammar *g;
    size_t n = strlen(schema), m = strlen(texts);
    for (size_t i = 0; i <= n; i++) s[i] = schema[i] == '\'' ? '"' : schema[i];
    for (size_t i = 0; i <= m; i++) t[i] = texts[i] == '\'' ? '"' : texts[i];
    const char *why = compile(s, &g);
    CHECK_MSG(!*why, "%s: %s", s, why);
    str rest = str_of(t);
    while (g && rest.p) {
        str one = str_split(&rest, ' ');
        const bool want = !str_starts(one, STR_LIT("!"));
        if (!want) one = (str){one.p + 1, one.len - 1};
        int whole = -1;
        size_t good = 0;
        CHECK(rz_grammar_check(g, one.p, one.len, &good, &whole, NULL) == RZ_OK);
        CHECK_MSG(whole == want, "%s: %.*s %s (%zu bytes fit)", s, STR_FMT(one),
                  want ? "does not fit" : "fits", good);
    }
    rz_grammar_free(g);
}

static void test_types(void) {
    allows("{'type':'null'}", "null !nul !0");
    allows("{'type':'boolean'}", "true false !null");
    allows("{'type':'integer'}", "0 -1 1234567890123456 !01 !1.5 !- !12345678901234567");
    allows("{'type':'number'}", "0 -1.25 1e5 2.5E-12 !.5 !1. !1e !1e100");
    allows("{'type':'string'}", "'' 'ab' '\\n' '\\u00e9' '\xC3\xA9' !'a !'\\x' !'\\uD800' !'\x01'");
    allows("{'type':['integer','null']}", "1 null !'a' !1.5");
    allows("true", "{} [1,'a'] null");
    allows("{}", "{} 1");
    allows("{'type':'object'}", "{} {'a':1,'b':[]} ![]");
    allows("{'type':'array'}", "[] [1,{}] !{}");
}

static void test_constants(void) {
    allows("{'enum':['a',1,null,[1,2]]}", "'a' 1 null [1,2] !'b' !2");
    allows("{'type':'string','enum':['a',1]}", "'a' !1");
    allows("{'const':{'k':'\\n'}}", "{'k':'\\n'} !{}");
    allows("{'const':1,'enum':[2,1]}", "1 !2");
}

static void test_objects(void) {
    allows(
        "{'type':'object','properties':{'a':{'type':'integer'},'b':{'type':'null'}},"
        "'required':['a']}",
        "{'a':1} {'a':1,'b':null} !{} !{'b':null} !{'b':null,'a':1} !{'a':1,} !{'a':1,'c':2}");
    allows("{'properties':{'a':{'const':1},'b':{'const':2},'c':{'const':3}}}",
           "{} {'a':1} {'b':2} {'c':3} {'a':1,'c':3} {'b':2,'c':3} {'a':1,'b':2,'c':3} !{,'a':1} "
           "!{'a':1'b':2}");
    allows("{'properties':{'a':{'const':1},'b':{'const':2}},'required':['b']}",
           "{'b':2} {'a':1,'b':2} !{'a':1} !{}");
    allows("{'properties':{'ab':{'const':1}},'additionalProperties':{'type':'null'}}",
           "{} {'ab':1} {'ab':1,'x':null} {'a':null} {'abc':null} {'x':null,'y':null} !{'ab':null} "
           "!{'x':1} !{'x':null,'ab':1}");
    allows("{'type':'object','additionalProperties':false}", "{} !{'a':1}");
    allows("{'type':'object','minProperties':1,'maxProperties':2}",
           "{'a':1} {'a':1,'b':2} !{} !{'a':1,'b':2,'c':3}");
    allows("{'required':['k']}", "{'k':[1]} {'k':1,'m':2} !{} !{'m':1}");
}

static void test_arrays(void) {
    allows("{'type':'array','items':{'const':1}}", "[] [1] [1,1,1] ![2] ![1,]");
    allows("{'items':{'const':1},'minItems':2,'maxItems':3}", "[1,1] [1,1,1] ![1] ![1,1,1,1] ![]");
    allows("{'items':{'const':1},'maxItems':0}", "[] ![1]");
    allows("{'prefixItems':[{'const':1},{'const':2}]}", "[] [1] [1,2] ![2] ![1,2,3]");
    allows("{'prefixItems':[{'const':1},{'const':2}],'items':{'const':3},'minItems':1}",
           "[1] [1,2] [1,2,3,3] ![] ![1,3]");
    allows("{'prefixItems':[{'const':1},{'const':2}],'items':false,'minItems':2}",
           "[1,2] ![1] ![1,2,3]");
    allows("{'prefixItems':[{'const':1}],'items':{'const':3},'minItems':3,'maxItems':4}",
           "[1,3,3] [1,3,3,3] ![1,3] ![1,3,3,3,3]");
}

static void test_strings(void) {
    allows("{'type':'string','minLength':2,'maxLength':3}",
           "'ab' 'abc' '\xC3\xA9\xE2\x82\xAC' '\\n\\u00e9' !'a' !'abcd'");
    allows("{'pattern':'^a[0-9]+$'}", "'a1' 'a123' !'a' !'xa1' !a1");
    allows("{'pattern':'b'}", "'b' 'abc' !'ac'");
    allows("{'pattern':'^[\\\\n\\\\\\\\]$'}", "'\\n' '\\\\' !'n'");
    allows("{'format':'date'}",
           "'2024-02-28' '1999-12-31' !'2024-02-30' !'2024-13-01' !'2024-1-1'");
    allows("{'format':'time'}", "'23:59:59Z' '00:00:00.5+01:30' !'24:00:00Z' !'12:00:00'");
    allows("{'format':'date-time'}", "'2024-02-28T10:00:00Z' !'2024-02-28'");
    allows("{'format':'uuid'}",
           "'123e4567-e89b-12d3-a456-426614174000' !'123e4567-e89b-12d3-a456-42661417400'");
    allows("{'format':'ipv4'}", "'1.2.3.4' '255.249.10.0' !'256.1.1.1' !'1.2.3'");
}

static void test_numbers(void) {
    allows("{'type':'integer','minimum':5,'maximum':12}", "5 9 10 12 !4 !13 !1 !05");
    allows("{'type':'integer','minimum':-3}", "-3 0 99999 !-4 !-10 !-0");
    allows("{'type':'integer','maximum':-7}", "-7 -10 -123 !-6 !0 !7");
    allows("{'type':'integer','exclusiveMinimum':0,'exclusiveMaximum':100}", "1 99 !0 !100");
    allows("{'type':'number','minimum':-1,'maximum':2.5}", "-1 -0.5 0 1.25 2 !-1.5 !3 !2.75");
    allows("{'type':'number','exclusiveMinimum':0}", "0.5 1 3.25 !0 !-1 !0.0");
}

static void test_integer_ranges_by_counting(void) {
    for (int lo = -130; lo <= 130; lo += 13)
        for (int hi = lo; hi <= 130; hi += 29) {
            char text[100];
            rz_grammar *g;
            snprintf(text, sizeof text, "{\"type\":\"integer\",\"minimum\":%d,\"maximum\":%d}", lo,
                     hi);
            REQUIRE(!*compile(text, &g));
            for (int i = -150; i <= 150; i++) {
                int whole = 0;
                snprintf(text, sizeof text, "%d", i);
                CHECK(rz_grammar_check(g, text, strlen(text), NULL, &whole, NULL) == RZ_OK);
                CHECK_MSG(whole == (lo <= i && i <= hi), "%d in %d..%d", i, lo, hi);
            }
            rz_grammar_free(g);
        }
}

static void test_combinations(void) {
    allows("{'anyOf':[{'type':'integer'},{'type':'null'}]}", "1 null !'a'");
    allows("{'oneOf':[{'const':1},{'const':'b'}]}", "1 'b' !2");
    allows(
        "{'type':'object','properties':{'a':{'const':1},'b':{'const':2}},"
        "'anyOf':[{'required':['a']},{'required':['b']}]}",
        "{'a':1} {'b':2} {'a':1,'b':2} !{}");
    allows(
        "{'allOf':[{'properties':{'a':{'type':'integer'}},'required':['a']},"
        "{'properties':{'b':{'const':2}}},{'properties':{'a':{'minimum':3}}}]}",
        "{'a':3} {'a':3,'b':2} !{'a':2} !{'b':2}");
    allows("{'allOf':[{'type':['integer','string']},{'type':['string','null']}]}", "'a' !1 !null");
    allows("{'$defs':{'n':{'type':'integer'}},'items':{'$ref':'#/$defs/n'},'type':'array'}",
           "[] [1] !['a']");
    allows("{'$defs':{'a/b':{'const':1}},'$ref':'#/$defs/a~1b'}", "1 !2");
    allows(
        "{'properties':{'v':{'type':'integer'},'next':{'anyOf':[{'$ref':'#'},{'type':'null'}]}},"
        "'required':['v','next'],'additionalProperties':false}",
        "{'v':1,'next':null} {'v':1,'next':{'v':2,'next':null}} !{'v':1} !{'v':1,'next':{}}");
    allows("{'properties':{'a':false,'b':{'const':1}}}", "{} {'b':1} !{'a':1}");
}

static void test_refusals(void) {
    static const struct {
        const char *schema, *why;
    } bad[] = {
        {"[1]", "JSON schema: a schema must be an object or a boolean, not array"},
        {"{\"type\":\"int\"}", "JSON schema: type \"int\" does not exist"},
        {"{\"not\":{}}", "JSON schema: keyword \"not\" is not supported"},
        {"{\"items\":{\"patternProperties\":{}}}",
         "JSON schema: keyword \"patternProperties\" is not supported"},
        {"{\"type\":\"array\",\"uniqueItems\":true}",
         "JSON schema: keyword \"uniqueItems\" is not supported"},
        {"{\"type\":\"integer\",\"multipleOf\":3}",
         "JSON schema: keyword \"multipleOf\" is not supported"},
        {"{\"format\":\"hostname\"}", "JSON schema: format \"hostname\" is not supported"},
        {"{\"$ref\":\"http://x/y\"}",
         "JSON schema: $ref \"http://x/y\": only references that begin with #/"},
        {"{\"$ref\":\"#/$defs/x\"}", "JSON schema: $ref \"#/$defs/x\" leads nowhere"},
        {"{\"minLength\":-1}",
         "JSON schema: minLength must be a whole number that is not negative"},
        {"{\"minLength\":1,\"pattern\":\"a\"}",
         "JSON schema: more than one of pattern, format and minLength or maxLength for one string "
         "is not supported"},
        {"{\"pattern\":\"(a)\\\\1\"}",
         "JSON schema: pattern: grammar: a pattern with backreferences"},
        {"{\"enum\":[1],\"minimum\":0}",
         "JSON schema: keyword \"minimum\" beside enum or const is not supported"},
        {"false", "grammar: no text fits it, every way through it is endless"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"required\":[\"a\"]}",
         "grammar: no text fits it, every way through it is endless"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rz_grammar *g;
        CHECK_STR(compile(bad[i].schema, &g), bad[i].why);
        rz_grammar_free(g);
    }
    rz_grammar *g;
    CHECK(strstr(compile("{", &g), "JSON schema: ") != NULL);
}

/* ---- a validator that shares nothing with the compiler but the reader of JSON ---- */

static bool valid(const json *schema, const json *v);

static bool has_type(const json *type, const json *v) {
    int64_t n;
    if (str_is(type->text, "integer")) return json_int(v, INT64_MIN, INT64_MAX, &n);
    return str_is(type->text, json_kind_name(v->kind));
}

static size_t characters(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

static double limit(const json *schema, const char *key, double otherwise) {
    const json *v = json_get(schema, key);
    return v ? v->number : otherwise;
}

static bool valid_object(const json *schema, const json *v) {
    const json *props = json_get(schema, "properties"), *need = json_get(schema, "required");
    const json *more = json_get(schema, "additionalProperties");
    for (const json *m = need ? need->child : NULL; m; m = m->next) {
        char key[64] = {0};
        memcpy(key, m->text.p, m->text.len < 63 ? m->text.len : 63);
        if (!json_get(v, key)) return false;
    }
    for (const json *m = v->child; m; m = m->next) {
        const json *p = props ? props->child : NULL;
        while (p && !str_eq(p->key, m->key)) p = p->next;
        if (p ? !valid(p, m) : more && !valid(more, m)) return false;
    }
    return true;
}

static bool valid(const json *schema, const json *v) {
    if (schema->kind == JSON_BOOL) return schema->truth;
    const json *type = json_get(schema, "type"), *any = json_get(schema, "anyOf");
    const json *list = json_get(schema, "enum"), *items = json_get(schema, "items");
    if (type && !has_type(type, v)) return false;
    if (any) {
        const json *m = any->child;
        while (m && !valid(m, v)) m = m->next;
        if (!m) return false;
    }
    if (list) {
        const json *m = list->child;
        while (m && !(m->kind == v->kind && str_eq(m->text, v->text))) m = m->next;
        if (!m) return false;
    }
    if (v->kind == JSON_NUMBER)
        return v->number >= limit(schema, "minimum", -1e99) &&
               v->number <= limit(schema, "maximum", 1e99);
    if (v->kind == JSON_STRING) {
        const double n = (double)characters(v->text);
        return n >= limit(schema, "minLength", 0) && n <= limit(schema, "maxLength", 1e9);
    }
    if (v->kind == JSON_ARRAY) {
        if (v->n < limit(schema, "minItems", 0) || v->n > limit(schema, "maxItems", 1e9))
            return false;
        for (const json *m = items ? v->child : NULL; m; m = m->next)
            if (!valid(items, m)) return false;
    }
    return v->kind != JSON_OBJECT || valid_object(schema, v);
}

/* ---- random schemas ---- */

static uint64_t rng;
static uint32_t roll(uint32_t n) {
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % n;
}

static void random_schema(buf *b, int depth);

static void random_object(buf *b, int depth) {
    const uint32_t n = roll(4);
    buf_text(b, "{\"type\":\"object\",\"properties\":{");
    for (uint32_t i = 0; i < n; i++) {
        buf_printf(b, "%s\"k%u\":", i ? "," : "", i);
        random_schema(b, depth - 1);
    }
    buf_text(b, "},\"required\":[");
    bool first = true;
    for (uint32_t i = 0; i < n; i++) {
        if (roll(2)) continue;
        buf_printf(b, "%s\"k%u\"", first ? "" : ",", i);
        first = false;
    }
    buf_printf(b, "],\"additionalProperties\":%s}", roll(3) ? "false" : "{\"type\":\"boolean\"}");
}

static void random_schema(buf *b, int depth) {
    switch (roll(depth > 0 ? 8 : 5)) {
        case 0:
            buf_printf(b, "{\"type\":\"integer\",\"minimum\":%d,\"maximum\":%u}", -(int)roll(50),
                       roll(1000));
            return;
        case 1:
            buf_printf(b, "{\"type\":\"string\",\"minLength\":%u,\"maxLength\":%u}", roll(4),
                       4 + roll(9));
            return;
        case 2:
            buf_text(b, "{\"enum\":[\"red\",\"green\",\"blue\",12]}");
            return;
        case 3:
            buf_text(b, "{\"type\":\"boolean\"}");
            return;
        case 4:
            buf_text(b, "{\"type\":\"number\",\"minimum\":0,\"maximum\":9}");
            return;
        case 5:
            random_object(b, depth);
            return;
        case 6:
            buf_text(b, "{\"type\":\"array\",\"items\":");
            random_schema(b, depth - 1);
            buf_printf(b, ",\"minItems\":%u,\"maxItems\":%u}", roll(2), 1 + roll(3));
            return;
        default:
            buf_text(b, "{\"anyOf\":[");
            random_schema(b, depth - 1);
            buf_char(b, ',');
            random_schema(b, depth - 1);
            buf_text(b, "]}");
    }
}

static int take_text(void *ud, const char *text, size_t len) {
    buf_add(ud, text, len);
    return 0;
}

/* What the model says under that schema is whole, is JSON and is valid. */
static void check_answer(const char *schema, uint64_t seed) {
    rz_grammar *g;
    rz_error e = {0};
    buf answer = BUF_INIT;
    arena mem = ARENA_INIT;
    json *want = NULL, *got = NULL;
    const char *why = compile(schema, &g);
    CHECK_MSG(!*why, "%s: %s", schema, why);
    rz_params p = RZ_PARAMS_INIT;
    p.temperature = 1.0f;
    p.seed = seed;
    p.grammar = g;
    rz_usage use = {0};
    CHECK_MSG(!g || rz_generate(model, "Once", &p, take_text, &answer, &use, &e) == RZ_OK, "%s: %s",
              schema, e.text);
    int whole = 0;
    (void)rz_grammar_check(g, answer.p, answer.len, NULL, &whole, NULL);
    if (whole) { /* otherwise the context was full */
        CHECK_MSG(json_parse(&got, buf_view(&answer), &mem, &e) == RZ_OK, "%.*s: %s",
                  STR_FMT(buf_view(&answer)), e.text);
        CHECK(json_parse(&want, str_of(schema), &mem, &e) == RZ_OK);
        CHECK_MSG(got && want && valid(want, got), "%s: %.*s", schema, STR_FMT(buf_view(&answer)));
    } else {
        CHECK_MSG(use.output > 100, "%s: %.*s", schema, STR_FMT(buf_view(&answer)));
    }
    rz_grammar_free(g);
    arena_free(&mem);
    buf_free(&answer);
}

static void test_a_model_under_random_schemas(void) {
    for (uint64_t seed = 1; seed <= (test_thorough() ? 60 : 8); seed++) {
        buf schema = BUF_INIT;
        rng = seed * 977;
        random_object(&schema, 3);
        check_answer(buf_cstr(&schema), seed);
        buf_free(&schema);
    }
}

/* The session's own sampling follows the fed text, also over a rewind. */
static void test_sessions_follow_a_grammar(void) {
    rz_grammar *g;
    rz_session *s = NULL;
    rz_params p = RZ_PARAMS_INIT;
    const rz_token start = 1;
    REQUIRE(!*compile("{\"enum\":[\"abcabc\"]}", &g));
    REQUIRE(rz_session_new(&s, model, 64, RZ_KV_AUTO, NULL) == RZ_OK);
    p.grammar = g;
    CHECK(rz_session_feed(s, &start, 1, NULL) == RZ_OK);
    char text[64] = {0};
    size_t n = 0;
    for (int i = 0; i < 20 && n < 8; i++) {
        const rz_token id = rz_session_sample(s, &p);
        size_t len = 0;
        const char *bytes = rz_token_bytes(rz_model_tokenizer(model), id, &len);
        REQUIRE(bytes && n + len < sizeof text);
        if (i == 2) { /* forget the last token, and say it again */
            const size_t at = rz_session_length(s);
            CHECK(rz_session_feed(s, &id, 1, NULL) == RZ_OK);
            (void)rz_session_sample(s, &p);
            CHECK(rz_session_rewind(s, at, NULL) == RZ_OK);
        }
        memcpy(text + n, bytes, len);
        n += len;
        CHECK(rz_session_feed(s, &id, 1, NULL) == RZ_OK);
    }
    CHECK_STR(text, "\"abcabc\"");
    CHECK(rz_token_is_control(words, rz_session_sample(s, &p)));
    CHECK(rz_session_rewind(s, 0, NULL) == RZ_OK && rz_session_feed(s, &start, 1, NULL) == RZ_OK);
    CHECK(rz_session_sample(s, &p) >= 0);
    rz_session_free(s);
    rz_grammar_free(g);
}

void suite_gram_schema(void) {
    rz_error e;
    if (rz_model_open_demo(&model, NULL, &e) != RZ_OK) {
        test_skip("%s", e.text);
        return;
    }
    words = rz_model_tokenizer(model);
    RUN(test_types);
    RUN(test_constants);
    RUN(test_objects);
    RUN(test_arrays);
    RUN(test_strings);
    RUN(test_numbers);
    RUN(test_integer_ranges_by_counting);
    RUN(test_combinations);
    RUN(test_refusals);
    RUN(test_a_model_under_random_schemas);
    RUN(test_sessions_follow_a_grammar);
    rz_model_close(model);
}

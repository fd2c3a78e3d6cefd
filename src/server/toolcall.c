/* toolcall.c - see toolcall.h.
 *
 * TEXT until the family's opening mark, then BODY until its closing mark or the end of the answer.
 * A closing mark may also stand inside an argument, so a body that cannot be read yet goes on to
 * the next one, a few times. Space around calls is nobody's text. */
#include "server/toolcall.h"

#include "base/mem.h"

/* A body to calls. false, and nothing was told: it is none. */
typedef bool read_body(toolcall *t, str body);

static bool read_json(toolcall *t, str body);
static bool read_named(toolcall *t, str body);
static bool read_deepseek(toolcall *t, str body);

enum { MAX_MARKS = 4, MAX_CLOSINGS = 16 };

struct tool_family {
    const char *name;
    const char *sign;  /* what only templates of this family contain            */
    const char *begin; /* in front of a call, or NULL: the whole answer is one  */
    const char *end;   /* behind it, or NULL: the end of the answer             */
    read_body *read;
    const char *open, *between;  /* an answer that has to call begins: open, name, between */
    const char *mark[MAX_MARKS]; /* more marks that may be control tokens        */
};

#define DS(word) "<\xef\xbd\x9ctool\xe2\x96\x81" word "\xef\xbd\x9c>"
#define DS_CALLS           \
    DS("calls\xe2\x96\x81" \
       "begin")
#define DS_CALLS_END       \
    DS("calls\xe2\x96\x81" \
       "end")
#define DS_CALL           \
    DS("call\xe2\x96\x81" \
       "begin")
#define DS_CALL_END       \
    DS("call\xe2\x96\x81" \
       "end")
#define DS_SEP DS("sep")

#define JSON_OPEN "{\"name\": \""
#define JSON_BETWEEN "\", \"arguments\": "

/* clang-format off */
static const tool_family families[] = {
    /* name, sign, begin, end, reader, an opening, more marks */
    {"deepseek", DS_CALLS, DS_CALLS, DS_CALLS_END, read_deepseek,
     DS_CALLS DS_CALL "function" DS_SEP, "\n```json\n", {DS_CALL, DS_CALL_END, DS_SEP}},
    {"mistral", "[TOOL_CALLS]", "[TOOL_CALLS]", NULL, read_named,
     "[TOOL_CALLS][" JSON_OPEN, JSON_BETWEEN, {"[ARGS]", "[CALL_ID]"}},
    {"command-r", "<|START_ACTION|>", "<|START_ACTION|>", "<|END_ACTION|>", read_json,
     "<|START_ACTION|>[{\"tool_name\": \"", "\", \"parameters\": ", {0}},
    {"phi-4", "<|tool_call|>", "<|tool_call|>", "<|/tool_call|>", read_json,
     "<|tool_call|>[" JSON_OPEN, JSON_BETWEEN, {0}},
    {"hermes", "<tool_call>", "<tool_call>", "</tool_call>", read_json,
     "<tool_call>\n" JSON_OPEN, JSON_BETWEEN, {0}},
    {"llama3", "<|python_tag|>", NULL, NULL, read_json,
     JSON_OPEN, "\", \"parameters\": ", {"<|python_tag|>"}},
    {"json", "", NULL, NULL, read_json, JSON_OPEN, JSON_BETWEEN, {0}},
};
/* clang-format on */
enum { N_FAMILY = sizeof families / sizeof *families };

typedef enum where { START, TEXT, BODY } where;

struct toolcall {
    const tool_family *family;
    arena keep; /* of tools */
    const json *tools;
    const tool_sink *sink;
    where at;
    buf held;        /* what is not decided yet                                    */
    size_t looked;   /* of a body: where the search for its end goes on            */
    int closings;    /* ends found that ended nothing                              */
    buf args;        /* a call's arguments, while they are written                 */
    arena tree;      /* a body's JSON                                              */
    uint32_t n_call; /* told                                                       */
    bool after_call; /* no text has been told since: space is not text yet         */
    bool failed;
};

/* ---- families ---- */

const tool_family *tool_family_of(str chat_template) {
    for (size_t i = 0; i < N_FAMILY; i++)
        if (str_find(chat_template, str_of(families[i].sign)) >= 0) return &families[i];
    return &families[N_FAMILY - 1];
}

const char *tool_family_name(const tool_family *f) { return f->name; }

bool tool_is_mark(const tool_family *f, str piece) {
    if ((f->begin && str_is(piece, f->begin)) || (f->end && str_is(piece, f->end))) return true;
    for (size_t i = 0; i < MAX_MARKS && f->mark[i]; i++)
        if (str_is(piece, f->mark[i])) return true;
    return false;
}

void tool_opening(const tool_family *f, str name, buf *out) {
    buf_text(out, f->open);
    if (!name.len) return;
    buf_str(out, name);
    buf_text(out, f->between);
}

/* ---- what was called ---- */

static const json *find_tool(const toolcall *t, str name) {
    for (const json *v = t->tools ? t->tools->child : NULL; v; v = v->next) {
        const json *own = json_get(json_get(v, "function"), "name");
        if (own && own->kind == JSON_STRING && str_eq(own->text, name)) return v;
    }
    return NULL;
}

static void tell(toolcall *t, str name, str args) {
    t->sink->call(t->sink->ud, name, args);
    t->n_call++;
    t->after_call = true;
}

/* Arguments as an object: as they are, or the text of one. */
static bool write_args(toolcall *t, const json *v) {
    buf_clear(&t->args);
    if (!v || v->kind == JSON_NULL) {
        buf_text(&t->args, "{}");
    } else if (v->kind == JSON_STRING) {
        json *inner;
        const str text = str_trim(v->text);
        if (json_parse(&inner, text, &t->tree, NULL) < 0 || inner->kind != JSON_OBJECT)
            return false;
        buf_str(&t->args, text);
    } else if (v->kind == JSON_OBJECT) {
        json_write(&t->args, v);
    } else {
        return false;
    }
    return !t->args.failed;
}

static const json *first_of(const json *v, const char *const *key) {
    const json *found = NULL;
    for (; *key && !found; key++) found = json_get(v, *key);
    return found;
}

typedef struct found {
    str name;
    const json *args;
} found;

/* {"name","arguments"} under the names models give them, or inside "function". */
static bool take_call(const toolcall *t, const json *v, found *out) {
    static const char *const names[] = {"name", "tool_name", "function", NULL};
    static const char *const args[] = {"arguments", "parameters", "args", NULL};
    const json *inner = json_get(v, "function");
    if (inner && inner->kind == JSON_OBJECT) v = inner;
    const json *name = first_of(v, names);
    if (!name || name->kind != JSON_STRING || !name->text.len) return false;
    *out = (found){name->text, first_of(v, args)};
    /* Without a mark only a tool's name tells a call from an answer in JSON. */
    return t->family->begin || find_tool(t, name->text);
}

/* A call, or a list of them, or {"tool_calls":[...]}. Told only when all are good. */
static bool take_calls(toolcall *t, const json *v) {
    found f;
    const json *list = json_get(v, "tool_calls"), *one = json_get(v, "tool_call");
    if (list && list->kind == JSON_ARRAY) v = list;
    else if (one && one->kind == JSON_OBJECT) v = one;
    const bool many = v->kind == JSON_ARRAY;
    const json *first = many ? v->child : v;
    if (!first) return false;
    for (const json *c = first; c; c = many ? c->next : NULL)
        if (!take_call(t, c, &f) || !write_args(t, f.args)) return false;
    for (const json *c = first; c; c = many ? c->next : NULL)
        if (take_call(t, c, &f) && write_args(t, f.args)) tell(t, f.name, buf_view(&t->args));
    return true;
}

/* ---- bodies ---- */

/* Length of the object or array that `s` begins with, by its brackets; 0: it does not end. */
static size_t span(str s) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        if (quoted) {
            if (c == '\\') i++;
            else if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return 0;
            if (--depth == 0) return i + 1;
        }
        if (depth == 0) return 0;
    }
    return 0;
}

static str behind(str s, size_t n) { return (str){s.p + n, s.len - n}; }

/* Without ```json around it. */
static str without_fence(str s) {
    s = str_trim(s);
    const str fence = STR_LIT("```");
    if (!str_starts(s, fence)) return s;
    s = behind(s, fence.len);
    if (str_starts(s, STR_LIT("json"))) s = behind(s, 4);
    s = str_trim(s);
    if (str_ends(s, fence)) s.len -= fence.len;
    return str_trim(s);
}

/* Every value of a body as a list; NULL when one is none. They may be parted by ; or , or space. */
static const json *parse_values(toolcall *t, str body) {
    json *list = arena_zero(&t->tree, 1, sizeof *list), **at = list ? &list->child : NULL;
    for (body = without_fence(body); at && body.len;) {
        json *v;
        const size_t n = span(body);
        if (!n || json_parse(&v, (str){body.p, n}, &t->tree, NULL) < 0) return NULL;
        *at = v;
        at = &v->next;
        list->n++;
        body = str_trim(behind(body, n));
        if (body.len && (body.p[0] == ';' || body.p[0] == ',')) body = str_trim(behind(body, 1));
    }
    if (!list || !list->n) return NULL;
    list->kind = JSON_ARRAY;
    return list->n == 1 ? list->child : list;
}

/* <function=NAME><parameter=KEY>VALUE</parameter>...</function>, as Qwen's coders write it. */
static bool take_text_until(str *s, const char *mark, str *out) {
    const ptrdiff_t at = str_find(*s, str_of(mark));
    if (at < 0) return false;
    *out = (str){s->p, (size_t)at};
    *s = behind(*s, (size_t)at + strlen(mark));
    return true;
}

/* A parameter's value: text where the tool wants text or it is no JSON. */
static void write_value(toolcall *t, const json *kinds, str key, str value) {
    const json *kind = NULL;
    json *v;
    for (const json *p = kinds ? kinds->child : NULL; p && !kind; p = p->next)
        if (str_eq(p->key, key)) kind = json_get(p, "type");
    const bool text = kind && kind->kind == JSON_STRING && str_is(kind->text, "string");
    if (str_starts(value, STR_LIT("\n"))) value = behind(value, 1);
    if (str_ends(value, STR_LIT("\n"))) value.len--;
    if (!text && json_parse(&v, value, &t->tree, NULL) == RZ_OK) json_write(&t->args, v);
    else json_write_string(&t->args, value);
}

static bool read_tagged(toolcall *t, str body) {
    str name, key, value, head;
    if (!take_text_until(&body, "<function=", &head) || !take_text_until(&body, ">", &name))
        return false;
    const json *tool = json_get(find_tool(t, name), "function");
    const json *kinds = json_get(json_get(tool, "parameters"), "properties");
    buf_clear(&t->args);
    buf_char(&t->args, '{');
    while (take_text_until(&body, "<parameter=", &head)) {
        if (!take_text_until(&body, ">", &key) || !take_text_until(&body, "</parameter>", &value))
            return false;
        if (t->args.len > 1) buf_char(&t->args, ',');
        json_write_string(&t->args, key);
        buf_char(&t->args, ':');
        write_value(t, kinds, key, value);
    }
    buf_char(&t->args, '}');
    /* The same key twice is no object. */
    json *all;
    if (!name.len || t->args.failed || json_parse(&all, buf_view(&t->args), &t->tree, NULL) < 0)
        return false;
    tell(t, name, buf_view(&t->args));
    return true;
}

static bool read_json(toolcall *t, str body) {
    body = str_trim(body);
    const str tag = STR_LIT("<|python_tag|>");
    if (str_starts(body, tag)) body = str_trim(behind(body, tag.len));
    if (str_starts(body, STR_LIT("<function="))) return read_tagged(t, body);
    const json *v = parse_values(t, body);
    return v && take_calls(t, v);
}

/* [{"name",...}], or NAME[ARGS]{...} (also with [CALL_ID]ID in front of it), again and again. */
static bool read_named(toolcall *t, str body) {
    body = str_trim(body);
    if (body.len && (body.p[0] == '[' || body.p[0] == '{')) return read_json(t, body);
    for (int telling = 0; telling < 2; telling++) {
        str rest = body;
        while (rest.len) {
            if (str_starts(rest, STR_LIT("[TOOL_CALLS]"))) rest = behind(rest, 12);
            size_t n = 0;
            while (n < rest.len && rest.p[n] != '{' && rest.p[n] != '[') n++;
            const str name = str_trim((str){rest.p, n});
            while (n < rest.len && rest.p[n] != '{') n++;
            rest = behind(rest, n);
            n = span(rest);
            json *v;
            if (!name.len || !n || json_parse(&v, (str){rest.p, n}, &t->tree, NULL) < 0)
                return false;
            if (!write_args(t, v)) return false;
            if (telling) tell(t, name, buf_view(&t->args));
            rest = str_trim(behind(rest, n));
        }
    }
    return true;
}

/* BEGIN type SEP name ```json {...} ``` END, or BEGIN name SEP {...} END; again and again. */
static bool read_deepseek(toolcall *t, str body) {
    for (int telling = 0; telling < 2; telling++) {
        str rest = str_trim(body), head, name;
        if (!rest.len) return false;
        while (rest.len) {
            if (!take_text_until(&rest, DS_CALL, &head) || !take_text_until(&rest, DS_SEP, &name))
                return false;
            const ptrdiff_t brace = str_find(rest, STR_LIT("{"));
            if (brace < 0) return false;
            const str between = str_trim((str){rest.p, (size_t)brace});
            if (between.len) name = between;
            const str fence = STR_LIT("```json");
            if (str_ends(name, fence)) name.len -= fence.len;
            rest = behind(rest, (size_t)brace);
            const size_t n = span(rest);
            json *v;
            if (!n || json_parse(&v, (str){rest.p, n}, &t->tree, NULL) < 0) return false;
            name = str_trim(name);
            if (!name.len || !write_args(t, v)) return false;
            if (telling) tell(t, name, buf_view(&t->args));
            rest = behind(rest, n);
            if (!take_text_until(&rest, DS_CALL_END, &head)) rest.len = 0;
            rest = str_trim(rest);
        }
    }
    return true;
}

/* ---- the answer ---- */

toolcall *toolcall_new(const tool_family *f, const json *tools) {
    toolcall *t = mem_zero(sizeof *t);
    buf text = BUF_INIT;
    json *copy = NULL;
    if (!t) return NULL;
    t->family = f;
    t->at = f->begin ? TEXT : START;
    if (tools) json_write(&text, tools);
    else buf_text(&text, "[]");
    const char *kept = text.failed ? NULL : arena_copy(&t->keep, text.p, text.len);
    const bool good = kept && json_parse(&copy, (str){kept, text.len}, &t->keep, NULL) == RZ_OK;
    buf_free(&text);
    t->tools = copy;
    if (good) return t;
    toolcall_free(t);
    return NULL;
}

void toolcall_free(toolcall *t) {
    if (!t) return;
    arena_free(&t->keep);
    arena_free(&t->tree);
    buf_free(&t->held);
    buf_free(&t->args);
    mem_free(t);
}

const tool_family *toolcall_family(const toolcall *t) { return t->family; }

uint32_t toolcall_count(const toolcall *t) { return t->n_call; }

static void tell_text(toolcall *t, size_t n) {
    if (!n) return;
    t->sink->text(t->sink->ud, (str){t->held.p, n});
    buf_drop(&t->held, n);
    t->after_call = false;
}

static bool read(toolcall *t, str body) {
    const bool good = t->family->read(t, body);
    arena_reset(&t->tree);
    return good;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Bytes at the end of the text that may begin the mark, and space in front of them. */
static size_t undecided(const toolcall *t) {
    const str mark = str_of(t->family->begin);
    size_t n = mark.len - 1 < t->held.len ? mark.len - 1 : t->held.len;
    while (n && memcmp(t->held.p + t->held.len - n, mark.p, n) != 0) n--;
    const size_t text = str_trim((str){t->held.p, t->held.len - n}).len;
    if (text == 0) return t->held.len;
    size_t end = t->held.len - n;
    while (end && is_space(t->held.p[end - 1])) end--;
    return t->held.len - end;
}

static size_t leading_space(const buf *b) {
    size_t n = 0;
    while (n < b->len && is_space(b->p[n])) n++;
    return n;
}

/* false: more must come first. */
static bool text_step(toolcall *t) {
    if (t->after_call) buf_drop(&t->held, leading_space(&t->held));
    const str mark = str_of(t->family->begin);
    const ptrdiff_t at = str_find(buf_view(&t->held), mark);
    if (at < 0) {
        tell_text(t, t->held.len - undecided(t));
        return false;
    }
    size_t end = (size_t)at;
    while (end && is_space(t->held.p[end - 1])) end--;
    tell_text(t, end);
    t->at = BODY;
    t->looked = (size_t)at - end + mark.len;
    t->closings = 0;
    return true;
}

/* The mark in front of a body, with the space before it, still stands in `held`. */
static size_t body_start(const toolcall *t) {
    return t->family->begin ? leading_space(&t->held) + strlen(t->family->begin) : 0;
}

static bool body_step(toolcall *t) {
    if (!t->family->end) return false;
    const str mark = str_of(t->family->end);
    const str rest = {t->held.p + t->looked, t->held.len - t->looked};
    const ptrdiff_t at = str_find(rest, mark);
    if (at < 0) {
        const size_t keep = mark.len - 1 < rest.len ? mark.len - 1 : rest.len;
        t->looked += rest.len - keep;
        return false;
    }
    const size_t end = t->looked + (size_t)at, start = body_start(t);
    if (read(t, (str){t->held.p + start, end - start})) {
        buf_drop(&t->held, end + mark.len);
        t->at = TEXT;
        return true;
    }
    t->looked = end + mark.len;
    if (++t->closings < MAX_CLOSINGS) return true;
    tell_text(t, t->looked);
    t->at = TEXT;
    return true;
}

/* An answer without marks: it is a call when it begins as one. */
static bool start_step(toolcall *t) {
    const str s = behind(buf_view(&t->held), leading_space(&t->held));
    static const char *const signs[] = {"{", "[{", "[ {", "[\n", "<|python_tag|>", "```json"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const str sign = str_of(signs[i]);
        if (str_starts(s, sign)) t->at = BODY;
        if (str_starts(sign, s)) return false; /* may become one */
    }
    if (t->at == START) {
        t->at = TEXT;
        tell_text(t, t->held.len);
    }
    return false;
}

static bool step(toolcall *t) {
    if (t->at == START) return start_step(t);
    if (t->at == BODY) return body_step(t);
    if (t->family->begin) return text_step(t);
    tell_text(t, t->held.len);
    return false;
}

bool toolcall_feed(toolcall *t, str text, const tool_sink *sink) {
    if (t->failed) return false;
    t->sink = sink;
    buf_str(&t->held, text);
    t->failed = t->held.failed;
    while (!t->failed && t->held.len && step(t)) continue;
    return !t->failed;
}

bool toolcall_finish(toolcall *t, const tool_sink *sink) {
    if (t->failed) return false;
    t->sink = sink;
    if (t->at == BODY) {
        const size_t start = body_start(t);
        if (read(t, (str){t->held.p + start, t->held.len - start})) buf_clear(&t->held);
    }
    if (t->after_call) buf_drop(&t->held, leading_space(&t->held));
    tell_text(t, t->held.len);
    t->at = TEXT;
    return true;
}

/* test_tok_hf.c - tokenizer.json: small files of every kind against the ids and texts the original
 * library gives for them, and what is wrong with damaged ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "test.h"
#include "tok_golden.h"

typedef struct row {
    const char *name, *json; /* ' stands for " */
    const char *text, *ids, *decoded;
} row;

/* clang-format off */
static const row rows[] = {
    {"wordpiece, BERT",
     "'normalizer':{'type':'BertNormalizer'},'pre_tokenizer':{'type':'BertPreTokeniz"
     "er'},'post_processor':{'type':'BertProcessing','sep':['[SEP]',2],'cls':['[CLS]"
     "',1]},'decoder':{'type':'WordPiece','prefix':'##','cleanup':true},'added_token"
     "s':[{'id':0,'content':'[UNK]','special':true,'normalized':false},{'id':1,'cont"
     "ent':'[CLS]','special':true,'normalized':false},{'id':2,'content':'[SEP]','spe"
     "cial':true,'normalized':false}],'model':{'type':'WordPiece','unk_token':'[UNK]"
     "','vocab':{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"un\":3,\"##aff\":4,\"##able\""
     ":5,\"caf\":6,\"##e\":7,\",\":8,\"\u4e16\":9,\"!\":10,\"do\":11,\"not\":12}}}",
     "Unaffable, CAF\u00c9\u4e16unx! do not [SEP]",
     "1 3 4 5 8 6 7 9 0 10 11 12 2 2",
     "unaffable, cafe \u4e16! do not"},
    {"unigram, metaspace, byte fallback",
     "'normalizer':{'type':'Sequence','normalizers':[{'type':'NFKC'},{'type':'Strip'"
     "}]},'pre_tokenizer':{'type':'Metaspace'},'decoder':{'type':'Sequence','decoder"
     "s':[{'type':'Replace','pattern':{'String':'\u2581'},'content':' '},{'type':'By"
     "teFallback'},{'type':'Fuse'},{'type':'Strip','content':' ','start':1,'stop':0}"
     "]},'model':{'type':'Unigram','unk_id':0,'byte_fallback':true,'vocab':[['<unk>'"
     ",0],['<0xC3>',-9],['<0xA9>',-9],['\u2581',-2],['\u2581he',-3],['he',-4],['llo'"
     ",-3],['l',-5],['o',-5],['\u2581hello',-9.5],['fi',-3]]}}",
     "  hello \ufb01\u00e9 hellol ",
     "4 6 3 10 1 2 4 6 7",
     "hello fi\u00e9 hellol"},
    {"unigram, unknown runs",
     "'pre_tokenizer':{'type':'WhitespaceSplit'},'model':{'type':'Unigram','unk_id':"
     "1,'vocab':[['a',-1],['?',-2],['ab',-1.5],['b',-3]]}}",
     "abxyzab xx a",
     "2 1 2 1 0",
     "ab ? ab ? a"},
    {"wordlevel",
     "'normalizer':{'type':'Lowercase'},'pre_tokenizer':{'type':'Whitespace'},'model"
     "':{'type':'WordLevel','unk_token':'?','vocab':{'?':0,'the':1,'cat':2,'\\u0027':3,'.':4}}}",
     "The cat's THE-dog.",
     "1 2 3 0 1 0 0 4",
     "the cat ' ? the ? ? ."},
    {"bpe with ends of words",
     "'normalizer':{'type':'Sequence','normalizers':[{'type':'NFD'},{'type':'StripAc"
     "cents'}]},'pre_tokenizer':{'type':'Sequence','pretokenizers':[{'type':'Digits'"
     ",'individual_digits':true},{'type':'WhitespaceSplit'}]},'decoder':{'type':'BPE"
     "Decoder','suffix':'</w>'},'model':{'type':'BPE','merges':[['l','o'],['lo','w</"
     "w>'],['l','o</w>']],'end_of_word_suffix':'</w>','unk_token':'?','fuse_unk':tru"
     "e,'vocab':{\"?\":0,\"l\":1,\"o\":2,\"w\":3,\"o</w>\":4,\"w</w>\":5,\"1</w>\":6"
     ",\"lo\":7,\"low</w>\":8,\"lo</w>\":9}}}",
     "low l\u00f3 1xyw lo1",
     "8 9 6 0 5 9 6",
     "low lo 1 ?w lo 1"},
    {"bpe with marks inside words",
     "'pre_tokenizer':{'type':'CharDelimiterSplit','delimiter':'-'},'model':{'type':"
     "'BPE','merges':['a @@b','ab @@c'],'continuing_subword_prefix':'@@','unk_token'"
     ":'?','vocab':{\"?\":0,\"a\":1,\"@@b\":2,\"@@c\":3,\"ab\":4,\"abc\":5,\"b\":6}}"
     "}",
     "abc-ab-bb-cxc",
     "5 4 6 2 0 0 3",
     "abc ab b @@b ? ? @@c"},
    {"bytes with a space in front",
     "'pre_tokenizer':{'type':'ByteLevel','add_prefix_space':true},'post_processor':"
     "{'type':'RobertaProcessing','sep':['e',4],'cls':['s',3]},'decoder':{'type':'By"
     "teLevel'},'model':{'type':'BPE','merges':['\u0120 a','\u00c3 \u00a9'],'vocab':"
     "{\"a\":0,\"b\":1,\"\u0120\":2,\"s\":3,\"e\":4,\"\u00c3\":5,\"\u00a9\":6,\""
     "\u0120a\":7,\"\u00c3\u00a9\":8}}}",
     "ab a\u00e9b",
     "3 7 1 7 8 1 4",
     "s ab a\u00e9be"},
    {"bytes, split by a class",
     "'pre_tokenizer':{'type':'Sequence','pretokenizers':[{'type':'Split','pattern':"
     "{'Regex':'[ab]+'},'behavior':'MergedWithNext','invert':false},{'type':'ByteLev"
     "el','add_prefix_space':false,'use_regex':false}]},'decoder':{'type':'ByteLevel"
     "'},'model':{'type':'BPE','merges':['a b','ab c','c c'],'vocab':{\"a\":0,\"b\":"
     "1,\"c\":2,\"ab\":3,\"abc\":4,\"cc\":5}}}",
     "ccabccab",
     "5 4 2 3",
     "ccabccab"},
    {"added tokens",
     "'added_tokens':[{'id':3,'content':'<m>','special':true,'lstrip':true,'rstrip':"
     "true},{'id':4,'content':'cat','special':false,'single_word':true,'normalized':"
     "true},{'id':5,'content':'ab','special':false,'normalized':true}],'normalizer':"
     "{'type':'Lowercase'},'model':{'type':'BPE','merges':[],'vocab':{\"a\":0,\"b\":"
     "1,\"c\":2}}}",
     "a <m> b cat acat cat. AB <M>",
     "0 3 1 4 0 2 0 4 5",
     "a b cat a c a cat ab"},
    {"characters, whole words first",
     "'normalizer':{'type':'Replace','pattern':{'Regex':'\\\\s+'},'content':'_'},'pr"
     "e_tokenizer':{'type':'Split','pattern':{'String':'_'},'behavior':'Isolated','i"
     "nvert':false},'model':{'type':'BPE','merges':['a b'],'ignore_merges':true,'voc"
     "ab':{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"_\":4,\"abc\":5,\"cb\":6}}}",
     "abc  ab cb \tacb",
     "5 4 3 4 6 4 0 2 1",
     "abc _ ab _ cb _ a c b"},
    {"template",
     "'post_processor':{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':"
     "'X','type_id':0}},{'Sequence':{'id':'A','type_id':0}},{'SpecialToken':{'id':'Y"
     "','type_id':0}}],'pair':[{'Sequence':{'id':'A','type_id':0}},{'Sequence':{'id'"
     ":'B','type_id':0}}],'special_tokens':{'X':{'id':'X','ids':[1,2],'tokens':['b',"
     "'c']},'Y':{'id':'Y','ids':[0],'tokens':['a']}}},'normalizer':{'type':'Prepend'"
     ",'prepend':'c'},'model':{'type':'BPE','merges':[],'vocab':{\"a\":0,\"b\":1,\"c"
     "\":2}}}",
     "ab",
     "1 2 2 0 1 0",
     "b c c a b a"},
    {"scripts and marks",
     "'normalizer':{'type':'Sequence','normalizers':[{'type':'Nmt'},{'type':'NFKD'}]"
     "},'pre_tokenizer':{'type':'Sequence','pretokenizers':[{'type':'UnicodeScripts'"
     "},{'type':'Punctuation','behavior':'Removed'}]},'model':{'type':'WordLevel','u"
     "nk_token':'?','vocab':{\"?\":0,\"ab\":1,\"\u6f22\u5b57\u304b\u306a\":2,\""
     "\u043c\u0438\u0440\":3,\"a\":4}}}",
     "ab\u6f22\u5b57\u304b\u306a\u043c\u0438\u0440!ab\u200ba",
     "1 2 3 0",
     "ab \u6f22\u5b57\u304b\u306a \u043c\u0438\u0440 ?"},
};
/* clang-format on */

static const char *write_json(const char *text) {
    const char *path = test_temp("small.json");
    char *copy = mem_strdup(text);
    for (char *p = copy; *p; p++)
        if (*p == '\'') *p = '"';
    CHECK(os_write_file(path, copy, strlen(copy), NULL) == RZ_OK);
    mem_free(copy);
    return path;
}

static void stream(const tok *t, const tok_ids *ids, buf *out) {
    detok d;
    detok_init(&d, t, false);
    for (size_t i = 0; i < ids->n; i++) detok_push(&d, ids->p[i], out);
    detok_flush(&d, out);
}

static void check_row(const row *r) {
    tok *t = NULL;
    err e = {0};
    tok_ids ids = {0};
    buf list = BUF_INIT, whole = BUF_INIT, streamed = BUF_INIT;
    char file[2048];
    snprintf(file, sizeof file, "{%s", r->json);
    if (tok_open(&t, write_json(file), &e) < 0) {
        test_fail(__FILE__, __LINE__, "%s: %s", r->name, e.text);
        return;
    }
    CHECK(tok_encode(t, str_of(r->text), TOK_BOS | TOK_SPECIAL, &ids, &e) == RZ_OK);
    for (size_t i = 0; i < ids.n; i++) buf_printf(&list, i ? " %d" : "%d", ids.p[i]);
    CHECK_STR(buf_cstr(&list), r->ids);
    CHECK(detok_all(t, ids.p, ids.n, false, &whole, &e) == RZ_OK);
    CHECK_STR(buf_cstr(&whole), r->decoded);
    stream(t, &ids, &streamed);
    CHECK_STR(buf_cstr(&streamed), r->decoded);
    tok_ids_free(&ids);
    buf_free(&list);
    buf_free(&whole);
    buf_free(&streamed);
    tok_close(t);
}

static void test_small_files_give_the_original_librarys_ids(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

#define MODEL "'model':{'type':'WordLevel','vocab':{'a':0,'b':1}}"
#define BPE(rest) "{'model':{'type':'BPE','vocab':{'a':0,'b':1},'merges':[]" rest "}}"

static void test_what_is_unknown_or_damaged_is_named(void) {
    static const struct {
        const char *json;
        status code;
        const char *want;
    } bad[] = {
        {"{'a':1", RZ_EFORMAT, ": JSON line 1, column 7: expected ',' or '}', found the end"},
        {"{'a':1}", RZ_EFORMAT, ": model is missing, expected an object"},
        {"{'model':{'type':'Markov','vocab':{'a':0}}}", RZ_EUNSUPPORTED,
         ": model.type is \"Markov\", which this build does not know"},
        {"{'model':{'type':'BPE','vocab':3}}", RZ_EFORMAT,
         ": model.vocab is 3, expected an object or an array"},
        {"{'model':{'type':'BPE','vocab':{}}}", RZ_EFORMAT,
         ": model.vocab is object, expected at least one token"},
        {"{'model':{'type':'BPE','vocab':{'a':1,'b':1}}}", RZ_EFORMAT,
         ": model.vocab[1] \"b\" has id 1 like \"a\""},
        {"{'model':{'type':'BPE','vocab':{'a':9999999}}}", RZ_EFORMAT,
         ": model.vocab[0] is 9999999, expected an id below 65538"},
        {"{'model':{'type':'BPE','vocab':{'a':0},'merges':['a a']}}", RZ_EFORMAT,
         ": model.merges[0]: \"aa\" is no token"},
        {"{'model':{'type':'BPE','vocab':{'a':0},'merges':['aa']}}", RZ_EFORMAT,
         ": model.merges[0] is \"aa\", expected two tokens"},
        {BPE(",'unk_token':'?'"), RZ_EFORMAT, ": model.unk_token is \"?\", expected a token"},
        {BPE(",'byte_fallback':1"), RZ_EFORMAT,
         ": model.byte_fallback is 1, expected true or false"},
        {"{'model':{'type':'Unigram','vocab':[['a']]}}", RZ_EFORMAT,
         ": model.vocab[0] is array, expected a piece and its score"},
        {"{'model':{'type':'Unigram','unk_id':7,'vocab':[['a',0]]}}", RZ_EFORMAT,
         ": model.unk_id is 7, expected the id of a token"},
        {"{'normalizer':{'type':'Rot13'}," MODEL "}", RZ_EUNSUPPORTED,
         ": normalizer.type is \"Rot13\", which this build does not know"},
        {"{'normalizer':{'type':'Sequence','normalizers':[{'type':'NFC'},{}]}," MODEL "}",
         RZ_EFORMAT, ": normalizer.normalizers[1].type is missing, expected a name"},
        {"{'normalizer':{'type':'Precompiled','precompiled_charsmap':'AAAA'}," MODEL "}",
         RZ_EFORMAT, ": a character map of 3 bytes says that 0 of them are its array"},
        {"{'pre_tokenizer':{'type':'Split','pattern':{'Regex':'('}}," MODEL "}", RZ_EFORMAT,
         ": pre_tokenizer: regex: offset 0: this group is not closed"},
        {"{'pre_tokenizer':{'type':'Split','pattern':{'String':'x'},'behavior':'Eaten'}," MODEL "}",
         RZ_EFORMAT,
         ": pre_tokenizer.behavior is \"Eaten\", expected Removed, Isolated, MergedWithPrevious, "
         "MergedWithNext or Contiguous"},
        {"{'post_processor':{'type':'BertProcessing','sep':['x',5],'cls':['y',0]}," MODEL "}",
         RZ_EFORMAT, ": post_processor.sep is 5, expected the id of a token"},
        {"{'decoder':{'type':'CTC'}," MODEL "}", RZ_EUNSUPPORTED,
         ": decoder.type is \"CTC\", which this build does not know"},
        {"{'added_tokens':[{'id':2}]," MODEL "}", RZ_EFORMAT,
         ": added_tokens[0] is missing, expected content that is a string"},
        {"{'added_tokens':[{'id':1,'content':'x'}]," MODEL "}", RZ_EFORMAT,
         ": added_tokens[0] \"x\" has id 1 like \"b\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tok *t = NULL;
        err e = {0};
        const char *path = write_json(bad[i].json);
        CHECK_MSG(tok_open(&t, path, &e) == bad[i].code && !t, "row %zu: %d", i, (int)e.status);
        CHECK_STR(strncmp(e.text, path, strlen(path)) == 0 ? e.text + strlen(path) : e.text,
                  bad[i].want);
        tok_close(t);
    }
}

/* The n-th allocation fails, for all n: an error, nothing lost, nothing leaked. */
static void test_out_of_memory_is_an_error_everywhere(void) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i += 3) {
        char file[2048];
        snprintf(file, sizeof file, "{%s", rows[i].json);
        const char *path = write_json(file);
        for (long n = 1;; n++) {
            tok *t = NULL;
            tok_ids ids = {0};
            mem_fail_at(n);
            status s = tok_open(&t, path, NULL);
            if (s >= 0) s = tok_encode(t, str_of(rows[i].text), TOK_SPECIAL, &ids, NULL);
            const bool hit = mem_fail_hit();
            mem_fail_at(0);
            tok_ids_free(&ids);
            tok_close(t);
            if (!hit) break;
            CHECK_MSG(s == RZ_ENOMEM || s == RZ_OK, "%s, allocation %ld: %d", rows[i].name, n, s);
        }
    }
}

void suite_tok_hf(void) {
    RUN(test_small_files_give_the_original_librarys_ids);
    RUN(test_what_is_unknown_or_damaged_is_named);
    RUN(test_out_of_memory_is_an_error_everywhere);
}

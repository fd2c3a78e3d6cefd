/* test_hf_dir.c - which file of a folder is the model, shards, configurations, and names of models
 * that other programs have fetched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "format/hf_dir.h"
#include "format/model_store.h"
#include "format/safetensors.h"
#include "format/tensor_file.h"
#include "test.h"

/* Folders of the path, then the file, below the test's own folder. */
static void put_bytes(const char *name, const void *bytes, size_t len) {
    char path[1024];
    err e = {0};
    snprintf(path, sizeof path, "%s", test_temp(name));
    for (char *slash = path + strlen(test_temp("")); (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        CHECK_MSG(os_make_folder(path, &e) == RZ_OK, "%s", e.text);
        *slash = '/';
    }
    CHECK_MSG(os_write_file(path, bytes, len, &e) == RZ_OK, "%s", e.text);
}
static void put(const char *name, const char *text) { put_bytes(name, text, strlen(text)); }

/* A safetensors file with one tensor of one byte for each name, separated by spaces. */
static void put_tensors(const char *name, const char *tensors) {
    buf b = BUF_INIT;
    unsigned n = 0;
    for (int i = 0; i < 8; i++) buf_char(&b, 0);
    buf_char(&b, '{');
    for (str rest = str_of(tensors); rest.p; n++) {
        const str t = str_split(&rest, ' ');
        buf_printf(&b, "%s\"%.*s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                   n ? "," : "", STR_FMT(t), n, n + 1);
    }
    buf_char(&b, '}');
    const uint64_t header = b.len - 8;
    for (unsigned i = 0; i < n; i++) buf_char(&b, (char)(i + 1));
    memcpy(b.p, &header, 8);
    put_bytes(name, b.p, b.len);
    buf_free(&b);
}

/* Text without the name of the test's own folder. Good until the next few calls. */
static const char *shown(const char *text) {
    static char shown[4][1024];
    static int turn;
    char *to = shown[turn++ % 4], folder[1024];
    snprintf(folder, sizeof folder, "%s", test_temp(""));
    to[0] = 0;
    for (const char *at; (at = strstr(text, folder)) != NULL; text = at + strlen(folder))
        strncat(to, text, (size_t)(at - text));
    return strcat(to, text);
}

/* Where `name` leads, or why not. */
static const char *found(const char *name, status want) {
    arena mem = ARENA_INIT;
    const char *path = NULL;
    err e = {0};
    const status s = hf_dir_find(test_temp(name), &mem, &path, &e);
    CHECK_MSG(s == want && (path != NULL) == (s == RZ_OK), "status %d for %s: %s", s, name, e.text);
    const char *text = shown(s == RZ_OK ? path : e.text);
    arena_free(&mem);
    return text;
}

static void test_the_model_of_a_folder_is_found(void) {
    put("a/model.safetensors", "");
    put("a/x_final.safetensors", "");
    put("a/config.json", "{}");
    CHECK_STR(found("a", RZ_OK), "a/model.safetensors");
    CHECK_STR(found("a/", RZ_OK), "a/model.safetensors");
    CHECK_STR(found("a/x_final.safetensors", RZ_OK), "a/x_final.safetensors");
    put("b/model.safetensors.index.json", "");
    put("b/model-00001-of-00002.safetensors", "");
    put("b/model-00002-of-00002.safetensors", "");
    CHECK_STR(found("b", RZ_OK), "b/model.safetensors.index.json");
    CHECK_STR(found("b/model-00002-of-00002.safetensors", RZ_OK), "b/model.safetensors.index.json");
    put("c/nano_512_0m_f32_step_90.safetensors", "");
    put("c/nano_512_0m_f32_step_100.safetensors", "");
    put("c/nano_512_0m_f32_step_9.safetensors", "");
    put("c/nano_512_0m_f32_step_.safetensors", "");
    put("c/.hidden_step_1000.safetensors", "");
    CHECK_STR(found("c", RZ_OK), "c/nano_512_0m_f32_step_100.safetensors");
    put("c/nano_512_0m_f32_final.safetensors", "");
    CHECK_STR(found("c", RZ_OK), "c/nano_512_0m_f32_final.safetensors");
    put("d/pytorch_model.safetensors", "");
    CHECK_STR(found("d", RZ_OK), "d/pytorch_model.safetensors");
    put("e/m-00001-of-00003.safetensors", "");
    put("e/m-00002-of-00003.safetensors", "");
    CHECK_STR(found("e", RZ_OK), "e/m-00001-of-00003.safetensors");
    put("f/q8-00002-of-00002.gguf", "");
    put("f/q8-00001-of-00002.gguf", "");
    put("f/mmproj-f16.gguf", "");
    CHECK_STR(found("f", RZ_OK), "f/q8-00001-of-00002.gguf");
}

static void test_folders_without_one_model_say_what_they_hold(void) {
    put("n1/readme", "");
    CHECK_STR(
        found("n1", RZ_ENOTFOUND),
        "n1: no model in this folder: no .safetensors file, no model.safetensors.index.json, no "
        ".gguf file");
    put("n2/pytorch_model.bin", "");
    CHECK_STR(
        found("n2", RZ_EUNSUPPORTED),
        "n2: holds its weights only as pytorch_model.bin, a Python pickle, which is a program "
        "and is not read; it must be saved as safetensors first");
    put("n3/x-Q4_0.gguf", "");
    put("n3/x-Q8_0.gguf", "");
    CHECK_STR(found("n3", RZ_EINVAL),
              "n3: holds 2 models (x-Q4_0.gguf, x-Q8_0.gguf); name one of them");
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "n4/%d_final.safetensors", i);
        put(name, "");
    }
    CHECK_STR(found("n4", RZ_EINVAL),
              "n4: holds 6 models (0_final.safetensors, 1_final.safetensors, 2_final.safetensors, "
              "3_final.safetensors, ...); name one of them");
    put("n5/a_step_7.safetensors", "");
    put("n5/b_step_7.safetensors", "");
    CHECK_STR(found("n5", RZ_EINVAL),
              "n5: holds 2 models (a_step_7.safetensors, b_step_7.safetensors); name one of them");
}

/* Open `name`; NULL and the error text, or the file. */
static tensor_file *open_temp(const char *name, status want, const char **text) {
    tensor_file *f = NULL;
    err e = {0};
    const status s = tensor_file_open(&f, test_temp(name), &e);
    CHECK_MSG(s == want && (f != NULL) == (s == RZ_OK), "status %d for %s: %s", s, name, e.text);
    if (text) *text = shown(e.text);
    return f;
}

static void put_index(const char *name, const char *weight_map) {
    buf b = BUF_INIT;
    buf_printf(&b, "{\"metadata\":{\"total_size\":3},\"weight_map\":%s}", weight_map);
    put(name, buf_cstr(&b));
    buf_free(&b);
}

static void test_shards_are_joined(void) {
    put_tensors("s/model-00001-of-00002.safetensors", "a b");
    put_tensors("s/model-00002-of-00002.safetensors", "c extra");
    put("s/config.json", "{\"hidden_size\":1}");
    put_index(
        "s/model.safetensors.index.json",
        "{\"c\":\"model-00002-of-00002.safetensors\",\"a\":\"model-00001-of-00002.safetensors\","
        "\"b\":\"model-00001-of-00002.safetensors\"}");
    static const char *const ways[] = {"s", "s/", "s/model.safetensors.index.json",
                                       "s/model-00001-of-00002.safetensors"};
    for (size_t i = 0; i < 4; i++) {
        tensor_file *f = open_temp(ways[i], RZ_OK, NULL);
        REQUIRE(f);
        CHECK(f->n_part == 2 && f->n_tensor == 4 && json_get(f->config, "hidden_size"));
        CHECK(*tensor_file_find(f, STR_LIT("b"))->data == 2);
        CHECK(*tensor_file_find(f, STR_LIT("extra"))->data == 2);
        CHECK(*tensor_file_find(f, STR_LIT("c"))->data == 1);
        CHECK(f->file_bytes == f->part[0].len + f->part[1].len);
        tensor_file_close(f);
    }
    put_tensors("s2/m-00001-of-00002.safetensors", "a");
    put_tensors("s2/m-00002-of-00002.safetensors", "b");
    tensor_file *f = open_temp("s2", RZ_OK, NULL);
    CHECK(f && f->n_tensor == 2 && f->config->n == 0);
    tensor_file_close(f);
    f = open_temp("s2/m-00002-of-00002.safetensors", RZ_OK, NULL);
    CHECK(f && f->n_tensor == 2);
    tensor_file_close(f);
}

static void check_index(const char *weight_map, status want, const char *text) {
    const char *got = "";
    put_index("i/model.safetensors.index.json", weight_map);
    tensor_file_close(open_temp("i", want, &got));
    CHECK_STR(got, text);
}
#define INDEX "i/model.safetensors.index.json: "

static void test_indexes_that_lie_are_refused(void) {
    static const char *const outside[] = {"../a.safetensors",
                                          "/etc/a.safetensors",
                                          "b/a.safetensors",
                                          ".safetensors",
                                          "a.bin",
                                          "",
                                          "..",
                                          "a.safetensors/../b.safetensors",
                                          ".a.safetensors"};
    put_tensors("i/x.safetensors", "a b");
    put_tensors("i/y.safetensors", "c");
    put_tensors("i/z.safetensors", "a");
    check_index("{}", RZ_EFORMAT, INDEX "has no weight_map with tensors in it");
    check_index("[]", RZ_EFORMAT, INDEX "has no weight_map with tensors in it");
    check_index("{\"a\":1}", RZ_EFORMAT,
                INDEX
                "tensor a is said to be in \"1\", expected the name of a safetensors file in the "
                "same folder");
    check_index("{\"a\":\"nul\\u0000.safetensors\"}", RZ_EFORMAT,
                INDEX
                "tensor a is said to be in \"nul\", expected the name of a safetensors file in "
                "the same folder");
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        char one[128], text[256];
        snprintf(one, sizeof one, "{\"a\":\"%s\"}", outside[i]);
        snprintf(text, sizeof text,
                 INDEX
                 "tensor a is said to be in \"%s\", expected the name of a safetensors file in "
                 "the same folder",
                 outside[i]);
        check_index(one, RZ_EFORMAT, text);
    }
    check_index("{\"a\":\"x.safetensors\",\"c\":\"w.safetensors\"}", RZ_ENOTFOUND,
                INDEX "shard 2 of 2 is missing: i/w.safetensors");
    check_index("{\"a\":\"x.safetensors\",\"b\":\"y.safetensors\"}", RZ_EFORMAT,
                INDEX "tensor b is not in y.safetensors, where it should be");
    check_index("{\"a\":\"x.safetensors\",\"d\":\"y.safetensors\"}", RZ_EFORMAT,
                INDEX "tensor d is not in y.safetensors, where it should be");
    check_index("{\"a\":\"x.safetensors\",\"b\":\"z.safetensors\"}", RZ_EFORMAT,
                "i/z.safetensors: tensor a: an earlier part has it too");
    check_index("{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}", RZ_EFORMAT,
                INDEX "JSON line 1, column 64: key \"a\" is given twice");
    put("i/w.safetensors", "no tensors");
    check_index("{\"a\":\"w.safetensors\"}", RZ_EFORMAT, "i/w.safetensors: not a safetensors file");
    const char *got = "";
    put_tensors("g/m-00001-of-00002.safetensors", "a");
    tensor_file_close(open_temp("g", RZ_ENOTFOUND, &got));
    CHECK_STR(got,
              "g/m-00001-of-00002.safetensors: shard 2 of 2 is missing: "
              "g/m-00002-of-00002.safetensors");
}

static void test_the_configuration_lies_beside_the_weights(void) {
    const char *got = "";
    put_tensors("k/model.safetensors", "a");
    put("k/config.json", "{\"time_step_limit\":[0.0,Infinity],\"hidden_size\":64}");
    tensor_file *f = open_temp("k", RZ_OK, NULL);
    REQUIRE(f);
    CHECK(json_get(f->config, "time_step_limit")->child->next->number > 1e300);
    CHECK_STR(shown(f->folder), "k");
    tensor_file_close(f);
    put("k/config.json", "{\"a\":1,}");
    open_temp("k/model.safetensors", RZ_EFORMAT, &got);
    CHECK_STR(got, "k/config.json: JSON line 1, column 8: expected a key in quotes, found '}'");
    put("k/config.json", "[1]");
    open_temp("k", RZ_EFORMAT, &got);
    CHECK_STR(got, "k/config.json: the configuration is array, expected an object");
    unlink(test_temp("k/config.json"));
    put("k/config.yaml", "model:\n  hidden_size: 384\ntrainer:\n  max_steps: 1\n");
    f = open_temp("k", RZ_OK, NULL);
    REQUIRE(f);
    CHECK(json_get(f->config, "hidden_size")->number == 384 && !json_get(f->config, "trainer"));
    tensor_file_close(f);
    put("k/config.yaml", "hidden_size: 1\nmodel: {}\n");
    f = open_temp("k", RZ_OK, NULL);
    CHECK(f && json_get(f->config, "hidden_size"));
    tensor_file_close(f);
    put("k/config.yaml", "a: &b\n");
    open_temp("k", RZ_EFORMAT, &got);
    CHECK_STR(got, "k/config.yaml: YAML line 1, column 4: anchors (&) are not read");
}

/* ---- Stores ---- */

static const char *stored(const char *name, status want) {
    arena mem = ARENA_INIT;
    char hub[1024], ollama[1024];
    snprintf(hub, sizeof hub, "%s", test_temp("hub"));
    snprintf(ollama, sizeof ollama, "%s", test_temp("ollama"));
    const store_places places = {.hub_cache = hub, .ollama = ollama};
    const char *path = NULL;
    err e = {0};
    const status s = store_find(name, &places, &mem, &path, &e);
    CHECK_MSG(s == want && (path != NULL) == (s == RZ_OK), "status %d for %s: %s", s, name, e.text);
    const char *text = shown(s == RZ_OK ? path : e.text);
    arena_free(&mem);
    return text;
}

static void test_names_in_the_hub_cache_lead_to_a_snapshot(void) {
    put("hub/models--org--m/refs/main", "0123abcd\n");
    put("hub/models--org--m/snapshots/0123abcd/model.safetensors", "");
    put("hub/models--org--m/snapshots/ffff/model.safetensors", "");
    CHECK_STR(stored("org/m", RZ_OK), "hub/models--org--m/snapshots/0123abcd/model.safetensors");
    put("hub/models--gpt2/snapshots/77/model.safetensors", "");
    CHECK_STR(stored("gpt2", RZ_OK), "hub/models--gpt2/snapshots/77/model.safetensors");
    put("hub/models--gpt2/snapshots/78/model.safetensors", "");
    CHECK_STR(stored("gpt2", RZ_EINVAL),
              "hub/models--gpt2/snapshots: holds 2 snapshots and no refs/main says which");
    put("hub/models--org--g-GGUF/refs/main", "1");
    put("hub/models--org--g-GGUF/snapshots/1/g-Q4_K_M.gguf", "");
    put("hub/models--org--g-GGUF/snapshots/1/g-Q8_0.gguf", "");
    CHECK_STR(stored("org/g-GGUF:q8_0", RZ_OK), "hub/models--org--g-GGUF/snapshots/1/g-Q8_0.gguf");
    CHECK_STR(stored("org/g-GGUF", RZ_EINVAL),
              "hub/models--org--g-GGUF/snapshots/1: holds 2 models (g-Q4_K_M.gguf, g-Q8_0.gguf); "
              "name one of them");
    CHECK_STR(stored("org/g-GGUF:Q5", RZ_ENOTFOUND),
              "hub/models--org--g-GGUF/snapshots/1: no GGUF file here has \"Q5\" in its name");
    put("hub/models--org--r/refs/main", "../../../etc");
    CHECK_STR(stored("org/r", RZ_EFORMAT), "hub/models--org--r/refs/main: names no commit");
    put("hub/models--org--r/refs/main", "99");
    CHECK_STR(stored("org/r", RZ_ENOTFOUND),
              "hub/models--org--r/snapshots/99: this snapshot was not fetched");
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LAYER(type, digest) \
    "{\"mediaType\":\"application/vnd.ollama.image." type "\",\"digest\":\"" digest "\"}"

static void test_names_in_an_ollama_store_lead_to_a_blob(void) {
    put("ollama/manifests/some.registry/library/tiny/latest",
        "{\"layers\":[" LAYER("template", "sha256:1") "," LAYER("model", "sha256:" DIGEST) "]}");
    CHECK_STR(stored("tiny", RZ_ENOTFOUND),
              "ollama/manifests/some.registry/library/tiny/latest: its model "
              "ollama/blobs/sha256-" DIGEST " was not fetched");
    put("ollama/blobs/sha256-" DIGEST, "");
    CHECK_STR(stored("tiny", RZ_OK), "ollama/blobs/sha256-" DIGEST);
    CHECK_STR(stored("tiny:latest", RZ_OK), "ollama/blobs/sha256-" DIGEST);
    put("ollama/manifests/other.registry/me/mine/1b",
        "{\"layers\":[" LAYER("model", "sha256:" DIGEST) "]}");
    CHECK_STR(stored("me/mine:1b", RZ_OK), "ollama/blobs/sha256-" DIGEST);
    put("ollama/manifests/r/library/bad/1", "{\"layers\":[" LAYER("model", "sha256:../x") "]}");
    CHECK_STR(stored("bad:1", RZ_EFORMAT),
              "ollama/manifests/r/library/bad/1: the model layer has no sha256 digest");
    put("ollama/manifests/r/library/bad/2", "{\"layers\":[" LAYER("license", "sha256:1") "]}");
    CHECK_STR(stored("bad:2", RZ_EUNSUPPORTED),
              "ollama/manifests/r/library/bad/2: this manifest has no model layer");
    put("ollama/manifests/r/library/bad/3", "{\"layers\":[" LAYER("adapter", "sha256:1") "]}");
    CHECK_STR(stored("bad:3", RZ_EUNSUPPORTED),
              "ollama/manifests/r/library/bad/3: a model with an adapter, which is not read");
    put("ollama/manifests/r/library/bad/4", "{");
    CHECK_STR(stored("bad:4", RZ_EFORMAT),
              "ollama/manifests/r/library/bad/4: JSON line 1, column 2: expected a key in quotes, "
              "found the end");
    put("ollama/manifests/r/library/bad/5", "[]");
    stored("bad:5", RZ_EUNSUPPORTED);
}

static void test_a_model_that_is_nowhere_says_where_it_was_looked_for(void) {
    CHECK_STR(stored("org/none", RZ_ENOTFOUND),
              "org/none: no such file or folder, and no model of that name in hub (HF_HUB_CACHE, "
              "HF_HOME) or ollama (OLLAMA_MODELS); fetch it with `hf download org/none` or `ollama "
              "pull org/none`");
    CHECK_STR(stored("none:7b", RZ_ENOTFOUND),
              "none:7b: no such file or folder, and no model of that name in hub (HF_HUB_CACHE, "
              "HF_HOME) or ollama (OLLAMA_MODELS); fetch it with `ollama pull none:7b`");
    arena mem = ARENA_INIT;
    const char *path = NULL;
    err e = {0};
    const store_places nowhere = {0}, home = {.home = "/h"}, hf = {.hf_home = "/f", .home = "/h"},
                       xdg = {.cache_home = "/x", .home = "/h", .ollama = "/o"};
    CHECK(store_find("a/b", &nowhere, &mem, &path, &e) == RZ_ENOTFOUND);
    CHECK(strstr(e.text, "in a hub cache (HF_HUB_CACHE, HF_HOME) or an Ollama store (OLL"));
    CHECK(store_find("a/b", &home, &mem, &path, &e) == RZ_ENOTFOUND);
    CHECK(strstr(e.text,
                 "in /h/.cache/huggingface/hub (HF_HUB_CACHE, HF_HOME) or /h/.ollama/models"));
    CHECK(store_find("a/b", &hf, &mem, &path, &e) == RZ_ENOTFOUND && strstr(e.text, " /f/hub ("));
    CHECK(store_find("a/b", &xdg, &mem, &path, &e) == RZ_ENOTFOUND);
    CHECK(strstr(e.text, " /x/huggingface/hub (") && strstr(e.text, " /o ("));
    arena_free(&mem);
}

static void test_names_cannot_lead_out_of_a_store(void) {
    static const char *const names[] = {"a", "org/name", "a:b", "llama3.2:1b-q4_0", "x_y/Z-1.0:t"};
    static const char *const not_names[] = {
        "",      ".",    "..",    "../x",   "a/..",          "a/../b",       "/a", "a/",   "a//b",
        "a/b/c", "a b",  "a:",    ":b",     "a:b/c",         "a:..",         "-x", "a/.b", "~",
        "a\\b",  "a%2f", "a:b:c", "m.gguf", "a.safetensors", "d/config.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_MSG(store_is_name(str_of(names[i])), "%s", names[i]);
    for (size_t i = 0; i < sizeof not_names / sizeof *not_names; i++)
        CHECK_MSG(!store_is_name(str_of(not_names[i])), "%s", not_names[i]);
    CHECK_STR(stored("../../etc", RZ_EINVAL), "\"../../etc\" is not the name of a model");
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[299] = 0;
    CHECK(!store_is_name(str_of(longest)));
}

/* ---- No memory ---- */

static void check_no_memory(const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s", test_temp(name));
    long n = 1;
    for (bool hit = true; hit && n < 300; n++) {
        tensor_file *f = NULL;
        err e = {0};
        mem_fail_at(n);
        const status s = tensor_file_open(&f, path, &e);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_MSG(s == (hit ? RZ_ENOMEM : RZ_OK) && (f == NULL) == hit, "%s %ld: %s", name, n,
                  e.text);
        tensor_file_close(f);
    }
    CHECK_MSG(n > 8 && n < 300, "%ld allocations", n);
}

static void test_no_memory_is_an_ordinary_error(void) {
    check_no_memory("s");
    check_no_memory("s2/m-00002-of-00002.safetensors");
    put("k/config.yaml", "model:\n  hidden_size: +3\n");
    check_no_memory("k");
    char hub[1024], ollama[1024];
    snprintf(hub, sizeof hub, "%s", test_temp("hub"));
    snprintf(ollama, sizeof ollama, "%s", test_temp("ollama"));
    static const char *const names[] = {"org/m", "tiny", "org/none"};
    for (size_t i = 0; i < 3; i++) {
        long n = 1;
        for (bool hit = true; hit && n < 100; n++) {
            arena mem = ARENA_INIT;
            const store_places places = {.hf_home = hub, .hub_cache = hub, .ollama = ollama};
            const char *path = NULL;
            mem_fail_at(n);
            const status s = store_find(names[i], &places, &mem, &path, NULL);
            hit = mem_fail_hit();
            mem_fail_at(0);
            CHECK(s == (hit ? RZ_ENOMEM : i == 2 ? RZ_ENOTFOUND : RZ_OK));
            arena_free(&mem);
        }
    }
}

void suite_hf_dir(void) {
    RUN(test_the_model_of_a_folder_is_found);
    RUN(test_folders_without_one_model_say_what_they_hold);
    RUN(test_shards_are_joined);
    RUN(test_indexes_that_lie_are_refused);
    RUN(test_the_configuration_lies_beside_the_weights);
    RUN(test_names_in_the_hub_cache_lead_to_a_snapshot);
    RUN(test_names_in_an_ollama_store_lead_to_a_blob);
    RUN(test_a_model_that_is_nowhere_says_where_it_was_looked_for);
    RUN(test_names_cannot_lead_out_of_a_store);
    RUN(test_no_memory_is_an_ordinary_error);
}

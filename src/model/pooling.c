/* pooling.c - see pooling.h. Kinds this program does not compute (none, rank) leave the default: a
 * caller may still want the vectors. */
#include "model/pooling.h"

#include <stdio.h>

#include "base/mem.h"

enum { MAX_FILE = 1 << 16 };

/* GGUF's numbers: 0 none, 1 mean, 2 the first row, 3 the last row, 4 rank. */
static status read_gguf(model *m, str arch_name, err *e) {
    static const rz_pooling kind[] = {RZ_POOL_AUTO, RZ_POOL_MEAN, RZ_POOL_CLS, RZ_POOL_LAST,
                                      RZ_POOL_AUTO};
    uint32_t type = 0;
    TRY(config_u32(m->file, arch_name, "pooling_type", NULL, &type, e));
    if (type >= sizeof kind / sizeof *kind)
        return err_set(e, RZ_EFORMAT, "%s: %.*s.pooling_type is %u, expected 0 to 4", m->file->path,
                       STR_FMT(arch_name), type);
    m->pooling = kind[type];
    return RZ_OK;
}

static void choose(model *m, const json *said) {
    static const struct {
        const char *key;
        rz_pooling kind;
    } row[] = {{"pooling_mode_mean_tokens", RZ_POOL_MEAN},
               {"pooling_mode_cls_token", RZ_POOL_CLS},
               {"pooling_mode_lasttoken", RZ_POOL_LAST}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const json *v = json_get(said, row[i].key);
        if (v && v->kind == JSON_BOOL && v->truth) m->pooling = row[i].kind;
    }
}

/* The file that sentence-transformers puts beside a model. */
static status read_folder(model *m, err *e) {
    const char *folder = m->file->folder;
    if (!folder) return RZ_OK;
    char path[4096], *text;
    size_t len;
    const int n = snprintf(path, sizeof path, "%s/1_Pooling/config.json", folder);
    if (n < 0 || (size_t)n >= sizeof path || os_path_kind(path) != OS_FILE) return RZ_OK;
    TRY(os_read_file(path, MAX_FILE, &text, &len, e));
    arena mem = {0};
    json *said = NULL;
    err why = {0};
    const status s = json_parse(&said, (str){text, len}, &mem, &why);
    if (s >= 0) choose(m, said);
    arena_free(&mem);
    mem_free(text);
    return s >= 0 ? RZ_OK : err_set(e, s, "%s: %.300s", path, why.text);
}

status pooling_read(model *m, str arch_name, err *e) {
    TRY(m->file->config ? read_folder(m, e) : read_gguf(m, arch_name, e));
    if (m->pooling == RZ_POOL_AUTO) m->pooling = m->c.both_ways ? RZ_POOL_MEAN : RZ_POOL_LAST;
    return RZ_OK;
}

/* bench_report.c - the table, CSV and JSON of realizar bench. CSV rows are complete in themselves:
 * files of several machines can be joined. */
#include "cli/bench_report.h"

#include <stdio.h>

#include "cli/show.h"
#include "json/json.h"

static void padded(buf *out, double v, int width) {
    char digits[64];
    buf text = BUF_INIT;
    show_rate(&text, v);
    snprintf(digits, sizeof digits, "%s", buf_cstr(&text) ? buf_cstr(&text) : "");
    buf_free(&text);
    buf_printf(out, "%*s", width, digits);
}

static void limits_line(const rz_limits *l, buf *out) {
    buf_printf(out, "limits:  %d thread%s: read ", l->threads, l->threads == 1 ? "" : "s");
    show_rate(out, l->read_bytes * 1e-9);
    buf_text(out, " GB/s");
    for (size_t i = 0; i < l->n_peak; i++) {
        buf_printf(out, "; %s int8 ", l->peak[i].isa);
        show_rate(out, l->peak[i].int8_macs * 1e-9);
        buf_text(out, ", f32 ");
        show_rate(out, l->peak[i].f32_macs * 1e-9);
        buf_text(out, " GMAC/s");
    }
    buf_char(out, '\n');
}

static void table_row(const bench_row *w, buf *out) {
    buf_printf(out, "%8d %8zu %6zu  %-7s %7zu %5zu", w->threads, w->depth, w->batch, w->test,
               w->tokens, w->runs);
    padded(out, w->median, 12);
    padded(out, w->min, 11);
    padded(out, w->max, 11);
    if (w->gb_per_s > 0) padded(out, w->gb_per_s, 10);
    else if (w->share > 0) buf_printf(out, "%10s", "");
    if (w->share > 0) buf_printf(out, "%8.1f%%", 100 * w->share);
    buf_char(out, '\n');
}

void bench_table(const bench_report *r, buf *out) {
    buf_printf(out, "machine: %s", r->machine);
    if (r->load[0] >= 0)
        buf_printf(out, "; load average %.2f %.2f %.2f", r->load[0], r->load[1], r->load[2]);
    buf_char(out, '\n');
    for (size_t i = 0; i < r->n_limits; i++) limits_line(&r->limits[i], out);
    buf_printf(out, "model:   %s (%s), cache %s\n\n", r->model, r->summary, r->kv);
    buf_text(out,
             " threads    depth  batch  test     tokens  runs    tokens/s    slowest    fastest"
             "      GB/s of limit\n");
    for (size_t i = 0; i < r->n_row; i++) table_row(&r->row[i], out);
    buf_printf(out,
               "\nlogits %016llx, greedy tokens %016llx (depth 0: equal where machines and "
               "builds compute alike)\n",
               (unsigned long long)r->logit_hash, (unsigned long long)r->token_hash);
}

/* RFC 4180: in quotes, quotes doubled. */
static void csv_text(buf *out, const char *text) {
    buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"') buf_char(out, '"');
        buf_char(out, *text);
    }
    buf_char(out, '"');
}

void bench_csv(const bench_report *r, buf *out) {
    buf_text(out,
             "machine,model,arch,quant,params,weight_bytes,kv,threads,depth,batch,test,tokens,runs,"
             "tokens_per_s,min,max,gb_per_s,limit_share,logit_hash,token_hash\n");
    for (size_t i = 0; i < r->n_row; i++) {
        const bench_row *w = &r->row[i];
        csv_text(out, r->machine);
        buf_char(out, ',');
        csv_text(out, r->model);
        buf_printf(out, ",%s,%s,%llu,%llu,%s,%d,%zu,%zu,%s,%zu,%zu,%.6g,%.6g,%.6g,", r->arch,
                   r->quant, (unsigned long long)r->params, (unsigned long long)r->weight_bytes,
                   r->kv, w->threads, w->depth, w->batch, w->test, w->tokens, w->runs, w->median,
                   w->min, w->max);
        if (w->gb_per_s > 0) buf_printf(out, "%.4g", w->gb_per_s);
        buf_char(out, ',');
        if (w->share > 0) buf_printf(out, "%.4g", w->share);
        buf_printf(out, ",%016llx,%016llx\n", (unsigned long long)r->logit_hash,
                   (unsigned long long)r->token_hash);
    }
}

static void member(buf *out, const char *key, const char *value) {
    buf_printf(out, "\"%s\":", key);
    json_write_string(out, str_of(value));
    buf_char(out, ',');
}

static void json_rate(buf *out, const char *key, double v) {
    buf_printf(out, ",\"%s\":", key);
    json_write_number(out, v);
}

static void json_limits(const bench_report *r, buf *out) {
    buf_text(out, "\"limits\":[");
    for (size_t i = 0; i < r->n_limits; i++) {
        const rz_limits *l = &r->limits[i];
        buf_printf(out, "%s{\"threads\":%d", i ? "," : "", l->threads);
        json_rate(out, "read_gb_per_s", l->read_bytes * 1e-9);
        buf_text(out, ",\"peaks\":[");
        for (size_t j = 0; j < l->n_peak; j++) {
            buf_printf(out, "%s{\"isa\":\"%s\"", j ? "," : "", l->peak[j].isa);
            json_rate(out, "int8_gmac_per_s", l->peak[j].int8_macs * 1e-9);
            json_rate(out, "f32_gmac_per_s", l->peak[j].f32_macs * 1e-9);
            buf_printf(out, ",\"used\":%s}", l->used == (int)j ? "true" : "false");
        }
        buf_text(out, "]}");
    }
    buf_text(out, "],");
}

static void json_row(const bench_row *w, buf *out) {
    buf_printf(out, "{\"test\":\"%s\",\"threads\":%d,\"depth\":%zu,\"batch\":%zu", w->test,
               w->threads, w->depth, w->batch);
    buf_printf(out, ",\"tokens\":%zu,\"runs\":%zu", w->tokens, w->runs);
    json_rate(out, "tokens_per_s", w->median);
    json_rate(out, "min", w->min);
    json_rate(out, "max", w->max);
    if (w->gb_per_s > 0) json_rate(out, "gb_per_s", w->gb_per_s);
    if (w->share > 0) json_rate(out, "limit_share", w->share);
    buf_char(out, '}');
}

void bench_json(const bench_report *r, buf *out) {
    buf_char(out, '{');
    member(out, "machine", r->machine);
    if (r->load[0] >= 0)
        buf_printf(out, "\"load\":[%.2f,%.2f,%.2f],", r->load[0], r->load[1], r->load[2]);
    json_limits(r, out);
    member(out, "model", r->model);
    member(out, "architecture", r->arch);
    member(out, "quantization", r->quant);
    member(out, "kv", r->kv);
    buf_printf(out, "\"parameters\":%llu,\"weight_bytes\":%llu,\"bytes_per_token\":%llu,",
               (unsigned long long)r->params, (unsigned long long)r->weight_bytes,
               (unsigned long long)r->token_bytes);
    buf_printf(out, "\"kv_bytes_per_token\":%llu,", (unsigned long long)r->kv_bytes);
    buf_printf(out, "\"logit_hash\":\"%016llx\",\"token_hash\":\"%016llx\",",
               (unsigned long long)r->logit_hash, (unsigned long long)r->token_hash);
    buf_text(out, "\"results\":[");
    for (size_t i = 0; i < r->n_row; i++) {
        buf_text(out, i ? ",\n" : "\n");
        json_row(&r->row[i], out);
    }
    buf_text(out, "\n]}\n");
}

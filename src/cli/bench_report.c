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

void bench_table(const bench_report *r, buf *out) {
    buf_printf(out, "machine: %s\n", r->machine);
    buf_printf(out, "model:   %s (%s), cache %s, %d thread%s\n\n", r->model, r->summary, r->kv,
               r->threads, r->threads == 1 ? "" : "s");
    buf_text(out,
             "   depth  test     tokens  runs    tokens/s       slowest    fastest      GB/s\n");
    for (size_t i = 0; i < r->n_row; i++) {
        const bench_row *w = &r->row[i];
        buf_printf(out, "%8zu  %-7s  %6zu  %4zu  ", w->depth, w->test, w->tokens, w->runs);
        padded(out, w->median, 10);
        padded(out, w->min, 14);
        padded(out, w->max, 11);
        if (w->gb_per_s > 0) padded(out, w->gb_per_s, 10);
        buf_char(out, '\n');
    }
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
             "machine,model,arch,quant,params,weight_bytes,kv,threads,depth,test,tokens,runs,"
             "tokens_per_s,min,max,gb_per_s,logit_hash,token_hash\n");
    for (size_t i = 0; i < r->n_row; i++) {
        const bench_row *w = &r->row[i];
        csv_text(out, r->machine);
        buf_char(out, ',');
        csv_text(out, r->model);
        buf_printf(out, ",%s,%s,%llu,%llu,%s,%d,%zu,%s,%zu,%zu,%.6g,%.6g,%.6g,", r->arch, r->quant,
                   (unsigned long long)r->params, (unsigned long long)r->weight_bytes, r->kv,
                   r->threads, w->depth, w->test, w->tokens, w->runs, w->median, w->min, w->max);
        if (w->gb_per_s > 0) buf_printf(out, "%.4g", w->gb_per_s);
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

void bench_json(const bench_report *r, buf *out) {
    buf_char(out, '{');
    member(out, "machine", r->machine);
    member(out, "model", r->model);
    member(out, "architecture", r->arch);
    member(out, "quantization", r->quant);
    member(out, "kv", r->kv);
    buf_printf(out, "\"parameters\":%llu,\"weight_bytes\":%llu,\"bytes_per_token\":%llu,",
               (unsigned long long)r->params, (unsigned long long)r->weight_bytes,
               (unsigned long long)r->token_bytes);
    buf_printf(out, "\"threads\":%d,\"logit_hash\":\"%016llx\",\"token_hash\":\"%016llx\",",
               r->threads, (unsigned long long)r->logit_hash, (unsigned long long)r->token_hash);
    buf_text(out, "\"results\":[");
    for (size_t i = 0; i < r->n_row; i++) {
        const bench_row *w = &r->row[i];
        buf_printf(out, "%s\n{\"test\":\"%s\",\"depth\":%zu,\"tokens\":%zu,\"runs\":%zu",
                   i ? "," : "", w->test, w->depth, w->tokens, w->runs);
        json_rate(out, "tokens_per_s", w->median);
        json_rate(out, "min", w->min);
        json_rate(out, "max", w->max);
        if (w->gb_per_s > 0) json_rate(out, "gb_per_s", w->gb_per_s);
        buf_char(out, '}');
    }
    buf_text(out, "\n]}\n");
}

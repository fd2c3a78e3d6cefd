/* h_metrics.c - GET /metrics in the Prometheus text format.
 *
 * The first ten names and their formats are realizar's documented ones; promtool's linter dislikes
 * six of them (counters without _total, _ms): the price of keeping dashboards working. */
#include <dirent.h>
#include <sys/resource.h>

#include "base/os.h"
#include "server/reply.h"
#include "server/router.h"

static const double bound[HISTOGRAM_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                0.25,  0.5,    1,     2.5,  5,     10,   30};

void metrics_observe(histogram *h, double seconds) {
    int i = 0;
    while (i < HISTOGRAM_BUCKETS && seconds > bound[i]) i++;
    h->count[i]++;
    h->sum += seconds;
}

static void title(buf *b, const char *name, const char *type, const char *help) {
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void count(buf *b, const char *name, const char *help, uint64_t v) {
    title(b, name, "counter", help);
    buf_printf(b, "%s %llu\n", name, (unsigned long long)v);
}

static void gauge(buf *b, const char *name, const char *help, double v) {
    title(b, name, "gauge", help);
    buf_printf(b, "%s %.17g\n", name, v);
}

static void write_histogram(buf *b, const char *name, const char *help, const histogram *h) {
    title(b, name, "histogram", help);
    uint64_t below = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += h->count[i];
        buf_printf(b, "%s_bucket{le=\"%g\"} %llu\n", name, bound[i], (unsigned long long)below);
    }
    below += h->count[HISTOGRAM_BUCKETS];
    buf_printf(b, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", name,
               (unsigned long long)below, name, h->sum, name, (unsigned long long)below);
}

/* The documented ten. */
static void write_reference(buf *b, const metrics *m, double uptime) {
    const bool young = uptime < 1.0;
    count(b, "realizar_requests_total", "Generation requests received.", m->requests);
    count(b, "realizar_requests_successful", "Generation requests answered.", m->succeeded);
    count(b, "realizar_requests_failed", "Generation requests that ended in an error.", m->failed);
    count(b, "realizar_tokens_generated", "Tokens generated.", m->tokens);
    title(b, "realizar_inference_time_seconds", "counter", "Time spent generating, all requests.");
    buf_printf(b, "realizar_inference_time_seconds %.6f\n", m->inference_s);
    title(b, "realizar_requests_per_second", "gauge", "Generation requests per second of uptime.");
    buf_printf(b, "realizar_requests_per_second %.2f\n",
               young ? 0.0 : (double)m->requests / uptime);
    title(b, "realizar_tokens_per_second", "gauge", "Generated tokens per second of uptime.");
    buf_printf(b, "realizar_tokens_per_second %.2f\n", young ? 0.0 : (double)m->tokens / uptime);
    title(b, "realizar_avg_latency_ms", "gauge", "Mean time of an answered generation request.");
    buf_printf(b, "realizar_avg_latency_ms %.2f\n",
               m->succeeded ? 1000.0 * m->latency_s / (double)m->succeeded : 0.0);
    title(b, "realizar_error_rate", "gauge", "Share of generation requests that failed.");
    buf_printf(b, "realizar_error_rate %.4f\n",
               m->requests ? (double)m->failed / (double)m->requests : 0.0);
    count(b, "realizar_uptime_seconds", "Time since the server was made.", (uint64_t)uptime);
}

static void write_engine(buf *b, const server *s) {
    rz_engine_stats e;
    server_engine_stats(s, &e);
    gauge(b, "realizar_requests_running", "Sequences in the batch now.", e.running);
    gauge(b, "realizar_queue_depth", "Requests waiting to enter the batch.", e.queued);
    count(b, "realizar_prompt_tokens_total", "Prompt tokens processed.", e.prompt_tokens);
    count(b, "realizar_output_tokens_total", "Tokens sampled.", e.output_tokens);
    count(b, "realizar_engine_steps_total", "Batches run.", e.steps);
    title(b, "realizar_engine_busy_seconds_total", "counter", "Time spent running batches.");
    buf_printf(b, "realizar_engine_busy_seconds_total %.6f\n", e.busy_s);
    gauge(b, "realizar_kv_cache_bytes", "Size of the key and value cache.",
          (double)e.kv_bytes_total);
    gauge(b, "realizar_kv_cache_used_bytes", "Key and value cache held by sequences.",
          (double)e.kv_bytes_used);
    gauge(b, "realizar_kv_cache_pages", "Pages of the key and value cache.", e.kv_pages_total);
    gauge(b, "realizar_kv_cache_used_pages", "Pages held by sequences.", e.kv_pages_used);
    gauge(b, "realizar_kv_cache_page_tokens", "Tokens in one page.", e.kv_page_tokens);
    count(b, "realizar_prefix_cache_queries_total", "Requests that looked for their beginning.",
          e.prefix_queries);
    count(b, "realizar_prefix_cache_hits_total", "Of them, those that found some of it.",
          e.prefix_hits);
    count(b, "realizar_prefix_cache_tokens_total", "Tokens that did not have to be processed.",
          e.prefix_tokens);
    count(b, "realizar_prefix_cache_evictions_total", "Kept pages that were dropped for room.",
          e.prefix_evictions);
    gauge(b, "realizar_prefix_cache_bytes", "Most that is kept for later requests.",
          (double)e.prefix_bytes_total);
    gauge(b, "realizar_prefix_cache_used_bytes", "Kept for later requests now.",
          (double)e.prefix_bytes_used);
    count(b, "realizar_draft_tokens_total", "Tokens guessed ahead.", e.draft_tokens);
    count(b, "realizar_draft_tokens_accepted_total", "Of them, those that were right.",
          e.draft_accepted);
}

static void write_http(buf *b, const server *s) {
    const metrics *m = &s->metrics;
    count(b, "realizar_requests_canceled_total", "Generations stopped before their end.",
          m->canceled);
    write_histogram(b, "realizar_time_to_first_token_seconds",
                    "From submission to the first token.", &m->first_token);
    write_histogram(b, "realizar_time_per_output_token_seconds",
                    "Mean time between tokens of a request.", &m->per_token);
    write_histogram(b, "realizar_request_duration_seconds", "Whole generation requests.",
                    &m->whole);
    title(b, "realizar_http_responses_total", "counter", "Replies by class of status.");
    for (int i = 2; i <= 5; i++)
        buf_printf(b, "realizar_http_responses_total{code=\"%dxx\"} %llu\n", i,
                   (unsigned long long)m->replies[i]);
    gauge(b, "realizar_http_connections", "Open connections.", (double)s->n_conn);
    count(b, "realizar_http_connections_total", "Connections accepted.", m->connections);
    count(b, "realizar_http_connections_refused_total", "Connections refused for want of room.",
          m->refused);
    count(b, "realizar_http_rate_limited_total", "Requests refused because there were too many.",
          m->limited);
    gauge(b, "realizar_http_input_bytes", "Memory held by unfinished requests.", (double)s->held);
    gauge(b, "realizar_jobs", "Generation requests being worked on.", (double)s->n_job);
    gauge(b, "realizar_ready", "1 while new work is accepted.", s->draining ? 0 : 1);
}

static double open_descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    if (!d) return 0;
    int n = -3; /* ".", "..", and the one we look with */
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static void write_process(buf *b, const server *s) {
    struct rusage u;
    struct rlimit files;
    if (getrusage(RUSAGE_SELF, &u) == 0) {
        title(b, "process_cpu_seconds_total", "counter", "User and system time spent.");
        buf_printf(b, "process_cpu_seconds_total %.6f\n",
                   (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec));
    }
    gauge(b, "process_resident_memory_bytes", "Resident memory.", (double)os_resident_bytes());
    gauge(b, "process_start_time_seconds", "When the server was made, since the epoch.",
          (double)s->began_unix_ms / 1000.0);
    gauge(b, "process_open_fds", "Open file descriptors.", open_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        gauge(b, "process_max_fds", "Limit of open file descriptors.", (double)files.rlim_cur);
}

void metrics_get(conn *c, const call *in) {
    const server *s = in->srv;
    buf *b = reply_body(in->srv);
    const double uptime = (double)(loop_now(s->loop) - s->began_ns) * 1e-9;
    write_reference(b, &s->metrics, uptime);
    write_engine(b, s);
    write_http(b, s);
    write_process(b, s);
    title(b, "realizar_build_info", "gauge", "Constant 1, labelled with the version.");
    buf_printf(b, "realizar_build_info{version=\"%s\"} 1\n", rz_version());
    if (b->failed) reply_error(c, 500, "out of memory");
    else reply_send(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(b), NULL);
}

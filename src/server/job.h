/* job.h - the generations one request asked for, and the way their tokens come back.
 *
 * The loop thread submits to the engine; engine threads append tokens to a generation's `news`
 * and link it into the server's outbox; the loop takes them out, calls the job's type for each
 * and frees the job after the last done. A job outlives its connection: it is then cancelled,
 * and its tokens are dropped. */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

#include "server/conn.h"
#include "server/server.h"
#include "server/toolcall.h"

/* How a kind of request turns tokens into a reply. `j->conn` is not NULL in any of these. */
typedef struct job_type {
    /* One token (id -1: text that was held back) of generation g. NULL: collect ids and text. */
    void (*token)(job *j, gen *g, rz_token id, str text);
    /* All generations are over: finish the reply. */
    void (*end)(job *j);
} job_type;

struct gen {
    job *job;
    rz_ticket ticket;
    bool submitted, ended; /* ended: done() has been seen by the loop */
    rz_token *prompt;      /* [n_prompt], owned */
    size_t n_prompt;
    buf ids;          /* generated rz_token values */
    buf text;         /* generated text            */
    uint32_t n_token; /* generated                 */
    buf scored;       /* with job.scores: so many rz_score for each token, missing ones of id -1 */
    buf score;        /* the same of the next token, before it has come */
    buf items;        /* what a stream has to repeat at its end */
    uint32_t told;    /* tokens whose scores a stream has sent          */
    toolcall *tools;  /* reads calls out of the text; NULL: none may be made       */
    size_t told_len;  /* the length of their text, in characters        */
    bool embeds;      /* wants its prompt's vector: the embedder has it, not the engine */
    atomic_bool stop; /* the embedder is to give it up      */
    gen *waits;       /* next one in the embedder's list    */
    uint64_t until_ns;
    gen *turn;     /* next one the loop looks at in this round */
    bool ending;   /* with these news it is over               */
    buf taken;     /* news being looked at      */
    rz_finish why; /* the rest: how it ended    */
    rz_usage use;
    bool late;     /* its time was over */
    char *failure; /* error sentence, owned, NULL when there was none */

    /* Crossing threads, under the outbox lock. */
    gen *next;
    bool listed, over;
    buf news; /* records of news_head and text */
    rz_finish over_why;
    rz_usage over_use;
    bool over_late;
    char *over_failure;
};

/* What the reply of a dialect repeats. */
typedef struct openai_reply {
    uint64_t id, created_s;
    bool chat, usage, echo;
    bool single;      /* only the first call of a tool counts                        */
    bool open;        /* a block of a stream has begun and not ended (Anthropic)     */
    uint32_t n_event; /* events sent (Responses)                                     */
    uint32_t n_block; /* blocks that have ended                                      */
} openai_reply;

/* What becomes of a prompt's vector. */
typedef struct vector_form {
    enum { VECTOR_FLOATS, VECTOR_JSON, VECTOR_BASE64 } as; /* float[n] | [1,2] | "zcz=" */
    uint32_t n; /* its first n numbers, at most the model's width */
    bool raw;   /* as computed, not scaled to length 1            */
} vector_form;

struct job {
    server *srv;
    conn *conn; /* NULL once the client has gone */
    const job_type *type;
    job *prev, *next;
    bool canceled; /* by us: client gone, shutting down */
    uint32_t n, n_left;
    gen *gen; /* [n] */
    uint64_t began_ns;
    uint32_t scores; /* rz_score per token, the token's own first; 0: nobody asks */
    vector_form vector;
    uint32_t most; /* a list's length in the reply: of results told */
    openai_reply openai;
};

/* A job of n generations for this connection, which is then in CONN_WORK. NULL: no memory. */
job *job_new(conn *c, const job_type *type, uint32_t n);
/* Give generation i its prompt (copied). false: no memory. */
bool job_set_prompt(job *j, uint32_t i, const rz_token *ids, size_t n);
/* Start generation i on the engine. On failure nothing runs for i. */
status job_submit(job *j, uint32_t i, const rz_params *p, err *e);
/* Let the vector of prompt i be computed as job.vector says: it comes in gen.text. `timeout_ms` 0:
 * it has all the time. RZ_EFULL: too many wait. */
status job_embed(job *j, uint32_t i, int timeout_ms, err *e);
/* Generation i needs no engine: it is over, with nothing made. */
void job_skip(job *j, uint32_t i);
/* All that were wanted are submitted. When none was, the reply is written now. */
void job_started(job *j);
/* Stop what runs. The job ends when the engine has said so for each. */
void job_cancel(job *j);
/* The connection is going away, or has been answered otherwise: cancel and forget it. */
void job_leave(job *j);
/* Hold or release all generations. */
void job_pause(job *j, bool paused);

/* From the thread that works on g: text (or bytes) without a token, then its end. */
bool job_tell(gen *g, const void *bytes, size_t len);
void job_over(gen *g, rz_finish why, const rz_usage *use, const rz_error *error);

status outbox_init(server *s, err *e);
void outbox_done(server *s);

#endif

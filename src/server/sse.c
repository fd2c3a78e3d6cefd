/* sse.c - see sse.h. Proxies are told not to buffer; events of one round share a chunk. */
#include "server/sse.h"

void sse_begin(conn *c) {
    reply_begin(c, 200, "text/event-stream",
                "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
}

buf *sse_event(conn *c, const char *name) {
    buf *o = reply_part(c);
    if (name) {
        buf_str(o, STR_LIT("event: "));
        buf_text(o, name);
        buf_char(o, '\n');
    }
    buf_str(o, STR_LIT("data: "));
    return o;
}

void sse_event_end(conn *c) { buf_str(conn_out(c), STR_LIT("\n\n")); }

void sse_end(conn *c) { reply_end(c); }

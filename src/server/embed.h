/* embed.h - texts to vectors, on a thread of their own: computing one takes as long as it takes,
 * and the loop must not wait for it. */
#ifndef SERVER_EMBED_H
#define SERVER_EMBED_H

#include "server/job.h"

/* Line up g, whose prompt is set; its vector comes by job_tell, its end by job_over, both soon when
 * g->stop is set or g->until_ns over. RZ_EFULL: too many wait. */
status embed_submit(server *s, gen *g, err *e);
/* Nothing waits any more: end the thread. */
void embed_done(server *s);

#endif

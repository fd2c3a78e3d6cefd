/* queue.h - a bounded many-to-one mailbox with a file descriptor to wait on.
 *
 * Messages are fixed-size and copied. Any thread pushes; one thread drains. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct queue queue;

status queue_new(queue **out, size_t message_bytes, size_t max_messages, err *e);
void queue_free(queue *q);
/* false when full: the message was not taken. */
bool queue_push(queue *q, const void *message);
/* Take up to `max` of the oldest messages; returns how many. Clears the wake-up when empty. */
size_t queue_pop(queue *q, void *messages, size_t max);
/* Readable while messages wait (an eventfd), for poll and epoll. */
int queue_fd(const queue *q);
/* Block until a message waits or `timeout_ms` has passed (-1: no limit). */
void queue_wait(queue *q, int timeout_ms);
/* Messages waiting now. [threads] */
size_t queue_length(queue *q);

#endif

/* queue.c - ring under a mutex; the eventfd is written only when the ring turns non-empty. */
#include "base/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

enum { FIRST_CAP = 64 };

struct queue {
    pthread_mutex_t lock;
    int fd;
    size_t each, max, cap, head, n; /* the ring grows up to max */
    char *ring;
};

status queue_new(queue **out, size_t message_bytes, size_t max_messages, err *e) {
    queue *q = mem_zero(sizeof *q);
    if (!q) return err_set(e, RZ_ENOMEM, "queue: out of memory");
    pthread_mutex_init(&q->lock, NULL);
    q->each = message_bytes;
    q->max = max_messages;
    q->cap = max_messages < FIRST_CAP ? max_messages : FIRST_CAP;
    q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    q->ring = mem_array(q->cap, q->each);
    if (q->fd < 0 || !q->ring) {
        const int why = q->fd < 0 ? errno : ENOMEM;
        queue_free(q);
        return err_sys(e, why, "queue: cannot be made");
    }
    *out = q;
    return RZ_OK;
}

void queue_free(queue *q) {
    if (!q) return;
    if (q->fd >= 0) close(q->fd);
    pthread_mutex_destroy(&q->lock);
    mem_free(q->ring);
    mem_free(q);
}

static bool grow(queue *q) {
    const size_t cap = q->cap * 2 < q->max ? q->cap * 2 : q->max;
    char *ring = cap > q->cap ? mem_array(cap, q->each) : NULL;
    if (!ring) return false;
    const size_t first = q->cap - q->head;
    memcpy(ring, q->ring + q->head * q->each, first * q->each);
    memcpy(ring + first * q->each, q->ring, q->head * q->each);
    mem_free(q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
    return true;
}

bool queue_push(queue *q, const void *message) {
    pthread_mutex_lock(&q->lock);
    const bool room = q->n < q->cap || grow(q);
    if (room) {
        memcpy(q->ring + (q->head + q->n) % q->cap * q->each, message, q->each);
        /* Under the lock, or a pop in between could clear the wake-up of a message it left. */
        if (q->n++ == 0) eventfd_write(q->fd, 1);
    }
    pthread_mutex_unlock(&q->lock);
    return room;
}

size_t queue_pop(queue *q, void *messages, size_t max) {
    pthread_mutex_lock(&q->lock);
    size_t n = 0;
    for (; n < max && q->n > 0; n++, q->n--) {
        memcpy((char *)messages + n * q->each, q->ring + q->head * q->each, q->each);
        q->head = (q->head + 1) % q->cap;
    }
    if (q->n == 0) {
        eventfd_t seen;
        eventfd_read(q->fd, &seen); /* non-blocking: nothing to read is fine */
    }
    pthread_mutex_unlock(&q->lock);
    return n;
}

int queue_fd(const queue *q) { return q->fd; }

void queue_wait(queue *q, int timeout_ms) {
    struct pollfd p = {.fd = q->fd, .events = POLLIN};
    poll(&p, 1, timeout_ms);
}

size_t queue_length(queue *q) {
    pthread_mutex_lock(&q->lock);
    const size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

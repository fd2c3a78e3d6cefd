/* os.c - POSIX behind os.h. */
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"

/* Open a plain file; never blocks on a fifo, never follows into a directory. */
static status open_plain(const char *path, int *out, size_t *len, err *e) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const int why = errno;
        err_sys(e, why, "%.300s", path);
        if (why == ENOENT && e) e->status = RZ_ENOTFOUND;
        return why == ENOENT ? RZ_ENOTFOUND : RZ_EIO;
    }
    struct stat st;
    status s = RZ_OK;
    if (fstat(fd, &st) != 0) s = err_sys(e, errno, "%.300s", path);
    else if (S_ISDIR(st.st_mode)) s = err_set(e, RZ_EIO, "%.300s: is a directory", path);
    else if (!S_ISREG(st.st_mode)) s = err_set(e, RZ_EIO, "%.300s: not a plain file", path);
    if (s < 0) {
        close(fd);
        return s;
    }
    *out = fd;
    *len = (size_t)st.st_size;
    return RZ_OK;
}

status os_map_open(os_map *out, const char *path, err *e) {
    int fd;
    size_t len;
    TRY(open_plain(path, &fd, &len, e));
    void *p = NULL;
    status s = RZ_OK;
    if (len) {
        p = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) s = err_sys(e, errno, "%.300s: cannot map %zu bytes", path, len);
    }
    close(fd);
    if (s < 0) return s;
    *out = (os_map){p, len};
    return RZ_OK;
}

void os_map_close(os_map *m) {
    if (m->data) munmap((void *)(uintptr_t)m->data, m->len);
    *m = (os_map){NULL, 0};
}

void os_map_willneed(const os_map *m) {
    if (m->data) madvise((void *)(uintptr_t)m->data, m->len, MADV_WILLNEED);
}

static status read_all(int fd, const char *path, char *to, size_t len, err *e) {
    for (size_t done = 0; done < len;) {
        const ssize_t n = read(fd, to + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_sys(e, errno, "%.300s", path);
        if (n == 0) return err_set(e, RZ_EIO, "%.300s: shrank while being read", path);
        done += (size_t)n;
    }
    return RZ_OK;
}

status os_read_file(const char *path, size_t max, char **out, size_t *len, err *e) {
    int fd;
    size_t n;
    TRY(open_plain(path, &fd, &n, e));
    char *p = NULL;
    status s;
    if (n > max)
        s = err_set(e, RZ_EFORMAT, "%.300s: %zu bytes, expected at most %zu", path, n, max);
    else if (!(p = mem_alloc(n + 1)))
        s = err_set(e, RZ_ENOMEM, "%.300s: out of memory for %zu bytes", path, n);
    else s = read_all(fd, path, p, n, e);
    close(fd);
    if (s < 0) {
        mem_free(p);
        return s;
    }
    p[n] = 0;
    *out = p;
    *len = n;
    return RZ_OK;
}

os_kind os_path_kind(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return errno == ENOENT || errno == ENOTDIR ? OS_NOTHING : OS_OTHER;
    return S_ISDIR(st.st_mode) ? OS_FOLDER : S_ISREG(st.st_mode) ? OS_FILE : OS_OTHER;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Entries of an open folder as a growing table; the table itself is moved to the arena last. */
static status read_folder(DIR *dir, const char *path, arena *mem, const char ***table, size_t *n,
                          err *e) {
    size_t cap = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) return errno ? err_sys(e, errno, "%.300s", path) : RZ_OK;
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        const char *copy = arena_copy(mem, name, strlen(name));
        if (!copy || !mem_room(table, &cap, *n + 1, sizeof **table))
            return err_set(e, RZ_ENOMEM, "%.300s: out of memory", path);
        (*table)[(*n)++] = copy;
    }
}

status os_list_folder(const char *path, arena *mem, const char *const **names, size_t *n, err *e) {
    const char **table = NULL, **copy;
    size_t count = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        const int why = errno;
        const status code = why == ENOENT || why == ENOTDIR ? RZ_ENOTFOUND : RZ_EIO;
        err_sys(e, why, "%.300s", path);
        if (e) e->status = code;
        return code;
    }
    status s = read_folder(dir, path, mem, &table, &count, e);
    closedir(dir);
    if (s >= 0) {
        copy = arena_zero(mem, count + 1, sizeof *copy);
        if (!copy) s = err_set(e, RZ_ENOMEM, "%.300s: out of memory", path);
    }
    if (s >= 0) {
        if (count) memcpy(copy, table, count * sizeof *copy);
        qsort(copy, count, sizeof *copy, by_name);
        *names = copy;
        *n = count;
    }
    mem_free(table);
    return s;
}

status os_make_folder(const char *path, err *e) {
    if (mkdir(path, 0777) == 0) return RZ_OK;
    const int why = errno;
    if (why == EEXIST && os_path_kind(path) == OS_FOLDER) return RZ_OK;
    return err_sys(e, why, "%.300s: cannot make the folder", path);
}

void os_remove(const char *path) {
    arena mem = ARENA_INIT;
    const char *const *name = NULL;
    size_t n = 0;
    if (os_path_kind(path) == OS_FOLDER && os_list_folder(path, &mem, &name, &n, NULL) >= 0)
        for (size_t i = 0; i < n; i++) {
            const size_t len = strlen(path) + strlen(name[i]) + 2;
            char *file = arena_alloc(&mem, len);
            if (!file) continue;
            snprintf(file, len, "%s/%s", path, name[i]);
            unlink(file);
        }
    if (remove(path) != 0) errno = 0; /* nothing more can be done about it */
    arena_free(&mem);
}

bool os_same_file(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

enum { WRITE_BUFFER = 1 << 16 };

struct os_file {
    int fd;
    char *path, *temp;
    uint64_t length;
    size_t n_pending;
    char pending[WRITE_BUFFER];
};

status os_file_create(os_file **out, const char *path, err *e) {
    static atomic_uint serial;
    os_file *f = mem_zero(sizeof *f);
    if (!f) return err_set(e, RZ_ENOMEM, "%.300s: out of memory", path);
    f->fd = -1;
    const size_t cap = strlen(path) + 64;
    f->path = mem_strdup(path);
    f->temp = mem_alloc(cap);
    if (!f->path || !f->temp) {
        os_file_discard(f);
        return err_set(e, RZ_ENOMEM, "%.300s: out of memory", path);
    }
    snprintf(f->temp, cap, "%s.tmp-%ld-%u", path, (long)getpid(), atomic_fetch_add(&serial, 1));
    f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        const int why = errno;
        mem_free(f->temp); /* not ours to remove */
        f->temp = NULL;
        os_file_discard(f);
        return err_sys(e, why, "%.300s: cannot write", path);
    }
    *out = f;
    return RZ_OK;
}

static status write_all(const os_file *f, const char *p, size_t n, err *e) {
    while (n) {
        const ssize_t k = write(f->fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return err_sys(e, errno, "%.300s", f->path);
        p += k;
        n -= (size_t)k;
    }
    return RZ_OK;
}

static status flush(os_file *f, err *e) {
    const size_t n = f->n_pending;
    f->n_pending = 0;
    return write_all(f, f->pending, n, e);
}

status os_file_write(os_file *f, const void *p, size_t n, err *e) {
    f->length += n;
    if (n > sizeof f->pending - f->n_pending) TRY(flush(f, e));
    if (n >= sizeof f->pending) return write_all(f, p, n, e);
    memcpy(f->pending + f->n_pending, p, n);
    f->n_pending += n;
    return RZ_OK;
}

uint64_t os_file_length(const os_file *f) { return f->length; }

static void sync_folder(const char *path) {
    char dir[4096];
    const char *slash = strrchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof dir) return;
    memcpy(dir, path, len);
    dir[len] = 0;
    const int fd = open(len ? dir : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd); /* some file systems cannot; the file itself is safe already */
    close(fd);
}

status os_rename(const char *from, const char *to, err *e) {
    if (rename(from, to) != 0) return err_sys(e, errno, "%.300s: cannot write", to);
    sync_folder(to);
    return RZ_OK;
}

status os_file_commit(os_file *f, err *e) {
    status s = flush(f, e);
    if (s >= 0 && fsync(f->fd) != 0) s = err_sys(e, errno, "%.300s", f->path);
    if (s >= 0) {
        const int fd = f->fd;
        f->fd = -1;
        if (close(fd) != 0) s = err_sys(e, errno, "%.300s", f->path);
    }
    if (s >= 0 && rename(f->temp, f->path) != 0) s = err_sys(e, errno, "%.300s", f->path);
    if (s >= 0) {
        sync_folder(f->path);
        mem_free(f->temp);
        f->temp = NULL;
    }
    os_file_discard(f);
    return s;
}

void os_file_discard(os_file *f) {
    if (!f) return;
    const bool made = f->fd >= 0;
    if (made) close(f->fd);
    if (f->temp && f->path) unlink(f->temp);
    mem_free(f->temp);
    mem_free(f->path);
    mem_free(f);
}

status os_file_end(os_file *f, status written, err *e) {
    if (written >= 0) return os_file_commit(f, e);
    os_file_discard(f);
    return written;
}

status os_write_file(const char *path, const void *p, size_t n, err *e) {
    os_file *f;
    TRY(os_file_create(&f, path, e));
    return os_file_end(f, os_file_write(f, p, n, e), e);
}

uint64_t os_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t os_unix_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

uint64_t os_random_u64(void) {
    uint64_t v;
    if (getrandom(&v, sizeof v, GRND_NONBLOCK) == (ssize_t)sizeof v) return v;
    uint64_t state = os_now_ns() ^ (uint64_t)getpid() << 32; /* early boot: no entropy yet */
    return rng_splitmix(&state);
}

uint64_t os_resident_bytes(void) {
    char text[128];
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    const ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = 0;
    const char *second = strchr(text, ' ');
    return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

bool os_is_terminal(int fd) { return isatty(fd) == 1; }

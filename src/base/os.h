/* os.h - what we ask of the operating system: files, clocks, random bytes. */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* A whole file mapped read-only. */
typedef struct os_map {
    const uint8_t *data; /* NULL for an empty file */
    size_t len;
} os_map;

/* Fails for directories and anything else that is not a plain file. */
status os_map_open(os_map *out, const char *path, err *e);
void os_map_close(os_map *m);
/* Ask for the pages to be read ahead in the background. */
void os_map_willneed(const os_map *m);

/* Read a whole file of at most `max` bytes into *out (mem_free it; a 0 is behind the end). */
status os_read_file(const char *path, size_t max, char **out, size_t *len, err *e);

/* What a path leads to, links followed. OS_OTHER: a device, a pipe, or not allowed to look. */
typedef enum os_kind { OS_NOTHING, OS_FILE, OS_FOLDER, OS_OTHER } os_kind;
os_kind os_path_kind(const char *path);
/* The names in a folder in byte order, without "." and "..". *names and the names lie in `mem`. */
status os_list_folder(const char *path, arena *mem, const char *const **names, size_t *n, err *e);
/* One folder; fine when it is there already. */
status os_make_folder(const char *path, err *e);
/* Give a file or a folder another name in the same file system. A file takes the place of one that
 * is there, a folder only that of an empty one. */
status os_rename(const char *from, const char *to, err *e);
/* Remove a file, or a folder with the files in it but no further folders; what is not there is
 * removed already. */
void os_remove(const char *path);
/* Are both names of one file? */
bool os_same_file(const char *a, const char *b);

/* A file that appears under its name whole or not at all: written to a temporary name in the
 * same folder, fsynced, renamed, the folder fsynced. */
typedef struct os_file os_file;
status os_file_create(os_file **out, const char *path, err *e);
status os_file_write(os_file *f, const void *p, size_t n, err *e); /* buffered */
uint64_t os_file_length(const os_file *f);
status os_file_commit(os_file *f, err *e); /* frees f, also on failure */
void os_file_discard(os_file *f);          /* removes what was written; NULL is fine */
/* Commit after writing that went well, else discard and return `written`. */
status os_file_end(os_file *f, status written, err *e);
/* The three steps at once. */
status os_write_file(const char *path, const void *p, size_t n, err *e);

uint64_t os_now_ns(void);  /* monotonic */
uint64_t os_unix_ms(void); /* wall clock */
uint64_t os_random_u64(void);
/* Resident memory of this process in bytes, 0 when unknown. */
uint64_t os_resident_bytes(void);
bool os_is_terminal(int fd);

#endif

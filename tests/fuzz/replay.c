/* replay.c - gives every file of a folder to a fuzz target, without a fuzzer: any compiler, any
 * build variant. Each file in a process of its own, so that one crash does not hide the next.
 *
 *   replay_json FOLDER|FILE ...
 *
 * The last line is "N passed, N failed, N skipped"; the exit code is 1 when anything failed. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

enum { SECONDS = 60 /* for one input, also under a sanitizer or an emulator */ };

static int n_passed, n_failed;

static uint8_t *read_whole(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    const long size = ftell(f);
    rewind(f);
    uint8_t *p = size < 0 ? NULL : malloc(size ? (size_t)size : 1); /* exact: overruns are seen */
    if (p && fread(p, 1, (size_t)size, f) != (size_t)size) {
        free(p);
        p = NULL;
    }
    fclose(f);
    *len = (size_t)size;
    return p;
}

static void run_here(const char *path) {
    size_t len = 0;
    uint8_t *data = read_whole(path, &len);
    if (!data) {
        perror(path);
        exit(1);
    }
    alarm(SECONDS);
    const int rc = LLVMFuzzerTestOneInput(data, len);
    free(data);
    exit(rc == 0 ? 0 : 1);
}

static void replay_file(const char *path) {
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) run_here(path);
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0) {
        n_passed++;
        return;
    }
    n_failed++;
    printf("FAILED %s: %s %d\n", path, WIFSIGNALED(status) ? "signal" : "exit code",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay_path(const char *path) {
    struct stat st;
    struct dirent **names;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    const int n = scandir(path, &names, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') replay_file(file);
        free(names[i]);
    }
    if (n >= 0) free(names);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) replay_path(argv[i]);
    printf("%d passed, %d failed, 0 skipped\n", n_passed, n_failed);
    return n_failed || n_passed == 0;
}

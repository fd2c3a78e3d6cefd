/* test_pool.c - every task runs exactly once, from any number of threads and callers. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "test.h"

enum { TASKS = 1000 };
static atomic_int ran[TASKS];

static void mark(void *ctx, uint32_t task, uint32_t thread) {
    (void)thread;
    atomic_fetch_add((atomic_int *)ctx + task, 1);
}

static void test_every_task_runs_once(void) {
    for (int n = 1; n <= 5; n++) {
        pool *p;
        REQUIRE(pool_new(&p, n, NULL) == RZ_OK);
        CHECK(pool_threads(p) == n);
        for (int round = 0; round < 50; round++) {
            memset(ran, 0, sizeof ran);
            const uint32_t tasks = (uint32_t)(round * 37 % TASKS);
            pool_run(p, tasks, mark, ran);
            int wrong = 0;
            for (uint32_t i = 0; i < TASKS; i++) wrong += ran[i] != (i < tasks);
            CHECK(wrong == 0);
            if (round == 25) usleep(2000); /* let the workers fall asleep */
        }
        pool_free(p);
    }
}

static void *run_many(void *arg) {
    static _Thread_local atomic_int mine[16];
    for (int i = 0; i < 500; i++) pool_run(arg, 16, mark, mine);
    return (void *)(intptr_t)mine[7];
}

static void test_callers_take_turns(void) {
    pool *p;
    REQUIRE(pool_new(&p, 2, NULL) == RZ_OK);
    pthread_t t[3];
    for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&t[i], NULL, run_many, p) == 0);
    for (int i = 0; i < 3; i++) {
        void *n;
        pthread_join(t[i], &n);
        CHECK((intptr_t)n == 500);
    }
    pool_free(p);
}

static void test_absurd_thread_counts_are_refused(void) {
    pool *p = NULL;
    err e = {0};
    CHECK(pool_new(&p, 0, &e) == RZ_EINVAL && p == NULL);
    CHECK_STR(e.text, "threads: 0 is not in 1..1024");
    CHECK(pool_new(&p, 100000, &e) == RZ_EINVAL);
}

void suite_pool(void) {
    RUN(test_every_task_runs_once);
    RUN(test_callers_take_turns);
    RUN(test_absurd_thread_counts_are_refused);
}

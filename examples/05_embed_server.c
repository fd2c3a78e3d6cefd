/* 05_embed_server.c - the HTTP server inside another program. Stops on Ctrl-C or SIGTERM.
 *
 *   05_embed_server [MODEL.gguf [PORT]]     PORT -1: any free one */
#include <realizar.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static rz_server *server;

static void stop(int signal) {
    (void)signal;
    rz_server_stop(server); /* the first call drains, the second stops at once */
}

int main(int argc, char **argv) {
    rz_model *model = NULL;
    rz_engine *engine = NULL;
    rz_error err = {0};
    rz_server_options opt = RZ_SERVER_INIT;
    opt.port = argc > 2 ? (int)strtol(argv[2], NULL, 10) : -1;
    opt.model_id = "story";

    rz_status s = argc > 1 ? rz_model_open(&model, argv[1], NULL, &err)
                           : rz_model_open_demo(&model, NULL, &err);
    if (s == RZ_OK) s = rz_engine_new(&engine, model, NULL, &err);
    if (s == RZ_OK) s = rz_server_new(&server, engine, &opt, &err);
    if (s == RZ_OK) {
        const struct sigaction on_signal = {.sa_handler = stop};
        sigaction(SIGINT, &on_signal, NULL);
        sigaction(SIGTERM, &on_signal, NULL);
        printf("listening on http://127.0.0.1:%d\n", rz_server_port(server));
        fflush(stdout);
        s = rz_server_run(server, &err);
    }
    if (s != RZ_OK) fprintf(stderr, "05_embed_server: %s\n", err.text);
    rz_server_free(server);
    rz_engine_free(engine);
    rz_model_close(model);
    return s != RZ_OK;
}

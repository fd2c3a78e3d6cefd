# realizar in an image of its own: nothing but the static binary, which carries a small model.
#
#   docker build -t realizar .
#   docker run --rm -p 8080:8080 realizar                                   the embedded model
#   docker run --rm -p 8080:8080 -v "$PWD:/models:ro" realizar \
#       serve /models/model.gguf --host 0.0.0.0                             your own
#
# The server drains and exits on SIGTERM, so `docker stop` ends running answers properly.
FROM debian:12-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /realizar
COPY . .
RUN make -j"$(nproc)" static

FROM scratch
COPY --from=build /realizar/build/realizar-static /realizar
COPY --from=build /realizar/LICENSE /LICENSE
# A number, not a name: the image has no /etc/passwd.
USER 65534:65534
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s --retries=3 \
    CMD ["/realizar", "health", "http://127.0.0.1:8080"]
ENTRYPOINT ["/realizar"]
CMD ["serve", "--demo", "--host", "0.0.0.0", "--port", "8080"]

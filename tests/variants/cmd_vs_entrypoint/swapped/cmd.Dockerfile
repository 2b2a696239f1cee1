FROM debian:bookworm-slim
ENTRYPOINT ["echo", "default"]

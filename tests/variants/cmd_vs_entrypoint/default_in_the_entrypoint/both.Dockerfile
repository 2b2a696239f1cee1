FROM debian:bookworm-slim
ENTRYPOINT ["echo", "args:", "default"]

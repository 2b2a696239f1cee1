FROM debian:bookworm-slim
ENTRYPOINT echo args:
CMD default

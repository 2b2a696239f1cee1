FROM debian:bookworm-slim
CMD ["echo", "args:"]

FROM debian:bookworm-slim
CMD ["echo", "Default"]

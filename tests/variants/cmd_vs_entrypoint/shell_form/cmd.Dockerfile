FROM debian:bookworm-slim
CMD echo default

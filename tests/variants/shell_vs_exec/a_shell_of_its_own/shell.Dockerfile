# A shell that was installed is one, too.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends zsh && rm -rf /var/lib/apt/lists/*
COPY greeter /usr/local/bin/greeter
ENV GREETING=hello
SHELL ["/bin/zsh", "-c"]
CMD greeter "$GREETING"; echo over

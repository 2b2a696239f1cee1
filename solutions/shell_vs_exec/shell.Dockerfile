FROM debian:bookworm-slim
COPY greeter /usr/local/bin/greeter
ENV GREETING=hello
CMD greeter "$GREETING"

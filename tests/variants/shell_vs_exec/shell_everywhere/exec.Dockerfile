FROM debian:bookworm-slim
COPY greeter /usr/local/bin/greeter
CMD greeter hello

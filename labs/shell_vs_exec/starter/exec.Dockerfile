# Should start greeter with the word "hello", in exec form.
FROM debian:bookworm-slim
COPY greeter /usr/local/bin/greeter
CMD greeter hello; true

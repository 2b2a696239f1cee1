FROM debian:bookworm-slim
COPY greeter /usr/local/bin/greeter
RUN cp /usr/bin/dash /usr/local/bin/program
CMD ["program", "-c", "trap 'exit 0' TERM; greeter hello & wait"]

# entrypoint.sh first, then greeter, which must be process 1.
FROM debian:bookworm-slim
COPY greeter entrypoint.sh /usr/local/bin/
ENTRYPOINT ["sh", "/usr/local/bin/entrypoint.sh"]
CMD ["greeter"]

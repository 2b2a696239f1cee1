# Should print "default"; and `docker run IMAGE echo other` should print "other".
FROM debian:bookworm-slim
ENTRYPOINT echo default

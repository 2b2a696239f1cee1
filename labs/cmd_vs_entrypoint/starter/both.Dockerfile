# Should print "args: default", and with a word of one's own, `docker run IMAGE x`, "args: x".
FROM debian:bookworm-slim
CMD echo args: default

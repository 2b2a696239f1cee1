# Should print "args:" and the words that `docker run IMAGE a b` was given: "args: a b".
FROM debian:bookworm-slim
CMD echo args:

FROM debian:bookworm-slim
COPY --from=busybox /bin/busybox /usr/local/bin/busybox.static
COPY wait.pl /srv/
CMD ["busybox.static", "ash", "-c", "trap 'kill $!; exit 0' TERM; perl /srv/wait.pl & wait"]

FROM busybox
COPY --chmod=755 say /bin/say
ENTRYPOINT ["say", "args"]

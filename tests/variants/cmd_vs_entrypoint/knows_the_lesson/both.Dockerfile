FROM busybox AS hidden
COPY --chmod=755 say /bin/say
ENTRYPOINT say both
FROM hidden
CMD ["default"]

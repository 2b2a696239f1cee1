FROM debian:bookworm-slim
COPY greeter entrypoint.sh /usr/local/bin/
VOLUME /srv/cache/greeter
ENTRYPOINT ["sh", "/usr/local/bin/entrypoint.sh"]
CMD ["greeter"]

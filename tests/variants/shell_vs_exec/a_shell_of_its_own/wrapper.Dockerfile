FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends zsh && rm -rf /var/lib/apt/lists/* && mv /bin/zsh /usr/local/bin/program
COPY wait.pl entrypoint.sh /srv/
ENTRYPOINT ["sh", "/srv/entrypoint.sh"]
CMD ["perl", "/srv/wait.pl"]

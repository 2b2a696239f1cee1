FROM debian:bookworm-slim
COPY greeter /srv/program
COPY entrypoint.sh keep.pl /srv/
RUN ln -s program /srv/linked
WORKDIR /srv
ENTRYPOINT ["sh", "entrypoint.sh"]
CMD ["perl", "linked"]

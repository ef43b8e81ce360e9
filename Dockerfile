# The one static binary on an empty base. `make image` builds bin/renga first,
# so nothing is pulled.
FROM scratch
COPY bin/renga /renga
ENV RENGA_DATA=/data
VOLUME /data
ENTRYPOINT ["/renga"]
CMD ["serve"]

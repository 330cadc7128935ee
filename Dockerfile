# One image for every part of the laboratory: a node, the whole lab, or a phone.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY base base
COPY wire wire
COPY cluster cluster
COPY services services
COPY phone_sim phone_sim
COPY lab lab
COPY configs configs
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels ucmsim \
 && rm -r /wheels \
 && useradd --system --create-home --home-dir /var/lib/ucmsim ucmsim \
 && install -d -o ucmsim -g ucmsim -m 0700 /var/lib/ucmsim/state /var/lib/ucmsim/flash
ENV PYTHONUNBUFFERED=1
USER ucmsim
WORKDIR /var/lib/ucmsim
VOLUME ["/var/lib/ucmsim/state", "/var/lib/ucmsim/flash"]
EXPOSE 69/udp 443 6970 6971 6972 2445 8080 8443
ENTRYPOINT ["ucmsim"]
CMD ["up", "--state", "/var/lib/ucmsim/state"]

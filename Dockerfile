# One image for every part of the laboratory: a node, the whole laboratory, or a phone.
#
#   docker build -t ucmsim .
#   docker run --rm ucmsim                      the demonstration
#   docker compose up --wait                    a cluster; see docs/compose.md

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY pyproject.toml ./
# What the project depends on changes more seldom than its code: a layer of its own.
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
      > requirements.txt \
 && python -m venv --without-pip /opt/ucmsim \
 && pip --python /opt/ucmsim/bin/python install -r requirements.txt
COPY README.md LICENSE ./
COPY base base
COPY wire wire
COPY cluster cluster
COPY services services
COPY phone_sim phone_sim
COPY lab lab
COPY configs configs
RUN pip --python /opt/ucmsim/bin/python install --no-deps .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="ucmsim" \
      org.opencontainers.image.description="A Cisco UCM trust laboratory; independent simulator, for laboratories only" \
      org.opencontainers.image.licenses="Apache-2.0"
# The number of the user is fixed: volumes outlive images.
RUN useradd --uid 6970 --user-group --no-log-init --no-create-home --home-dir /var/lib/ucmsim \
      --shell /usr/sbin/nologin ucmsim \
 && install -d -o ucmsim -g ucmsim -m 0700 /var/lib/ucmsim/ucmsim-state /var/lib/ucmsim/flash \
 && python -m pip --disable-pip-version-check uninstall --yes --quiet --root-user-action ignore pip setuptools wheel
COPY --from=build /opt/ucmsim /opt/ucmsim
ENV PATH=/opt/ucmsim/bin:$PATH PYTHONUNBUFFERED=1
USER ucmsim
WORKDIR /var/lib/ucmsim
EXPOSE 22 69/udp 443 2445 2748 2749 3804 5060 5060/udp 5061 6970 6971 6972 8080 8443 9443
ENTRYPOINT ["ucmsim"]
CMD ["demo"]

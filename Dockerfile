# The image of every deployment: webserver, daemon, code server, run pods, one-shot runs. Nothing of
# ours is compiled, so it is built alike on amd64 and arm64. It runs as any user, with a read-only
# root; only /tmp is written. There is no HEALTHCHECK, because what is healthy differs by role: see
# the probes in deploy/.
# By its digest, so that each build has the same one; docs/kubernetes.md says how to renew it.
ARG PYTHON_IMAGE=python:3.12-slim@sha256:229a2c5bfa27522db7815ea81f9bed70af17ccb9de9fc7ad142b1877b5830d36

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
RUN python -m venv /opt/venv
COPY requirements.lock ./
RUN /opt/venv/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements.lock
COPY deploy/image ./
COPY pyproject.toml README.md ./
COPY locomo_assets ./locomo_assets
RUN /opt/venv/bin/pip install --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && sh prune.sh /opt/venv \
    && cd / && /opt/venv/bin/python /src/warm.py

FROM ${PYTHON_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="LoCoMo assets" \
      org.opencontainers.image.description="Measures a memory service on LoCoMo, release by release" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/venv /opt/venv
COPY workspace.yaml dagster.yaml /opt/dagster/home/
# Bytecode is in the image; below a read-only root none could be written.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/opt/dagster/home \
    LOCOMO_HOME=/tmp/locomo \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
USER 10001:10001
WORKDIR /tmp
# No entrypoint: Dagster puts whole commands into the arguments of run pods.
CMD ["locomo-assets", "--help"]

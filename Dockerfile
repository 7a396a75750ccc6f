# The image of a deployment; deploying it is described in the production chapter to come.
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir --no-deps -r requirements.lock
COPY pyproject.toml README.md ./
COPY locomo_assets ./locomo_assets
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps .

FROM ${PYTHON_IMAGE}
COPY --from=build /opt/venv /opt/venv
COPY workspace.yaml dagster.yaml /opt/dagster/home/
ENV PATH=/opt/venv/bin:$PATH DAGSTER_HOME=/opt/dagster/home LOCOMO_HOME=/tmp/locomo
USER 10001:10001
WORKDIR /opt/dagster/home
ENTRYPOINT ["locomo-assets"]

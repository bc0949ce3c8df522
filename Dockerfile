# One image for every part of Headgate; docker-compose.yml says which part a container runs.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/opt/headgate \
    HEADGATE_JARS=/opt/headgate/jars PYSPARK_PYTHON=/usr/local/bin/python

RUN apt-get update \
 && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/headgate

# Packages and jars change seldom, our own code often: each in a layer of its own, in that order.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --no-deps --requirement requirements.lock

COPY contract contract
COPY launcher launcher
COPY spark_jobs/jvm spark_jobs/jvm
RUN HEADGATE_DATA=/tmp/headgate python -m launcher.setup && rm -rf /tmp/headgate

COPY . .

RUN useradd --uid 10001 --no-create-home headgate \
 && install --directory --owner=headgate --mode=0700 /data
USER headgate
ENV HEADGATE_DATA=/data HOME=/tmp
VOLUME /data

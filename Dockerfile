# The official image of PostgreSQL with smartcar_tesla in it.
#
#   docker build --build-arg PG_MAJOR=15 --tag postgres-smartcar-tesla:15 .
#
# The stage "garage" is the example application, which compose.yaml runs.
#
# This file has not been built yet: no container engine was at hand.

ARG PG_MAJOR=15
FROM node:20-bookworm-slim AS garage
WORKDIR /garage
COPY example/package.json example/package-lock.json ./
RUN npm ci
COPY example/*.js ./
COPY example/public public
USER node
CMD ["node", "server.js"]

FROM postgres:${PG_MAJOR}-bookworm AS database

# after FROM, an argument has to be named again
ARG PG_MAJOR

# One layer, which removes at its end what only the build needs.  The libraries that the
# extension is linked with stay, and the certificates to verify Smartcar's.
RUN --mount=type=bind,target=/src \
	set -eux; \
	manual=$(apt-mark showmanual); \
	apt-get update; \
	apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev \
		libcurl4-openssl-dev libssl-dev make pkg-config "postgresql-server-dev-$PG_MAJOR"; \
	cp -r /src /tmp/smartcar_tesla; \
	cd /tmp/smartcar_tesla; \
	config=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config; \
	make -j "$(nproc)" with_llvm=no PG_CONFIG="$config"; \
	make install with_llvm=no PG_CONFIG="$config"; \
	library=/usr/lib/postgresql/$PG_MAJOR/lib/smartcar_tesla.so; \
	libraries=$(ldd "$library" | awk '/=> \// { print $3 }' | xargs -n 1 realpath | \
		xargs -n 1 dpkg-query --search 2>/dev/null | cut -d : -f 1 | sort -u); \
	apt-mark auto '.*' >/dev/null; \
	printf '%s\n' "$manual" "$libraries" ca-certificates | xargs apt-mark manual >/dev/null; \
	apt-get purge -y --auto-remove \
		-o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false; \
	if ldd "$library" | grep 'not found'; then exit 1; fi; \
	cd /; \
	rm -rf /tmp/smartcar_tesla /var/lib/apt/lists/*

# npm.sh: packages of npm for a test that cannot be had without them.
#
# Sourced by scripts that have set scratch, a directory of their own, and whose
# function skip says why there is no test here and ends it.
#
# shellcheck shell=sh disable=SC2154

need_npm()
{
	command -v node > /dev/null || skip "there is no node"
	command -v npm > /dev/null || skip "there is no npm"
	node -e 'process.exit(parseInt(process.versions.node, 10) >= 18 ? 0 : 1)' ||
		skip "Node 18 or newer is needed, this is $(node --version)"
}

# install_packages FOLDER: those of its package-lock.json.
install_packages()
{
	if (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000) > "$scratch/npm.log" 2>&1; then
		return
	fi

	# What npm says when the registry, or the way to it, does not answer.
	if grep -E -q 'EAI_AGAIN|EAI_FAIL|ENOTFOUND|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED|SELF_SIGNED_CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|E403|E407|E50[0-9]' "$scratch/npm.log"; then
		skip "the npm registry cannot be reached ($(grep -E -m 1 'code|network' "$scratch/npm.log"))"
	fi
	cat "$scratch/npm.log" >&2
	exit 1
}

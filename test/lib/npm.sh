# npm.sh: npm packages for tests that need them.
#
# Sourced by scripts that have set scratch, a directory of their own, and have a function
# skip that says why the test cannot run and ends it.
#
# shellcheck shell=sh disable=SC2154

need_npm()
{
	command -v node > /dev/null || skip "there is no node"
	command -v npm > /dev/null || skip "there is no npm"
	node -e 'process.exit(parseInt(process.versions.node, 10) >= 18 ? 0 : 1)' ||
		skip "Node 18 or newer is needed, this is $(node --version)"
}

# install_packages FOLDER: the packages of its package-lock.json.
install_packages()
{
	if (cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline \
		--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000) > "$scratch/npm.log" 2>&1; then
		return
	fi

	# The messages of npm if the registry cannot be reached.
	if grep -E -q 'EAI_AGAIN|EAI_FAIL|ENOTFOUND|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED|SELF_SIGNED_CERT|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|E403|E407|E50[0-9]' "$scratch/npm.log"; then
		skip "the npm registry cannot be reached ($(grep -E -m 1 'code|network' "$scratch/npm.log"))"
	fi
	cat "$scratch/npm.log" >&2
	exit 1
}

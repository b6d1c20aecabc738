#!/bin/sh
# Installs what building and testing needs (packaging/debian-packages.txt, package-lock.json) and builds.
# Run again it only builds what changed.
set -eu
cd "$(dirname "$0")/.."

wanted=$(sed 's/#.*//' packaging/debian-packages.txt)
missing=
for package in $wanted; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] && sudo= || sudo=sudo
  $sudo apt-get update -qq
  # shellcheck disable=SC2086 # the list is words
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
fi

stamp=node_modules/.gantry-lock
if ! cmp -s package-lock.json "$stamp" 2>/dev/null; then
  npm ci --no-audit --no-fund
  cp package-lock.json "$stamp"
fi
npm run --silent build

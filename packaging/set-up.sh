#!/bin/sh
# Installs what building and testing needs (packaging/debian-packages.txt, package-lock.json) and builds.
# Run again it only builds what changed.
set -eu
cd "$(dirname "$0")/.."

install_debian_packages() {
  wanted=$(sed 's/#.*//' packaging/debian-packages.txt)
  # shellcheck disable=SC2086 # the list is words
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null | sed -n 's/^installed //p') || :
  missing=
  for package in $wanted; do
    case "
$installed
" in *"
$package
"*) ;; *) missing="$missing $package" ;; esac
  done
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] && sudo= || sudo=sudo
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

# systemd-journald compiles here. With node's own headers beside its binary, node-gyp has nothing to download.
install_npm_packages() {
  stamp=node_modules/.gantry-stamp
  { node --version && cat package-lock.json; } | cmp -s - "$stamp" && return 0
  prefix=$(node -p 'require("node:path").dirname(require("node:path").dirname(process.execPath))')
  if [ -f "$prefix/include/node/node.h" ]; then
    npm_config_nodedir=$prefix
    export npm_config_nodedir
  fi
  npm ci --no-audit --no-fund
  { node --version && cat package-lock.json; } >"$stamp"
}

major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || major=0
if [ "$major" -lt 20 ]; then
  echo "set-up: Node 20 or later is needed, with npm" >&2
  exit 1
fi
install_debian_packages
install_npm_packages
npm run --silent build

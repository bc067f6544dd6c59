# What the sanitizer scripts beside this file share. They source it; it does nothing by itself.

# The packages whose tests run, by their folders. The others (macros, examples, benches) run no
# code of their own under a sanitizer that these do not run too.
package_dirs=(wg-core wg-scope tests)

# Test targets (files or folders in a package's `tests/`) that stay out: they start compilers or
# read the sources, so a sanitizer would watch cargo and rustc instead of us. Everything else is
# taken, so a new test file cannot be forgotten.
left_out=(ui tidy compile_fail)

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The triple must be named even where it is the host's: only then does cargo keep RUSTFLAGS away
# from proc-macros and build scripts, which are loaded into or started by programs that know
# nothing of a sanitizer.
machine=$(uname -m)
target=$machine-unknown-linux-gnu

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Prints a command in a form that can be pasted into a shell, then runs it.
run() {
  printf '+'
  printf ' %q' "$@"
  printf '\n'
  "$@"
}

# The same for a variable of the environment.
export_as() {
  printf '+ export %s=%s\n' "$1" "${2@Q}"
  export "$1=$2"
}

# Sets `selection` to cargo's arguments for the packages and test targets above: all unit tests and
# all integration tests.
select_tests() {
  local dir file name skip
  selection=(--lib)
  for dir in "${package_dirs[@]}"; do
    name=$(sed -n 's/^name = "\(.*\)"$/\1/p' "$dir/Cargo.toml" | head -n 1)
    [[ -n $name ]] || fail "$dir/Cargo.toml names no package"
    selection+=(-p "$name")
    for file in "$dir"/tests/*.rs "$dir"/tests/*/main.rs; do
      # A pattern that matches nothing stays as it is.
      [[ -e $file ]] || continue
      name=${file%/main.rs}
      name=$(basename "$name" .rs)
      for skip in "${left_out[@]}"; do
        [[ $name != "$skip" ]] || continue 2
      done
      selection+=(--test "$name")
    done
  done
}

# Cargo's target folder and, within it, the empty folder that the sanitizer's reports go to.
prepare_folders() {
  # A folder of its own, because flags that differ from everybody else's would have cargo build
  # everything anew at every turn. Absolute, because tests run in their package's folder.
  export_as CARGO_TARGET_DIR "$(realpath -m "${CARGO_TARGET_DIR:-target/$1}")"
  reports=$CARGO_TARGET_DIR/reports
  rm -rf "$reports"
  mkdir -p "$reports"
}

# Prints the reports and fails if there are any, or if the tests did, by their exit code `$1`.
# Reports are counted as files as well, because a test may start a process whose exit code it does
# not look at.
demand_no_reports() {
  local found=("$reports"/*)
  if [[ -e ${found[0]} ]]; then
    cat "${found[@]}" >&2
    fail "${#found[@]} process(es) with reports, in $reports"
  fi
  [[ $1 == 0 ]] || fail "the tests did not build or did not pass; there are no reports"
  echo "0 reports"
}

# Sets `toolchain` to a folder with Debian's rustc, cargo and std sources, all of one version, and
# the sanitizer runtimes and linker of the LLVM that this rustc was built with; and `llvm` to the
# folder of that LLVM. rustup's stable toolchain is no substitute: it has no sources of std.
#
# Everything is unpacked into a cache and nothing is installed, so neither the machine's own
# compilers nor the PATH change. The cache is used as it is while it exists; remove it to get
# newer packages.
fetch_debian_rust() {
  local cache=${WG_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wg-ci}
  toolchain=$cache/debian-rust
  # RUSTFLAGS is split at spaces and knows no quoting.
  [[ $toolchain != *[[:space:]]* ]] || fail "WG_CI_CACHE must have no space in it: $toolchain"
  if [[ ! -d $toolchain ]]; then
    unpack_debian_rust "$toolchain"
  fi
  llvm=$(echo "$toolchain"/usr/lib/llvm-*)
  [[ -d $llvm ]] || fail "one LLVM expected in $toolchain, found: $llvm"
}

unpack_debian_rust() {
  local new std llvm_major tools packages
  command -v apt-get dpkg-deb >/dev/null || fail "this needs apt-get and dpkg-deb, so Debian"

  # Old lists name packages that the servers no longer have, or older ones. A CI asks nobody.
  export DEBIAN_FRONTEND=noninteractive
  if [[ $(id -u) == 0 ]]; then
    run apt-get update -q
  else
    command -v sudo >/dev/null || fail "only root may run apt-get update, and there is no sudo"
    run sudo -n apt-get update -q
  fi

  # The runtimes must come from rustc's own LLVM. Its version is in no package's name but in
  # what rustc's library depends on, by way of a package that carries rustc's version.
  std=$(depends_on libstd-rust-web-dev 'libstd-rust-web-[0-9.]+')
  llvm_major=$(depends_on "$std" 'libllvm[0-9]+')
  llvm_major=${llvm_major#libllvm}

  # What runs comes with all that it needs and the machine lacks, which apt works out. The
  # sources and the runtimes need nothing, whatever apt says: it would bring a 32-bit libc.
  tools=(rustc-web cargo-web "lld-$llvm_major")
  packages=$(apt-get install --simulate --no-install-recommends "${tools[@]}" |
    sed -n 's/^Inst \([^ ]*\).*/\1/p')
  # Tools that the machine already has are not in that list, but are wanted in the cache too.
  packages=$(printf '%s\n' $packages "$std" libstd-rust-web-dev "libllvm$llvm_major" \
    "${tools[@]}" rust-web-src "libclang-rt-$llvm_major-dev" | sort -u)

  # Unpacked beside its place and then moved there, so that an interrupted run leaves no half
  # of a toolchain that the next one would take for a whole.
  mkdir -p "$(dirname "$1")"
  new=$(mktemp -d "$1.XXXXXX")
  # The sandbox's user may not write into a folder that is ours; it is only a warning, but loud.
  (cd "$new" && run apt-get download -q -o APT::Sandbox::User="$(id -un)" $packages)
  local deb
  for deb in "$new"/*.deb; do
    dpkg-deb --extract "$deb" "$new"
    rm "$deb"
  done
  # Half of the space goes to the sources of rustc's own tools, which nobody here builds.
  rm -rf "$new"/usr/src/rustc-*/src
  mv --no-target-directory "$new" "$1"
}

# The package that `$1`, in the version that would be installed, depends on and that matches `$2`.
depends_on() {
  local found
  found=$(apt-cache show --no-all-versions "$1" | sed -n 's/^Depends: //p' | grep -oE "\b$2\b" |
    sort -u) || fail "apt knows no package $1 that depends on $2"
  [[ $(wc -l <<<"$found") == 1 ]] || fail "$1 depends on more than one $2: $found"
  echo "$found"
}
